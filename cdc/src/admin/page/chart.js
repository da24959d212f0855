// Charts of the last hour: lines over time, with what they show also in words.

const HOUR = 3600;
// What an engine that was just started shows at least.
const SPAN_MIN = 600;
const WIDE = 600;
const HIGH = 120;

// Where an axis of seconds may end.
const ENDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000, 86400];

function secondsAbove(number) {
  return ENDS.find((end) => number <= end) ?? above(number / 86400) * 86400;
}

// The least of 1, 2 and 5 times a power of ten that is no smaller.
function above(number) {
  if (number <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => number <= step * 1.0001);
}

// A chart with a line for each of `lines`, each with a name, a column of the history and a class. Its axis ends at what
// `end` makes of the largest value.
function chart(title, lines, format, end = above) {
  const id = `chart-${lines[0].column}`;
  const value = make("strong", { class: "value" });
  const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img" });
  const top = make("span", { class: "scale" });
  const at = make("span", { class: "at quiet" });
  const from = make("span");
  const legend = make("span", { class: "legend quiet" });
  if (1 < lines.length) {
    legend.append(...lines.map((line) => make("span", { class: `key ${line.look}` }, line.name)));
  }
  const figure = make(
    "figure",
    { class: "panel chart", id },
    make("figcaption", {}, make("span", {}, title), value, legend, at),
    make("div", { class: "plot" }, top, picture),
    make("div", { class: "axis quiet", "aria-hidden": "true" }, from, make("span", {}, "now")),
  );
  const self = { title, lines, format, end, value, picture, top, from, at, history: null };
  picture.addEventListener("pointermove", (event) => point(self, event));
  picture.addEventListener("pointerleave", () => put(at, ""));
  return { figure, update: (history, now) => update(self, history, now) };
}

function update(self, history, now) {
  const { lines, format, picture } = self;
  const first = history.ended_at.length ? history.ended_at[0] - history.sample_seconds : now;
  const begin = now - Math.min(HOUR, Math.max(SPAN_MIN, now - first));
  Object.assign(self, { history, now, begin });
  const all = lines.flatMap((line) => history[line.column]).filter((value) => value !== null);
  const largest = Math.max(0, ...all);
  const most = self.end(largest);
  put(self.top, all.length ? format(most) : "nothing yet");
  put(self.from, shortClock.format(new Date(begin * 1000)));
  const parts = [draw("line", { x1: 0, x2: WIDE, y1: HIGH / 2, y2: HIGH / 2, class: "grid" })];
  for (const line of lines) parts.push(...paths(self, line, most));
  picture.replaceChildren(...parts);
  const words = lines.map((line) => inWords(line, history[line.column], format));
  picture.setAttribute("aria-label", `${self.title}, last hour: ${words.join("; ")}`);
}

// A line, and where it is the first the area under it; a gap where the engine was not there.
function paths({ history, now, begin }, line, most) {
  const x = (time) => ((time - begin) / (now - begin)) * WIDE;
  const y = (value) => HIGH - (value / most) * (HIGH - 4);
  const stretches = [];
  let last = null;
  history.ended_at.forEach((time, index) => {
    const value = history[line.column][index];
    if (value === null || time < begin) return;
    const goesOn = last !== null && time - last < 2.5 * history.sample_seconds;
    if (!goesOn) stretches.push([[Math.max(0, x(time - history.sample_seconds)), y(value)]]);
    stretches[stretches.length - 1].push([x(time), y(value)]);
    last = time;
  });
  const written = (points) => points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join("L");
  const d = stretches.map((points) => `M${written(points)}`).join("");
  const found = [draw("path", { d, class: `line ${line.look}` })];
  if (line.look === "first") {
    const areas = stretches.map((points) => {
      const [from, to] = [points[0][0], points[points.length - 1][0]];
      return `M${from.toFixed(1)},${HIGH}L${written(points)}L${to.toFixed(1)},${HIGH}Z`;
    });
    found.unshift(draw("path", { d: areas.join(""), class: "area" }));
  }
  return found;
}

function inWords(line, column, format) {
  const known = column.filter((value) => value !== null);
  if (!known.length) return `${line.name}: nothing yet`;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return `${line.name} between ${format(least)} and ${format(most)}, on average ${format(mean)}`;
}

// What the lines show where the pointer is.
function point(self, event) {
  const { history, now, begin, lines, format } = self;
  if (!history || !history.ended_at.length) return;
  const box = self.picture.getBoundingClientRect();
  const time = begin + ((event.clientX - box.left) / box.width) * (now - begin);
  const distances = history.ended_at.map((ended) => Math.abs(ended - time));
  const index = distances.indexOf(Math.min(...distances));
  if (3 * history.sample_seconds < distances[index]) return put(self.at, "");
  const values = lines.map((line) => {
    const value = history[line.column][index];
    return value === null ? `${line.name} –` : `${line.name} ${format(value)}`;
  });
  put(self.at, `${shortClock.format(new Date(history.ended_at[index] * 1000))}: ${values.join(", ")}`);
}
