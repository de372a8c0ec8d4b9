"""A conversation over a pipe: JSON objects in, a line each, and JSON objects out. docs/stream-json.md describes both.

Nothing that comes in is a command: `/clear` and `!ls` are words for the model. Not here: the rows that go out
(streamjson.py), one turn (answering.py).
"""

import asyncio
import json
import signal
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from scratchy.core.events import ApprovalRequested, Event
from scratchy.core.ports import Approval
from scratchy.sessions.desk import Desk
from scratchy.terminal.answering import DONE, FAILED, WRONG_USAGE, Ended, not_typed, note, run_turn, watch_signals
from scratchy.terminal.asking import nobody
from scratchy.terminal.boot import Boot
from scratchy.terminal.input import LONGEST, LineInput, LineTooLong
from scratchy.terminal.oneshot import SLEEPERS
from scratchy.terminal.stdout import OutputError, Stdout
from scratchy.terminal.streamjson import VERSION, Report, error_row, event_row, session_row, tell

AHEAD = 16_000_000  # characters of messages that wait, past which nothing more is read until one of them is answered


def run(boot: Boot) -> int:
    """Returns the exit code: that of the last turn; without one 0, or 2 when nothing but nonsense came."""
    return asyncio.run(_Pipe(boot).run())


class _Misunderstood(Exception):
    """A line that says nothing; its text says why."""


