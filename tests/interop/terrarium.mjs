// `terrarium serve` on pipes, and what its operator does at a command line.
import assert from "node:assert";
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Terrarium {
  #calls = new Map();
  #last = 0;

  constructor(program, scratch, options) {
    this.program = program;
    this.env = { ...process.env, XDG_STATE_HOME: `${scratch}/state`, XDG_RUNTIME_DIR: `${scratch}/state` };
    const args = ["serve", "--workspace", `${scratch}/workspace`, ...options];
    this.child = spawn(program, args, { env: this.env, stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const { id, result, error } = JSON.parse(line);
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (call) error ? call.reject(new Error(error.message)) : call.resolve(result);
    });
  }

  #write(message) {
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  #request(method, params) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#write({ id, method, params });
    });
  }

  async begin() {
    await this.#request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "console", version: "1" } });
    this.#write({ method: "notifications/initialized" });
  }

  call(name, args) {
    return this.#request("tools/call", { name, arguments: args });
  }

  // What `terrarium console` prints.
  link() {
    const said = execFileSync(this.program, ["console"], { env: this.env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    assert.match(said, /^http:\/\/127\.0\.0\.1:\d+\/#code=terrarium_[0-9a-f]{64}\n$/);
    return said.trim();
  }

  async end() {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.stdin.end();
    assert.equal(await ended, 0);
  }
}
