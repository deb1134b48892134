// Paints terminal screens. All text goes through textContent: nothing that a program prints becomes markup.

const BASE = ["#1c1f22", "#e0675c", "#7fb069", "#d9b44a", "#6a9fd8", "#b48ec9", "#62b6b0", "#d7d7d7",
  "#6b7075", "#ff8a80", "#a5d68f", "#f2d277", "#8fbfee", "#d3b1e3", "#8ad6d0", "#ffffff"];
const STEPS = [0, 95, 135, 175, 215, 255];
const hex = (...parts) => "#" + parts.map((part) => part.toString(16).padStart(2, "0")).join("");

// The colour of a number from xterm's table of 256, or of #rrggbb; none for anything else.
function colour(value) {
  if (Number.isInteger(value) && value >= 0 && value < 16) return BASE[value];
  if (Number.isInteger(value) && value < 232 && value >= 16) {
    const n = value - 16;
    return hex(STEPS[Math.floor(n / 36)], STEPS[Math.floor(n / 6) % 6], STEPS[n % 6]);
  }
  if (Number.isInteger(value) && value >= 232 && value < 256) return hex(...Array(3).fill(8 + 10 * (value - 232)));
  return typeof value === "string" && /^#[0-9a-f]{6}$/.test(value) ? value : undefined;
}

// Marks that turn the direction of writing have no column of their own; a browser would obey them, a terminal does not.
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function piece(run, cursor) {
  const span = document.createElement("span");
  span.textContent = run.text;
  let [front, back] = [colour(run.fg), colour(run.bg)];
  if (run.inverse) [front, back] = [back ?? "#101214", front ?? "#d7d7d7"];
  if (front) span.style.color = front;
  if (back) span.style.backgroundColor = back;
  const classes = [run.bold && "b", run.dim && "d", run.italic && "i", run.underline && "u", cursor && "cursor"];
  span.classList.add(...classes.filter(Boolean));
  return span;
}

// A row of runs; `at` is the cursor's column, if it is in this row. Columns are the server's: it knows how wide characters are.
function paintRow(row, runs, at) {
  const pieces = [];
  let column = 0;
  for (const run of runs) {
    const characters = [...run.text];
    const inside = at >= column && at < column + run.cols && run.cols === characters.length;
    if (inside) {
      const [left, here, right] = [characters.slice(0, at - column), characters[at - column], characters.slice(at - column + 1)];
      if (left.length) pieces.push(piece({ ...run, text: left.join("") }));
      pieces.push(piece({ ...run, text: here }, true));
      if (right.length) pieces.push(piece({ ...run, text: right.join("") }));
    } else {
      pieces.push(piece(run, at >= column && at < column + run.cols));
    }
    column += run.cols;
  }
  if (at >= column) {
    if (at > column) pieces.push(piece({ text: " ".repeat(Math.min(at - column, 500)) }));
    pieces.push(piece({ text: " " }, true));
  }
  row.replaceChildren(...pieces);
}

// Views that have something to paint. Those in the list are painted five times a second while they can be seen, the one
// that is open with every frame.
const dirty = new Map();
const LIST = 200;
let listPainted = 0;
let waiting = false;

const seen = new Set();
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target) : seen.delete(target);
  wake();
}, { rootMargin: "100px" });

function wake() {
  if (waiting || dirty.size === 0) return;
  waiting = true;
  requestAnimationFrame(flush);
}

function flush(now) {
  waiting = false;
  const list = now - listPainted >= LIST;
  if (list) listPainted = now;
  let later = false;
  for (const [view, { screen, rows, small }] of dirty) {
    if (small && !seen.has(view)) continue; // painted when it comes into sight
    if (small && !list) { later = true; continue; }
    dirty.delete(view);
    screen.paint(view, rows);
  }
  if (later) setTimeout(wake, LIST);
}

// Keeps the rows of one session, so that a second view can be painted whole.
export class Screen {
  constructor() {
    this.rows = [];
    this.cursor = { row: -1, column: -1 };
    this.title = "";
    this.views = new Map();
  }

  // Takes {rows, cols, cursor: [row, column] or null, title, lines: [[number, runs]…], all}.
  take(update) {
    const old = this.cursor.row;
    if (update.all || this.rows.length !== update.rows) this.rows = Array.from({ length: update.rows }, () => []);
    for (const [number, runs] of update.lines) {
      this.rows[number] = runs.map((run) => ({ ...run, text: run.text.replace(TURNS, "") }));
    }
    this.cursor = update.cursor ? { row: update.cursor[0], column: update.cursor[1] } : { row: -1, column: -1 };
    this.title = update.title;
    const changed = update.all ? undefined : update.lines.map(([number]) => number).concat(old, this.cursor.row);
    for (const view of this.views.keys()) this.#mark(view, changed);
  }

  // What can be read, for those who hear it.
  text() {
    return this.rows.map((runs) => runs.map((run) => run.text).join("").trimEnd()).filter(Boolean).join("\n");
  }

  show(view, small) {
    this.views.set(view, small);
    if (small) watcher.observe(view);
    this.#mark(view);
  }

  hide(view) {
    this.views.delete(view);
    dirty.delete(view);
    watcher.unobserve(view);
    seen.delete(view);
  }

  #mark(view, changed) {
    const known = dirty.get(view);
    if (!known) dirty.set(view, { screen: this, rows: changed && new Set(changed), small: this.views.get(view) });
    else if (changed && known.rows) for (const row of changed) known.rows.add(row);
    else known.rows = undefined;
    wake();
  }

  // Paints these rows, or all.
  paint(view, changed) {
    if (view.children.length !== this.rows.length) {
      view.replaceChildren(...this.rows.map(() => Object.assign(document.createElement("span"), { className: "row" })));
      changed = undefined;
    }
    this.rows.forEach((runs, number) => {
      if (changed && !changed.has(number)) return;
      paintRow(view.children[number], runs, number === this.cursor.row ? this.cursor.column : -1);
    });
  }
}
