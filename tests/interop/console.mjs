// Clicks through the operator's console in Chromium. Usage: console.mjs PROGRAM SCRATCH NPM CHROMIUM [PICTURES]
// Needs an empty directory for state and workspace. With a directory for pictures it leaves some there.
import assert from "node:assert";
import { createServer } from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Terrarium } from "./terrarium.mjs";

const [program, scratch, npm, executablePath, pictures] = process.argv.slice(2);
const { chromium } = createRequire(`${npm}/node_modules/`)("playwright-core");
const POLICY = `policy:
  revision: "1"
  rules:
    - {id: terminals, effect: allow, callers: [local], tools: [terminal_open, terminal_send, terminal_resize, terminal_list, terminal_close], profiles: [default]}
    - {id: asks, effect: confirm, callers: [local], tools: [terminal_run], profiles: [default], confirm: {by: [operator], within: 5min}}
`;

for (const part of ["workspace", "state"]) mkdirSync(`${scratch}/${part}`);
writeFileSync(`${scratch}/terrarium.yaml`, POLICY, { mode: 0o600 });
const server = new Terrarium(program, scratch, ["--config", `${scratch}/terrarium.yaml`, "--console"]);
await server.begin();

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] }); // its own sandbox does not start as root
const wrong = [];

// A browser that notes whatever a page must not do.
async function context(options) {
  const made = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await made.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  const page = await made.newPage();
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("console", (message) => { if (message.type() === "error" && !/status of (401|403|409)/.test(message.text())) wrong.push(`console: ${message.text()}`); });
  return page;
}
const picture = async (page, name) => { if (pictures) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true }); };
const done = (what) => console.log(`console: ${what}`);
const shows = (page, selector, text) => page.waitForFunction(([selector, text]) => document.querySelector(selector)?.textContent.includes(text), [selector, text], { timeout: 10000 })
  .catch(async (error) => { throw new Error(`${selector} does not show ${text}, but ${await page.locator(selector).textContent()}`, { cause: error }); });

const page = await context({ colorScheme: "light" });
const link = server.link();
const origin = new URL(link).origin;
page.on("request", (request) => { if (new URL(request.url()).origin !== origin) wrong.push(`request: ${request.url()}`); });
await page.goto(link);
await page.getByRole("status").filter({ hasText: /^live$/ }).waitFor();
assert.equal(page.url(), `${origin}/`, "the code stays in the address");
assert.equal(await page.evaluate(() => document.cookie + localStorage.length), "0");
assert.match(await page.evaluate(() => sessionStorage.getItem("terrarium-console")), /^terrarium_[0-9a-f]{64}$/);
done("logs in");

// Another link in the same tab: only what is behind the # changes.
const follow = async (link) => {
  await page.evaluate((hash) => { location.hash = hash; }, new URL(link).hash);
  await page.waitForFunction(() => location.hash === "");
};
const tokenOf = () => page.evaluate(() => sessionStorage.getItem("terrarium-console"));
const first = await tokenOf();
await page.evaluate(() => { globalThis.loadedBefore = true; });
await follow(server.link());
await page.waitForFunction(() => !globalThis.loadedBefore && document.getElementById("link").textContent === "live");
assert.equal(page.url(), `${origin}/`, "the code stays in the address");
const second = await tokenOf();
assert.notEqual(second, first);
const left = await page.evaluate((token) => fetch("api/verify", { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body: "{}" }).then((answer) => answer.status), first);
assert.equal(left, 401, "the token before is good still");
await follow(link);
await page.getByRole("status").filter({ hasText: "lets nobody in" }).waitFor();
assert.equal(await tokenOf(), second, "a link that was used logs nobody out");
done("logs in by another link in the same tab");

const other = await context({});
await other.goto(link);
await other.getByRole("status").filter({ hasText: "not logged in" }).waitFor();
await other.context().close();
done("a link that was used lets nobody in");

// A live editor, as the agent sees it.
const vim = await server.call("terminal_open", { argv: ["vim", "--clean", "-n"], cols: 80, rows: 24 });
const session = vim.structuredContent.session;
await page.getByRole("button", { name: /vim/ }).click();
await shows(page, "#big-screen", "VIM - Vi IMproved");
await server.call("terminal_send", { session, input: [{ text: "ihello from the agent" }] });
await shows(page, "#big-screen", "hello from the agent");
assert.equal(await page.locator("#big-screen .row").count(), 24);
assert.equal(await page.locator("#big-screen .cursor").count(), 1);
await server.call("terminal_send", { session, input: [{ key: "Escape" }, { text: ":syntax on | set ft=c cursorline" }, { key: "Enter" }, { text: "oint main(void) { return 0; } /* a comment */" }] });
await page.waitForFunction(() => document.querySelectorAll("#big-screen span[style*='color']").length > 2);
await server.call("terminal_resize", { session, cols: 100, rows: 30 });
await page.waitForFunction(() => document.querySelectorAll("#big-screen .row").length === 30);
await page.getByRole("table", { name: "Protections in force" }).getByRole("row").nth(3).waitFor();
await page.getByRole("row", { name: /^memory/ }).first().waitFor();
await picture(page, "detail-light");
done("shows a live vim: text, colours, cursor, size, limits, protections");

