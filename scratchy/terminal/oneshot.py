"""The one-shot face: one line in, one answer out. stdout holds the answer only; all else goes to stderr.

Not here: conversations of many lines (repl.py, plain.py, pipe.py), the JSON (streamjson.py), flags (cli.py).
"""

import asyncio
import os
import signal
import sys

from scratchy.core.events import ApprovalRequested, Event
from scratchy.core.ports import Approval
from scratchy.core.text import clean
from scratchy.sessions.desk import Desk
from scratchy.terminal.alive import ASKING, Alive
from scratchy.terminal.answering import FAILED, WRONG_USAGE, Ended, not_typed, note, note_event, run_turn, watch_signals
from scratchy.terminal.asking import ask, nobody
from scratchy.terminal.boot import Boot
from scratchy.terminal.input import LONGEST, LineInput
from scratchy.terminal.stdout import OutputError, Stdout
from scratchy.terminal.streamjson import Report, error_row, event_row, session_row, tell

PATIENCE = 5.0  # seconds that a text waits for something to be piped in beside it
SLEEPERS = 2.0  # seconds that an interrupted program waits for its reader


def run(boot: Boot, prompt: str, output_format: str) -> int:
    """Returns the exit code: 0 answered, 1 failed, 2 nothing to say, 75 worth trying again, 130 interrupted."""
    return asyncio.run(_OneShot(boot, output_format).run(os.fsencode(prompt).decode("utf-8", "replace")))


class _OneShot:
    def __init__(self, boot: Boot, output_format: str) -> None:
        self._boot = boot
        self._format = output_format
        self._out = Stdout()
        self._report = Report()
        self._alive = Alive(note, ASKING)
        self._task: asyncio.Task[Ended] | None = None
        self._stopped_by = 0

    async def run(self, prompt: str) -> int:
        watch_signals(self._stop)
        self._task = asyncio.ensure_future(self._answer(prompt))
        try:
            return (await self._task).code
        except asyncio.CancelledError:
            return 128 + (self._stopped_by or signal.SIGINT)
        except OutputError as error:
            note(str(error))
            return FAILED

    async def _answer(self, prompt: str) -> Ended:
        for line in self._boot.greeting:
            note(line)
        try:
            text = await _with_piped(prompt)
        except ValueError as error:
            return await self._end(None, Ended(WRONG_USAGE, str(error)))
        desk = await self._boot.make_desk(note)
        desk.approve = self._approve
        if text != prompt:
            not_typed(desk)
        try:
            note(f"Session: {desk.conversation.session_id}")
            if self._format == "stream-json":
                await tell(self._out, await session_row(desk))
            watching = asyncio.ensure_future(self._alive.watch()) if sys.stderr.isatty() else None
            try:
                ended = await run_turn(desk, text, self._report, self._show)
            except asyncio.CancelledError:
                self._report.reason = "aborted"
                ended = Ended(128 + (self._stopped_by or signal.SIGINT), "Interrupted; what had come is stored.")
            finally:
                if watching is not None:
                    watching.cancel()
            return await self._end(desk, ended)
        finally:
            await desk.close()

    async def _show(self, event: Event) -> None:
        self._alive.follow(event)
        if self._format == "stream-json":
            await tell(self._out, event_row(event))
        else:
            note_event(event)

    async def _end(self, desk: Desk | None, ended: Ended) -> Ended:
        """Say how it ended, as the format has it. Whoever was interrupted does not wait for a reader that sleeps."""
        if ended.error and not (ended.told and self._format != "stream-json"):
            note(ended.error)
        try:
            async with asyncio.timeout(SLEEPERS if self._stopped_by else None):
                await self._tell_end(desk, ended)
        except TimeoutError:
            pass
        return ended

    async def _tell_end(self, desk: Desk | None, ended: Ended) -> None:
        if self._format == "text":
            answer = self._report.answer if self._report.finished else ""
            text = clean(answer) if sys.stdout.isatty() else answer
            await self._out.put(text if text.endswith("\n") or not text else f"{text}\n")
            return
        if self._format == "stream-json" and ended.error:
            await tell(self._out, error_row(desk.conversation.session_id if desk else None, ended.error, ended.code))
        await tell(self._out, self._report.row(desk, ended.code, ended.error))

    def _stop(self, number: int) -> None:
        """A second one ends what the first one still waits for; what is being stored is stored all the same."""
        self._stopped_by = self._stopped_by or number
        if self._task is not None:
            self._task.cancel()

    async def _approve(self, request: ApprovalRequested) -> Approval:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):  # the question would not be seen
            return nobody(request)
        return await ask(request, LineInput(), lambda text: note(text, end=""))


async def _with_piped(prompt: str) -> str:
    """The text with what is piped in below it. Raises: ValueError, saying why there is nothing to send."""
    piped = b""
    if sys.stdin is not None and not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison] - closed: None
        soon = asyncio.get_running_loop().call_later(2 * PATIENCE, note, "Reading stdin, to its end.")
        came = await LineInput().rest(PATIENCE if prompt.strip() else None)
        soon.cancel()
        if came is None:
            note(
                f"Nothing came through stdin for {PATIENCE:.0f} s: the text is answered without it. "
                "`< /dev/null` says that nothing will come; -p without a text waits until the end."
            )
        piped = came or b""
    if len(piped) > LONGEST:
        raise ValueError(f"More than {LONGEST:,} bytes were piped in: no model takes that much. Nothing was sent.")
    if b"\0" in piped:
        raise ValueError("What was piped in is no text: it holds zero bytes. Nothing was sent.")
    parts = (prompt, piped.decode("utf-8", "replace").strip())
    text = "\n\n".join(part for part in parts if part)
    if not text.strip():
        raise ValueError("Nothing to say: give -p a text, or pipe one in.")
    return text
