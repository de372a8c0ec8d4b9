"""What a model thinks, apart from what it says: `<think>…</think>` at the beginning of a text, and the keys of servers.

Raw templates of llama-server and distils of DeepSeek R1 put thinking into the text itself. Only what stands at the very
beginning is taken out: later on a model may write about such tags. No I/O.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scratchy.core.events import TextDelta, ThinkingDelta
from scratchy.providers.shapes import items, record, text

_OPEN, _CLOSE = "<think>", "</think>"
_KEYS = frozenset(("reasoning_content", "reasoning", "reasoning_details"))


class Thoughts:
    """Takes a text in pieces as they come, and gives them out as deltas; `said` is the text without the thinking."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._held: str = ""
        self._state = "start"  # start, thinking, gap (blank after the thinking), text

    @property
    def said(self) -> str:
        return "".join(self._pieces)

    def add(self, piece: str) -> Iterable[TextDelta | ThinkingDelta]:
        if self._state == "text":
            self._pieces.append(piece)
            return (TextDelta(piece),)
        return self._divide(piece)

    def _divide(self, piece: str) -> Iterator[TextDelta | ThinkingDelta]:
        if self._state == "start":
            piece = self._begin(piece)
        if self._state == "thinking":
            thought, piece = self._think(piece)
            if thought:
                yield ThinkingDelta(thought)
        if self._state == "gap":
            piece = piece.lstrip()
            self._state = "text" if piece else "gap"
        if piece and self._state == "text":
            self._pieces.append(piece)
            yield TextDelta(piece)

    def end(self) -> Iterator[TextDelta | ThinkingDelta]:
        """What was held back, since a tag might have begun there."""
        held, self._held = self._held, ""
        if held and self._state == "thinking":
            yield ThinkingDelta(held)
        elif held:
            self._pieces.append(held)
            yield TextDelta(held)

    def _begin(self, piece: str) -> str:
        piece, self._held = self._held + piece, ""
        begun = piece.lstrip()
        if begun.startswith(_OPEN):
            self._state = "thinking"
            return begun.removeprefix(_OPEN)
        if not begun or _OPEN.startswith(begun):
            self._held = piece
            return ""
        self._state = "text"
        return piece

    def _think(self, piece: str) -> tuple[str, str]:
        """The thinking in a piece, and what comes behind its end."""
        piece, self._held = self._held + piece, ""
        thought, end, rest = piece.partition(_CLOSE)
        if end:
            self._state = "gap"
            return thought, rest
        begun = next((size for size in range(len(_CLOSE) - 1, 0, -1) if piece.endswith(_CLOSE[:size])), 0)
        kept = len(piece) - begun
        self._held = piece[kept:]
        return piece[:kept], ""


def thinking_in(delta: Mapping[str, Any]) -> str:
    """The thinking in a chat-completions delta: `reasoning_content` (DeepSeek, llama-server), `reasoning` (vLLM, Groq,
    OpenRouter) or `reasoning_details` (OpenRouter, beside the one before it)."""
    if _KEYS.isdisjoint(delta):
        return ""
    for key in ("reasoning_content", "reasoning"):
        if said := text(delta.get(key)):
            return said
    details = map(record, items(delta.get("reasoning_details")))
    return "".join(text(one.get("text")) or text(one.get("summary")) for one in details)