// Nothing is typed before it is taken over.
await page.locator("#big-screen").focus();
await page.keyboard.type("not from here");
await page.getByRole("button", { name: "Take over" }).click();
await page.getByRole("dialog").getByLabel("Reason").fill("the agent is stuck");
await page.getByRole("dialog").getByRole("button", { name: "Take over" }).click();
await page.getByText("You type into this terminal").waitFor();
await page.keyboard.press("Escape");
await page.keyboard.type("Ohello from the operator");
await shows(page, "#big-screen", "hello from the operator");
await picture(page, "taken-light");
await page.keyboard.press("Control+]");
await page.getByRole("button", { name: "Take over" }).waitFor();
await page.keyboard.type("nor after");
assert(!(await page.locator("#big-screen").textContent()).match(/not from here|nor after/));
await shows(page, "#audit-list", "the agent is stuck");
done("takes a terminal over and gives it back, on record");

// Approvals.
const decide = async (name, button, reason) => {
  const call = server.call("terminal_run", { command: "echo '<img src=x onerror=alert(1)>'" });
  const card = page.locator(".question");
  await card.getByText("| \"command\": \"echo '<img src=x onerror=alert(1)>'\"").waitFor();
  await card.getByText(/expires in \d/).waitFor();
  await picture(page, `${name}-light`);
  await card.getByRole("button", { name: button }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill(reason);
  await page.getByRole("dialog").getByRole("button", { name: button }).click();
  await card.waitFor({ state: "detached" });
  return call;
};
const ran = await decide("approve", "Approve", "looks fine");
assert(!ran.isError && ran.content[0].text.includes("<img src=x onerror=alert(1)>"), ran.content[0].text);
const refused = await decide("deny", "Deny", "not on a Friday");
assert(refused.isError && refused.content[0].text.includes("not on a Friday"), refused.content[0].text);
await page.getByRole("button", { name: "Check the chain" }).click();
await page.getByText(/whole: \d+ lines/).waitFor();
await page.getByLabel("Show lines with").fill("not on a friday");
await page.waitForFunction(() => document.querySelectorAll("#audit-list li").length === 1);
await page.getByLabel("Show lines with").fill("");
done("approves and denies, and shows the record");

// Output that tries to be more than output.
const tries = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "</pre><h1 style='position:fixed'>", "javascript:alert(1)", "{{7*7}} ${alert(1)}"];
const hostile = tries.join("\\n").replaceAll("'", "'\\''");
const escapes = "\\033]0;<title>owned</title>\\007\\033]8;;javascript:alert(1)\\007click\\033]8;;\\007\\033]52;c;b3duZWQ=\\007\\342\\200\\256abc";
await page.keyboard.press("Escape");
await page.getByRole("button", { name: "Back to all sessions" }).click().catch(() => {});
await server.call("terminal_open", { argv: ["sh", "-c", `printf '%s' '<img src=x onerror=alert(1)>'; printf '${hostile}\\n${escapes}'; sleep 600`] });
const card = page.locator(".card").filter({ hasText: "printf" });
await card.getByRole("button").click();
await shows(page, "#big-screen", "<svg onload=alert(1)>");
await shows(page, "#screen-title", "<title>owned</title>");
await page.waitForTimeout(500); // what would run, would run now
const found = await page.evaluate(() => ({
  title: document.title, scripts: document.scripts.length, violations: globalThis.violations,
  links: [...document.links].map((link) => link.getAttribute("href")),
  turned: /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(document.body.textContent),
  odd: document.querySelectorAll("img, iframe, object, embed, style, base, form[action], h1[style], svg:not(.spark)").length,
}));
assert.deepEqual(found, { title: "Terrarium console", scripts: 1, violations: [], links: ["#sessions"], turned: false, odd: 0 });
await picture(page, "hostile-light");
done("a screen full of hostile output runs nothing, and the policy reports nothing");

// By keyboard alone.
await page.keyboard.press("Escape");
await page.keyboard.press("j");
await page.keyboard.press("j");
await page.keyboard.press("k");
assert.match(await page.evaluate(() => document.activeElement.textContent), /^s1: vim/);
await page.keyboard.press("Enter");
await page.locator("#big-screen").waitFor();
await page.keyboard.press("Escape");
assert.match(await page.evaluate(() => document.activeElement.textContent), /^s1: vim/, "focus comes back");
done("goes by keyboard");

