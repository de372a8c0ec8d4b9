"""Text of a model, a tool or a file, made harmless for a terminal. Showing passes here; the disk keeps what was said.

A sequence may be cut across deltas: hand in whole lines, or the tail as it stands, never single deltas.
Not here: layout, colours, any knowledge of a terminal but what its control sequences look like.
"""

import re
import unicodedata

# Patterns stay strings until they are used: compiling them is no part of the way to the first prompt.
# Whole sequences go first, so that nothing of "ESC [ 31 m" is left over; what is cut or malformed loses its control
# characters and stays as text. No alternative can run past the next opening, so the cost stays linear.
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI, also cut off
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x9c|\x1b\\)"  # OSC, DCS, APC …
    r"|\x1b[ -/]*[0-~]?"  # two and three character escapes
    r"|\r(?=\n)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_BEGUN = re.compile(r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*\x1b?\Z|\x1b(?:\[[0-?]*[ -/]*)?\Z")
_LONGEST_HELD = 4096  # characters; then it is no sequence that anybody means
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
# Outside the categories below, but shown as nothing: fillers and variation selectors.
_INVISIBLE = "[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_NOT_IN_JSON = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """`text` without control sequences and control characters; newline and tab stay."""
    return re.sub(_SEQUENCE, "", text) if re.search(_CONTROL, text) else text


def clean_tail(text: str) -> str:
    """`clean` for text that is still growing: a sequence that has only begun is left out until its end has come."""
    return clean(_BEGUN.sub("", text))


class Flow:
    """`clean` for text that comes in pieces and is told on as it comes: a sequence that has only begun waits for its
    end."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST_HELD))
        self._held = text[begun.start() :] if begun else ""
        return clean(text[: len(text) - len(self._held)])

    def rest(self) -> str:
        held, self._held = self._held, ""
        return clean(held)


def escaped_json(text: str) -> str:
    r"""A JSON text with DEL, C1 and what reorders lines as `\u009b`: the same JSON, harmless where it is shown."""
    return _NOT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def reveal(text: str) -> str:
    r"""`text` with all that hides or reorders shown escaped (`\x1b`, `\u202e`), nothing left out; newline and tab stay.

    For what a person must be able to trust: the call that an approval asks for, the id of a session.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_revealed(char) for char in text)


def reveal_line(text: str) -> str:
    r"""`reveal`, and a newline as `\n`, a tab as `\t`: for a name or a value in a row, which must not begin another."""
    return reveal(text).replace("\n", "\\n").replace("\t", "\\t")


def _revealed(char: str) -> str:
    if char in "\n\t" or not (unicodedata.category(char) in _HIDING or re.match(_INVISIBLE, char)):
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
