// The operator's console: logs in by the code in the link, follows the server, sends decisions.

import { Audit, Questions, by, element, facts, protections, seconds, usage } from "./panels.js";
import { Keyboard } from "./keyboard.js";
import { Screen } from "./screen.js";

const TOKEN = "terrarium-console";
const HISTORY = 120;
const state = { sessions: new Map(), open: undefined, taken: undefined, locked: null, passphrase: false };

const send = (path, body, token = sessionStorage.getItem(TOKEN)) => fetch(path, {
  method: "POST", redirect: "error", cache: "no-store", credentials: "omit",
  headers: { "Authorization": `Bearer ${token ?? ""}`, "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
const audit = new Audit(async () => (await send("api/verify", {})).json());
const questions = new Questions(decide, async ({ id }) => {
  const answer = await send("api/whole", { id });
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 200));
  return (await answer.json()).preview;
});

const codeInAddress = () => new URLSearchParams(location.hash.slice(1)).get("code");

// The code is good for one use, and leaves the address at once. Whoever was logged in here before is not any more.
async function login() {
  const before = sessionStorage.getItem(TOKEN);
  const code = codeInAddress();
  if (!code) return Boolean(before);
  history.replaceState(null, "", location.pathname);
  const answer = await send("api/login", { code }, null);
  if (!answer.ok) return false;
  sessionStorage.setItem(TOKEN, (await answer.json()).token);
  if (before) await send("api/leave", {}, before).catch(() => {}); // it ends by itself
  return true;
}

// Another link, opened in this tab.
async function loginAgain() {
  if (!codeInAddress()) return;
  if (await login()) location.reload();
  else say("this link lets nobody in any more: run `terrarium console` for another");
}

async function follow() {
  for (let wait = 250; ; wait = Math.min(2 * wait, 5000)) {
    try {
      const answer = await send("api/events", {});
      if (answer.status === 401) return out("logged out: run `terrarium console` again for a new link");
      if (!answer.ok) throw new Error((await answer.text()).slice(0, 200));
      wait = 250;
      await read(answer.body);
      say("the server closed the connection; trying again");
    } catch (error) {
      say(`no connection (${error.message}); trying again`);
    }
    takeTaken([]); // whoever does not watch does not type
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// One JSON object in each line.
async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) take(JSON.parse(line));
  }
}

const say = (text) => { by("link").textContent = text; };

function out(text) {
  sessionStorage.removeItem(TOKEN);
  by("leave").hidden = true;
  by("lockdown").disabled = true;
  takeSessions({ sessions: [], taken: [] });
  questions.take([]);
  say(text);
}

function take(event) {
  switch (event.kind) {
    case "hello":
      by("instance").textContent = event.instance;
      state.passphrase = event.passphrase;
      by("lockdown").disabled = by("leave").hidden = false;
      audit.clear();
      return say("live");
    case "sessions": return takeSessions(event);
    case "about": return known(event.id, (session) => { session.once = event; });
    case "screen": return known(event.id, (session) => takeScreen(session, event));
    case "questions": return questions.take(event.questions);
    case "audit": return audit.take(event.lines);
    case "lockdown": return takeLockdown(event.reason);
    case "refused": by("refused").textContent = event.text; return undefined;
  }
}

const known = (id, then) => { const session = state.sessions.get(id); if (session) then(session); };

function takeLockdown(reason) {
  state.locked = reason;
  by("locked").hidden = reason === null;
  by("locked").textContent = reason === null ? "" : `Locked down: ${reason}. Every request is refused until an operator lifts it.`;
  by("lockdown").textContent = reason === null ? "Lock down" : "Lift lockdown";
}

function takeScreen(session, event) {
  session.screen.take(event);
  if (state.open !== session.about.id) return;
  title(session);
  if (by("say").checked) by("spoken").textContent = session.screen.text();
}

// Sandboxed programs choose titles, so that the page's own never changes.
function title({ screen }) {
  by("screen-title").textContent = screen.title ? `Title that the program chose: ${screen.title}` : "";
}

function takeSessions({ sessions, taken }) {
  const ids = new Set(sessions.map((session) => session.id));
  for (const [id, gone] of state.sessions) {
    if (ids.has(id)) continue;
    if (state.open === id) close();
    gone.screen.hide(gone.view);
    gone.card.remove();
    state.sessions.delete(id);
  }
  for (const session of sessions) {
    const there = state.sessions.get(session.id) ?? add(session);
    there.about = session;
    for (const { name, value } of session.usage) {
      const values = there.history.get(name) ?? [];
      there.history.set(name, values.concat(value ?? 0).slice(-HISTORY));
    }
    there.line.textContent = `${session.caller} · ${session.profile} · ${session.state} · ${seconds(session.age_s)}`;
    if (state.open === session.id) detail(there);
  }
  takeTaken(taken);
  by("sessions-count").textContent = sessions.length;
  by("no-sessions").hidden = sessions.length > 0;
}

// The server says what this browser has taken over.
function takeTaken(ids) {
  state.taken = ids.includes(state.open) ? state.open : undefined;
  by("taken").hidden = !state.taken;
  by("take").setAttribute("aria-pressed", String(Boolean(state.taken)));
  by("take").textContent = state.taken ? "Give back" : "Take over";
}