// Lockdown. Enter in a field does what the dialog asks about, and "Cancel" does nothing.
const lock = async (button, then) => {
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("a look at last night");
  await then(page.getByRole("dialog"));
  await page.getByRole("dialog").waitFor({ state: "hidden" });
};
await lock("Lock down", (dialog) => dialog.getByRole("button", { name: "Cancel" }).click());
assert(await page.getByRole("button", { name: "Lock down", exact: true }).isVisible());
await lock("Lock down", (dialog) => dialog.getByLabel("Reason").press("Enter"));
await page.getByRole("alert").filter({ hasText: "a look at last night" }).waitFor();
await picture(page, "lockdown-light");
const locked = await server.call("terminal_open", { argv: ["cat"] });
assert(locked.isError && locked.content[0].text.includes("a look at last night"), locked.content[0].text);
await lock("Lift lockdown", (dialog) => dialog.getByRole("button", { name: "Lift", exact: true }).click());
await page.getByRole("alert").filter({ hasText: "a look at last night" }).waitFor({ state: "hidden" });
done("locks down and lifts it");

// A page on another port of this host.
const neighbour = createServer((request, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>n</title>")).listen(0, "127.0.0.1");
await new Promise((listening) => neighbour.once("listening", listening));
const foreign = await browser.newPage();
await foreign.goto(`http://127.0.0.1:${neighbour.address().port}/`);
const token = await page.evaluate(() => sessionStorage.getItem("terrarium-console"));
const got = await foreign.evaluate(async ([origin, token]) => {
  const results = [];
  for (const options of [{}, { mode: "no-cors" }, { method: "POST", headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` }, body: "{}" }]) {
    results.push(await fetch(`${origin}/api/verify`, options).then((answer) => answer.type === "opaque" ? "opaque" : answer.status, () => "refused"));
  }
  const frame = Object.assign(document.createElement("iframe"), { src: `${origin}/` });
  document.body.append(frame);
  await new Promise((loaded) => { frame.onload = loaded; setTimeout(loaded, 2000); });
  try { results.push(frame.contentDocument ? "framed empty" : "kept out"); } catch { results.push("kept out"); }
  const script = Object.assign(document.createElement("script"), { src: `${origin}/console.js`, type: "module" });
  results.push(await new Promise((ended) => { script.onload = () => ended("ran"); script.onerror = () => ended("refused"); document.body.append(script); }));
  return results;
}, [origin, token]);
assert.deepEqual(got, ["refused", "refused", "refused", "kept out", "refused"]);
assert.equal(foreign.frames().some((frame) => frame.url() === `${origin}/`), false, "the console was framed");
neighbour.close();
done("a page on another port of this host gets nothing, with the token in its hand");

// Dark, and as narrow as a telephone.
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
await page.emulateMedia({ colorScheme: "dark" });
await picture(page, "list-dark");
const narrow = await context({ viewport: { width: 360, height: 740 }, colorScheme: "dark" });
await narrow.goto(server.link());
await narrow.getByRole("status").filter({ hasText: /^live$/ }).waitFor();
const waiting = server.call("terminal_run", { command: "true" });
await narrow.locator(".question").waitFor();
assert(await fits(narrow), "the list is wider than the screen");
await picture(narrow, "list-narrow");
await narrow.getByRole("button", { name: /^s1: vim/ }).click();
await narrow.locator("#big-screen .row").first().waitFor();
assert(await fits(narrow), "the detail is wider than the screen");
await picture(narrow, "detail-narrow");
await narrow.getByRole("button", { name: "Deny" }).click();
assert(await fits(narrow), "the dialog is wider than the screen");
await picture(narrow, "dialog-narrow");
await narrow.getByRole("dialog").getByRole("button", { name: "Deny" }).click();
await waiting;
await narrow.context().close();
done("fits into 360 columns of pixels");

// Many sessions that print all the time. What a second has of frames is said, not judged.
const many = 50 - (await server.call("terminal_list", {})).structuredContent.sessions.length;
for (let count = 0; count < many; count++) {
  const opened = await server.call("terminal_open", { argv: ["sh", "-c", "i=0; while :; do i=$((i+1)); printf '\\033[3%dm line %d of many\\n' $((i%8)) $i; sleep 0.05; done"] });
  assert(!opened.isError, opened.content[0].text);
}
await page.waitForFunction(() => document.querySelectorAll("#session-list .card").length === 50);
await page.waitForFunction(() => [...document.querySelectorAll("#session-list .screen")].slice(3, 6).every((view) => view.textContent.includes("of many")));
const frames = await page.evaluate(() => new Promise((told) => {
  let count = 0, worst = 0, last = performance.now();
  const until = last + 5000;
  const frame = (now) => { count += 1; worst = Math.max(worst, now - last); last = now; now < until ? requestAnimationFrame(frame) : told({ second: count / 5, worst: Math.round(worst) }); };
  requestAnimationFrame(frame);
}));
await picture(page, "many-dark");
done(`50 sessions that print: ${frames.second} frames a second, the longest took ${frames.worst} ms`);

assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
assert.deepEqual(wrong, []);
await page.getByRole("button", { name: "Log out" }).click();
await page.getByRole("status").filter({ hasText: "logged out" }).waitFor();
assert.equal(await page.evaluate(() => sessionStorage.length), 0);
await browser.close();
await server.end();
done("all passed");