class _Pipe:
    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._input, self._out = LineInput(), Stdout()
        self._waiting: deque[str] = deque()
        self._size = 0  # characters in it
        self._changed = asyncio.Event()  # something came in, or was taken out
        self._ended = False
        self._heard = self._misheard = False  # an object was understood; a line was not
        self._answers = False  # the caller said that it answers approvals
        self._asked: tuple[str, bool, asyncio.Future[Approval]] | None = None  # call id, whether "always" is on offer
        self._turn: asyncio.Task[Ended] | None = None
        self._interrupts_next = False
        self._code = DONE
        self._stopped_by = 0

    async def run(self) -> int:
        for line in self._boot.greeting:
            note(line)
        desk = await self._boot.make_desk(note)
        desk.approve = self._approve
        not_typed(desk)
        note(f"Session: {desk.conversation.session_id}")
        watch_signals(self._stop)
        reading: asyncio.Task[None] | None = None
        try:
            await tell(self._out, await session_row(desk))
            reading = asyncio.ensure_future(self._read(desk.conversation.session_id))
            while (line := await self._next(reading)) is not None:
                self._code = await self._answer(desk, line)
        except OutputError as error:
            note(str(error))
            self._code = FAILED
        finally:
            if reading is not None:
                reading.cancel()
            await desk.close()
        if self._stopped_by:
            return 128 + self._stopped_by
        return WRONG_USAGE if self._misheard and not self._heard and not self._code else self._code

    # -- turns

    async def _next(self, reading: "asyncio.Task[None]") -> str | None:
        """The next message; None when no more comes."""
        while not self._stopped_by:
            if self._waiting:
                self._changed.set()
                self._size -= len(self._waiting[0])
                return self._waiting.popleft()
            if self._ended:
                reading.result()  # what went wrong in it goes wrong here
                return None
            self._changed.clear()
            await self._changed.wait()
        return None

    async def _answer(self, desk: Desk, line: str) -> int:
        report = Report()
        self._turn = asyncio.ensure_future(run_turn(desk, line, report, self._show))
        if self._interrupts_next:
            self._turn.cancel()
        self._interrupts_next = False
        try:
            ended = await self._turn
        except asyncio.CancelledError:
            report.reason = "aborted"
            ended = Ended(128 + (self._stopped_by or signal.SIGINT), "Interrupted; what had come is stored.")
        finally:
            self._turn = self._asked = None
        with suppress(TimeoutError):
            async with asyncio.timeout(SLEEPERS if self._stopped_by else None):
                if ended.error:
                    await tell(self._out, error_row(desk.conversation.session_id, ended.error, ended.code))
                await tell(self._out, report.row(desk, ended.code, ended.error))
        return ended.code

    async def _show(self, event: Event) -> None:
        if isinstance(event, ApprovalRequested) and self._answers and not self._ended:
            answer: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
            self._asked = event.call["id"], bool(event.scope), answer
            self._changed.set()
        await tell(self._out, event_row(event))

    async def _approve(self, request: ApprovalRequested) -> Approval:
        if self._asked is None:
            return nobody(request)
        try:
            return await self._asked[2]
        finally:
            self._asked = None

    # -- what comes in

    async def _read(self, session_id: str) -> None:
        number = 0
        try:
            while True:
                number += 1
                try:
                    line = await self._input.record()
                    if line is None:
                        return
                    if line.strip():
                        self._take(_parsed(line))
                        self._heard = True
                except (_Misunderstood, LineTooLong) as error:
                    why = str(error) or f"it is longer than {LONGEST:,} bytes"
                    self._misheard = True
                    await tell(
                        self._out,
                        error_row(session_id, f"Line {number} of the input was left out: {why}.", WRONG_USAGE),
                    )
                while self._size > AHEAD and self._asked is None:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            self._ended = True
            self._changed.set()
            if self._asked is not None and not self._asked[2].done():  # nobody is there any more
                self._asked[2].set_result(Approval(False, message="the caller is gone"))

    def _take(self, said: Mapping[str, Any]) -> None:
        """Raises: _Misunderstood."""
        kinds: dict[Any, Callable[[Mapping[str, Any]], None]] = {
            "hello": self._greeted,
            "user": self._told,
            "interrupt": self._interrupted,
            "approval": self._answered,
        }
        kind = said.get("type")
        if not isinstance(kind, str) or kind not in kinds:
            raise _Misunderstood(f"its type must be one of {', '.join(kinds)}")
        kinds[kind](said)

    def _greeted(self, said: Mapping[str, Any]) -> None:
        if said.get("version", VERSION) != VERSION:
            raise _Misunderstood(f"only version {VERSION} is spoken here")
        self._answers = _flag(said, "approvals")

    def _told(self, said: Mapping[str, Any]) -> None:
        content = said.get("content")
        if not isinstance(content, str) or not content.strip():
            raise _Misunderstood("its content must be a text that is not empty")
        text = content.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        self._waiting.append(text)
        self._size += len(text)
        self._changed.set()

    def _interrupted(self, said: Mapping[str, Any]) -> None:
        if self._turn is not None:
            self._turn.cancel()
        elif self._waiting:  # it was sent right behind its message, whose turn is about to begin
            self._interrupts_next = True
        else:
            raise _Misunderstood("nothing runs that could be interrupted")

    def _answered(self, said: Mapping[str, Any]) -> None:
        allowed, always, message = _flag(said, "allowed", needed=True), _flag(said, "always"), said.get("message", "")
        if not isinstance(message, str):
            raise _Misunderstood("its message must be a text")
        if self._asked is None or self._asked[2].done() or said.get("call_id") != self._asked[0]:
            raise _Misunderstood("no approval is asked for under that call_id")
        _, scoped, answer = self._asked
        answer.set_result(Approval(allowed, always=allowed and always and scoped, message=message))

    # -- signals

    def _stop(self, number: int) -> None:
        self._stopped_by = self._stopped_by or number
        self._changed.set()
        if self._turn is not None:
            self._turn.cancel()


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(line.decode("utf-8-sig"), parse_int=_number)
    except RecursionError:
        raise _Misunderstood("it is nested too deeply") from None
    except ValueError:
        raise _Misunderstood("it is no JSON in UTF-8") from None
    if not isinstance(said, dict):
        raise _Misunderstood("it is no JSON object")
    return cast("dict[str, Any]", said)


def _number(digits: str) -> int | float:
    """JSON sets numbers no bound, and Python's `int` does."""
    return int(digits) if len(digits) < 1000 else float(digits)


def _flag(said: Mapping[str, Any], name: str, *, needed: bool = False) -> bool:
    value = said.get(name, None if needed else False)
    if not isinstance(value, bool):
        raise _Misunderstood(f"its {name} must be true or false")
    return value
