"""The ways out of the screen: a command, Ctrl-C twice, a signal, a terminal that is gone. What runs is stored first.

Not here: what could not be saved (unsaved), closing the session (repl).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from scratchy.terminal.lines import error, notice
from scratchy.terminal.unsaved import left, not_left, try_to_save

if TYPE_CHECKING:
    from scratchy.sessions.conversation import Conversation
    from scratchy.terminal.draft import Drafting
    from scratchy.terminal.screen import Screen
    from scratchy.terminal.waiting import Waiting

_log = logging.getLogger(__name__)


class Leaving:
    """`stop` ends what runs and waits for it; `conversation` gives the current one, None before there is one.

    `warned`: leaving was refused since the last turn."""

    def __init__(
        self,
        screen: Screen,
        waiting: Waiting,
        drafting: Drafting,
        stop: Callable[[], Awaitable[None]],
        conversation: Callable[[], Conversation | None],
    ) -> None:
        self.warned = False
        self._screen = screen
        self._waiting = waiting
        self._drafting = drafting
        self._stop = stop
        self._conversation = conversation
        self._begun = False
        self._lost = ""
        self._work: asyncio.Task[None] | None = None

    def leave(self, code: int, *, gently: bool = False) -> None:
        """`gently`: the first time not with something unsaved."""
        if not self._begun:
            self._begun = True
            self._waiting.hold()
            self._drafting.keep_soon()  # whoever hangs up may not wait for what runs
            self._work = asyncio.get_running_loop().create_task(self._leave(code, gently))

    async def _leave(self, code: int, gently: bool) -> None:
        await self._stop()
        if self._screen.visitor is not None:
            self._screen.visitor.cancel()
            await asyncio.wait([self._screen.visitor])
        conversation = self._conversation()
        self._lost = await try_to_save(conversation) if conversation else ""
        if conversation and self._lost and gently and not self.warned:
            self.warned, self._begun = True, False
            self._waiting.bring_back()  # what waits was never sent
            self._screen.write(error(not_left(conversation.session_id, self._lost)))
            return
        self._screen.draw()
        app = self._screen.app
        if app.is_running and not app.is_done:
            app.exit(result=code)

    def watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                with contextlib.suppress(NotImplementedError):  # Windows
                    loop.add_signal_handler(number, self.leave, 128 + number)

        if hasattr(signal, "SIGCONT"):  # what was typed meanwhile went to the shell
            loop.add_signal_handler(signal.SIGCONT, self._screen.note_key)

    def crashed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's handler for what nobody caught."""
        failure = context.get("exception")
        if isinstance(failure, OSError) and failure.errno == errno.EIO and "handle" in context:
            self.leave(128 + 1)  # a redraw found that the terminal went away
        else:
            _log.error("unexpected: %s", context.get("message"), exc_info=failure)

    def last_words(self, session_id: str, resume_line: str) -> str:
        """What the terminal shows after the screen: what was still to be written, what is lost, how to go on."""
        lost = error(left(session_id, self._lost)) if self._lost else ""
        resume = notice(f"Resume with: {resume_line}") if resume_line else ""
        return self._screen.left_over() + lost + resume
