"""The terminal and the person around the screen: which theme fits, whether lines break anew, when to call somebody.

Nothing is asked before the first prompt stands, and nothing waits for an answer. Not here: reading them (reports).
"""

import asyncio
import os
import select
import time

from scratchy.core.text import reveal
from scratchy.terminal.frames import Frames, style
from scratchy.terminal.reports import Reports, may_ask
from scratchy.terminal.resizing import breaks_lines
from scratchy.terminal.screen import Screen
from scratchy.terminal.theme import chosen, light_by_environment, use, used

LONG = 10.0
"""Seconds of a turn, or without a key where the window's focus is not reported, after which the person is elsewhere."""
_AGAIN = 0.2  # seconds after which a paste that was on its way may be over
_PARTING = 1.0  # seconds that an end waits for an answer to what was only just asked


class Around:
    """`theme` and `notify` as the settings have them."""

    def __init__(self, screen: Screen, theme: str, notify: str) -> None:
        self.theme = theme
        self._screen = screen
        self._notify = notify
        self._reports = Reports(self._told)
        self._asked = self._pressed = float("-inf")
        screen.sizes.breaks = lambda: breaks_lines(self._reports.name)
        screen.call, screen.choose_theme = self.call, self.choose
        screen.app.key_processor.before_key_press += self._note_key
        self._begin()

    def _begin(self) -> None:
        """The first prompt stands: the terminal may be asked."""
        if not self._reports.listen(self._screen.app.input):
            asyncio.get_running_loop().call_later(_AGAIN, self._begin)
            return
        output = self._screen.app.output
        if may_ask() and isinstance(output, Frames):
            output.watches_focus = True
            self._asked = time.monotonic()
            self._screen.control(self._reports.question(ground=self.theme == "auto" and not os.environ.get("NO_COLOR")))

    def choose(self, theme: str) -> None:
        """Everything from now on looks like this."""
        self.theme = theme
        if theme == "auto" and self._reports.light is None and self._asked > 0:
            self._begin()
        self._told()

    def call(self, text: str, since: float) -> None:
        """Something needs the person, or is over; said only where they do not look. `since`: its start, of something
        that may be too short to call for."""
        now = time.monotonic()
        screen, focused = self._screen, self._reports.focused
        if self._notify == "off" or focused or screen.away or now - since < LONG:
            return
        if focused is None and now - self._pressed < LONG:
            return
        screen.control(_osc9(text) if self._notify == "osc9" and focused is False else "\x07")

    def end(self) -> None:
        """The application has ended: an answer that is still on its way must not be the shell's input."""
        until = self._asked + _PARTING
        source = self._screen.app.input
        with source.raw_mode():
            while not self._reports.settled and (left := until - time.monotonic()) > 0:
                if select.select([source.fileno()], [], [], left)[0]:
                    source.read_keys()
                if source.closed:
                    return

    def _note_key(self, _: object) -> None:
        self._pressed = time.monotonic()

    def _told(self) -> None:
        light = self._reports.light
        theme = chosen(self.theme, light_by_environment() if light is None else light)
        if theme is not used():
            use(theme)
            self._screen.app.style = style()
            self._screen.app.invalidate()


def _osc9(text: str) -> str:
    """A notification of the desktop; tmux hands it on where it may (`allow-passthrough`)."""
    sequence = f"\x1b]9;Scratchy: {reveal(' '.join(text.split()))[:120]}\x07"
    return f"\x1bPtmux;{sequence.replace(chr(27), chr(27) * 2)}\x1b\\" if os.environ.get("TMUX") else sequence
