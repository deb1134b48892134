"""Drives `terrarium serve` with the Python MCP SDK, in each era of the protocol.

Usage: client.py PROGRAM WORKSPACE, or client.py URL WORKSPACE TOKEN [may-do-nothing]
"""

import asyncio
import sys
from pathlib import Path

from mcp import Client, MCPError, StdioServerParameters

PROGRAM, WORKSPACE = sys.argv[1], Path(sys.argv[2])
OVER_HTTP = PROGRAM.startswith("http://")
MAY_DO_NOTHING = "may-do-nothing" in sys.argv
TOOLS = {"terminal_run", "terminal_wait", "terminal_read", "terminal_list", "terminal_close"}


class Conversation:
    """A client whose calls say what came when it is not what was expected."""

    def __init__(self, client):
        self.client = client

    async def call(self, tool, arguments, *, is_error=False):
        result = await self.client.call_tool(tool, arguments)
        text = result.content[0].text
        assert bool(result.is_error) == is_error, (tool, arguments, text)
        return text, result.structured_content or {}


async def lists_tools(c):
    tools = (await c.client.list_tools()).tools
    names = [tool.name for tool in tools]
    assert TOOLS <= set(names), names
    assert [tool.name for tool in (await c.client.list_tools()).tools] == names, "the order changes"
    for tool in tools:
        assert tool.title and tool.description and tool.annotations, tool.name
        assert tool.input_schema["type"] == "object" and tool.input_schema["additionalProperties"] is False, tool.name
        assert tool.output_schema["type"] == "object", tool.name


async def runs_a_line_and_an_argv(c):
    text, facts = await c.call("terminal_run", {"command": "echo out; echo err >&2; exit 3"})
    assert (facts["state"], facts["exit_code"]) == ("exited", 3), facts
    assert "--- stdout\nout\n" in text and "--- stderr\nerr\n" in text, text
    assert "session" not in facts, facts
    text, facts = await c.call("terminal_run", {"argv": ["printf", "%s|", "a b", "$HOME", "*"]})
    assert facts["exit_code"] == 0 and "a b|$HOME|*|" in text, text


async def feeds_standard_input(c):
    text, facts = await c.call("terminal_run", {"argv": ["tr", "a-z", "A-Z"], "stdin": "grüße\n"})
    assert facts["exit_code"] == 0 and "GRüßE" in text, text
    _, facts = await c.call("terminal_run", {"argv": ["cat"], "stdin_base64": "AAH/"})
    assert facts["stdout_bytes"] == 3, facts
    text, read = await c.call("terminal_read", {"session": facts["session"], "cursor": 0, "encoding": "base64"})
    assert "AAH/" in text and read["next_cursor"] == 3, (text, read)


async def works_in_the_workspace_only(c):
    _, facts = await c.call("terminal_run", {"command": "echo kept > made-inside"})
    assert facts["exit_code"] == 0, facts
    made = WORKSPACE / "made-inside"
    assert made.read_text() == "kept\n"
    made.unlink()
    text, facts = await c.call("terminal_run", {"argv": ["cat", "/etc/shadow"]})
    assert facts["exit_code"] == 1 and "root:" not in text, text


async def ends_at_the_timeout(c):
    text, facts = await c.call("terminal_run", {"argv": ["sleep", "600"], "timeout_s": 1})
    assert (facts["state"], facts["ended_by"]) == ("killed", "limit: timeout_s (1)"), (text, facts)


async def goes_on_as_a_session(c):
    line = "echo begin; read -t 1 x < <(sleep 2); echo end; sleep 600"
    _, facts = await c.call("terminal_run", {"command": line, "yield_ms": 0})
    assert facts["state"] == "running" and "exit_code" not in facts, facts
    session, alias = facts["session"], facts["alias"]
    _, listed = await c.call("terminal_list", {})
    assert [it["session"] for it in listed["sessions"] if it["state"] == "running"] == [session], listed
    _, found = await c.call("terminal_wait", {"session": alias, "until": {"text": "end"}, "timeout_ms": 30_000})
    assert (found["fired"], found["matched_line"]) == ("found", "end"), found
    text, read = await c.call("terminal_read", {"session": session, "cursor": 0})
    assert "begin\nend\n" in text and read["next_cursor"] == 10, (text, read)
    _, waited = await c.call("terminal_wait", {"session": session, "timeout_ms": 50})
    assert waited["fired"] == "timeout" and waited["state"] == "running", waited
    _, closed = await c.call("terminal_close", {"session": session})
    assert closed["state"] == "signaled" and closed["ended_by"], closed
    text, _ = await c.call("terminal_read", {"session": session}, is_error=True)
    assert "no such session" in text, text


