"""One turn for a program: run, shown event by event, and how it ended as an exit code and a sentence.

Also here what one shot (oneshot.py) and the pipe (pipe.py) share: notes on stderr. Not here: what is shown on stdout.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import NamedTuple

from scratchy.core.errors import PriceUnknownError, ScratchyError, SessionLockedError, save_problem
from scratchy.core.events import (
    ContextTrimmed,
    Event,
    Notice,
    RetryScheduled,
    SaveFailed,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from scratchy.core.loop import NO_ANSWER
from scratchy.core.text import clean
from scratchy.sessions.conversation import Attached
from scratchy.sessions.desk import Desk
from scratchy.terminal.lines import call_words, first_line
from scratchy.terminal.stdout import OutputError
from scratchy.terminal.streamjson import Report
from scratchy.terminal.unsaved import is_kept

DONE, FAILED, WRONG_USAGE, TRY_AGAIN = 0, 1, 2, 75
log = logging.getLogger("scratchy.oneshot")


class Ended(NamedTuple):
    """How a turn ended: its exit code, and what went wrong as a sentence. `told`: a Notice said that already."""

    code: int
    error: str | None = None
    told: bool = False


def watch_signals(stop: Callable[[int], None]) -> None:
    """`stop` is called with the number of each signal that asks a program to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with suppress(NotImplementedError):  # Windows' loop has no such handlers
            loop.add_signal_handler(number, stop, number)


async def run_turn(desk: Desk, line: str, report: Report, show: Callable[[Event], Awaitable[None]]) -> Ended:
    """Raises: CancelledError, and what `show` raises when stdout takes nothing more (BrokenPipeError, OutputError)."""
    conversation = desk.conversation
    before = conversation.count
    report.started, report.cost = time.monotonic(), desk.spending.meter()
    try:
        async with aclosing(conversation.turn(line)) as events:
            async for event in events:
                report.take(event)
                await show(event)
    except (BrokenPipeError, OutputError):
        raise
    except PriceUnknownError as error:
        return Ended(WRONG_USAGE, str(error))
    except ScratchyError as error:
        again = isinstance(error, SessionLockedError) or getattr(error, "retryable", False)
        kept = " Your message is kept." if conversation.count > before or is_kept(conversation, line) else ""
        stop = "" if str(error).endswith((".", "!", "?", "`")) else "."
        return Ended(TRY_AGAIN if again else FAILED, f"{error}{stop}{kept}")
    except OSError as error:
        return Ended(FAILED, f"not saved: {save_problem(error)}; nothing was sent.")
    except Exception as error:
        log.exception("turn failed")
        return Ended(FAILED, f"The turn failed: {type(error).__name__}: {error}")
    if conversation.unsaved:
        return Ended(FAILED, f"not saved: {conversation.unsaved}")
    if report.reason in ("stop", "length") and not report.answered:
        return Ended(FAILED, NO_ANSWER, told=True)
    return Ended(FAILED if report.reason in ("steps", "budget", "error") else DONE)


def not_typed(desk: Desk) -> None:
    """What comes from now on was not typed here: like a paste, it may not mention another project's conversations."""
    engine = desk.conversation.engine

    async def attach(line: str) -> Attached:
        return await engine.attach(f"{line}\n.")  # so it does not stand alone in its message

    desk.conversation.engine = replace(engine, attach=attach)


def note_event(event: Event) -> None:
    """What a person who looks on should know, on stderr."""
    match event:
        case ToolStarted(name=name, summary=summary):
            note(f"→ {call_words(name)}: {call_words(summary)}")
        case ToolFinished(name=name, summary=summary, ran=False, output=output):
            note(f"✗ {call_words(name)}: {call_words(summary)} · {first_line(output)}")
        case RetryScheduled():
            note(event.told)
        case ContextTrimmed(turns):
            note(f"The context is full: the oldest {turns} turns are left out of this request.")
        case Notice(text):
            note(text)
        case SaveFailed(reason):
            note(f"not saved: {reason}")
        case TurnFinished("length"):
            note("The answer was cut: the model reached its limit of tokens.")
        case TurnFinished("steps"):
            note("Stopped at the limit of steps.")
        case TurnFinished("budget"):
            note("Stopped: the next request would cost more than the budget allows.")
        case _:
            pass


def note(text: str, end: str = "\n") -> None:
    """On stderr. When nobody reads that any more the answer still comes."""
    try:
        print(clean(text).encode("utf-8", "replace").decode(), file=sys.stderr, end=end, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # or the flush at exit fails again
