// The state in a sentence, and its tone: good, busy, bad or unknown.

const HINDERED = {
  mongodb: "MongoDB is away: no changes are read",
  headroom: "Changes are about to be lost",
  rabbitmq: "RabbitMQ is away: nothing is published",
  sink: "The sink fails: nothing is delivered",
  blocked: "RabbitMQ takes nothing: it has blocked the connection",
  nacked: "RabbitMQ refuses messages",
  unroutable: "A message matches no queue",
  checkpoint: "The checkpoint cannot be saved",
  stalled: "Nothing moves, although there is work",
};

function headline(status) {
  const [first, ...more] = status.obstacles;
  const rest = more.length ? ` (and ${plural(more.length, "other obstacle", "other obstacles")})` : "";
  if (status.role === "draining") {
    return ["busy", "Stopping", "It reads no more and waits until what is in flight is confirmed."];
  }
  if (first) {
    const isLost = first.cause === "headroom" && status.headroom?.seconds === 0;
    const title = isLost ? "Changes are lost: they have left the oplog" : HINDERED[first.cause];
    return ["bad", (title || `Hindered: ${first.cause}`) + rest, went(status)];
  }
  switch (status.state) {
    case "starting":
      return ["busy", "Starting", "It connects to its servers."];
    case "standby":
      return ["good", "Standing by", "Another engine of this pipeline publishes. This one takes over when that one ends."];
    case "catching_up":
      return ["busy", `Catching up: ${seconds(status.source.behind_seconds)} behind`, went(status)];
    case "snapshot":
      return ["good", "Changes flow, beside a snapshot", went(status)];
    default:
      return ["good", "Changes flow", went(status)];
  }
}

// What goes through, in a line.
function went(status) {
  const done = `${rate(status.sink.per_second)} a second confirmed`;
  const late = status.lag_seconds || status.source.state === "away" ? `, lag ${lag(status)}` : ", no lag";
  const slow = status.latency ? `, p99 ${milliseconds(status.latency.p99_ms)}` : "";
  return done + late + slow;
}

// What takes no readiness away yet: a standby is ready however little is left.
function warning({ headroom, obstacles }) {
  if (!headroom || headroom.level === "well" || obstacles.some(({ cause }) => cause === "headroom")) return null;
  return `Little of the oplog is left: ${headroomWords(headroom)}. Make it larger, or mend what holds the engine up.`;
}

function showState(tone, title, detail) {
  const section = byId("state");
  if (section.dataset.tone !== tone) section.dataset.tone = tone;
  put(byId("headline"), title);
  put(byId("detail"), detail);
  put(byId("spoken"), title.replace(/: [\d.,]+ \w+ behind$/, ""));
}

function showObstacles(status) {
  const shown = status.obstacles.map(({ cause, reason, hint }) => ({ cause, reason, hint }));
  fill(byId("obstacles"), shown, ({ cause, reason, hint }) => {
    const item = make("li", {}, make("p", { class: "reason" }, reason), make("p", { class: "quiet", "data-since": cause }));
    if (hint) item.append(make("p", { class: "hint" }, make("strong", {}, "What to do: "), ...worded(hint)));
    return item;
  });
  for (const { cause, for_seconds } of status.obstacles) {
    const since = byId("obstacles").querySelector(`[data-since="${cause}"]`);
    put(since, `for ${seconds(for_seconds)}`);
  }
  const words = [status.notice, warning(status)].filter(Boolean).join(" ");
  show(byId("notice"), Boolean(words));
  put(byId("notice"), words);
}
