"""Text as the search index holds it, what was typed as a query, and the passage of a hit. Pure: no file, no database.

The index splits text into words by itself. Before that, what is not plain ASCII is folded (case, accents, widths), and
runs of scripts that put no space between words become pairs of neighbouring characters: 東京都 is 東京 京都 都.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple, cast

from scratchy.core.images import shown_of
from scratchy.core.messages import calls_of

SAID_MOST = 1 << 20  # characters of one message that are indexed; of a tool's result fewer
TOOL_MOST = 1 << 16
SHORTEST_PREFIX = 3  # the last word typed finds longer ones, from so many letters on: fewer would find half of all
_LONGEST = 500  # characters of a query that count, and words of it
_TERMS_MOST = 32
_HITS_MOST = 200  # matches in one text that are looked at

_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u2e80-\u2fdf"
    "\u3005-\u3007\u3041-\u30fa\u30fc-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uaa60-\uaa7f"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_EMOJI = "\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_RUN = re.compile(f"[{_UNSPACED}]+|[{_EMOJI}]")
_PARTS = re.compile(f"[{_UNSPACED}]+|[{_EMOJI}]|[^{_UNSPACED}{_EMOJI}]+")
_PICTURE = re.compile(f"[{_EMOJI}]")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_TERMS = re.compile(r'"([^"]*)"?|([^\s"]+)')


def words_of(message: Mapping[str, Any]) -> str:
    """What of a message can be found: what was said, the arguments of tool calls, the results of tools. Not what a
    search gave: it is found where it was said, by who may look there."""
    role = message.get("role")
    if role not in ("user", "assistant", "tool") or (role == "tool" and message.get("name") == "search_sessions"):
        return ""
    calls = [f"{call['function']['name']} {_readable(call['function']['arguments'])}" for call in calls_of(message)]
    said = shown_of(message, brief=True)
    text = "\n".join([said, *calls]) if calls else said
    most = TOOL_MOST if role == "tool" else SAID_MOST
    return text if len(text) <= most else f"{text[: most * 3 // 4]}\n{text[-most // 4 :]}"


def _readable(arguments: str) -> str:
    r"""The strings in a call's arguments, so that `\n` and `\u00e9` are no letters; no JSON: as they are."""
    if "\\" not in arguments:
        return arguments
    try:
        return "\n".join(_strings(import_module("json").loads(arguments)))
    except (ValueError, RecursionError):
        return arguments.replace("\\n", "\n")


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return [text for key in fields for text in (key, *_strings(fields[key]))]
    if isinstance(value, list):
        return [text for entry in cast("list[Any]", value) for text in _strings(entry)]
    return [] if value is None else [str(value)]


