// The sections of the page, each made of the status.

const WORDS = {
  reading: ["good", "reading"],
  catching_up: ["busy", "catching up"],
  away: ["bad", "away"],
  waiting: ["unknown", "waits"],
  draining: ["busy", "draining"],
  empty: ["good", "empty"],
  in_flight: ["good", "in flight"],
  full: ["busy", "full"],
  stalled: ["bad", "stalled"],
  publishing: ["good", "publishing"],
  failing: ["bad", "fails"],
  blocked: ["bad", "blocked"],
  nacked: ["bad", "refuses"],
  unroutable: ["bad", "no queue"],
  saving: ["good", "saving"],
};

function showFlow(status) {
  const { source, window, sink, checkpoint } = status;
  const stages = [
    ["MongoDB", source.state, `${rate(source.per_second)}/s`, `${count(source.events)} events read`],
    [
      "In flight",
      window.state,
      count(window.messages),
      `of ${count(window.messages_max)} messages, ${bytes(window.bytes)} of ${bytes(window.bytes_max)}`,
    ],
    [broker(sink), sink.state, `${rate(sink.per_second)}/s`, `${count(sink.confirmed)} messages confirmed, to ${sink.target}`],
    ["Checkpoint", checkpoint.state, ago(checkpoint.age_seconds), plural(checkpoint.saves, "save", "saves")],
  ];
  const flow = byId("flow");
  fill(flow, stages.map(([name]) => name), (name) =>
    make(
      "li",
      { class: "panel stage" },
      make("h3", {}, name),
      make("p", { class: "word" }),
      make("p", { class: "value" }),
      make("p", { class: "quiet" }),
    ),
  );
  stages.forEach(([, state, value, more], index) => {
    const [tone, word] = WORDS[state] || ["unknown", state];
    const stage = flow.children[index];
    if (stage.dataset.tone !== tone) stage.dataset.tone = tone;
    [word, value, more].forEach((text, part) => put(stage.children[part + 1], text));
  });
}

function broker({ target }) {
  return /^(queue|exchange) /.test(target) ? "RabbitMQ" : "Sink";
}

function ago(age) {
  return age === null ? "not yet" : `${seconds(age)} ago`;
}

function facts(status) {
  const { sink, checkpoint, snapshot, headroom } = status;
  const found = [["Role", roles(status)]];
  found.push(["Standbys", standbys(status)]);
  found.push(["Lag", lag(status)]);
  if (status.latency) {
    const { p50_ms, p99_ms } = status.latency;
    found.push(["Change to confirm", `${milliseconds(p50_ms)} half of them, ${milliseconds(p99_ms)} 99 of 100`]);
  }
  if (headroom) found.push(["Oplog left", headroomWords(headroom)]);
  const failures = checkpoint.save_failures ? `, ${plural(checkpoint.save_failures, "attempt", "attempts")} failed` : "";
  const position = checkpoint.position_at ? `, at changes of ${timeOf(new Date(checkpoint.position_at))}` : "";
  const known = checkpoint.age_seconds === null ? "not saved yet" : `saved ${ago(checkpoint.age_seconds)}`;
  const saved = status.role === "standby" ? "the other engine’s" : known;
  found.push(["Checkpoint", saved + position + failures]);
  found.push(["Snapshot", snapshot ? snapshotWords(snapshot) : "none under way", progressOf(snapshot)]);
  const again = `${count(sink.retried)} sent again, ${count(sink.nacked)} refused, ${count(sink.returned)} returned`;
  found.push(["Messages", `${count(sink.published)} published, ${again}`]);
  return found;
}

// Of changes that cannot be seen nothing is known.
function lag({ lag_seconds, source }) {
  return source.state === "away" ? "not known while MongoDB is away" : seconds(lag_seconds);
}

function roles(status) {
  return (
    {
      leader: "leader: this engine publishes",
      standby: "standby: another engine holds the lock and publishes",
      starting: "starting",
      draining: "stopping; a standby takes over",
    }[status.role] || status.role
  );
}

