"""What the terminal says on the line that keys come by: its background, its name, whether its window is in front.

Such reports are taken out before prompt_toolkit sees them, whole, cut anywhere, early or late, those that nobody asked
for too: none is ever a key or text. Inside of a paste nothing is looked at. Not here: what follows from them (around).
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from prompt_toolkit.input import Input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES

from scratchy.terminal.pasting import PasteParser

# Patterns stay strings until they are used: compiling them is no part of the way to the first prompt.
_BODY = r"[\w:/#,.;()+ -]{0,64}"
_ANY = r"[^\x00-\x1f\x7f]{0,4096}"
_REPORT = (
    rf"\x1b(?:\]11;(?P<ground>{_BODY})(?:\x07|\x1b\\)"  # the background's colour
    rf"|P>\|(?P<name>{_BODY})\x1b\\"  # the terminal's name and version (XTVERSION)
    r"|\[\?(?P<fence>[\d;]*)c"  # its device attributes: every terminal answers that, and answers in order
    r"|\[(?P<focus>[IO])"
    rf"|(?P<other>\]{_ANY}(?:\x07|\x1b\\)|[P_^]{_ANY}\x1b\\|\[(?:[<=>?][\d;:]*[ -/]*[@-~]|[\d;:]*[@-Z\\-~])))"
)
_STATUS = rf"P(?:>(?:\|{_ANY}\x1b?)?|[01](?:[$+](?:r{_ANY}\x1b?)?)?)?"
_BEGUN = rf"\x1b(?:\](?:\d{{1,5}}(?:;{_ANY}\x1b?)?)?|{_STATUS}|\[(?:\?[\d;]{{0,32}})?)?\Z"
_SURELY = r"\x1b(?:\]\d+;|P>\||P[01][$+]r|\[\?)"
"""How a report begins, and no key."""
_REST = rf"\]11;{_BODY}(?:\x07|\x1b\\|\Z)|P>\|{_BODY}(?:\x1b\\|\Z)|\[\?[\d;]+c"
_PASTE = "\x1b[200~"
_PATIENCE = 1.0  # seconds after which what has begun is no report
_TYPED = 0.05  # seconds after which a single character is a key: reports come in larger pieces
_MUTE = ("dumb", "linux", "cons25", "eterm", "sun", "vt52")


def may_ask(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this terminal can be asked: some print a question that they do not know. tmux answers by itself."""
    term = environ.get("TERM", "")
    is_screen = bool(environ.get("STY")) or (term.startswith("screen") and not environ.get("TMUX"))
    return not (is_screen or not term or term.startswith(_MUTE))


class Reports:
    """`light`: the background is; `name` of the terminal, "" while it is not known; `focused`: the window is in front.
    None: nothing was reported. `settled`: all that was asked is answered. `told` is called at each report."""

    def __init__(self, told: Callable[[], None]) -> None:
        self.light: bool | None = None
        self.name = ""
        self.focused: bool | None = None
        self.settled = True
        self._told = told

    def listen(self, source: Input) -> bool:
        """From now on, unless a paste is on its way: False. Windows' console tells nothing."""
        parser: Any = getattr(source, "vt100_parser", None)
        if parser is None or isinstance(parser, _Parser):
            return True
        if parser.busy if isinstance(parser, PasteParser) else parser._in_bracketed_paste:
            return False
        parser.flush()  # an Esc that waits in it for what may follow is a key
        cast(Any, source).vt100_parser = _Parser(source, self)
        return True

    def question(self, *, ground: bool) -> str:
        """What to write to the terminal; the last thing that it asks is answered by all."""
        self.settled = False
        return ("\x1b]11;?\x1b\\" if ground else "") + "\x1b[>q\x1b[c"

    def take(self, found: re.Match[str]) -> None:
        if found["ground"] is not None:
            self.light = is_light(found["ground"]) if is_light(found["ground"]) is not None else self.light
        elif found["name"] is not None:
            self.name = found["name"]
        elif found["focus"] is not None:
            self.focused = found["focus"] == "I"
        else:
            self.settled = True
        self._told()


def is_light(colour: str) -> bool | None:
    """Whether `rgb:ffff/ffff/ffff` (1 to 4 digits each) is nearer to white than to black; None: no colour."""
    found = re.fullmatch(r"rgba?:([\da-fA-F]{1,4})/([\da-fA-F]{1,4})/([\da-fA-F]{1,4})(?:/[\da-fA-F]{1,4})?", colour)
    if found is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def _is_key(sequence: str) -> bool:
    """Whether prompt_toolkit knows it, as a key or an event of the mouse."""
    return sequence in ANSI_SEQUENCES or sequence.startswith("\x1b[M")


class _Parser(PasteParser):
    """Keeps back what may be the beginning of a report until it is told that nothing follows (`flush`)."""

    def __init__(self, source: Input, reports: Reports) -> None:
        super().__init__(source)
        self._reports = reports
        self._held = ""
        self._held_at = self._fed_at = 0.0
        self._escaped = False  # an Esc went on as a key, and may have been a report's

    def feed(self, data: str) -> None:
        if self._in_bracketed_paste or not data:
            super().feed(data)
            return
        now = time.monotonic()
        single = len(data) == 1 and data.isprintable() and data != "\\" and now - self._fed_at > _TYPED
        self._fed_at = now
        if now - self._held_at > _PATIENCE or (single and re.match(_SURELY, self._held)):
            self._held = "" if len(self._held) > 1 else self._held
        if self._escaped and re.match(_REST, data):
            self._held = "\x1b"
        self._escaped = False
        held, self._held = self._held, ""
        data = held + data
        if "\x1b" in data:
            before, paste, after = data.partition(_PASTE)
            data = self._without_reports(before, whole=bool(paste)) + paste + after
        if not (held and self._held.startswith(held)):
            self._held_at = now
        begun, self._held = self._held, ""
        super().feed(data)
        if self._in_bracketed_paste:  # whose own beginning came in pieces: this is pasted, too
            super().feed(begun)
        else:
            self._held += begun

    def flush(self) -> None:
        waiting = not self._reports.settled and self._held[1:2] in ("]", "P", "[")
        if self._held and not (waiting or re.match(_SURELY, self._held)):
            held, self._held = self._held, ""
            self._escaped = held == "\x1b" and not self._reports.settled
            super().feed(held)
        super().flush()

    def _without_reports(self, data: str, *, whole: bool) -> str:
        out: list[str] = []
        at = 0
        for found in re.finditer(_REPORT, data):
            if found["other"] is not None and _is_key(found[0]):
                continue
            out.append(data[at : found.start()])
            at = found.end()
            if found["other"] is None:
                self._reports.take(found)
        begun = None if whole else re.search(_BEGUN, data[at:])
        if begun is not None:
            self._held = begun[0]
            return "".join(out) + data[at : at + begun.start()]
        return "".join(out) + data[at:]
