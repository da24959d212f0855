// Asks the engine every two seconds, more seldom where it does not answer or nobody looks.

const EVERY = 2000;
const HIDDEN_EVERY = 30000;
const LATEST = 15000;
const PATIENCE = 5000;
const HISTORY_EVERY = 10000;
const KEY = "cdc-token";

// The token is kept until the tab is closed; where the browser keeps nothing, until the page is loaded again.
let kept = null;
const token = {
  get() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return kept;
    }
  },
  set(value) {
    kept = value;
    try {
      if (value) sessionStorage.setItem(KEY, value);
      else sessionStorage.removeItem(KEY);
    } catch {}
  },
};

const page = { failures: 0, answeredAt: null, historyAt: 0, timer: null, asking: null, history: null };
const needsToken = document.documentElement.dataset.token === "needed";

const charts = [
  chart("Confirmed a second", [{ name: "confirmed", column: "confirmed_per_second", look: "first" }], rate),
  chart("Lag", [{ name: "lag", column: "lag_seconds", look: "first" }], seconds, secondsAbove),
  chart(
    "Change to confirm",
    [
      { name: "p99", column: "p99_ms", look: "first" },
      { name: "p50", column: "p50_ms", look: "second" },
    ],
    milliseconds,
  ),
];
byId("charts").append(...charts.map((one) => one.figure));

async function ask() {
  const isWhole = HISTORY_EVERY <= Date.now() - page.historyAt;
  const shown = token.get();
  const headers = shown ? { Authorization: `Bearer ${shown}` } : {};
  const answer = await fetch(isWhole ? "status.json" : "status.json?brief", {
    headers,
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (answer.status === 401) return askForToken(Boolean(shown));
  if (!answer.ok) throw new Error(`the engine answers with ${answer.status}`);
  const status = await answer.json();
  if (isWhole) page.historyAt = Date.now();
  Object.assign(page, { failures: 0, answeredAt: new Date() });
  showAll(status);
}

function showAll(status) {
  document.title = `${status.pipeline}: ${status.state.replace("_", " ")} – cdc`;
  put(byId("pipeline"), status.pipeline);
  put(byId("process"), `version ${status.version}, up ${seconds(status.uptime_seconds)}`);
  put(byId("asked"), `as of ${timeOf(new Date(status.now))}`);
  showState(...headline(status));
  showObstacles(status);
  showFlow(status);
  showFacts(status);
  showProblems(status);
  if (status.settings) showSettings(status.settings);
  if (status.history) {
    page.history = status.history;
    showNumbers(status.history);
  }
  showCharts(status);
  delete byId("data").dataset.stale;
  show(byId("data"), true);
  show(byId("login"), false);
  show(byId("forget"), needsToken);
}

function showCharts(status) {
  const values = [
    rate(status.sink.per_second),
    status.source.state === "away" ? "–" : seconds(status.lag_seconds),
    status.latency ? milliseconds(status.latency.p99_ms) : "–",
  ];
  charts.forEach((one, index) => {
    put(one.figure.querySelector(".value"), values[index]);
    if (status.history) one.update(status.history, Date.parse(status.now) / 1000);
  });
}

// The engine is gone, or its loop does not turn.
function showSilence() {
  document.title = document.title.replace(/^(.*?)(: .*)? – cdc$/, "$1: no answer – cdc");
  const since = page.answeredAt ? ` since ${timeOf(page.answeredAt)}` : "";
  const last = page.answeredAt ? " Below is what it told last." : "";
  const todo = "Does its process run? Its log says why it ended. “cdc status” asks the servers how the pipeline stands.";
  showState("unknown", `No answer from the engine${since}`, `It has stopped, cannot be reached, or its loop hangs. ${todo}${last}`);
  byId("obstacles").replaceChildren();
  made.delete(byId("obstacles"));
  show(byId("notice"), false);
  byId("data").dataset.stale = "";
}

function askForToken(isWrong) {
  token.set(null);
  showState("unknown", "A token is needed", "");
  byId("obstacles").replaceChildren();
  made.delete(byId("obstacles"));
  show(byId("data"), false);
  show(byId("forget"), false);
  const isNew = byId("login").hidden;
  show(byId("login"), true);
  put(byId("wrong"), isWrong ? "This is not the engine's token." : "");
  if (isNew || isWrong) byId("token").focus();
}

async function turn() {
  clearTimeout(page.timer);
  if (needsToken && !token.get()) {
    if (byId("login").hidden) askForToken(false);
    return;
  }
  try {
    page.asking ??= ask();
    await page.asking;
  } catch {
    page.failures += 1;
    // One answer may be late: the engine has better to do.
    if (1 < page.failures || !page.answeredAt) showSilence();
  } finally {
    page.asking = null;
  }
  if (!byId("login").hidden) return;
  const pause = document.hidden ? HIDDEN_EVERY : Math.min(LATEST, EVERY * 2 ** Math.max(0, page.failures - 1));
  clearTimeout(page.timer);
  page.timer = setTimeout(turn, pause);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(byId("token").value.trim());
  byId("token").value = "";
  page.historyAt = 0;
  turn();
});
byId("forget").addEventListener("click", () => {
  clearTimeout(page.timer);
  page.historyAt = 0;
  askForToken(false);
});
document.addEventListener("visibilitychange", () => document.hidden || turn());
turn();