function add(session) {
  const card = element("article", undefined, "card");
  const title = element("h3");
  const button = element("button", `${session.alias}: ${session.command}`);
  button.type = "button";
  button.addEventListener("click", () => open(session.id));
  title.append(button);
  const line = element("p", "", "quiet");
  const view = element("pre", undefined, "screen");
  view.setAttribute("aria-hidden", "true");
  card.append(title, line, view);
  card.addEventListener("click", () => open(session.id));
  by("session-list").append(card);
  const there = { about: session, once: undefined, card, view, button, line, screen: new Screen(), history: new Map() };
  there.screen.show(view, true);
  state.sessions.set(session.id, there);
  return there;
}

function open(id) {
  const there = state.sessions.get(id);
  if (!there || state.open) return;
  state.open = id;
  by("detail").hidden = false;
  by("sessions").hidden = true;
  by("big-screen").replaceChildren();
  by("spoken").textContent = "";
  title(there);
  there.screen.show(by("big-screen"), false);
  detail(there);
  by("big-screen").focus();
}

function close() {
  const there = state.sessions.get(state.open);
  there?.screen.hide(by("big-screen"));
  release();
  state.open = undefined;
  by("detail").hidden = true;
  by("sessions").hidden = false;
  (there?.button.isConnected ? there.button : by("sessions")).focus();
}

function detail({ about, once, history }) {
  by("detail-title").textContent = `${about.alias}: ${about.command}`;
  by("take").disabled = !about.can_type;
  facts(about, once);
  usage(about, history);
  protections(once);
}

// Asks in a dialog, which closes once `act` succeeded.
function ask({ title, text, yes, reason, passphrase, act }) {
  by("ask-title").textContent = title;
  by("ask-text").textContent = text;
  by("ask-yes").textContent = yes;
  by("ask-reason-label").hidden = !reason;
  by("ask-passphrase-label").hidden = !passphrase;
  by("ask-reason").value = by("ask-passphrase").value = "";
  by("ask-error").hidden = true;
  const dialog = by("ask");
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    by("ask-yes").disabled = true;
    const given = { reason: by("ask-reason").value, ...(passphrase && { passphrase: by("ask-passphrase").value }) };
    const answer = await act(given).catch((error) => ({ ok: false, text: async () => error.message }));
    by("ask-yes").disabled = false;
    if (answer.ok) return dialog.close();
    by("ask-error").textContent = (await answer.text()).slice(0, 500);
    by("ask-error").hidden = false;
  };
  dialog.showModal();
  (reason ? by("ask-reason") : passphrase ? by("ask-passphrase") : by("ask-yes")).focus();
}

function decide(question, approve) {
  const word = approve ? "Approve" : "Deny";
  ask({
    title: `${word} ${question.tool}?`, yes: word, reason: true, passphrase: approve && state.passphrase,
    text: `${question.caller} waits. The decision holds for exactly what the preview shows, once, and for nothing else.`,
    act: (given) => send("api/decide", { id: question.id, action: question.action, approve, ...given }),
  });
}

function lockdown() {
  const on = state.locked === null;
  ask({
    title: on ? "Lock down?" : "Lift the lockdown?", yes: on ? "Lock down" : "Lift", reason: true, passphrase: !on && state.passphrase,
    text: on ? "Every request of every caller of this user's servers is refused until an operator lifts it; sessions can only be listed and closed. What runs goes on." : "Requests are judged by the policy again.",
    act: (given) => send("api/lockdown", { on, ...given }),
  });
}

function takeOver() {
  if (state.taken) return release();
  const id = state.open;
  ask({
    title: "Take this terminal over?", yes: "Take over", reason: true, passphrase: state.passphrase,
    text: "You and the caller both type into it then. That you took it over is put on record, and what you type by its size only.",
    act: async (given) => {
      const answer = await send("api/take", { id, ...given });
      if (answer.ok && state.open === id) {
        takeTaken([id]);
        queueMicrotask(() => by("big-screen").focus());
      }
      return answer;
    },
  });
}

function release() {
  if (state.taken) send("api/release", { id: state.taken }).catch(() => {}); // the server notices by itself
  takeTaken([]);
}

function keys(event) {
  if (event.target.closest("input, dialog") || event.ctrlKey || event.altKey || event.metaKey) return;
  const buttons = [...state.sessions.values()].map((session) => session.button);
  const at = buttons.indexOf(document.activeElement);
  if (event.key === "j" && !state.open) (buttons[at + 1] ?? buttons[0])?.focus();
  else if (event.key === "k" && !state.open) (buttons[at - 1] ?? buttons.at(-1))?.focus();
  else if (event.key === "q") questions.first();
  else if (event.key === "/") by("filter").focus();
  else if (event.key === "Escape" && state.open) close();
  else return;
  event.preventDefault();
}

by("leave").addEventListener("click", async () => { await send("api/leave", {}).catch(() => {}); out("logged out"); });
by("lockdown").addEventListener("click", lockdown);
by("take").addEventListener("click", takeOver);
by("close-detail").addEventListener("click", close);
by("ask-no").addEventListener("click", () => by("ask").close());
by("ask").addEventListener("close", () => { if (state.taken) by("big-screen").focus(); });
new Keyboard(by("big-screen"), { taken: () => state.taken, release, send: (typed) => send("api/type", typed) });
document.addEventListener("keydown", keys);
addEventListener("pagehide", release);
addEventListener("hashchange", loginAgain);

if (await login()) await follow();
else say("not logged in: run `terrarium console` and open the link that it prints");
