"""The linear face: for pipes, dumb terminals, screen readers and logs. Nothing is repainted, nothing coloured.

The prompt is printed only when the turn before is stored and the program waits. Not here: how a turn looks (linear.py),
the drawn screen (screen.py).
"""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any

from scratchy.commands.dispatch import dispatch
from scratchy.commands.listing import choices, newest, offered, pickable
from scratchy.core.errors import ScratchyError, save_problem
from scratchy.core.events import ApprovalRequested
from scratchy.core.images import line_of, shown, shown_of
from scratchy.core.modes import ASK
from scratchy.core.ports import Approval
from scratchy.core.text import clean, reveal
from scratchy.sessions.desk import Desk
from scratchy.terminal.alive import Alive
from scratchy.terminal.asking import ask, nobody
from scratchy.terminal.boot import Boot
from scratchy.terminal.input import LONGEST, LineInput, LineTooLong
from scratchy.terminal.linear import TurnText, say, write
from scratchy.terminal.lines import one_line
from scratchy.terminal.unsaved import left, no_draft, not_left, try_to_save

log = logging.getLogger("scratchy.plain")
TWICE = 2.0  # seconds within which a second Ctrl-C ends the program


def run(boot: Boot) -> int:
    """The whole session; returns the exit code."""
    return asyncio.run(_Plain(boot).run())


class _Plain:
    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._input = LineInput()
        self._turn: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[str | None] | None = None
        self._interrupted_at = -TWICE
        self._offered: dict[str, str] = {}  # lines by the numbers that were printed before them
        self._quit = False
        self._warned = False
        self._code = 0
        self._prompt = ""

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with suppress(NotImplementedError):
                if number == signal.SIGINT:
                    loop.add_signal_handler(number, self._interrupt)
                else:
                    loop.add_signal_handler(number, self._end, 128 + number)
        with suppress(NotImplementedError, AttributeError):  # Windows has no such signal
            loop.add_signal_handler(signal.SIGCONT, self._go_on)
        for line in self._boot.greeting:
            say(line)
        desk = await self._boot.make_desk(say)
        desk.approve = self._approve
        try:
            await self._interruptible(desk.announce(), Alive(say, "looking for a model"))
            if desk.provider is not None:
                desk.spending.check(desk.provider.model)
            await _show_stored(desk)
            while (line := await self._read(desk)) is not None:
                if line.strip():
                    await self._handle(desk, line)
                if self._quit and not await self._stay(desk):
                    break
            problem = await try_to_save(desk.conversation)
        finally:
            await desk.close()
        if problem:
            say(left(desk.conversation.session_id, problem))
        if resume := self._boot.resume_line(desk.conversation.session_id):
            say(f"Resume with: {resume}")
        return self._code

    async def _stay(self, desk: Desk) -> bool:
        """Whether `/exit` is refused, once: something is not saved, and a person is there to do something about it."""
        problem = await try_to_save(desk.conversation)
        if not problem or self._warned or self._code or not sys.stdin.isatty():
            return False
        say(not_left(desk.conversation.session_id, problem))
        self._warned, self._quit = True, False
        return True

    async def _read(self, desk: Desk) -> str | None:
        unsaved = f"(not saved: {desk.conversation.unsaved}) " if desk.conversation.unsaved else ""
        mark = "" if desk.mode == ASK else f"{desk.mode} "
        self._prompt = f"{unsaved}[{reveal(desk.conversation.session_id)}] {mark}You: "
        write(self._prompt)
        self._waiting = asyncio.ensure_future(self._input.line())
        try:
            return await self._waiting
        except LineTooLong:
            say(f"A line longer than {LONGEST:,} bytes was left out.")
            return ""
        except asyncio.CancelledError:
            say("")
            return "" if not self._quit else None
        finally:
            self._waiting = None

    async def _handle(self, desk: Desk, line: str) -> None:
        line, self._offered = self._offered.get(line.strip(), line), {}
        alive = Alive(say, f"running {line.split()[0]}") if line.startswith("/") else None
        await self._interruptible(self._command(desk, line) if alive else _show_turn(desk, line), alive)

    async def _interruptible(self, work: Coroutine[Any, Any, None], alive: Alive | None = None) -> None:
        self._turn = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(alive.watch()) if alive else None
        try:
            await self._turn
        except asyncio.CancelledError:
            say("\nInterrupted.")
        finally:
            self._turn = None
            if watching is not None:
                watching.cancel()

    async def _command(self, desk: Desk, line: str) -> None:
        """A bug in a command ends that command: the lines behind it are still to be said."""
        try:
            await self._run(desk, line)
        except OSError:  # stdout takes nothing more; what commands meet, `dispatch` tells
            raise
        except Exception as error:
            log.exception("command failed")
            say(f"The command failed: {type(error).__name__}: {error}")

    async def _run(self, desk: Desk, line: str) -> None:
        outcome = await (self._boot.commands.dispatch if self._boot.commands else dispatch)(desk, line)
        self._quit = self._quit or outcome.quit
        if outcome.text:
            say(clean(outcome.text))
        if outcome.edit is not None:
            say("The editor puts its text into the drawn prompt; in plain mode type the message here.")
        if outcome.copy is not None:
            say(clean(outcome.copy))
        if outcome.switched:
            await _show_stored(desk)
        if outcome.choose is not None:
            self._offer(choices(outcome.choose), offered(outcome.choose))
        if outcome.pick:
            infos = await asyncio.to_thread(newest, desk.manager)
            self._offer(pickable(infos, str(desk.config.folder)), [f"/resume {info.session_id}" for info in infos])

    def _offer(self, told: list[str], lines: list[str]) -> None:
        """Print what can be chosen; a person chooses with a number as the next line."""
        say("\n".join(told))
        if lines and sys.stdin.isatty():
            say("A number chooses.")
            self._offered = {str(number): line for number, line in enumerate(lines, 1)}

    def _interrupt(self) -> None:
        """Ctrl-C: ends the turn or drops the line; a second one within two seconds ends the program."""
        now = time.monotonic()
        self._quit = self._quit or now - self._interrupted_at < TWICE
        self._interrupted_at = now
        task = self._turn or self._waiting
        if task is not None:
            task.cancel()

    def _go_on(self) -> None:
        """Put aside with Ctrl-Z and back: the prompt stands above, and what was typed in it is gone."""
        if self._waiting is not None:
            write(self._prompt)

    def _end(self, code: int) -> None:
        self._quit, self._code = True, code
        task = self._turn or self._waiting
        if task is not None:
            task.cancel()

    async def _approve(self, request: ApprovalRequested) -> Approval:
        return await ask(request, self._input, write) if sys.stdin.isatty() else nobody(request)