def fold(text: str) -> str:
    """Without case, accents and widths. ASCII only loses its case."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded))


def indexable(text: str) -> str:
    """The text to hand to the index."""
    if text.isascii():
        return text
    return _RUN.sub(lambda found: f" {_spread(found[0], whole=True)} ", fold(text))


def _spread(run: str, *, whole: bool = False) -> str:
    """A run as words: pairs of neighbours, and (`whole`) its last letter, so that each letter begins a word. A picture
    becomes a letter of a private plane, which the index keeps."""
    if _PICTURE.match(run):
        return chr(0xF0000 | (ord(run) & 0xFFFF))
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return " ".join([*pairs, run[-1]] if whole else pairs)


class Term(NamedTuple):
    """A word or a phrase, folded. `prefix`: its last word may go on; `guessed`: though nobody said so with a `*`."""

    text: str
    prefix: bool
    guessed: bool = False


class Query:
    """What was typed: words, "phrases in quotes", a `*` for any end. All of them must occur."""

    def __init__(self, typed: str) -> None:
        kept = typed[:_LONGEST].encode("utf-8", "replace").decode()  # bytes of a command line that are no text
        found = list(_TERMS.finditer(fold(kept)))
        terms = [_term(match, last=match is found[-1]) for match in found]
        self.terms = [term for term in terms if _tokens(term.text)][:_TERMS_MOST]

    @cached_property
    def match(self) -> str:
        """The query in the index's own language, everything quoted; empty when there is nothing to search for."""
        return " ".join(piece for term in self.terms for piece in _pieces(term))

    @cached_property
    def exact(self) -> "Query | None":
        """The same with the last word as it is typed; None when that says the same. A common word's longer forms cost
        reading all of them."""
        if not any(term.guessed for term in self.terms):
            return None
        exact = Query("")
        exact.terms = [term._replace(prefix=False) if term.guessed else term for term in self.terms]
        return exact

    @cached_property
    def together(self) -> str:
        """The same words one behind the other, or empty when they are too few or none that a phrase can hold."""
        if len(self.terms) < 2 or any(not term.text.isascii() for term in self.terms):
            return ""
        return _quoted(" ".join(term.text for term in self.terms), self.terms[-1].prefix)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(_pattern(term)) for term in self.terms]

    def occurs_in(self, text: str) -> bool:
        """Whether all terms do: as the index would say, but for a few rare letters."""
        folded = fold(text)
        return bool(self.terms) and all(any(self._spans(which, folded)) for which in range(len(self.terms)))

    def positions(self, text: str) -> list[tuple[int, int, int]]:
        """Where the terms stand: start, end, and which term; in order."""
        folded, places = fold(text), None
        if len(folded) != len(text):
            folded, places = _fold_with_places(text)
        found: list[tuple[int, int, int]] = []
        for which in range(len(self.terms)):
            for start, end in islice(self._spans(which, folded), _HITS_MOST):
                found.append((start, end, which) if places is None else (places[start], places[end - 1] + 1, which))
        return sorted(found)

    def _spans(self, which: int, folded: str) -> Iterator[tuple[int, int]]:
        """Where a term stands, whole: what comes before, and after unless it may go on, is no part of its word."""
        prefix = self.terms[which].prefix
        for match in self._patterns[which].finditer(folded):
            start, end = match.span()
            if _is_border(folded, start) and (prefix or _is_border(folded, end)):
                yield start, end

    def passage(self, text: str, width: int) -> tuple[str, tuple[tuple[int, int], ...]]:
        """One line of about `width` characters around the place with the most of the terms, and where they stand."""
        start = max(self._best(text, width) - width // 4, 0)
        end = min(start + width, len(text))
        start = max(0, end - width)
        line = " ".join(text[start:end].split())
        before, after = "…" if start else "", "…" if end < len(text) else ""
        at = len(before)
        return f"{before}{line}{after}", tuple((begin + at, stop + at) for begin, stop, _ in self.positions(line))

    def _best(self, text: str, width: int) -> int:
        found = self.positions(text)
        best, most = 0, 0
        for at, (start, _, _) in enumerate(found):
            near = {which for begin, _, which in found[at : at + _HITS_MOST] if begin - start < width // 2}
            if len(near) > most:
                best, most = start, len(near)
            if most == len(self.terms):
                break
        return best


def _term(match: re.Match[str], *, last: bool) -> Term:
    if match[1] is not None:
        return Term(match[1], match.string.startswith("*", match.end()))
    word = match[2].rstrip("*")
    guessed = last and word == match[2] and len(word) >= SHORTEST_PREFIX
    return Term(word, guessed or word != match[2], guessed)


def _tokens(text: str) -> list[str]:
    """The words in a folded text, as the index splits them."""
    kept = "".join(char if _is_letter(char) else " " for char in text)
    return kept.split()


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM" or _PICTURE.match(char) is not None


def _quoted(text: str, prefix: bool) -> str:
    return f'"{text.replace(chr(34), " ").replace(chr(0), " ")}"{" *" if prefix else ""}'


def _pieces(term: Term) -> list[str]:
    parts = [part for part in _PARTS.findall(term.text) if _tokens(part)]
    pieces: list[str] = []
    for part in parts:
        if not _RUN.fullmatch(part):
            pieces.append(_quoted(part, term.prefix and part is parts[-1]))
        elif len(part) == 1 and not _PICTURE.match(part):
            pieces.append(_quoted(part, True))  # the first of a pair, or the last of a run
        else:
            pieces.append(_quoted(_spread(part), False))
    return pieces


def _pattern(term: Term) -> str:
    """A regular expression for folded text that finds what `_pieces` finds, the whole term at one place."""
    return r"[\W_]+".join(re.escape(token) for token in _tokens(term.text))


def _is_border(text: str, at: int) -> bool:
    """Whether no word goes on there."""
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalnum() and after.isalnum()) or bool(_RUN.match(before) or _RUN.match(after))


def _fold_with_places(text: str) -> tuple[str, list[int]]:
    """Folded letter by letter, and for each letter of it where it came from."""
    parts = [fold(char) for char in text]
    places = [at for at, part in enumerate(parts) for _ in part]
    return "".join(parts), places
