"""A finished block of Markdown as the bytes of a terminal, by rich. Importing this file is what costs: do it late.

Not here: where a block ends (splitter), and when and where it is written (screen).
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from io import StringIO

from rich.console import Console, RenderableType
from rich.style import Style
from rich.theme import Theme as RichTheme

from scratchy.core.text import clean
from scratchy.terminal.code import Snippet, rich_style
from scratchy.terminal.markdown import Marked, safe_address
from scratchy.terminal.splitter import Block
from scratchy.terminal.theme import Theme, used

_ITEM = re.compile(r"^( *)(?:[-*+]|\d{1,9}[.)]) +", re.MULTILINE)
_FENCE = re.compile(r" *(`{3,}(?=[^`\n]*$)|~{3,})[ \t]*([^\s`]*).*$\n?", re.MULTILINE)
_DELIMITER = re.compile(r"\|?( *:?-+:? *\|)+( *:?-+:? *)?")
_LEAST_COLUMN = 6
GIANT = 8 * 1024
GIANT_LINES = 500
"""Characters, or lines, past which a block stands as the model wrote it: rich and a highlighter would keep the keys
waiting, and no person reads that much without a blank line."""
_STEP = 3  # columns by which rich indents the text of a list's item


_LINKS = re.compile(r"iTerm\.app|WezTerm|vscode|ghostty|rio|Hyper")
_LINKS_TERM = re.compile(r"xterm-kitty|foot|alacritty|xterm-ghostty|wezterm|contour")


def shows_links(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal is known to show links (OSC 8). Behind tmux or screen nobody knows."""
    if environ.get("TMUX") or environ.get("STY"):
        return False
    vte = environ.get("VTE_VERSION", "")
    known = any(environ.get(name) for name in ("KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION", "DOMTERM"))
    program = _LINKS.match(environ.get("TERM_PROGRAM", "")) or _LINKS_TERM.match(environ.get("TERM", ""))
    return known or program is not None or (vte.isdecimal() and int(vte) >= 5000)


class Renderer:
    """Turns blocks into strings, in the theme in use; knows of the blocks of one answer what the next one continues.
    `links`: the terminal shows links (OSC 8)."""

    def __init__(self, *, links: bool = False) -> None:
        self._links = links
        self._theme = used()
        self._console = _console(80, self._theme)
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
        if self._console.width != width or self._theme is not used():
            self._theme = used()
            self._console = _console(width, self._theme)
        text = clean(block)
        fence = block.fence if isinstance(block, Block) else ""
        parts = [] if fence else _outdented(text)
        lines = self._piece(text, clean(fence)) if fence else [row for part in parts for row in self._rows(part)]
        before = self._gap if fence else int(not self._first)
        self._first = False
        self._gap = len(text) - len(text.rstrip("\n")) - 1
        return "\n" * before + "".join(f"{line}\n" for line in lines)

    def _rows(self, text: str) -> list[str]:
        return _trimmed(list(self._whole(text)))

    def _whole(self, text: str) -> Iterable[str]:
        level, body = self._nesting(text.strip("\n"))
        width = max(self._console.width - level * _STEP, 16)
        fence = _FENCE.match(body)
        giant = _is_giant(body)
        if giant and not fence:
            return body.split("\n")
        if _columns(body) * _LEAST_COLUMN > width:  # rich would leave nothing of it to read: its source, then
            return self._lines(Snippet(body, "", self._theme), width)
        language = fence[2] if fence and not giant else ""
        what = (
            Snippet(_inside(body[fence.end() :], fence[1]), language, self._theme)
            if fence
            else Marked(body, self._theme, self._links)
        )
        pad = " " * (level * _STEP)
        return (pad + line if line else line for line in self._lines(what, width))

    def _piece(self, text: str, opening: str) -> Iterable[str]:
        fence = _FENCE.match(opening)
        marker, language = (fence[1], fence[2]) if fence else ("```", "")
        code = _inside(text.rstrip("\n"), marker)
        language = "" if _is_giant(code) else language
        what = Snippet(code, language, self._theme)
        return self._lines(what, self._console.width) if code.strip() else ()

    def _nesting(self, body: str) -> tuple[int, str]:
        """How deep in the list of the blocks before it this one stands, and its text without that indent."""
        indent = len(body) - len(body.lstrip(" "))
        self._leave_items(indent + 1)
        level = len(self._items)
        for item in _ITEM.finditer(body[: fence.start() if (fence := _FENCE.search(body)) else None]):
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
        now = link = ""
        for text, style in line:
            code, address = _sgr(style) if style else ("", "")
            if address != link:
                out.append(f"\x1b]8;;{address}\x1b\\")
                link = address
            if code != now and not (text.isspace() and not now):
                out.append(("\x1b[0m" if now else "") + code)
                now = code
            out.append(text if text.isprintable() else clean(text))
        return "".join(out) + ("\x1b]8;;\x1b\\" if link else "") + ("\x1b[0m" if now else "")


def _console(width: int, theme: Theme) -> Console:
    return Console(
        file=StringIO(),
        width=width,
        force_terminal=True,
        color_system="standard",
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        theme=_rich_theme(theme),
    )


def _rich_theme(theme: Theme) -> RichTheme:
    style = {role: rich_style(look) for role, look in theme.looks.items()}
    return RichTheme(
        {
            "markdown.code": style["code"],
            "markdown.h1": Style(bold=True, underline=True),
            "markdown.h2": Style(bold=True, underline=True),
            "markdown.h3": Style(bold=True),
            "markdown.h4": Style(bold=True, italic=True),
            "markdown.table.border": style["border"],
            "markdown.table.header": Style(bold=True),
            "markdown.block_quote": style["quote"],
            "markdown.link_url": style["link"],
            "markdown.hr": style["border"],
            "markdown.item.number": Style(bold=True),
            "markdown.list": Style.null(),
        }
    )


def _columns(body: str) -> int:
    """How many columns the table has that `body` is; 0 for no table."""
    _, _, rest = body.partition("\n")
    delimiter = rest.partition("\n")[0].strip()
    return len(delimiter.strip("|").split("|")) if _DELIMITER.fullmatch(delimiter) else 0


def _is_giant(text: str) -> bool:
    return len(text) > GIANT or text.count("\n") > GIANT_LINES


def _outdented(text: str) -> list[str]:
    """A block that begins inside of a list, cut where an item stands further out: each part has a depth of its own."""
    text = text.lstrip("\n")
    parts, start = [text], 0
    while text[start : start + 1] == " ":
        depth = len(text[start:]) - len(text[start:].lstrip(" "))
        found = next((item for item in _ITEM.finditer(text, start + 1) if len(item[1]) < depth), None)
        if found is None or _FENCE.search(text, start, found.start()):
            break
        start = found.start()
        parts[-1:] = [parts[-1][: start - len(text)], text[start:]]
    return parts


def _trimmed(lines: list[str]) -> list[str]:
    filled = [index for index, line in enumerate(lines) if line]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _inside(body: str, marker: str) -> str:
    """The code of a fence without its last line, if that is the closing one."""
    code, _, last = body.rpartition("\n")
    bare = last.strip()
    closes = len(bare) >= len(marker) and not bare.strip(marker[0])
    return code if closes else body


@lru_cache(maxsize=1024)
def _sgr(style: Style) -> tuple[str, str]:
    """The sequence that switches `style` on, and the address that it links to."""
    return style.update_link(None).render("x").partition("x")[0], safe_address(style.link or "")
