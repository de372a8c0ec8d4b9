"""Titles out of words, and what any title may hold.

Light, since lists need it. Not here: titles that the model is asked for (titles.py).
"""

import re
import unicodedata

from scratchy.core.text import clean

WORDS_MOST = 60  # characters of a title out of words
TITLE_MOST = 200  # characters of any title
PRIVATE = "private"  # the tag of a session that no model is given but the one that holds it
_READ = 4_000  # characters of a first message that are looked at
_FENCED = r"(?ms)^[ \t]*(```+|~~~+)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)"
_FENCE = r"(?m)^[ \t]*(```|~~~).*$"
_REORDERS = frozenset("\u200b\u200e\u200f\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def words_title(text: str) -> str:
    """A title out of a first message: its first sentence, code left out, at most 60 characters, never empty."""
    text = clean(text[:_READ])
    line = first_line(re.sub(_FENCED, "\n", text)) or first_line(re.sub(_FENCE, " ", text)) or "Untitled"
    sentence = re.match(r".{8,}?[.!?…](?=\s)|.+?[。！？]", line)
    return _shortened(sentence[0] if sentence else line, WORDS_MOST)


def one_line(text: str, most: int = TITLE_MOST) -> str:
    """A title as it is stored: one line without control characters, nothing that reorders, shortened."""
    return _shortened(_visible(text), most)


def first_line(text: str) -> str:
    """The first line that says something, without the marks of a heading, a quote or a list."""
    lines = (_visible(re.sub(r"\A[\s#>*+-]+", "", line)) for line in text.split("\n"))
    return next((line for line in lines if any(char.isalnum() for char in line)), "")


def _visible(text: str) -> str:
    kept = (" " if char.isspace() else char for char in clean(text) if char not in _REORDERS)
    return " ".join("".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cs")).split())


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head, _, last = text[:most].rpartition(" ")
    return f"{(head if head and len(last) < 20 else text[: most - 1]).rstrip(' ,;:')}…"
