// Approvals, audit, facts and usage. Everything that came from a caller or a sandbox is text, never markup.

export const element = (name, text, classes) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
};
export const by = (id) => document.getElementById(id);
export const seconds = (s) => (s >= 3600 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min` : s >= 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s} s`);
export const bytes = (n) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at += 1; }
  return `${at ? n.toFixed(1) : n} ${units[at]}`;
};

// Questions stay in place while they count down, so that focus and a click are never moved away.
export class Questions {
  #shown = new Map();

  constructor(decide, whole) {
    this.decide = decide;
    this.whole = whole;
    setInterval(() => this.#count(), 1000);
  }

  take(questions) {
    const ids = new Set(questions.map((question) => question.id));
    for (const [id, shown] of this.#shown) if (!ids.has(id)) { shown.card.remove(); this.#shown.delete(id); }
    for (const question of questions) if (!this.#shown.has(question.id)) this.#add(question);
    by("questions-count").textContent = questions.length;
    by("no-questions").hidden = questions.length > 0;
  }

  first() {
    by("question-list").querySelector("button")?.focus();
  }

  #add(question) {
    const card = element("article", undefined, "card question");
    const title = element("h3", `${question.caller} asks for ${question.tool}`);
    title.id = `question-${question.id}`;
    card.setAttribute("aria-labelledby", title.id);
    const left = element("p", "", "quiet");
    const text = element("pre", question.preview);
    text.tabIndex = 0; // so that the keyboard scrolls it
    text.setAttribute("aria-label", "What is asked");
    card.append(title, left, text);
    const bar = element("div", undefined, "bar");
    if (!question.whole) bar.append(this.#rest(question, card, text));
    if (!question.operator) bar.append(element("p", "The rule lets only the caller's own user answer.", "quiet"));
    else for (const [word, classes, approve] of [["Approve", "yes", true], ["Deny", "no", false]]) {
      const button = element("button", word, classes);
      button.type = "button";
      button.disabled = approve && !question.whole;
      button.addEventListener("click", () => this.decide(question, approve));
      bar.append(button);
    }
    card.append(bar);
    by("question-list").append(card);
    this.#shown.set(question.id, { card, left, until: performance.now() + question.left_ms });
    this.#count();
  }

  // What is long is shown by its beginning at first. Nobody approves what they could not see.
  #rest(question, card, text) {
    const more = element("button", "Show all of it");
    more.type = "button";
    more.addEventListener("click", async () => {
      more.disabled = true;
      try {
        text.textContent = await this.whole(question);
      } catch (error) {
        more.textContent = `Show all of it (failed: ${error.message})`;
        more.disabled = false;
        return;
      }
      more.remove();
      for (const button of card.querySelectorAll("button.yes")) button.disabled = false;
      text.focus();
    });
    return more;
  }

  #count() {
    for (const { card, left, until } of this.#shown.values()) {
      const rest = Math.max(0, Math.round((until - performance.now()) / 1000));
      left.textContent = rest ? `expires in ${seconds(rest)}` : "expired";
      if (!rest) for (const button of card.querySelectorAll("button")) button.disabled = true;
    }
  }
}

// The newest lines first; at most so many are kept.
const KEPT = 500;
export class Audit {
  #lines = [];

  constructor(verify) {
    by("verify").addEventListener("click", () => {
      this.#check(verify);
    });
    by("filter").addEventListener("input", () => this.#paint());
  }

  clear() {
    this.#lines = [];
    this.#paint();
  }

  take(lines) {
    this.#lines = this.#lines.concat(lines).slice(-KEPT);
    this.#paint();
  }

  async #check(verify) {
    by("chain").textContent = "Checking …";
    by("chain").className = "quiet";
    const { whole, text } = await verify().catch((error) => ({ whole: null, text: error.message }));
    by("chain").textContent = `The chain: ${text}`;
    by("chain").className = whole === false ? "alarm" : "quiet";
  }

  #paint() {
    const wanted = by("filter").value.toLowerCase();
    const shown = this.#lines.filter((line) => line.toLowerCase().includes(wanted)).slice(-200).reverse();
    by("audit-list").replaceChildren(...shown.map((line) => element("li", line)));
  }
}

// One line over the last values, scaled to the largest.
function spark(values) {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const top = Math.max(...values, 1e-9);
  const line = document.createElementNS(NS, "polyline");
  const x = (at) => (values.length > 1 ? (100 * at) / (values.length - 1) : 0);
  line.setAttribute("points", values.map((value, at) => `${x(at).toFixed(1)},${(19 - (18 * value) / top).toFixed(1)}`).join(" "));
  svg.append(line);
  return svg;
}

export function facts(session, once) {
  const rows = [["Caller", session.caller], ["Profile", session.profile], ["Command", session.command], ["State", session.state],
    ["Age", seconds(session.age_s)], ["Left", session.left_s === null ? "–" : seconds(session.left_s)],
    ["Handle", session.id], ...(once?.limits ?? []).map(({ name, value }) => [`Limit: ${name}`, value])];
  by("facts").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

export function usage(session, history) {
  const rows = session.usage.map(({ name, value, limit, unit }) => {
    const write = (n) => (n === null || n === undefined ? "–" : unit === "bytes" ? bytes(n) : unit === "s" ? `${n.toFixed(1)} s` : unit ? `${n} ${unit}` : String(n));
    const row = element("tr");
    const over = element("td");
    over.append(spark(history.get(name) ?? [value ?? 0]));
    row.append(element("td", name), element("td", write(value)), element("td", write(limit)), over);
    return row;
  });
  by("usage").tBodies[0].replaceChildren(...rows);
}

export function protections(once) {
  const rows = (once?.protections ?? []).map(({ name, state, why }) => {
    const row = element("tr");
    row.append(element("td", name), element("td", state, state === "active" ? "" : "weak"), element("td", why ?? ""));
    return row;
  });
  by("protections").tBodies[0].replaceChildren(...rows);
}
