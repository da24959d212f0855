// Elements of the page. What has not changed is not touched, so that a selection, the focus and a screen reader stay where
// they are.

const SVG = "http://www.w3.org/2000/svg";

function byId(id) {
  return document.getElementById(id);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// Text in which what stands between backticks is code.
function worded(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

// Replaces the children where what they are made of is not as it was.
const made = new WeakMap();
function fill(element, content, build) {
  const key = JSON.stringify(content);
  if (made.get(element) === key) return;
  made.set(element, key);
  element.replaceChildren(...content.map(build));
}
