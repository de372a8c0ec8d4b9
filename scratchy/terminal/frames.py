"""The terminal's output side: frames that are never seen half drawn, and modes that are on exactly while we hold it.

Not here: what is drawn (screen), what the terminal answers (reports).
"""

import os
import sys
from typing import Any

from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from scratchy.terminal.theme import toolkit_style, used

_PASTE, _FOCUS = "\x1b[?2004", "\x1b[?1004"


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
        self._ours = self._paste = self._focus = False  # who has the terminal; which modes it is in

    def flush(self) -> None:
        if not self.held:
            self._set_modes()
            super().flush()

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
