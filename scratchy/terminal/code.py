"""Code as rich shows it: coloured by pygments in the colours of a theme, folded where the width ends.

Not here: where code begins and ends (splitter, markdown), the bytes that a terminal gets (render).
"""

from collections.abc import Iterator
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from scratchy.terminal.theme import THEMES, Theme

_ROLES = {
    Comment: "comment",
    Keyword: "keyword",
    Keyword.Constant: "constant",
    Name.Builtin: "constant",
    Name.Class: "function",
    Name.Decorator: "decorator",
    Name.Exception: "constant",
    Name.Function: "function",
    Name.Tag: "keyword",
    Number: "constant",
    Operator.Word: "decorator",
    String: "string",
    Generic.Deleted: "removed",
    Generic.Heading: "name",
    Generic.Inserted: "added",
    Generic.Prompt: "comment",
    Generic.Subheading: "hunk",
}


class Snippet:
    """Code, two columns in, coloured; its long lines are folded where the width ends and no line is padded."""

    def __init__(self, code: str, language: str, theme: Theme) -> None:
        self._code = code
        self._language = language.lower()
        self._theme = theme

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lexer = _lexer(self._language)
        width = max(options.max_width - 2, 8)
        room = width
        yield Segment("  ")
        for kind, text in lexer.get_tokens(self._code) if lexer else [(None, self._code)]:
            style = _style_of(tuple(kind), self._theme.name) if kind else None
            for index, part in enumerate(text.expandtabs(4).split("\n")):
                if index:
                    yield Segment("\n  ")
                    room = width
                for first, piece in _folded(part, room, width):
                    if not first:
                        yield Segment("\n  ")
                        room = width
                    room -= cell_len(piece)
                    yield Segment(piece, style)
        yield Segment("\n")


def _folded(part: str, room: int, width: int) -> Iterator[tuple[bool, str]]:
    """`part` in pieces that fit, the first into `room` columns; with each whether it stays on the line."""
    if len(part) * 2 <= room or cell_len(part) <= room:
        if part:
            yield True, part
        return
    head = chop_cells(part, room)[0] if room > 1 else ""
    if head:
        yield True, head
    for piece in chop_cells(part[len(head) :], width):
        yield False, piece


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _style_of(kind: tuple[str, ...], theme: str) -> Style | None:
    by_name = {tuple(token): role for token, role in _ROLES.items()}
    role = next((by_name[kind[:size]] for size in range(len(kind), 0, -1) if kind[:size] in by_name), None)
    return rich_style(THEMES[theme].looks[role]) if role else None


@lru_cache(maxsize=256)
def rich_style(look: str) -> Style:
    """A look of a theme, for rich."""
    words = [f"color({word})" if word.isdecimal() else word.replace("bright", "bright_") for word in look.split()]
    return Style.parse(" ".join(words)) if words else Style.null()
