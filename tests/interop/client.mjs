// Drives `terrarium serve --http` with the TypeScript MCP SDK 1 (the era of sessions). Usage: client.mjs URL TOKEN NPM
// Reads with what it may do: `terrarium` as the token's name has a rule, or none.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import assert from "node:assert";

const [url, token, npm] = process.argv.slice(2);
const require = createRequire(`${npm}/node_modules/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");

const connect = async (headers) => {
  const client = new Client({ name: "interop", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  return { client, transport };
};

await assert.rejects(connect({}), { code: 401 });
await assert.rejects(connect({ Authorization: "Bearer x" }), { code: 401 });
const { client, transport } = await connect({ Authorization: `Bearer ${token}` });
assert(transport.sessionId, "no session");
const tools = (await client.listTools()).tools.map((tool) => tool.name);
assert(tools.includes("terminal_run") && tools.includes("terminal_close"), tools);
console.log("typescript: lists tools");

const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
const wrong = await call("terminal_run", { comand: "true" });
assert(wrong.isError && wrong.content[0].text.includes('did you mean "command"'), wrong);
console.log("typescript: is told what is wrong");

const ran = await call("terminal_run", { command: "echo out; exit 3" });
if (ran.isError) {
  assert(ran.content[0].text.includes("no rule"), ran.content[0].text);
  console.log("typescript: may run nothing, and is told so");
} else {
  assert.equal(ran.structuredContent.exit_code, 3);
  console.log("typescript: runs a command");
  const abort = new AbortController();
  setTimeout(() => abort.abort("enough"), 200);
  await assert.rejects(call("terminal_run", { command: "sleep 600" }, { signal: abort.signal }));
  // The client does not wait for the server to hear of it.
  const running = async () => (await call("terminal_list", {})).structuredContent.sessions.some((it) => it.state === "running");
  for (let tries = 0; (await running()) && tries < 100; tries++) await new Promise((done) => setTimeout(done, 50));
  assert(!(await running()), "a cancelled command runs on");
  console.log("typescript: cancels a command");
}
await transport.terminateSession();
await client.close();
