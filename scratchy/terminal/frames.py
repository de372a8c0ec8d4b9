"""The terminal's two sides: frames that are never seen half drawn, and modes that are on exactly while we hold it; what
is typed, as text in any locale.

Not here: what is drawn (screen), what the terminal answers (reports).
"""

import codecs
import os
import sys
from typing import Any

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from scratchy.terminal.theme import toolkit_style, used

_PASTE, _FOCUS = "\x1b[?2004", "\x1b[?1004"
# Terminals differ in what they join to one sign, and in its cells; in the parts that are here they all agree, and these
# have the cells that prompt_toolkit counts: none for what joins, two for a letter of a flag and for a tone of skin.
_JOINS = ("\u200d", "\ufe0e", "\ufe0f")
_FLAG_A, _WIDE_A, _TONE_1, _SHADES = 0x1F1E6, 0xFF21, 0x1F3FB, "░░▒▓▓"
_PARTS: dict[int, str] = {
    **{ord(char): "" for char in _JOINS},
    **{_FLAG_A + at: chr(_WIDE_A + at) for at in range(26)},
    **{_TONE_1 + at: 2 * shade for at, shade in enumerate(_SHADES)},
}

_MENU = {
    "completion-menu": "noinherit",
    "completion-menu.completion.current": "noinherit reverse",
    "scrollbar.background": "noinherit",
    "scrollbar.button": "noinherit reverse",
}


def style() -> Style:
    """The theme in use, for prompt_toolkit."""
    looks = {role: toolkit_style(look) for role, look in used().looks.items()}
    return Style.from_dict({**looks, **_MENU, "completion-menu.completion": f"noinherit {looks['dim']}"})


class Frames(Vt100_Output):
    """Writes what belongs together in one piece. Bracketed paste and, once `watches_focus`, reports of the window's
    focus are on while the application has the terminal: off at its end, while it is stopped, and for an editor."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.held = self.watches_focus = False
        self._lacks = not _holds_all(self.encoding())
        self._ours = self._paste = self._focus = False  # who has the terminal; which modes it is in

    def flush(self) -> None:
        if not self.held:
            self._set_modes()
            if self._lacks:
                self._buffer[:] = ["".join(self._buffer).encode(self.encoding(), "cells").decode(self.encoding())]
            super().flush()

    def write(self, data: str) -> None:
        """Joined emoji as their parts: what is drawn over and over must be where it is counted to be."""
        super().write(data if data.isascii() else data.translate(_PARTS))

    def enable_bracketed_paste(self) -> None:
        self._ours = True

    def disable_bracketed_paste(self) -> None:
        self._ours = False

    def _set_modes(self) -> None:
        if self._paste != self._ours:
            self._paste = self._ours
            self.write_raw(_PASTE + "lh"[self._ours])
        focus = self._ours and self.watches_focus
        if self._focus != focus:
            self._focus = focus
            self.write_raw(_FOCUS + "lh"[focus])

    def erase_down(self) -> None:
        """From the first column on. In two steps: asked to erase all of its screen, tmux keeps it in the scrollback."""
        self.write_raw("\x1b[K\x1b[C\x1b[J\x1b[D")

    def cursor_backward(self, amount: int) -> None:
        if amount == 1:  # not as a backspace: then no lone control character is ever ours
            self.write_raw("\x1b[D")
        else:
            super().cursor_backward(amount)


def open_output() -> Output:
    """The terminal, as everything of ours draws on it."""
    if sys.platform == "win32":
        return create_output()
    # The cursor's position is never asked for: all drawing is relative, so nothing ever waits for an answer.
    depth = ColorDepth.from_env()
    output = Frames.from_pty(sys.stdout, term=os.environ.get("TERM"), default_color_depth=depth)
    output.enable_cpr = False
    return output


def open_input() -> Input:
    """What is typed. A locale of bare ASCII tells nothing of the terminal: what it sends is read as UTF-8 then."""
    source: Any = create_input()
    if isinstance(getattr(source, "stdin_reader", None), PosixStdinReader) and _is_ascii(sys.stdin.encoding):
        source.stdin_reader = PosixStdinReader(source.fileno(), encoding="utf-8")
    return source


def _is_ascii(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "ascii"


def _holds_all(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith("utf")


def _cells(error: UnicodeError) -> tuple[str, int]:
    """A `?` for each cell of what an encoding lacks, so that all else stays in its column."""
    assert isinstance(error, UnicodeEncodeError)
    return "?" * get_cwidth(error.object[error.start : error.end]), error.end


codecs.register_error("cells", _cells)
