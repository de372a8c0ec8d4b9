"""A turn as plain lines: finished blocks in order, a line for each tool call, notice and thought.

Nothing here is repainted, coloured or moved: what was written stays. Not here: reading lines, the prompt (plain.py).
"""

import sys
import time
from typing import TextIO

from scratchy.core.events import (
    ContextTrimmed,
    Event,
    MessageAdded,
    Notice,
    RetryScheduled,
    Saved,
    SaveFailed,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from scratchy.core.messages import text_of
from scratchy.core.text import clean, reveal
from scratchy.terminal.alive import ASKING, QUIET, Alive
from scratchy.terminal.lines import call_words, duration, first_line
from scratchy.terminal.splitter import Splitter


class TurnText:
    """A turn on `out`. `alive` knows what it does, and tells when that takes long."""

    def __init__(self, session_id: str, out: TextIO | None = None, quiet: float = QUIET) -> None:
        self._header = f"[{reveal(session_id)}] 🤖 Assistant:"
        self._out = out
        self._splitter = Splitter()
        self._streamed = False
        self._begun = False
        self._in_line = False  # what was written last did not end its line
        self._thinking_since: float | None = None
        self.alive = Alive(self._say_alive, ASKING, quiet)

    def show(self, event: Event) -> None:
        if not isinstance(event, ThinkingDelta):
            self._end_thought()
        self.alive.follow(event)
        match event:
            case ThinkingDelta():
                self._thinking_since = self._thinking_since or time.monotonic()
            case TextDelta(text):
                self._streamed = True
                self._write("".join(self._splitter.feed(text)))
            case MessageAdded(message) if message.get("role") == "assistant":
                if not self._streamed:
                    self._write("".join(self._splitter.feed(text_of(message))))
                self._streamed = False
                self.end()
            case ToolStarted(name=name, summary=summary):
                self._line(f"→ {call_words(name)}: {call_words(summary)[:300]}")
            case ToolFinished(name=name, summary=summary, ran=False):
                why = first_line(event.output.removeprefix("not run: "))
                self._line(f"✗ not run: {call_words(name)}: {call_words(summary)[:300]} · {why}")
            case ToolFinished(is_error=is_error):
                lines = sum(1 for line in event.display.split("\n") if line.strip())
                more = f", the first of {lines} lines" if lines > 1 else ""
                end = f"{'✗ failed' if is_error else '✓ done'} ({duration(event.duration_ms)}{more})"
                self._line(f"{end}: {first_line(event.display)}")
            case _:
                self._notice(event)

    def _end_thought(self) -> None:
        if self._thinking_since is not None:
            took = 1000 * (time.monotonic() - self._thinking_since)
            self._thinking_since = None
            self._line(f"(thought for {duration(round(took))})")

    def _say_alive(self, text: str) -> None:
        if not self._in_line:
            self._write(f"{text}\n")

    def end(self) -> None:
        """No more text comes for this message."""
        rest = "".join(self._splitter.finish())
        if rest:
            self._write(rest if rest.endswith("\n") else f"{rest}\n")

    def _notice(self, event: Event) -> None:
        match event:
            case RetryScheduled():
                self._line(event.told)
            case ContextTrimmed(turns):
                self._line(f"The context is full: the oldest {turns} turns are left out of this request.")
            case Notice(text):
                self._line(text)
            case SaveFailed(reason):
                self._line(f"not saved: {reason}")
            case Saved():
                self._line("Saved again.")
            case TurnFinished("length"):
                self._line("The answer was cut: the model reached its limit of tokens.")
            case TurnFinished("steps"):
                self._line("Stopped at the limit of steps. Say “go on” to continue.")
            case TurnFinished("budget"):
                self._line("Stopped: the next request would cost more than the budget allows. /cost tells the sum.")
            case _:
                pass

    def _line(self, text: str) -> None:
        self.end()
        self._write(f"{clean(text)}\n")

    def _write(self, text: str) -> None:
        if not text:
            return
        if not self._begun:
            self._begun = True
            write(f"{self._header}\n", self._out)
        self._in_line = not text.endswith("\n")
        self.alive.heard()
        write(clean(text), self._out)


def say(text: str) -> None:
    write(f"{clean(text)}\n")


def write(text: str, out: TextIO | None = None) -> None:
    """What the stream's encoding lacks is escaped, never an exception."""
    stream = out or sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
