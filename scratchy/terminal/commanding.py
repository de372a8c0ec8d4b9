"""Slash lines at the drawn prompt: running one, showing its outcome, letting the person choose where it asks.

Not here: what a command does (scratchy.commands), which lines are commands and when they run (repl).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING

from scratchy.core.text import clean
from scratchy.terminal.boot import Commands
from scratchy.terminal.clipboard import copy_by_program, osc52
from scratchy.terminal.folding import folded
from scratchy.terminal.lines import error, notice, user_lines
from scratchy.terminal.waiting import Waiting

if TYPE_CHECKING:
    from scratchy.commands.outcome import Outcome
    from scratchy.sessions.desk import Desk
    from scratchy.terminal.screen import Screen
    from scratchy.terminal.show import Show

_log = logging.getLogger("scratchy.terminal.repl")
_SOON = 0.3  # seconds after which a command that still runs is shown to run


class Commanding:
    """`show_recent` shows the last exchanges of the session that is current now; `leave` ends the program;
    `edit` opens a text in the person's editor, for the prompt."""

    def __init__(
        self,
        screen: Screen,
        waiting: Waiting,
        loaded_show: Callable[[], Awaitable[Show]],
        show_recent: Callable[[], Awaitable[None]],
        leave: Callable[[], None],
        edit: Callable[[str], Awaitable[None]],
    ) -> None:
        self.commands: Commands | None = None
        self._screen = screen
        self._waiting = waiting
        self._loaded_show = loaded_show
        self._show_recent = show_recent
        self._leave = leave
        self._edit = edit

    async def run(self, desk: Desk, prompt: str, line: str, *, busy: bool) -> None:
        """`busy`: a turn runs, so the command must only read."""
        screen = self._screen
        screen.write(user_lines(prompt, line))
        assert self.commands is not None
        work = asyncio.ensure_future(self.commands.dispatch(desk, line, busy=busy))
        try:
            done, _ = await asyncio.wait([work], timeout=_SOON)
            if not done and busy:
                screen.live.beside = [*screen.live.beside, line]
                screen.refresh()
            elif not done:
                screen.live.status, screen.live.since = line, time.monotonic()
                screen.move(str)
            outcome = await work
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            screen.write(notice("Interrupted."))
            return
        except Exception as failure:
            _log.exception("command failed")
            screen.write(error(f"The command failed: {failure}"))
            return
        finally:
            if busy:
                screen.live.beside = [other for other in screen.live.beside if other is not line]
                screen.refresh()
            else:
                screen.live.status, screen.live.since = "", None
                screen.rest()
        line = await self._show(desk, outcome)
        if line:
            await self.run(desk, prompt, line, busy=busy)

    async def _show(self, desk: Desk, outcome: Outcome) -> str:
        """The line that the person chose to run next, "" for none."""
        screen = self._screen
        if outcome.theme is not None:
            screen.choose_theme(outcome.theme)
        if outcome.text and outcome.markdown:
            screen.write((await self._loaded_show()).markdown(outcome.text))
        elif outcome.text:
            screen.write(folded(clean(outcome.text).removesuffix("\n"), screen.width) + "\n")
        if outcome.copy is not None:
            screen.control(osc52(outcome.copy))
            await asyncio.to_thread(copy_by_program, outcome.copy)
        if outcome.switched:
            await self._show_recent()
        if outcome.choose is not None or outcome.pick:
            return await self._chosen(desk, outcome)
        if outcome.edit is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._edit(outcome.edit)
        if outcome.quit:
            self._leave()
        return ""

    async def _chosen(self, desk: Desk, outcome: Outcome) -> str:
        """What was typed before the rows were drawn chooses nothing: it is in the prompt."""
        with contextlib.suppress(asyncio.CancelledError):
            if outcome.choose is not None and outcome.choose.is_yes_or_no:
                return await (await self._loaded_show()).approve.decide(outcome.choose)
            picker = await asyncio.to_thread(import_module, "scratchy.terminal.picker")
            self._waiting.bring_back()
            return await picker.chosen(self._screen, desk, outcome)
        return ""
