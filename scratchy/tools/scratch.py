"""The tools by which a model reads the scratchpad back: only entries that this session's messages name."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Effect, ToolError, ToolResult
from scratchy.scratchpad import Scratchpad
from scratchy.tools.specs import integer, spec, text

_MARGIN = 300


class ScratchpadRead:
    spec: ToolSpec = spec(
        "scratchpad_read",
        "Read a slice of a big output that the scratchpad keeps.",
        ("id",),
        id=text(),
        offset=integer("First character, from 0.", default=0, minimum=0),
        limit=integer("Characters.", default=8000, minimum=1),
    )

    def __init__(self, scratchpad: Scratchpad, mentioned: Callable[[str], bool]) -> None:
        self._scratchpad = scratchpad
        self._mentioned = mentioned

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        return Effect(arguments["id"], f"read {arguments['id']} of the scratchpad", "this entry", arguments["id"], True)

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        entry, offset = arguments["id"], int(arguments.get("offset", 0))
        if not self._mentioned(entry):
            raise ToolError(f"The scratchpad of this session has no entry {entry!r}.")
        try:
            rest = self._scratchpad.read(entry, offset)
        except LookupError as error:
            raise ToolError(str(error.args[0])) from None
        # A slice must fit under the threshold, or it would itself be stored and answered by a reference.
        room = max(self._scratchpad.threshold - _MARGIN, 64)
        piece = rest[: int(arguments.get("limit", 8000))].encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
        left = len(rest) - len(piece)
        more = f"\n[{left} characters follow; read on with offset={offset + len(piece)}]" if left else ""
        yield ToolResult((piece + more) or f"[there is nothing at {offset}: the entry ends before]")


class ScratchpadList:
    spec: ToolSpec = spec("scratchpad_list", "List the big outputs of this session that the scratchpad keeps.", ())

    def __init__(self, scratchpad: Scratchpad, mentioned: Callable[[str], bool]) -> None:
        self._scratchpad = scratchpad
        self._mentioned = mentioned

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        return Effect("", "list the scratchpad", "this list", "", True)

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        rows = [row for row in self._scratchpad.list() if self._mentioned(row["id"])][:100]
        lines = [f"{row['id']}  {row['type']}  {row['size']} bytes  from {row['tool']}" for row in rows]
        yield ToolResult("\n".join(lines) or "The scratchpad of this session is empty.")
