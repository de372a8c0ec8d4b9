"""The tool by which a model looks up earlier conversations. How they are read is handed in by whoever opens tools.

Decided here: when it asks, and what the person is shown. Not here: which sessions are in reach (sessions/searching.py).
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from scratchy.core.found import Found, Hit
from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Effect, ToolError, ToolResult
from scratchy.tools.specs import flag, spec, text


class Recall(Protocol):
    """One session's way to the others."""

    def search(self, query: str, everywhere: bool) -> Found:
        """Blocks. Without `everywhere` sessions of this project only; private ones never. Raises OSError."""
        ...


class SearchSessions:
    """`shown` keeps which sessions the person was shown for a wider search: others are not given."""

    spec: ToolSpec = spec(
        "search_sessions",
        "Find messages of earlier conversations of this project that hold all the words; everywhere=true: of all.",
        ("query",),
        query=text(),
        everywhere=flag(),
    )

    def __init__(self, recall: Recall) -> None:
        self._recall = recall
        self._shown: dict[str, set[str]] = {}

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        query = arguments["query"]
        if not arguments.get("everywhere"):
            preview = (
                f"Look for {query!r} in the earlier conversations of this project and give the model what is found."
            )
            scope = "looking up this project's conversations"
            return Effect(repr(query), preview, scope, "project", kind="reads")
        hits = self._recall.search(query, True).hits
        before = self._shown.get(query)
        self._shown[query] = {h.session_id for h in hits if before is None or h.session_id in before}
        listed = _sessions([hit for hit in hits if hit.session_id in self._shown[query]])
        preview = f"Look for {query!r} in all conversations and give the model passages of:\n{listed}"
        return Effect(f"{query!r} everywhere", preview, "", "", kind="reads")

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        query, everywhere = arguments["query"], bool(arguments.get("everywhere"))
        shown = self._shown.pop(query, set[str]()) if everywhere else None
        try:
            found = await asyncio.to_thread(self._recall.search, query, everywhere)
        except OSError as error:
            raise ToolError(f"The sessions cannot be searched: {error.strerror or error}.") from None
        hits = [hit for hit in found.hits if shown is None or hit.session_id in shown]
        told = [
            f"{_name(hit)}, {hit.ts or hit.last_activity}, message {hit.number}, {hit.role}: {hit.passage}"
            for hit in hits
        ]
        nothing = f"No earlier conversation {'' if everywhere else 'of this project '}holds all of that."
        yield ToolResult("\n".join([*(told or [nothing]), *([f"[{found.note}]"] if found.note else [])]))


def _name(hit: Hit) -> str:
    return f"{hit.session_id}{f' “{hit.title}”' if hit.title else ''}"


def _sessions(hits: list[Hit]) -> str:
    told = (f"{_name(hit)} in {hit.folder or 'an unknown folder'}" for hit in hits)
    lines = dict.fromkeys("  " + "\\n".join(line.splitlines()) for line in told)  # one is a session, whatever its name
    return "\n".join(lines) or "  no session: nothing was found"
