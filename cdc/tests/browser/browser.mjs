// A browser that does what the test asks, a JSON object a line, and answers each with one.
//
// It is the system's Chromium. Whatever the page logs, throws or asks of another host is collected and told with each answer.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";

import { chromium } from "playwright-core";

const FLAGS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];
const WIDTHS = [1280, 390];
const SCHEMES = ["light", "dark"];
const PATIENCE = 30_000;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.CDC_TEST_CHROMIUM || "/usr/bin/chromium",
  args: FLAGS,
  chromiumSandbox: false,
});
let page;
let seen = { errors: [], foreign: [] };

// Where a request is refused, the browser itself writes a line; the test says where that is expected.
function watch(page, origin) {
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) seen.foreign.push(url);
  });
}

const actions = {
  // Opens the page in a fresh profile.
  async open({ address }) {
    await page?.context().close();
    const context = await browser.newContext({ viewport: { width: WIDTHS[0], height: 900 } });
    page = await context.newPage();
    const origin = `http://${address}`;
    watch(page, origin);
    const answer = await page.goto(`${origin}/`);
    return { status: answer.status() };
  },
  // Waits until the headline contains a text.
  async headline({ text }) {
    const headline = page.locator("#headline", { hasText: text });
    await headline.waitFor({ timeout: PATIENCE }).catch(async () => {
      throw new Error(`the headline is not “${text}” but “${await page.locator("#headline").textContent()}”`);
    });
    return {};
  },
  async text({ selector }) {
    return { text: await page.locator(selector).first().innerText() };
  },
  async type({ selector, text }) {
    await page.locator(selector).fill(text);
    await page.keyboard.press("Enter");
    return {};
  },
  // Pictures of both widths and both schemes, with what axe finds in each.
  async look({ folder, name }) {
    mkdirSync(folder, { recursive: true });
    const found = [];
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: true });
        found.push(...(await violations()).map((text) => `${width} ${colorScheme}: ${text}`));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (0 < wide) found.push(`${width} ${colorScheme}: the page is ${wide} px wider than the window`);
      }
    }
    return { found };
  },
  // How many elements the keyboard reaches, and whether each shows that it has the focus.
  async tab() {
    const reached = [];
    for (let presses = 0; presses < 30; presses += 1) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => {
        const { tagName, id } = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return { name: `${tagName} ${id}`, isBody: tagName === "BODY", isShown: outlineStyle !== "none" && outlineWidth !== "0px" };
      });
      if (focused.isBody) break;
      reached.push(focused);
    }
    return { reached: reached.length, hidden: reached.filter((one) => !one.isShown).map((one) => one.name) };
  },
};

// What axe finds. It is put into the page by the debugger, which the page's policy does not bind.
async function violations() {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document)).violations);
  return found.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map((node) => node.html).join(" ").slice(0, 400)}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...options } = JSON.parse(line);
  let answer;
  try {
    answer = await actions[action](options);
  } catch (error) {
    answer = { failure: String(error) };
  }
  console.log(JSON.stringify({ ...answer, ...seen }));
  seen = { errors: [], foreign: [] };
}
await browser.close();
