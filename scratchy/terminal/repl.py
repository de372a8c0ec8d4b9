"""The terminal's read-eval-print loop: what happens with a line, one after the other, while the prompt stays usable.

On the way to the first prompt this imports prompt_toolkit and light modules only; rich and the rest come after it.
Not here: drawing (screen), keys (keys), the look of a turn (turns), lines that wait (waiting), the end (leaving), what
a command does (scratchy.commands).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Coroutine, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scratchy.core.errors import ProviderError, ScratchyError
from scratchy.core.modes import ASK, MODES
from scratchy.core.text import clean, reveal
from scratchy.terminal.boot import Boot, load_commands
from scratchy.terminal.commanding import Commanding
from scratchy.terminal.completion import CommandCompleter
from scratchy.terminal.draft import Drafting
from scratchy.terminal.entry import ShellLine
from scratchy.terminal.folding import folded
from scratchy.terminal.history import LONGEST, FileHistory
from scratchy.terminal.keys import Actions, bind_keys
from scratchy.terminal.leaving import Leaving
from scratchy.terminal.lines import notice, user_lines
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.pictures import Pictures
from scratchy.terminal.screen import Screen
from scratchy.terminal.theme import chosen, light_by_environment, use
from scratchy.terminal.unsaved import is_kept, kept, not_sent
from scratchy.terminal.waiting import Waiting

if TYPE_CHECKING:
    from scratchy.sessions.conversation import Conversation
    from scratchy.sessions.desk import Desk
    from scratchy.terminal.around import Around
    from scratchy.terminal.folds import Folds
    from scratchy.terminal.show import Show
    from scratchy.terminal.status import Status
    from scratchy.terminal.turns import TurnView

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # without a debug log nothing is printed: the screen is taken

TWICE = 2.0
"""Seconds within which a second Ctrl-C quits."""
_HEAD_START = 0.1  # seconds after the first paint in which keys have the processor to themselves
_RECENT = 6


def run(boot: Boot) -> int:
    """Run until the person leaves; the exit code. Raises what `boot.make_desk` raises, the terminal as it was found."""
    use(chosen(boot.theme, light_by_environment()))
    columns = shutil.get_terminal_size().columns
    for line in boot.greeting:
        sys.stdout.write(notice(folded(clean(line), columns)))
    sys.stdout.flush()
    return asyncio.run(Repl(boot).run())


class Repl:
    """One run of the terminal: the desk, the waiting lines, and the one task that works."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._desk: Desk | None = None
        self._show: Show | None = None
        self._status: Status | None = None
        self._task: asyncio.Task[None] | None = None
        self._in_turn = self._stopping = False
        self._beside: set[asyncio.Task[None]] = set()
        self._last_cancel = -TWICE
        self._left_by_cancel = ""
        self._folds: Folds | None = None
        self._pastes = Pastes()
        self._desk_stands = asyncio.Event()
        self._history = FileHistory(boot.history_file, boot.folder)
        completer = CommandCompleter(self._command_names, self._session_ids, self._trashed_ids, self._model_names)
        self._screen = Screen(self._prompt, self._mode, self._history, completer, vi=boot.edit_mode == "vi")
        self._waiting = Waiting(self._screen, self._pastes, boot.first_line)
        self._around: Around | None = None
        self._drafting = Drafting(self._screen, self._waiting, self._pastes)
        self._commanding = Commanding(
            self._screen, self._waiting, self._loaded_show, self._show_recent, self._leave_gently, self._edit
        )
        self._commanding.commands = boot.commands
        self._leaving = Leaving(self._screen, self._waiting, self._drafting, self._stop_task, self._conversation)
        send, stop, cancel = self._send, self._interrupt, self._cancel
        image = Pictures(self._screen, self._pastes, self._standing_desk, self._say_briefly).take
        actions = Actions(send, stop, cancel, self._end, self._expand, self._next_mode, self._busy, image)
        bind_keys(self._screen, actions, self._pastes, self._waiting)

    async def run(self) -> int:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._leaving.crashed)
        self._leaving.watch_signals()
        app = self._screen.app
        work: list[asyncio.Task[None]] = []
        try:
            code = await app.run_async(
                pre_run=lambda: work.append(asyncio.create_task(self._work())), set_exception_handler=False
            )
        except (EOFError, OSError) as gone:  # the terminal went away
            if work and work[0].done() and work[0].exception() is gone:
                raise
            code = 128 + 1
        finally:
            await self._stop_task()
            if self._around is not None:
                self._around.end()
            for task in work:
                task.cancel()
                await asyncio.wait([task])
            if self._desk is not None:
                await self._drafting.end()
                await self._desk.close()
        with contextlib.suppress(OSError):
            words = self._leaving.last_words(self._session_id, self._boot.resume_line(self._session_id))
            print(words, end="", flush=True)
        return code

    # -- one line after the other

    async def _work(self) -> None:
        """Everything after the first paint; its failure ends the program."""
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._waiting.woken(), _HEAD_START)
            around: type[Around] = import_module("scratchy.terminal.around").Around
            self._around = around(self._screen, self._boot.theme, self._boot.notify)
            self._commanding.commands = self._commanding.commands or await asyncio.to_thread(load_commands)
            self._desk = await self._boot.make_desk(self._say)
            mentioning = import_module("scratchy.terminal.mentioning")
            mentioning.complete_mentions(self._screen, self._ready_desk, self._busy)
            self._desk_stands.set()
            await self._show_recent()
            await self._drafting.begin(self._desk.conversation)
            await self._look()
            self._show_standing()
            while True:
                line = await self._waiting.take()
                if isinstance(line, ShellLine):
                    await self._run_alone(self._shell(line))
                else:
                    if not line.startswith("/"):
                        await self._loaded_show()
                    await self._run_alone(self._command(line) if line.startswith("/") else self._turn(line))
                self._waiting.done()
                await self._drafting.begin(self._desk.conversation)
                await self._look()
                self._show_standing()
        except Exception as failure:
            if self._screen.app.is_running and not self._screen.app.is_done:
                self._screen.app.exit(exception=failure)
            raise

    async def _run_alone(self, work: Coroutine[Any, Any, None]) -> None:
        self._stopping = False
        self._task = asyncio.create_task(work)
        try:
            await asyncio.wait([self._task])
            self._task.result()
        finally:
            self._task = None

    async def _command(self, line: str, *, busy: bool = False) -> None:
        if not busy:
            self._drafting.lend()
        await self._commanding.run(self._ready_desk(), self._prompt(), line, busy=busy)

    async def _shell(self, line: ShellLine) -> None:
        run = (await asyncio.to_thread(import_module, "scratchy.terminal.shell_lines")).run_shell_line
        await run(self._screen, self._ready_desk(), self._prompt(), line, self._ready_folds().add)

    async def _turn(self, line: str) -> None:
        conversation, screen, show = self._ready_desk().conversation, self._screen, await self._loaded_show()
        screen.write(user_lines(self._prompt(), self._pastes.told(line)))
        conversation.approve = show.approve
        view = show.turn(conversation.session_id)
        self._waiting.sending = lambda: "" if view.begun else line
        self._in_turn, self._leaving.warned = True, False
        screen.move(view.flush)
        began = time.monotonic()
        try:
            await self._follow(conversation, line, view)
            await view.drain()
        except asyncio.CancelledError:
            view.interrupted()
            await view.drain()
        finally:
            self._in_turn = False
            view.close()
            screen.rest()
            screen.call(f"{conversation.session_id}: the turn is over.", began)
            screen.live.unsaved = conversation.unsaved

    async def _follow(self, conversation: Conversation, line: str, view: TurnView) -> None:
        """Show the events of one turn. A failure is shown too, and brings what waits back to the prompt."""
        try:
            await view.follow(conversation.turn(line))
        except ProviderError as failure:
            view.fail(kept(failure))
            self._waiting.bring_back()
        except (ScratchyError, OSError) as failure:
            if is_kept(conversation, line):
                view.fail(kept(failure))
                self._waiting.bring_back()
            else:
                view.fail(str(failure) if view.begun else not_sent(failure))
                self._waiting.bring_back("" if view.begun else line)
        except asyncio.CancelledError:
            if not (view.begun or is_kept(conversation, line)):
                self._waiting.bring_back(line)
            raise
        except Exception as failure:
            _log.exception("turn failed")
            view.fail(f"The turn failed: {type(failure).__name__}: {failure}")
            self._waiting.bring_back()

    async def _show_recent(self) -> None:
        messages = self._ready_desk().conversation.recent(_RECENT)
        if any(message.get("role") != "system" for message in messages):
            self._screen.write((await self._loaded_show()).recent(messages, self._session_id))

    def _show_standing(self) -> None:
        """What holds between turns: the queue, the lines typed in this folder, and whether the last save failed."""
        if self._history.enter(str(self._ready_desk().config.folder)):
            self._screen.buffer.reload()
        self._screen.live.unsaved = self._ready_desk().conversation.unsaved
        self._waiting.show()

    async def _look(self) -> None:
        """Read anew what stands below the input."""
        if self._status is None:
            made: type[Status] = (await asyncio.to_thread(import_module, "scratchy.terminal.status")).Status
            self._status = made(self._ready_desk(), self._screen.live)
            self._screen.stand_below(self._status.row)
        await self._status.look()

    # -- what keys ask for

    def _send(self, text: str) -> None:
        line = self._pastes.expanded(text)
        if isinstance(text, ShellLine) and self._task is not None:
            self._screen.buffer.put(text)
            self._say_briefly("Something runs. Send the command when it is over; Esc interrupts.")
            return
        self._history.append_string(type(text)(line if len(line) <= LONGEST else text))
        if line.startswith("/") and self._in_turn:
            self._waiting.put("")
            command = self._loop.create_task(self._command(line, busy=True))
            self._beside.add(command)
            command.add_done_callback(self._beside.discard)
            return
        self._waiting.put(text)
        if self._task is None:
            self._screen.forget_key()  # whoever sent a line waits for the answer to it
        if self._desk is None or self._task is not None:
            self._waiting.show()

    def _busy(self) -> bool:
        return self._task is not None or bool(self._beside)

    def _interrupt(self) -> None:
        """Stop what runs; what waits comes back to the prompt, what waits from last time when nothing runs."""
        for command in self._beside:
            command.cancel()
        self._waiting.bring_back(paused=self._task is None)
        if self._task is not None and not self._stopping:
            self._stopping = True
            self._screen.live.status = "stopping"
            self._task.cancel()

    def _cancel(self) -> None:
        now = time.monotonic()
        typed = self._screen.buffer.text not in ("", self._left_by_cancel)  # since the first one: it counts anew
        if now - self._last_cancel < TWICE and not typed:
            self._leaving.leave(0)
            return
        self._last_cancel = now
        if self._busy():
            self._interrupt()
        elif self._waiting:
            self._waiting.bring_back()
        else:
            self._screen.buffer.reset()
            self._waiting.changed()
        self._left_by_cancel = self._screen.buffer.text
        self._say_briefly("Press Ctrl-C again to quit.")

    def _leave_gently(self) -> None:
        self._leaving.leave(0, gently=True)

    def _end(self) -> None:
        if self._task is None:
            self._leave_gently()
        else:
            self._say_briefly("Something runs: Esc interrupts it, Ctrl-C twice quits.")

    def _next_mode(self) -> None:
        """The mode that comes next; a call that asks already goes on asking."""
        desk = self._desk
        if desk is None:
            return
        desk.mode = desk.modes[(desk.modes.index(desk.mode) + 1) % len(desk.modes)]
        self._screen.app.invalidate()
        self._say_briefly(f"{desk.mode}: {MODES[desk.mode]}")

    def _expand(self) -> None:
        self._screen.write(self._ready_folds().unfolded(self._screen.width))

    def _ready_folds(self) -> Folds:
        folds: Folds = self._folds or import_module("scratchy.terminal.folds").Folds()
        self._folds = folds
        return folds

    def _say(self, text: str) -> None:
        """One line above the prompt, from any thread, at any time."""
        self._loop.call_soon_threadsafe(lambda: self._screen.write(notice(folded(clean(text), self._screen.width))))

    async def _edit(self, text: str) -> None:
        await import_module("scratchy.terminal.editor").edit(self._screen, self._pastes, text)

    def _say_briefly(self, note: str) -> None:
        self._screen.live.note = note
        self._screen.refresh()
        self._loop.call_later(TWICE, self._forget, note)

    def _forget(self, note: str) -> None:
        if self._screen.live.note == note:
            self._screen.live.note = ""
            self._screen.refresh()

    # -- small things

    async def _stop_task(self) -> None:
        """Cancel what runs and wait until its partial answer is stored."""
        task = self._task
        if task is not None and not task.done():
            if not self._stopping:
                self._stopping = True
                task.cancel()
            await asyncio.wait([task])

    def _prompt(self) -> str:
        mode = self._mode()
        return f"[{reveal(self._session_id)}] {'' if mode == ASK else f'{mode} '}You: "

    def _mode(self) -> str:
        return self._desk.mode if self._desk else self._boot.mode

    @property
    def _session_id(self) -> str:
        return self._desk.conversation.session_id if self._desk else self._boot.session_id

    def _conversation(self) -> Conversation | None:
        return self._desk.conversation if self._desk else None

    async def _standing_desk(self) -> Desk:
        """As soon as there is one."""
        await self._desk_stands.wait()
        return self._ready_desk()

    def _ready_desk(self) -> Desk:
        assert self._desk is not None
        return self._desk

    async def _loaded_show(self) -> Show:
        """With rich, and so made when there is something to show: at rest in a new session it takes no memory."""
        if self._show is None:
            show: type[Show] = (await asyncio.to_thread(import_module, "scratchy.terminal.show")).Show
            self._show = show(self._screen, self._ready_folds())
        return self._show

    def _command_names(self) -> Sequence[str]:
        commands = self._commanding.commands
        return commands.names() if commands else ()

    def _session_ids(self) -> Sequence[str]:
        return self._desk.session_ids() if self._desk else ()

    def _trashed_ids(self) -> Sequence[str]:
        """Newest first."""
        return list(dict.fromkeys(entry.session_id for entry in self._desk.manager.trash())) if self._desk else ()

    async def _model_names(self) -> Sequence[str]:
        return await self._desk.model_names() if self._desk else ()
