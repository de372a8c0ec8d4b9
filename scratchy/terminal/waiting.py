"""The lines that wait for their turn, and the way back into the prompt for those that were not sent.

Not here: what happens with a line (repl), how a waiting line looks (layout), what outlives the window (draft).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from scratchy.terminal.pastes import Pastes
from scratchy.terminal.screen import Screen


class Waiting:
    """Lines in order. A long paste stands in one as its mark until the line is taken.

    `sending` gives the line that was taken and is not on disk yet, "" when there is none. `paused`: lines of last time,
    which wait for the person. `changed` is called whenever a line comes or goes.
    """

    def __init__(self, screen: Screen, pastes: Pastes, first: str | None = None) -> None:
        self.sending: Callable[[], str] = str
        self.changed: Callable[[], None] = lambda: None
        self.paused: Sequence[str] = ()
        self._screen = screen
        self._pastes = pastes
        self._lines: deque[str] = deque([first] if first else [])
        self._wake = asyncio.Event()
        self._held = False

    def __bool__(self) -> bool:
        return bool(self._lines)

    def unsent(self) -> list[str]:
        """What waits, with the marks of its pastes: the line on its way first, those of last time last."""
        return [line for line in (self.sending(), *self._lines, *self.paused) if line]

    def add(self, *lines: str) -> None:
        self._lines += lines
        self._wake.set()
        self.changed()

    async def woken(self) -> None:
        """The first line has come."""
        await self._wake.wait()

    async def take(self) -> str:
        """The next line, whole, once there is one."""
        while not self._lines or self._held:
            self._wake.clear()
            await self._wake.wait()
        line = self._pastes.expanded(self._lines.popleft())
        self.sending = str if line.startswith("/") else lambda: line
        self._screen.live.queue = list(self._lines)
        self.changed()
        return line

    def done(self) -> None:
        """The line that was taken has had its turn."""
        self.sending = str
        self.changed()

    def hold(self) -> None:
        """No line is taken any more, until they are brought back."""
        self._held = True

    def show(self) -> None:
        live = self._screen.live
        live.queue, live.paused = list(self._lines), self.paused
        self._screen.refresh()

    def pause(self, lines: Sequence[str]) -> None:
        """These wait for the person, in place of those that did."""
        self.paused = lines
        self.show()
        self.changed()

    def go_on(self) -> None:
        """The person lets the paused lines go, in order."""
        lines, self.paused = self.paused, ()
        self.add(*lines)
        self.show()

    def bring_back(self, *first: str, paused: bool = False) -> None:
        """`first`, what waits (not what is `paused`, unless asked for) and what is typed stand in the prompt, in this
        order; nothing waits any more."""
        buffer = self._screen.buffer
        again = self.paused if paused else ()
        lines = [line for line in (*first, *again, *self._lines, buffer.text) if line]
        self._lines.clear()
        self._held = False
        self.sending = str
        self.paused = () if paused else self.paused
        text = "\n".join(lines)
        if text != buffer.text:
            buffer.text = text
            buffer.cursor_position = len(text)
        self.show()
        self.changed()