async def types_into_a_shell(c):
    text, opened = await c.call("terminal_open", {"name": "work", "cols": 80, "rows": 24})
    assert opened["takes_commands"] and "screen 80x24" in text, (text, opened)
    text, ended = await c.call("terminal_exec", {"session": "work", "command": "cd /tmp\nfalse"})
    assert (ended["outcome"], ended["exit_code"]) == ("ended", 1), (text, ended)
    typed = {"session": "work", "input": [{"text": "pwd"}, {"key": "Enter"}], "wait": {"command": True}}
    text, sent = await c.call("terminal_send", typed)
    assert (sent["fired"], sent["exit_code"]) == ("command", 0) and "\n/tmp\n" in text, (text, sent)
    _, resized = await c.call("terminal_resize", {"session": "work", "cols": 100, "rows": 30})
    assert resized["old_cols"] == 80, resized
    await c.call("terminal_exec", {"session": "work", "command": "sleep 600", "yield_ms": 0})
    await c.call("terminal_signal", {"session": "work", "signal": "INT"})
    _, waited = await c.call("terminal_wait", {"session": "work", "until": {"command": True}})
    assert waited["fired"] == "command", waited
    text, shown = await c.call("terminal_snapshot", {"session": "work"})
    assert (shown["cols"], shown["rows"]) == (100, 30) and "sleep 600" in text, (text, shown)
    await c.call("terminal_close", {"session": "work"})


async def explains_what_is_wrong(c):
    text, _ = await c.call("terminal_run", {"comand": "true"}, is_error=True)
    assert 'did you mean "command"' in text, text
    text, _ = await c.call("terminal_run", {"command": "true", "profile": "network"}, is_error=True)
    assert 'rule "terminals"' in text, text
    try:
        await c.client.call_tool("no_such_tool", {})
    except MCPError as error:
        assert error.code == -32602, error
    else:
        raise AssertionError("an unknown tool was called")


async def may_do_nothing_without_a_rule(c):
    assert (await c.client.list_tools()).tools == []
    for tool, arguments in [("terminal_run", {"command": "true"}), ("terminal_open", {}), ("terminal_list", {})]:
        text, _ = await c.call(tool, arguments, is_error=True)
        assert "no rule" in text, text
    text, _ = await c.call("terminal_run", {"comand": "true"}, is_error=True)
    assert 'did you mean "command"' in text, text


STORIES = [
    lists_tools,
    runs_a_line_and_an_argv,
    feeds_standard_input,
    works_in_the_workspace_only,
    ends_at_the_timeout,
    goes_on_as_a_session,
    types_into_a_shell,
    explains_what_is_wrong,
]


def over_http():
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    authorized = httpx2.AsyncClient(headers={"Authorization": f"Bearer {sys.argv[3]}"})
    return streamable_http_client(PROGRAM, http_client=authorized)


async def main():
    server = StdioServerParameters(command=PROGRAM, args=["serve", "--workspace", str(WORKSPACE)])
    for mode, era in [("auto", "2026-07-28"), ("2026-07-28", "2026-07-28"), ("legacy", "2025-11-25")]:
        async with Client(over_http() if OVER_HTTP else server, mode=mode) as client:
            assert client.protocol_version == era, (mode, client.protocol_version)
            for story in [may_do_nothing_without_a_rule] if MAY_DO_NOTHING else STORIES:
                await story(Conversation(client))
                print(f"python {mode}: {story.__name__}")


asyncio.run(main())
