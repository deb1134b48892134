// What a person types into a terminal that they took over. Names of keys are those of terminal_send.

const NAMED = { Enter: "Enter", Backspace: "Backspace", Tab: "Tab", Escape: "Escape", ArrowUp: "Up", ArrowDown: "Down", ArrowLeft: "Left",
  ArrowRight: "Right", Home: "Home", End: "End", PageUp: "PageUp", PageDown: "PageDown", Delete: "Delete", Insert: "Insert" };
const LONGEST = 65536;

// What a key means to the terminal; nothing for keys that a terminal does not have.
function item(event) {
  const plain = [...event.key].length === 1;
  const name = NAMED[event.key] ?? (/^F\d{1,2}$/.test(event.key) ? event.key : undefined);
  if (!plain && !name) return undefined;
  const graph = event.getModifierState("AltGraph"); // it makes characters, as Shift does
  const prefix = (event.ctrlKey && !graph ? "C-" : "") + (event.altKey && !graph ? "M-" : "") + (event.shiftKey && name ? "S-" : "");
  return plain && !prefix ? { text: event.key } : { key: prefix + (name ?? (event.key === " " ? "Space" : event.key)) };
}

// Sends keys in the order in which they were pressed; those that come while a request is on its way go together with
// the next one.
export class Keyboard {
  #queue = [];
  #sending = false;

  constructor(view, { taken, send, release }) {
    this.taken = taken;
    this.send = send;
    this.release = release;
    view.addEventListener("keydown", (event) => this.#key(event));
    view.addEventListener("paste", (event) => this.#paste(event));
  }

  #key(event) {
    if (!this.taken() || event.isComposing || event.metaKey) return;
    if (event.ctrlKey && event.key === "]") {
      event.preventDefault();
      return this.release();
    }
    if (event.ctrlKey && event.shiftKey && event.key.toLowerCase() === "v") return; // the browser's own way to paste
    const pressed = item(event);
    if (!pressed) return;
    event.preventDefault();
    event.stopPropagation();
    this.#push(pressed);
  }

  #paste(event) {
    if (!this.taken()) return;
    event.preventDefault();
    this.#push({ paste: event.clipboardData.getData("text/plain").slice(0, LONGEST) });
  }

  async #push(pressed) {
    this.#queue.push(pressed);
    if (this.#sending) return;
    this.#sending = true;
    while (this.#queue.length && this.taken()) {
      const answer = await this.send({ id: this.taken(), input: this.#queue.splice(0, 32) }).catch(() => undefined);
      if (!answer?.ok) this.release();
    }
    this.#queue = [];
    this.#sending = false;
  }
}
