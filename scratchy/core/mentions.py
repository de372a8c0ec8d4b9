r"""How a line mentions a file, a folder or another conversation: `@notes.md`, `@"a b.txt"`, `@session:work`. Pure.

In quotes `\"`, `\\`, `\n`, `\x1b` and the like stand for characters that a prompt cannot show.
Not here: what is there and what of it is sent (sessions/mentions.py), what is offered while typing (the faces).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from scratchy.core.text import reveal

LONGEST = 4096
"""Characters of a mention: no system takes a longer path."""
_MOST_ADDED = 60  # characters of a sentence that follow a name without a blank

# Patterns stay strings until they are used. What stands before an @ tells a mention from an address: no letter or digit
# (unless of a script that writes without blanks), no dot, no slash.
_BEFORE = r"(?<![0-9A-Za-z_./@\\\u00c0-\u1fff])@"
_QUOTED = r'"(?P<quoted>(?:[^"\\\n]|\\.)*)'
_MENTION = rf'{_BEFORE}(?P<session>session:)?(?:{_QUOTED}(?P<closed>"?)|(?P<bare>[^\s"]+))'
_BEGUN = rf'{_BEFORE}(?P<session>session:)?(?:{_QUOTED}|(?P<bare>[^\s"]*))\Z'
_ESCAPE = r'\\(?:(["\\nt])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))'
_PLAIN = r'[^\s"\\]+'
_AT_LINE = r":\d+(?:[-:]\d+)?\Z"  # a.py:12, as compilers write it


class Mention(NamedTuple):
    """`text` as it stands in the line, without quotes. `session`: it names a conversation. `quoted`, and `closed` by a
    second quote: its end is certain."""

    text: str
    session: bool = False
    quoted: bool = False
    closed: bool = False

    @property
    def is_path(self) -> bool:
        """Whether it looks like a path even where there is none."""
        looks = self.quoted or re.fullmatch(r"[\w.~+/-]*(?:/[\w.+-]+|\.[0-9A-Za-z]{1,5})", self.text)
        return bool(looks) and not self.session


class Begun(NamedTuple):
    """A mention that is being typed: `length` characters from its @ to the cursor."""

    length: int
    text: str
    session: bool


def mentions_in(line: str) -> list[Mention]:
    """In the order of the line."""
    found: list[Mention] = []
    for match in re.finditer(_MENTION, line):
        bare = match["bare"]
        text = match["quoted"] if bare is None else bare
        if 0 < len(text) <= LONGEST:
            found.append(Mention(text, bool(match["session"]), bare is None, bool(match["closed"])))
    return found


def names(mention: Mention) -> Iterator[str]:
    """What a mention may name, the likeliest first: all of it, then without what follows a name in a sentence."""
    text = mention.text
    if mention.quoted:
        yield unescaped(text)
        yield text
        while not mention.closed and " " in text and len(mention.text) - len(text) < _MOST_ADDED:
            text = text.rstrip().rpartition(" ")[0]
            yield unescaped(text)
        return
    while text.strip("./") and len(mention.text) - len(text) < _MOST_ADDED:
        yield text
        if shorter := re.sub(_AT_LINE, "", text):
            yield shorter
        if text[-1].isascii() and (text[-1].isalnum() or text[-1] == "_"):
            return
        text = text[:-1]
    if mention.text in ("./", "../"):
        yield mention.text


def begun(before: str) -> Begun | None:
    """The mention that ends at the end of `before`; None when none does."""
    if "@" not in before[-LONGEST:]:
        return None
    found = re.search(_BEGUN, before[-LONGEST:].rpartition("\n")[2])
    if found is None:
        return None
    quoted = found["quoted"]
    return Begun(len(found[0]), found["bare"] if quoted is None else unescaped(quoted), bool(found["session"]))


def written(name: str, *, session: bool = False) -> str:
    """The mention of a path or of a session's id. A folder in quotes stays open, so that one goes on typing."""
    kind = "@session:" if session else "@"
    plain = re.fullmatch(_PLAIN, name) and reveal(name) == name and not name.startswith(("session:", "@"))
    if plain:
        return kind + name
    escaped = reveal(name.replace("\\", "\\\\").replace('"', '\\"')).replace("\n", "\\n").replace("\t", "\\t")
    return f'{kind}"{escaped}' + ("" if name.endswith("/") and not session else '"')


def unescaped(text: str) -> str:
    return re.sub(_ESCAPE, _character, text)


def _character(found: "re.Match[str]") -> str:
    if found[1]:
        return {"n": "\n", "t": "\t"}.get(found[1], found[1])
    code = int(found[2] or found[3] or found[4], 16)
    return chr(code) if code < 0x110000 else found[0]
