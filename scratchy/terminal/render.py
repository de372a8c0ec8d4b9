"""A finished block of Markdown as the bytes of a terminal, by rich. Importing this file is what costs: do it late.

Not here: where a block ends (splitter), and when and where it is written (screen).
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import StringIO
from typing import ClassVar

from markdown_it import MarkdownIt
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.style import Style
from rich.theme import Theme

from scratchy.core.text import clean
from scratchy.terminal.splitter import Block

_ITEM = re.compile(r"^( *)(?:[-*+]|\d{1,9}[.)]) +", re.MULTILINE)
_FENCE = re.compile(r" *(`{3,}(?=[^`\n]*$)|~{3,})[ \t]*([^\s`]*).*$\n?", re.MULTILINE)
_DELIMITER = re.compile(r"\|?( *:?-+:? *\|)+( *:?-+:? *)?")
_LEAST_COLUMN = 6
GIANT = 8 * 1024
GIANT_LINES = 500
"""Characters, or lines, past which a block stands as the model wrote it: rich and a highlighter would keep the keys
waiting, and no person reads that much without a blank line."""
_PARSER = MarkdownIt().enable(["strikethrough", "table"])
_STEP = 3  # columns by which rich indents the text of a list's item

# Only the sixteen colours of the person's own theme: readable on light and on dark.
_THEME = Theme(
    {
        "markdown.code": Style(color="cyan"),
        "markdown.h1": Style(bold=True, underline=True),
        "markdown.h2": Style(bold=True, underline=True),
        "markdown.h3": Style(bold=True),
        "markdown.h4": Style(bold=True, italic=True),
        "markdown.table.border": Style(color="bright_black"),
        "markdown.block_quote": Style(color="magenta"),
    }
)
_CODE = {
    Comment: Style(color="bright_black"),
    Keyword: Style(color="blue"),
    Keyword.Constant: Style(color="cyan"),
    Name.Builtin: Style(color="cyan"),
    Name.Class: Style(color="green"),
    Name.Decorator: Style(color="magenta"),
    Name.Exception: Style(color="cyan"),
    Name.Function: Style(color="green"),
    Name.Tag: Style(color="blue"),
    Number: Style(color="cyan"),
    Operator.Word: Style(color="magenta"),
    String: Style(color="yellow"),
    Generic.Deleted: Style(color="red"),
    Generic.Heading: Style(bold=True),
    Generic.Inserted: Style(color="green"),
    Generic.Prompt: Style(color="bright_black"),
    Generic.Subheading: Style(color="cyan"),
}


class Renderer:
    """Turns blocks into strings; knows of the blocks of one answer what the next one continues."""

    def __init__(self, *, colour: bool = True) -> None:
        self._colour = colour
        self._console = _console(80)
        self.start()

    def start(self) -> None:
        """The next block begins an answer."""
        self._first = True
        self._gap = 0
        self._items: list[int] = []

    def block(self, block: str, width: int) -> str:
        """`block` for a terminal of `width` columns: whole lines; before all but the first block stands a blank one."""
        if not block.strip() and not self._gap:
            return ""
        if self._console.width != width:
            self._console = _console(width)
        text = clean(block)
        fence = block.fence if isinstance(block, Block) else ""
        lines = self._piece(text, clean(fence)) if fence else _trimmed(list(self._whole(text)))
        before = self._gap if fence else int(not self._first)
        self._first = False
        self._gap = len(text) - len(text.rstrip("\n")) - 1
        return "\n" * before + "".join(f"{line}\n" for line in lines)

    def _whole(self, text: str) -> Iterable[str]:
        level, body = self._nesting(text.strip("\n"))
        width = max(self._console.width - level * _STEP, 16)
        fence = _FENCE.match(body)
        giant = _is_giant(body)
        if giant and not fence:
            return body.split("\n")
        if _columns(body) * _LEAST_COLUMN > width:  # rich would leave nothing of it to read: its source, then
            return self._lines(_Snippet(body, ""), width)
        language = fence[2] if fence and not giant else ""
        what = _Snippet(_inside(body[fence.end() :], fence[1]), language) if fence else _Markdown(body)
        pad = " " * (level * _STEP)
        return (pad + line if line else line for line in self._lines(what, width))

    def _piece(self, text: str, opening: str) -> Iterable[str]:
        fence = _FENCE.match(opening)
        marker, language = (fence[1], fence[2]) if fence else ("```", "")
        code = _inside(text.rstrip("\n"), marker)
        language = "" if _is_giant(code) else language
        return self._lines(_Snippet(code, language), self._console.width) if code.strip() else ()

    def _nesting(self, body: str) -> tuple[int, str]:
        """How deep in the list of the blocks before it this one stands, and its text without that indent."""
        indent = len(body) - len(body.lstrip(" "))
        self._leave_items(indent + 1)
        level = len(self._items)
        for item in _ITEM.finditer(body.partition("```")[0]):
            self._leave_items(len(item[1]) + 1)
            self._items.append(len(item[0]))
        if indent and (level or _FENCE.match(body)):
            body = re.sub(rf"^ {{1,{indent}}}", "", body, flags=re.MULTILINE)
        return level, body

    def _leave_items(self, indent: int) -> None:
        while self._items and self._items[-1] >= indent:
            self._items.pop()

    def _lines(self, what: RenderableType, width: int) -> Iterator[str]:
        """Each line without the padding that rich puts at its end, and with as few colour changes as it needs."""
        line: list[tuple[str, Style | None]] = []
        for segment in self._console.render(what, self._console.options.update(width=width)):
            text, style, control = segment
            if control:
                continue
            *whole, rest = text.split("\n")
            for part in whole:
                line.append((part, style))
                yield self._joined(line)
                line.clear()
            if rest:
                line.append((rest, style))
        if line:
            yield self._joined(line)

    def _joined(self, line: list[tuple[str, Style | None]]) -> str:
        while line and not line[-1][0].rstrip(" "):
            line.pop()
        if not line:
            return ""
        line[-1] = (line[-1][0].rstrip(" "), line[-1][1])
        out: list[str] = []
        now = ""
        for text, style in line:
            code = _sgr(style, self._colour) if style else ""
            if code != now and not (text.isspace() and not now):
                out.append(("\x1b[0m" if now else "") + code)
                now = code
            out.append(text if text.isprintable() else clean(text))
        return "".join(out) + ("\x1b[0m" if now else "")


class _Snippet:
    """Code, two columns in, coloured; its long lines are folded where the width ends and no line is padded."""

    def __init__(self, code: str, language: str) -> None:
        self._code = code
        self._language = language.lower()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lexer = _lexer(self._language)
        width = max(options.max_width - 2, 8)
        room = width
        yield Segment("  ")
        for kind, text in lexer.get_tokens(self._code) if lexer else [(None, self._code)]:
            style = _style_of(tuple(kind)) if kind else None
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


class _Code(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _Snippet(str(self.text).rstrip(), self.lexer_name)


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "heading_open": _Heading,
    }

    def __init__(self, text: str) -> None:
        # Not super().__init__: it builds a parser each time, which costs more than a block's rendering.
        self.markup = text
        self.parsed = _PARSER.parse(text)
        self.code_theme = self.inline_code_theme = "default"
        self.justify = None
        self.style = "none"
        self.hyperlinks = False  # a link's target is to be seen, and OSC 8 is not for a model to fill
        self.inline_code_lexer = None


def _console(width: int) -> Console:
    return Console(
        file=StringIO(),
        width=width,
        force_terminal=True,
        color_system="standard",
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        theme=_THEME,
    )


def _columns(body: str) -> int:
    """How many columns the table has that `body` is; 0 for no table."""
    _, _, rest = body.partition("\n")
    delimiter = rest.partition("\n")[0].strip()
    return len(delimiter.strip("|").split("|")) if _DELIMITER.fullmatch(delimiter) else 0


def _is_giant(text: str) -> bool:
    return len(text) > GIANT or text.count("\n") > GIANT_LINES


def _trimmed(lines: list[str]) -> list[str]:
    filled = [index for index, line in enumerate(lines) if line]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _inside(body: str, marker: str) -> str:
    """The code of a fence without its last line, if that is the closing one."""
    code, _, last = body.rpartition("\n")
    bare = last.strip()
    closes = len(bare) >= len(marker) and not bare.strip(marker[0])
    return code if closes else body


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
def _style_of(kind: tuple[str, ...]) -> Style | None:
    by_name = {tuple(token): style for token, style in _CODE.items()}
    return next((by_name[kind[:size]] for size in range(len(kind), 0, -1) if kind[:size] in by_name), None)


@lru_cache(maxsize=1024)
def _sgr(style: Style, colour: bool) -> str:
    return (style if colour else style.without_color).render("x").partition("x")[0]
