"""A line of bash as completion sees it: its words, and how a candidate is written in the place of the last one.

Bash replaces only what follows the last unquoted break (COMP_WORDBREAKS: `:`, `=`, `@` and more), or an open quote.
Not here: what the candidates are (completion.py). Nothing is run or expanded: `$x` stays these two letters.
"""

from collections.abc import Sequence
from typing import NamedTuple

_SPECIAL = frozenset(" \t\\'\"`$&|;<>()[]{}*?!#~^")


class Line(NamedTuple):
    """`words` after the program's name without the last; `word`: the last as far as it is typed; `head`: how much of it
    bash leaves alone; `quote`: the quote that is open in it."""

    words: list[str]
    word: str
    head: str
    quote: str


def parse(line: str, breaks: str) -> Line:
    words: list[str] = []
    text, head, quote, begun, at = "", "", "", False, 0
    while at < len(line):
        char = line[at]
        at += 1
        if quote:
            if char == quote:
                quote = ""
            elif char == "\\" and quote == '"' and line[at : at + 1] in ('"', "\\", "$", "`"):
                text, at = text + line[at : at + 1], at + 1
            else:
                text += char
        elif char in " \t\n":
            if begun:
                words.append(text)
            text, head, begun = "", "", False
        elif char in "'\"":
            quote, head, begun = char, text, True
        elif char == "\\":
            text, at, begun = text + line[at : at + 1], at + 1, True
        else:
            text, begun = text + char, True
            head = text if char in breaks else head
    return Line(words[1:], text, head, quote)


def replies(line: Line, kind: str, values: Sequence[str]) -> list[str]:
    """The kind, then a candidate a line, each as bash must insert it."""
    fits = [value[len(line.head) :] for value in values if value.startswith(line.head)]
    if len(fits) == 1 and fits[0].endswith("/"):
        kind = "open"  # goes on: no blank after it
    return [kind, *(_quoted(value, line.quote) for value in fits)]


def _quoted(value: str, quote: str) -> str:
    if quote == "'":
        return value.replace("'", "'\\''")
    if quote == '"':
        return "".join(f"\\{char}" if char in '"\\$`' else char for char in value)
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in value)
