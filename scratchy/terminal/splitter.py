"""A stream of Markdown, cut into blocks that never change again. Knows neither a terminal nor a Markdown renderer.

A block ends at a blank line outside a fence, at the closing fence, or at the end of the answer; one that grows past
`LIMIT` ends at its last line, else at its last blank, else there. Any cut of the stream into deltas gives the same
blocks, and the blocks joined are the answer. The cost is O(new text): whole lines are looked at once, the unfinished
one is only kept.
"""

import re
from dataclasses import dataclass

CUT_AFTER = 80
"""Lines of a fence after which it may be cut where that is safe."""

LIMIT = 32 * 1024
"""Characters of a block, about: whatever comes, the unfinished part and the work on one block stay bounded."""

_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`]*\Z)|~{3,})[ \t]*([^\s`]*)")
_PLAIN = frozenset({"", "text", "txt", "plain", "plaintext", "log", "csv", "diff", "patch"})
_PAIRS = (('"""', '"""'), ("'''", "'''"), ("/*", "*/"), ("<!--", "-->"), ("`", "`"))


class Block(str):
    """A finished piece of Markdown. `fence`: the opening line of the fence that it continues, or ""."""

    __slots__ = ("fence",)

    fence: str

    def __new__(cls, text: str, fence: str = "") -> "Block":
        block = super().__new__(cls, text)
        block.fence = fence
        return block


@dataclass(slots=True)
class _Fence:
    line: str
    marker: str
    indent: int
    plain: bool
    lines: int = 0
    inside: int = -1  # index of the pair of _PAIRS that is open, or -1

    def closed_by(self, line: str) -> bool:
        bare = line.strip()
        if len(bare) < len(self.marker) or bare.strip(self.marker[0]):
            return False
        return _indent(line) <= self.indent + 3

    def may_cut_after(self, line: str) -> bool:
        """A cut here leaves the highlighter in its plain state, as far as a look at strings and comments can tell."""
        self.lines += 1
        if not self.plain:
            self._follow(line)
        return self.lines >= CUT_AFTER and (self.plain or (self.inside < 0 and not line.strip()))

    def _follow(self, line: str) -> None:
        at = 0
        while True:
            if self.inside >= 0:
                end = _PAIRS[self.inside][1]
                found = line.find(end, at)
                if found < 0:
                    return
                at, self.inside = found + len(end), -1
                continue
            starts = [(line.find(pair[0], at), index) for index, pair in enumerate(_PAIRS)]
            found, index = min(((start, index) for start, index in starts if start >= 0), default=(-1, -1))
            if found < 0:
                return
            at, self.inside = found + len(_PAIRS[index][0]), index


class Splitter:
    """Feed it deltas; it returns each block once, as soon as its end is certain."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lines: list[str] = []
        self._rest: list[str] = []
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._lines.clear()
        self._rest.clear()
        self._lines_size = self._rest_size = 0
        self._fence: _Fence | None = None
        self._continues = ""
        self._filled = False
        self._in_line = False  # the line being read began in a block that is gone

    @property
    def tail(self) -> str:
        """All that belongs to no finished block yet."""
        return "".join(self._lines) + "".join(self._rest)

    def end(self, lines: int, limit: int = 4000) -> str:
        """About the last `lines` lines of the tail, at most `limit` characters: cheap however long the tail is."""
        if len(self._rest) > 1:
            self._rest = ["".join(self._rest)]
        rest = self._rest[0] if self._rest else ""
        return ("".join(self._lines[-lines:]) + rest[-limit:])[-limit:]

    def feed(self, delta: str) -> list[Block]:
        """The blocks that `delta` finishes, in order."""
        first, *more = delta.split("\n")
        blocks = self._extend(first)
        for part in more:
            blocks += self._end_line()
            blocks += self._extend(part)
        return blocks

    def finish(self) -> list[Block]:
        """What is left at the end of the answer; the splitter is as new."""
        text, fence = self.tail, self._continues
        self._start_afresh()
        return [Block(text, fence)] if text else []

    def _extend(self, part: str) -> list[Block]:
        """More of the unfinished line; past the limit what can go does."""
        if not part:
            return []
        self._rest.append(part)
        self._rest_size += len(part)
        if self._lines_size + self._rest_size <= self._limit:
            return []
        blocks = self._cut_lines() if self._lines else []
        if self._rest_size <= self._limit:
            return blocks
        text, at = "".join(self._rest), 0
        while len(text) - at > self._limit:
            end = text.rfind(" ", at, at + self._limit) + 1 or at + self._limit
            blocks.append(Block(text[at:end], self._continues))
            at = end
        self._rest, self._rest_size, self._in_line = [text[at:]], len(text) - at, True
        return blocks

    def _end_line(self) -> list[Block]:
        line = "".join(self._rest) + "\n"
        self._rest.clear()
        self._rest_size = 0
        blocks = self._add(line)
        return blocks or (self._cut_lines() if self._lines_size > self._limit else [])

    def _add(self, line: str) -> list[Block]:
        self._lines.append(line)
        self._lines_size += len(line)
        if self._in_line:
            self._in_line, self._filled = False, True
            return []
        fence = self._fence
        if fence is not None:
            if fence.closed_by(line):
                self._fence = None
                return self._cut()
            return self._cut(fence.line) if fence.may_cut_after(line) else []
        if not line.strip():
            return self._cut() if self._filled else []
        self._filled = True
        if "```" in line or "~~~" in line:
            self._open(line)
        return []

    def _open(self, line: str) -> None:
        found = _FENCE.match(line.rstrip("\r\n"))
        if found:
            plain = found[2].lower() in _PLAIN
            self._fence = _Fence(line, found[1], len(line[: found.start(1)].expandtabs(4)), plain)

    def _cut_lines(self) -> list[Block]:
        return self._cut(self._fence.line if self._fence is not None else "")

    def _cut(self, continues: str = "") -> list[Block]:
        block = Block("".join(self._lines), self._continues)
        self._lines.clear()
        self._lines_size = 0
        self._continues, self._filled = continues, bool(continues)
        if self._fence is not None:
            self._fence.lines = 0
        return [block]


def _indent(line: str) -> int:
    wide = line.expandtabs(4)
    return len(wide) - len(wide.lstrip())
