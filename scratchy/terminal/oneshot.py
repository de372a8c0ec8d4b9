"""The one-shot face: one line in, one answer out. stdout holds the answer only; all else goes to stderr.

Not here: conversations of many lines (repl.py, plain.py), flags (cli.py).
"""

import asyncio
import dataclasses
import json
import logging
import signal
import sys
from contextlib import aclosing, suppress
from typing import Any

from scratchy.core.errors import ScratchyError, SessionLockedError, save_problem
from scratchy.core.events import (
    ApprovalRequested,
    Event,
    Notice,
    RetryScheduled,
    SaveFailed,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from scratchy.core.loop import last_text
from scratchy.core.ports import Approval
from scratchy.core.text import clean, escaped_json
from scratchy.sessions.desk import Desk
from scratchy.terminal.asking import ask, nobody
from scratchy.terminal.boot import Boot
from scratchy.terminal.input import LineInput
from scratchy.terminal.lines import first_line

log = logging.getLogger("scratchy.oneshot")


def run(boot: Boot, prompt: str, output_format: str) -> int:
    """Returns the exit code: 0 answered, 1 failed, 75 worth trying again, 130 interrupted."""
    if sys.stdin is not None and not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison] - closed: None
        piped = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
        prompt = "\n\n".join(part for part in (prompt, piped) if part)
    if not prompt.strip():
        note("Nothing to say: give -p a text, or pipe one in.")
        return 2
    return asyncio.run(_OneShot(boot, output_format).answer(prompt))


class _OneShot:
    def __init__(self, boot: Boot, output_format: str) -> None:
        self._boot = boot
        self._format = output_format
        self._task: asyncio.Task[str] | None = None
        self._stopped_by = 0

    async def answer(self, prompt: str) -> int:
        for line in self._boot.greeting:
            note(line)
        desk = await self._boot.make_desk(note)
        desk.approve = self._approve
        session_id = desk.conversation.session_id
        self._tell_session(session_id)
        self._watch_signals()
        code = 0
        try:
            self._task = asyncio.ensure_future(self._turn(desk, prompt))
            reason = await self._task
            code = 1 if reason in ("steps", "error") or desk.conversation.unsaved else 0
        except asyncio.CancelledError:
            note("Interrupted; what had come is stored.")
            code = 128 + (self._stopped_by or signal.SIGINT)
        except ScratchyError as error:
            again = isinstance(error, SessionLockedError) or getattr(error, "retryable", False)
            kept = " Your message is kept." if desk.conversation.session.messages[1:] else ""
            stop = "" if str(error).endswith((".", "!", "?", "`")) else "."
            code = self._failed(desk, f"{error}{stop}{kept}", 75 if again else 1)
        except OutputError as error:
            note(str(error))
            code = 1
        except BrokenPipeError:  # nobody reads stdout any more
            raise
        except OSError as error:
            code = self._failed(desk, f"not saved: {save_problem(error)}; nothing was sent.", 1)
        except Exception as error:
            log.exception("turn failed")
            code = self._failed(desk, f"The turn failed: {type(error).__name__}: {error}", 1)
        finally:
            await desk.close()
        return code

    async def _turn(self, desk: Desk, prompt: str) -> str:
        reason = "stop"
        async with aclosing(desk.conversation.turn(prompt)) as events:
            async for event in events:
                self._show(event)
                if isinstance(event, TurnFinished):
                    reason = event.reason
        answer = last_text(desk.conversation.session.messages)
        row = {"session_id": desk.conversation.session_id, "answer": answer, "reason": reason}
        text = clean(answer) if self._format == "text" else json_text(row) if self._format == "json" else ""
        if text:
            out(text)
        return reason

    def _show(self, event: Event) -> None:
        if self._format == "stream-json":
            fields: dict[str, Any] = {name: value for name, value in dataclasses.asdict(event).items()}
            out(json_text({"type": type(event).__name__, **fields}))
            return
        match event:
            case ToolStarted(name=name, summary=summary):
                note(f"→ {name}: {summary}")
            case ToolFinished(name=name, summary=summary, ran=False, output=output):
                note(f"✗ {name}: {summary} · {first_line(output)}")
            case RetryScheduled(reason, delay):
                note(f"{reason}; trying again in {delay:.0f} s")
            case Notice(text):
                note(text)
            case SaveFailed(reason):
                note(f"not saved: {reason}")
            case TurnFinished("steps"):
                note("Stopped at the limit of steps.")
            case _:
                pass

    def _tell_session(self, session_id: str) -> None:
        if self._format == "stream-json":
            out(json_text({"type": "Session", "version": 1, "session_id": session_id}))
        note(f"Session: {session_id}")

    def _failed(self, desk: Desk, text: str, code: int) -> int:
        note(text)
        if self._format != "text":
            row = {"session_id": desk.conversation.session_id, "error": text}
            out(json_text({"type": "Error", **row} if self._format == "stream-json" else row))
        return code

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, self._stop, number)

    def _stop(self, number: int) -> None:
        self._stopped_by = number
        if self._task is not None:
            self._task.cancel()

    async def _approve(self, request: ApprovalRequested) -> Approval:
        return (
            await ask(request, LineInput(), lambda text: note(text, end="")) if sys.stdin.isatty() else nobody(request)
        )


def json_text(value: Any) -> str:
    return escaped_json(json.dumps(value, ensure_ascii=False))


class OutputError(Exception):
    """stdout takes nothing more: the disk behind it is full, say. The session is not touched by it."""


def out(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"The answer could not be written: {error.strerror}. It is in the session.") from error


def note(text: str, end: str = "\n") -> None:
    print(clean(text).encode("utf-8", "replace").decode(), file=sys.stderr, end=end, flush=True)
