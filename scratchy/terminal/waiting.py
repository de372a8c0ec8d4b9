"""The lines that wait for their turn, and the way back into the prompt for those that were not sent.

Not here: what happens with a line (repl), how a waiting line looks (layout), what outlives the window (draft).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from scratchy.terminal.entry import ShellLine
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.screen import Screen


class Waiting:
    """Lines in order. A long paste stands in one as its mark until the line is taken.

    `sending` gives the line that was taken and is not on disk yet, "" when there is none. `paused`: lines of last time,
    which wait for the person. `changed` is called whenever a line comes or goes. A line that is back in the prompt to
    be edited keeps its place: those behind it wait for it.
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
        self._place: int | None = None  # of the line that is edited
        self._original = ""

    def __bool__(self) -> bool:
        return bool(self._lines) or self.editing

    @property
    def editing(self) -> bool:
        """Whether the prompt holds a waiting line."""
        return self._place is not None

    def unsent(self) -> list[str]:
        """What waits, with the marks of its pastes: the line on its way first, those of last time last."""
        lines = (self.sending(), *self._lines, *self.paused)
        return [line for line in lines if line and not isinstance(line, ShellLine)]

    def add(self, *lines: str) -> None:
        self._lines += lines
        self._wake.set()
        self.changed()

    def put(self, line: str) -> None:
        """One more, in the place of the one that was edited, else last. An empty one is none."""
        place, self._place = self._place, None
        if line:
            self._lines.insert(len(self._lines) if place is None else place, line)
        self._wake.set()
        self.changed()

    async def woken(self) -> None:
        """The first line has come."""
        await self._wake.wait()

    async def take(self) -> str:
        """The next line, whole, once there is one."""
        while True:
            await self._pastes.settled()
            if self._lines and not self._held and self._place != 0:
                break
            self._wake.clear()
            await self._wake.wait()
        line = self._lines.popleft()
        if self._place is not None:
            self._place -= 1
        line = type(line)(self._pastes.expanded(line))
        told = line.startswith("/") or isinstance(line, ShellLine)
        self.sending = str if told else lambda: line
        self._tell()
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
        self._tell()
        self._screen.refresh()

    def pause(self, lines: Sequence[str]) -> None:
        """These wait for the person, in place of those that did."""
        self.paused = lines
        self.show()
        self.changed()

    def go_on(self) -> None:
        """The person lets the paused lines go, in order; or leaves the line out that was edited to nothing."""
        if self.editing:
            self.put("")
        else:
            lines, self.paused = self.paused, ()
            self.add(*lines)
        self.show()

    def untouched(self) -> bool:
        """Whether the prompt holds nothing of its own, so that moving up and down goes through the lines."""
        text = self._screen.buffer.text
        return text == self._original if self.editing else not text and bool(self._lines)

    def older(self) -> None:
        """The line before the one in the prompt into the prompt, the newest first."""
        self._edit((len(self._lines) if self._place is None else self._place) - 1)

    def newer(self) -> None:
        """The line behind the one in the prompt; behind the newest the prompt is empty again."""
        if self._place is not None:
            self._edit(self._place + 1)

    def bring_back(self, *first: str, paused: bool = False) -> None:
        """`first`, what waits (not what is `paused`, unless asked for) and what is typed stand in the prompt, in this
        order; nothing waits any more."""
        buffer = self._screen.buffer
        again = self.paused if paused else ()
        waiting = [*self._lines]
        waiting.insert(len(waiting) if self._place is None else self._place, buffer.text)
        lines = [self._pastes.collapsed(line) for line in (*first, *again, *waiting) if line]
        self._lines.clear()
        self._held = False
        self._place = None
        self.sending = str
        self.paused = () if paused else self.paused
        text = "\n".join(lines)
        if text != buffer.text:
            buffer.put(text)
        self.show()
        self.changed()

    def _edit(self, place: int) -> None:
        if place < 0:
            return
        if self._place is not None:
            self._lines.insert(self._place, self._original)
            self._place = None
        self._original = ""
        if place < len(self._lines):
            self._place, self._original = place, self._lines[place]
            del self._lines[place]
        self._screen.buffer.put(self._original)
        self._wake.set()
        self.show()
        self.changed()

    def _tell(self) -> None:
        live = self._screen.live
        live.queue, live.paused = list(self._lines), self.paused
        if self._place is not None:
            count = len(self._lines) + 1
            which = f"waiting line {self._place + 1} of {count}" if count > 1 else "the waiting line"
            live.queue_hint = f"editing {which}: Enter puts it back, empty removes it"
        else:
            live.queue_hint = "Up edits what is queued, Esc brings it back" if self._lines else ""
