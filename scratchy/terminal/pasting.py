"""Where a paste ends: at the last mark of an end that comes with it, for the pasted text may hold such a mark itself.

What follows an end mark without a pause is kept back until the terminal is quiet. Should another end mark be in it, all
before that was pasted, too, and no key: it could send, run and leave, and what is read after us would run the rest.
The end of a paste may never come, when what carried it was cut: Ctrl-C, by itself and between silences, ends it then.
Not here: what a paste becomes (pastes), what a key does (keys).
"""

import select
import time
from collections.abc import Callable
from typing import Any, cast

from prompt_toolkit.application import Application
from prompt_toolkit.input import Input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

END = "\x1b[201~"
_BEGIN = "\x1b[200~"
_QUIET = 0.1  # seconds without input after which a few characters behind a paste are keys
_QUIET_LONG = 1.0  # and more of them than a person types so fast: a slow line may still bring the rest
_FEW = 8
_STALLED = 0.3  # seconds without input after which a Ctrl-C that comes alone may be a key though a paste has no end
_CTRL_C = "\x03"

Patience = Callable[[float | None], None]
"""Told how many seconds from now without input `flush` is wanted; None: as usual."""


class PasteParser(Vt100Parser):
    """In the place of `source`'s parser, which must not be `busy`."""

    def __init__(self, source: Input, patience: Patience | None = None) -> None:
        before: Any = cast(Any, source).vt100_parser
        inherited = before if isinstance(before, PasteParser) else None
        self.give: Callable[[KeyPress], None] = before.give if inherited else before.feed_key_callback
        self.patience: Patience = patience if patience is not None else inherited.patience if inherited else _as_usual
        self._source = source
        self._behind = False  # a paste has ended and the terminal was not quiet since
        self._kept: list[str] = []
        self._pressed = ""  # Ctrl-C, while it is not known whether it is pasted
        self._came = float("-inf")  # when the last input did
        ANSI_SEQUENCES[END] = Keys.Ignore  # one without a beginning
        super().__init__(self._take)

    @property
    def busy(self) -> bool:
        """A paste is on its way, or may go on."""
        return self._in_bracketed_paste or self._behind

    def feed(self, data: str) -> None:
        before, self._came = self._came, time.monotonic()
        if self._in_bracketed_paste and self._is_pressed(data, self._came - before):
            self._pressed += data
            self.patience(_QUIET)
        elif self._in_bracketed_paste or not self._behind:
            if self._pressed:
                self.patience(None)
            data, self._pressed = self._pressed + data, ""
            super().feed(data)
        elif data:
            self._keep(data)

    def _is_pressed(self, data: str, silence: float) -> bool:
        """Whether that is Ctrl-C by itself, once or more."""
        return bool(data) and not data.strip(_CTRL_C) and (bool(self._pressed) or silence >= _STALLED)

    def flush(self) -> None:
        if (self._behind or self._pressed) and not more_waits(self._source):
            if self._in_bracketed_paste:
                self._in_bracketed_paste = False
                self._take(KeyPress(Keys.BracketedPaste, self._paste_buffer))
            self._behind = False
            self.patience(None)
            kept, self._kept, self._pressed = "".join(self._kept) + self._pressed, [], ""
            self._came = time.monotonic()
            super().feed(kept)
        super().flush()

    def _take(self, press: KeyPress) -> None:
        self.give(press)
        if press.key == Keys.BracketedPaste:
            self._behind = True
            self.patience(_QUIET)

    def _keep(self, data: str) -> None:
        seam = "".join(self._kept[-len(END) :])[1 - len(END) :]
        self._kept.append(data)
        if END in seam + data:
            pasted, _, rest = "".join(self._kept).rpartition(END)
            self._kept = [rest] if rest else []
            self._take(KeyPress(Keys.BracketedPaste, pasted.replace(_BEGIN, "").replace(END, "")))
        self.patience(_QUIET if sum(map(len, self._kept[: _FEW + 1])) <= _FEW else _QUIET_LONG)


def watch_pastes(app: Application[Any]) -> None:
    """From now on, by the application's own timer. Windows' console marks no pastes."""
    usual = app.ttimeoutlen

    def wait(seconds: float | None) -> None:
        app.ttimeoutlen = usual if seconds is None else seconds

    if getattr(app.input, "vt100_parser", None) is not None:
        cast(Any, app.input).vt100_parser = PasteParser(app.input, wait)


def _as_usual(seconds: float | None) -> None:
    pass


def more_waits(source: Input) -> bool:
    """Whether something was typed that is not read yet."""
    try:
        return bool(select.select([source.fileno()], [], [], 0)[0])
    except (OSError, ValueError, NotImplementedError):
        return False
