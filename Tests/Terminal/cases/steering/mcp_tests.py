"""`foretop mcp`: runs as tools of the Model Context Protocol, asked by the protocol's own client."""

import asyncio
import json
import subprocess

from control_tests import tell, training
from support import *


def with_client(talk, *options):
    """Lets a client of the `mcp` package talk to the server."""
    try:
        from mcp import ClientSession, StdioServerParameters
        from mcp.client.stdio import stdio_client
    except ImportError as reason:
        raise Skipped(f"the package mcp is not installed: {reason}") from None

    async def connect():
        server = StdioServerParameters(command=PROGRAM, args=["mcp", "--runs", RUNS, *options])
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            begun = await session.initialize()
            assert begun.server_info.name == "foretop", begun
            return await talk(session)

    return asyncio.run(asyncio.wait_for(connect(), PATIENCE))


async def call(session, tool, /, **arguments):
    """What a tool answers, and whether it is an error."""
    result = await session.call_tool(tool, arguments)
    return "".join(block.text for block in result.content), bool(result.is_error)


def test_an_agent_reads_runs_and_changes_nothing():
    run(train("read", "--headless", "--steps", "3"))

    async def talk(session):
        await session.send_ping()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {"list_runs", "inspect_run", "watch_run"}, tools
        assert all(tool.annotations.read_only_hint for tool in tools.values())
        listed, _ = await call(session, "list_runs", filter="name=read")
        assert json.loads(listed)["step"] == 3, listed
        summary, _ = await call(session, "inspect_run", name="read")
        assert json.loads(summary)["state"] == "finished", summary
        for part in ("metrics", "diagnostics", "events", "checkpoints", "recipe"):
            text, is_error = await call(session, "inspect_run", name="read", part=part)
            assert text and not is_error, (part, text)
        text, is_error = await call(session, "inspect_run", name="red")
        assert is_error and "did you mean read?" in text, text
        text, is_error = await call(session, "watch_run", name="read", seconds=1)
        assert is_error and "no process trains run “read”" in text, text
        for name, arguments in (("tell_run", {"name": "read", "command": "pause"}), ("inspect_run", {}), ("inspect_run", {"name": "read", "part": "soul"}),
                                ("watch_run", {"name": "read", "seconds": 1e9}), ("list_runs", {"wrong": 1})):
            try:
                await session.call_tool(name, arguments)
            except Exception as error:
                assert error.error.code == -32602, error
            else:
                raise AssertionError(f"{name} {arguments} is answered")

    with_client(talk)


def test_an_agent_steers_a_run_where_it_may():
    with training("steered") as process:
        async def talk(session):
            assert "tell_run" in {tool.name for tool in (await session.list_tools()).tools}
            text, is_error = await call(session, "tell_run", name="steered", command="rate x0.5")
            assert not is_error and json.loads(text)["status"] == "done", text
            text, is_error = await call(session, "tell_run", name="steered", command="rate fast")
            assert is_error and "is not a rate" in text, text
            # Who cannot be asked whether a large change is meant says so beforehand.
            for refused in ({}, {"yes": False}):
                text, is_error = await call(session, "tell_run", name="steered", command="rate x0.01", **refused)
                assert is_error and "needs a yes" in text, text
            text, is_error = await call(session, "tell_run", name="steered", command="rate x0.01", yes=True)
            assert not is_error and json.loads(text)["status"] == "done", text
            text, is_error = await call(session, "tell_run", name="steered", command="until 1")
            assert is_error and "not ahead" in text, text
            text, _ = await call(session, "watch_run", name="steered", seconds=3)
            assert any(json.loads(line)["event"] == "step" for line in text.splitlines()), text
            await call(session, "tell_run", name="steered", command="stop")

        with_client(talk, "--steer")
        assert process.wait(PATIENCE) == 0
    assert [event["actor"] for event in occurrences("steered", "rate")] == ["tell", "tell"]


def test_what_is_no_message_is_an_error_and_the_server_goes_on():
    lines = [
        "rubbish", "[]", "{}", '{"jsonrpc":"2.0","method":"notifications/initialized"}', "", '{"jsonrpc":"2.0","id":{},"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":"dream"}', '{"jsonrpc":"2.0","id":2,"method":"tools/call"}', '{"jsonrpc":"2.0","id":"last","method":"ping"}',
    ]
    served = subprocess.run(command("mcp"), input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE)
    answers = [json.loads(line) for line in served.stdout.splitlines()]
    assert served.returncode == 0, served
    codes = [answer.get("error", {}).get("code") for answer in answers]
    assert codes == [-32700, -32600, -32600, -32600, -32601, -32602, None], answers
    assert answers[-1] == {"jsonrpc": "2.0", "id": "last", "result": {}}
    flood = subprocess.run(command("mcp"), input="x" * 3_000_000, capture_output=True, text=True, timeout=PATIENCE)
    assert flood.returncode == 65 and "more than" in flood.stderr, flood
