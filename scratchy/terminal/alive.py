"""Signs of life in words, for where nothing is drawn: what runs, and for how long, said ever more seldom.

Not here: the spinner of the screen (layout.py).
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from scratchy.core.events import (
    ApprovalRequested,
    Event,
    RetryScheduled,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
)
from scratchy.terminal.lines import duration

ASKING = "waiting for the model"
QUIET = 10.0  # seconds of silence after which long work says that it goes on; then after twice as long, and so on
SELDOM = 300.0  # seconds: no silence is longer


class Alive:
    """Tells one line at a time, by `tell`. `doing` says what goes on in the words of "still …", "" while a person is
    waited for."""

    def __init__(self, tell: Callable[[str], None], doing: str = "", quiet: float = QUIET) -> None:
        self._tell = tell
        self._quiet = self._pause = quiet
        self._doing = doing
        self._since = self._heard = time.monotonic()

    def now(self, doing: str) -> None:
        if doing != self._doing:
            self._doing, self._since = doing, time.monotonic()
            self.heard()

    def follow(self, event: Event) -> None:
        """What goes on after it."""
        match event:
            case ThinkingDelta():
                self.now("thinking")
            case TextDelta():
                self.now("answering")
            case StepStarted() | ToolFinished() | RetryScheduled():
                self.now(ASKING)
            case ApprovalRequested():
                self.now("")
            case ToolStarted(name=name, summary=summary):
                self.now(f"running {' '.join(f'{name}: {summary}'.split())[:100]}")
            case _:
                pass

    def heard(self) -> None:
        """Something was printed: silence begins anew."""
        self._heard, self._pause = time.monotonic(), self._quiet

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(max(self._heard + self._pause - time.monotonic(), self._quiet / 10))
            now = time.monotonic()
            if not self._doing:
                self._heard = now
            elif now >= self._heard + self._pause:
                stop = "; Ctrl-C stops it" if sys.stdin.isatty() else ""
                took = duration(1000 * round(now - self._since)).replace(".0 s", " s")
                with suppress(OSError):  # the next line tells that nobody reads any more
                    self._tell(f"(still {self._doing}, {took} so far{stop})")
                self._heard, self._pause = now, min(2 * self._pause, SELDOM)
