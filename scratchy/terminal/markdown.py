"""Markdown as rich shows it, with what is ours: code, headings, links that say where they lead; nothing is left out.

What a model writes that is no Markdown is text: HTML, LaTeX, footnotes, references. Not here: the bytes (render).
"""

import re
from typing import ClassVar
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, HorizontalRule, Markdown, MarkdownElement, TableElement
from rich.rule import Rule
from rich.table import Table

from scratchy.core.text import clean
from scratchy.terminal.code import Snippet
from scratchy.terminal.theme import Theme

_LATEX = re.compile(r"\\\((?s:.)+?\\\)|\\\[(?s:.)+?\\\]|\$\$(?s:.)+?\$\$|\$(?=\S)[^$\n]+?(?<=\S)\$(?!\d)")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_SAFE = re.compile(r"(?:https?|mailto):[\x21-\x7e]{1,2000}")
_ADDRESS = re.compile(r"\s*(?:\w+:/*)?((?:[\w-]+\.)+\w{2,})")
_SHOWN = 200  # characters of an address that is no link; pictures may be their own address


def _latex(state: StateInline, silent: bool) -> bool:
    """A formula stands as it was written: its backslashes and stars are no Markdown."""
    found = _LATEX.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("text", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    parser.disable("reference")  # a definition would be left out, and what refers to it may be a block that is gone
    parser.inline.ruler.before("escape", "latex", _latex)
    return parser


_PARSER = _parser()


class Marked(Markdown):
    """`text` for a theme. `links`: the terminal can hide a link's address behind its text."""

    elements: ClassVar[dict[str, type[MarkdownElement]]]

    def __init__(self, text: str, theme: Theme, links: bool) -> None:
        # Not super().__init__: it builds a parser each time, which costs more than a block's rendering.
        self.markup = text
        self.parsed = _PARSER.parse(text)
        if "](" in text or "<" in text:
            for token in self.parsed:
                token.children = _told(token.children, links) if token.children else token.children
        self.theme = theme
        self.code_theme = self.inline_code_theme = "default"
        self.justify = None
        self.style = "none"
        self.hyperlinks = True  # those that _told has left
        self.inline_code_lexer = None


class _Code(CodeBlock):
    theme: Theme

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> "_Code":
        made = cls((token.info or "").partition(" ")[0], "default")
        assert isinstance(markdown, Marked)
        made.theme = markdown.theme
        return made

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Snippet(str(self.text).rstrip(), self.lexer_name, self.theme)


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _Line(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style=console.get_style("markdown.hr", default="none"))


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                for column in part.columns:
                    column.overflow = "fold"  # else a word that does not fit loses its end, and CJK text is one word
            yield part


Marked.elements = {
    **Markdown.elements,
    "fence": _Code,
    "code_block": _Code,
    "heading_open": _Heading,
    "hr": _Line,
    "table_open": _Table,
}


def safe_address(address: str) -> str:
    """`address`, if a terminal may be given it as a link's target; else ""."""
    return address if _SAFE.fullmatch(address) else ""


def _told(tokens: list[Token], links: bool) -> list[Token]:
    """`tokens` with links as `text (address)`, where their address may not or cannot hide behind the text."""
    out: list[Token] = []
    opened: int | None = None  # where the link that is open began
    for token in tokens:
        if token.type == "link_open":
            opened = len(out)
            out.append(token)
        elif token.type == "link_close" and opened is not None:
            out += _ended(out[opened], out[opened + 1 :], token, links)
            opened = None
        elif token.type == "image":
            text = _text(f"[image: {token.content}]" if token.content else "[image]")
            link = Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", "")})
            if opened is None:
                out += [link, text, *_ended(link, [text], Token("link_close", "a", -1), links)]
            else:
                out.append(text)
        elif token.type == "text" and "<" in token.content:
            first, *more = _BREAK.split(token.content)
            out.append(_text(first))
            for part in more:
                out += [Token("hardbreak", "br", 0), _text(part)]
        else:
            out.append(token)
    return out


def _ended(opening: Token, inside: list[Token], closing: Token, links: bool) -> list[Token]:
    """What stands at a link's end. `opening` keeps its address only where it may hide."""
    address = str(opening.attrs.get("href", ""))
    text = "".join(token.content for token in inside)
    is_address = text == address or f"mailto:{text}" == address
    if links and safe_address(address) and (is_address or not _claims_another(text, address)):
        return [closing]
    opening.attrs = {"href": ""}
    if is_address or not address:
        return [closing]
    shown = clean(address)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    return [closing, _text(f" ({shown})")]


def _claims_another(text: str, address: str) -> bool:
    """Whether the text looks like an address, but not this one."""
    claimed = _ADDRESS.match(text)
    return claimed is not None and claimed[1].lower() != (urlsplit(address).hostname or "")


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