async def _show_turn(desk: Desk, line: str) -> None:
    view = TurnText(desk.conversation.session_id)
    watching = asyncio.ensure_future(view.alive.watch())
    try:
        async with aclosing(desk.conversation.turn(line)) as events:
            async for event in events:
                view.show(event)
    except BrokenPipeError:
        raise
    except OSError as error:
        view.end()
        where = f" ({error.filename})" if error.filename else ""
        say(f"not saved: {save_problem(error)}{where}. The line was not sent: {clean(line)}")
    except ScratchyError as error:
        view.end()
        say(f"{clean(str(error))}{_kept(desk, line)}")
    except Exception as error:
        log.exception("turn failed")
        view.end()
        say(clean(f"The turn failed: {type(error).__name__}: {error}{_kept(desk, line)}"))
    finally:
        watching.cancel()
        view.end()


def _kept(desk: Desk, line: str) -> str:
    kept = any(line_of(message) == line for message in desk.conversation.recent(2) if message.get("role") == "user")
    return " (your message is kept; send it again to retry)" if kept else " (the line was not sent)"


async def _show_stored(desk: Desk, count: int = 6) -> None:
    """The last exchanges, and what was typed on the screen and not sent."""
    for message in desk.conversation.recent(count):
        role, text = message.get("role"), shown_of(message).strip()
        if role in ("user", "assistant") and text:
            say(clean(f"({'you' if role == 'user' else 'assistant'}, before) {text}"))
    try:
        draft = await desk.conversation.drafts.load()
    except ValueError:
        say(no_draft(desk.conversation.session_id))
        return
    for line in (*draft.queue, draft.text):
        if line.strip():
            say(f"(typed last time, not sent; in the prompt again without --plain) {one_line(shown(line))[:300]}")
