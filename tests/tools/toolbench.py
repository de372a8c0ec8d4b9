"""Helpers for the tools' tests: a call, its verdict, its run."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

from scratchy.core.events import ToolOutput
from scratchy.core.messages import ToolCall
from scratchy.core.ports import ToolResult
from scratchy.permissions import Permissions
from scratchy.scratchpad import Scratchpad
from scratchy.tools.builtin import default_tools
from scratchy.tools.toolset import Tools


def make_tools(folder: Path, scratchpad: Scratchpad | None = None, **more: Any) -> Tools:
    permissions = Permissions(folder, **more)
    return Tools(
        default_tools(permissions, scratchpad, lambda entry: True), permissions=permissions, scratchpad=scratchpad
    )


def call(name: str, **arguments: Any) -> ToolCall:
    return raw_call(name, json.dumps(arguments))


def raw_call(name: str, arguments: str) -> ToolCall:
    return {"id": "call-1", "type": "function", "function": {"name": name, "arguments": arguments}}


async def collect(tools: Tools, wanted: ToolCall) -> tuple[str, ToolResult]:
    """The live output, and the one result, which comes last."""
    live: list[str] = []
    results: list[ToolResult] = []
    async with aclosing(tools.run(wanted)) as events:
        async for event in events:
            assert not results, "nothing comes after the result"
            if isinstance(event, ToolOutput):
                assert event.call_id == wanted["id"]
                live.append(event.text)
            else:
                results.append(event)
    assert len(results) == 1
    return "".join(live), results[0]


def run(tools: Tools, name: str, **arguments: Any) -> ToolResult:
    return asyncio.run(collect(tools, call(name, **arguments)))[1]


def output(tools: Tools, name: str, **arguments: Any) -> str:
    """What it says, when it goes well."""
    result = run(tools, name, **arguments)
    assert not result.is_error, result.output
    return result.output


def failure(tools: Tools, name: str, **arguments: Any) -> str:
    result = run(tools, name, **arguments)
    assert result.is_error, result.output
    return result.output
