"""The lines that wait for their turn, and the way back into the prompt for those that were not sent.

Not here: what happens with a line (repl), how a waiting line looks (layout).
"""

import asyncio
from collections import deque

from scratchy.terminal.pastes import Pastes
from scratchy.terminal.screen import Screen


class Waiting:
    """Lines in order. A long paste stands in one as its mark until the line is taken."""

    def __init__(self, screen: Screen, pastes: Pastes, first: str | None = None) -> None:
        self._screen = screen
        self._pastes = pastes
        self._lines: deque[str] = deque([first] if first else [])
        self._wake = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._wake.set()

    async def woken(self) -> None:
        """The first line has come."""
        await self._wake.wait()

    async def take(self) -> str:
        """The next line, whole, once there is one."""
        while not self._lines:
            self._wake.clear()
            await self._wake.wait()
        line = self._pastes.expanded(self._lines.popleft())
        self._screen.live.queue = list(self._lines)
        return line

    def show(self) -> None:
        self._screen.live.queue = list(self._lines)
        self._screen.refresh()

    def bring_back(self, *first: str) -> None:
        """`first`, what waits and what is typed stand in the prompt, in this order; nothing waits any more."""
        buffer = self._screen.buffer
        lines = [*(line for line in first if line), *self._lines, *([buffer.text] if buffer.text else [])]
        self._lines.clear()
        text = "\n".join(lines)
        if text != buffer.text:
            buffer.text = text
            buffer.cursor_position = len(text)
        self.show()