function headroomWords({ seconds: left, window_seconds, behind_seconds, level }) {
  const holds = `the oplog holds ${seconds(window_seconds)}`;
  if (left === null && level !== "well") return `only ${seconds(window_seconds - behind_seconds)} before what is not read yet; ${holds}`;
  if (left === null) return `no loss in sight; ${holds}`;
  return left ? `about ${seconds(left)} until changes are lost; ${holds}` : `none before what is not read yet; ${holds}`;
}

function standbys({ role, sink, standbys: names }) {
  if (role === "standby") return "this engine, and perhaps others: the leader’s page has all";
  if (!names && sink.state === "away") return "not known while RabbitMQ is away";
  if (!names && sink.state === "blocked") return "not known while RabbitMQ takes no messages";
  if (!names) return role === "leader" ? "not known: the user may not read the lock’s queue" : "not known yet";
  return names.length ? names.join(", ") : "none: if this engine ends, nothing is published until it is started again";
}

function snapshotWords({ documents, documents_estimated, waits_for }) {
  const reasons = { catching_up: "until changes are caught up with", mongodb: "for MongoDB", paused: "since somebody paused it" };
  const waits = waits_for ? `; it waits ${reasons[waits_for] || waits_for}` : "";
  return `${count(documents)} of about ${count(documents_estimated)} documents${waits}`;
}

function showFacts(status) {
  const found = facts(status);
  const list = byId("facts");
  fill(list, found.map(([name]) => name), (name) => {
    const bar = make("progress", { max: 100, "aria-label": name, hidden: "" });
    return make("div", {}, make("dt", {}, name), make("dd", {}, make("span"), bar));
  });
  found.forEach(([, text, done = null], index) => {
    const [words, bar] = list.children[index].lastChild.children;
    put(words, text);
    show(bar, done !== null);
    if (done !== null) bar.value = done;
  });
}

function progressOf(snapshot) {
  if (!snapshot || !snapshot.documents_estimated) return null;
  return Math.min(100, Math.round((snapshot.documents / snapshot.documents_estimated) * 100));
}

function showProblems(status) {
  show(byId("no-problems"), !status.problems.length);
  // After midnight the times of the day before need their date.
  const today = new Date().toDateString();
  const problems = status.problems.map((one) => ({ ...one, today }));
  fill(byId("problems"), problems, ({ cause, reason, hint, began_at, ended_at }) => {
    const [began, ended] = [new Date(began_at), ended_at && new Date(ended_at)];
    const lasted = ended ? `${timeOf(began)}, over after ${seconds((ended - began) / 1000)}` : `now, since ${timeOf(began)}`;
    const item = make("li", { "data-tone": ended ? "unknown" : "bad" });
    item.append(make("p", {}, make("strong", {}, cause), " ", make("span", { class: "quiet" }, lasted)));
    item.append(make("p", { class: "reason" }, reason));
    if (hint) item.append(make("p", { class: "hint" }, ...worded(hint)));
    return item;
  });
}

function showSettings(settings) {
  const row = ({ name, value, source, is_default }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", value === null ? { class: "quiet" } : {}, value === null ? "(hidden)" : value),
      make("td", { class: "quiet" }, is_default ? source.replace(/^default(: )?/, "") : source),
    );
  fill(byId("set"), settings.filter((one) => !one.is_default), row);
  fill(byId("default"), settings.filter((one) => one.is_default), row);
}

// Lines of five minutes.
function showNumbers(history) {
  const lines = [];
  for (let end = history.ended_at.length; 0 < end; end -= 30) {
    const from = Math.max(0, end - 30);
    const [done, lag, slow] = ["confirmed_per_second", "lag_seconds", "p99_ms"].map((name) =>
      history[name].slice(from, end).filter((value) => value !== null),
    );
    lines.push([
      shortClock.format(new Date(history.ended_at[end - 1] * 1000)),
      rate(done.reduce((sum, value) => sum + value, 0) / Math.max(1, done.length)),
      seconds(Math.max(0, ...lag)),
      slow.length ? milliseconds(Math.max(...slow)) : "–",
    ]);
  }
  fill(byId("numbers"), lines, ([until, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, until), ...cells.map((cell) => make("td", { class: "number" }, cell))),
  );
}
