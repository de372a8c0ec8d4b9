"""What a turn looks like: one `match` over its events. Finished things go to the scrollback in order, the rest is live.

Not here: running the turn (repl), the answer to an approval (approve).
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from prompt_toolkit.utils import get_cwidth

from scratchy.core.events import (
    ApprovalRequested,
    ContextTrimmed,
    Event,
    MessageAdded,
    Notice,
    RetryScheduled,
    Saved,
    SaveFailed,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
)
from scratchy.core.messages import Message, text_of
from scratchy.core.text import clean
from scratchy.terminal.diffs import approval_lines, beginning, is_diff
from scratchy.terminal.folding import folded
from scratchy.terminal.folds import Folds
from scratchy.terminal.layout import TAIL_ROWS, Running, clip
from scratchy.terminal.lines import call_words, duration, error, first_line, header, notice, tool_end, tool_line
from scratchy.terminal.pace import Pace
from scratchy.terminal.render import Renderer
from scratchy.terminal.screen import Screen
from scratchy.terminal.splitter import Block, Splitter

_OUTPUT_KEPT = 2000  # characters of a running tool's output
_THOUGHT_KEPT = 800
_SLICE = 0.01  # seconds of work after which keys come first
_BACKLOG = 32 * 1024  # characters that may wait to be written; then the stream waits too
_ENDS = {
    "length": "The answer was cut: the model reached its limit of tokens.",
    "steps": "Stopped at the limit of steps. Say “go on” to continue.",
    "budget": "Stopped: the next request would cost more than the budget allows. /cost tells what was spent.",
}


class TurnView:
    """Shows one turn. `begun`: an event has come. What is shown in a line only can be unfolded by `folds`."""

    def __init__(self, screen: Screen, renderer: Renderer, folds: Folds, session_id: str) -> None:
        self.begun = False
        self._folds = folds
        self._thoughts: list[str] = []  # what the model thinks before it answers
        self._asked: set[str] = set()  # ids of the calls whose effect was shown before they ran
        self._asked_at: float | None = None  # while the person is waited for
        self._screen = screen
        self._live = live = screen.live
        self._renderer = renderer
        self._session_id = session_id
        self._splitter = Splitter()
        self._ready: deque[str] = deque()
        self._backlog = 0  # characters in it
        self._streamed = False
        self._shown = ""  # what was written last: "", "header", "text" or "lines"
        self._had_text = False
        live.pace = self._pace = live.pace or Pace()
        renderer.start()
        live.status, live.since = "waiting for the model", time.monotonic()

    async def follow(self, events: AsyncGenerator[Event, None]) -> None:
        """Show all events. A stream that never waits lets keys and redraws in between, and never gets far ahead."""
        async with aclosing(events):
            yielded = time.monotonic()
            async for event in events:
                self.begun = True
                if type(event) is TextDelta:
                    self.delta(event.text)
                else:
                    self._pace.take(event)
                    self.show(event)
                if type(event) is ApprovalRequested:
                    await self.drain()  # all of it stands above the question
                elif self._backlog > _BACKLOG:
                    await self._write_until(_BACKLOG // 2)
                if (now := time.monotonic()) - yielded > _SLICE:
                    await asyncio.sleep(0)
                    yielded = now

    async def drain(self) -> None:
        """Write all that is ready, a slice at a time."""
        self.finish()
        await self._write_until(0)

    async def _write_until(self, left: int) -> None:
        while self._backlog > left:
            self._write(_SLICE)
            self._screen.draw()
            await asyncio.sleep(0)

    def close(self) -> None:
        """Write what is left, at once; the live part is empty again."""
        self._write(float("inf"))
        self._screen.write("\n")
        live = self._live
        live.tail, live.status, live.since, live.wait_until = "", "", None, None
        live.thought, live.thinks_since = "", None
        live.running.clear()

    # -- facts of the turn

    def delta(self, text: str) -> None:
        self._streamed = True
        if self._thoughts and text.strip():
            self._end_thinking()
        self._pace.add(text)
        blocks = self._splitter.feed(text)
        if blocks:
            self._push_blocks(blocks)

    def show(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self.delta(text)
            case ThinkingDelta(text):
                self._think(text)
            case StepStarted():
                self._end_thinking()
                self._live.status, self._live.wait_until = "waiting for the model", None
                self._streamed = False
            case RetryScheduled(reason, delay):
                self._live.status, self._live.wait_until = reason.rstrip("."), time.monotonic() + delay
            case MessageAdded(message):
                self._message(message)
            case ContextTrimmed(turns):
                self._push_line(notice(f"The context is full: the oldest {turns} turns are left out of this request."))
            case Notice(text):
                self._push_line(notice(folded(clean(text), self._screen.width)))
            case SaveFailed(reason):
                self._live.unsaved = reason
                self._push_line(error(f"not saved: {reason}"))
            case Saved():
                self._live.unsaved = ""
                self._push_line(notice("Saved again."))
            case TurnFinished(reason):
                self.finish()
                if reason in _ENDS:
                    self._push_line(notice(_ENDS[reason]))
            case _:
                self._tool(event)

    def fail(self, text: str) -> None:
        self.finish()
        self._push_line(error(folded(clean(text), self._screen.width)))

    def interrupted(self) -> None:
        self.finish()
        if self._backlog > 4 * _BACKLOG:  # it came in one piece; who interrupts will not wait for it
            hidden = self._backlog
            self._ready.clear()
            self._backlog = 0
            self._push_line(notice(f"… {hidden:,} characters are not shown; the session has them."))
        for tool in self._live.running.values():
            self._push_line(tool_line(tool.name, tool.summary[:500], True, "stopped"), of_the_model=True)
        self._push_line(notice("Interrupted."))

    def finish(self) -> None:
        """No more text will come for this message."""
        self._pace.end()
        self._end_thinking()
        self._push_blocks(self._splitter.finish())

    def _message(self, message: Message) -> None:
        if message.get("role") != "assistant":
            return
        if not self._streamed:
            self.delta(text_of(message))
        self.finish()

    def _tool(self, event: Event) -> None:
        if self._asked_at is not None and self._live.since is not None:  # the person's time is nobody's work
            self._live.since += time.monotonic() - self._asked_at
        self._asked_at = None
        match event:
            case ApprovalRequested(_, name, _, preview):
                self.finish()
                self._asked.add(event.call["id"])
                self._asked_at = time.monotonic()
                self._push_line(approval_lines(name, preview, self._screen.width), of_the_model=True)
            case ToolStarted(call, name, _, summary):
                self._end_thinking()
                self._live.running[call["id"]] = Running(name, summary, since=time.monotonic())
                self._live.status, self._live.wait_until = "working", None
            case ToolOutput(call_id, text):
                tool = self._live.running.get(call_id)
                if tool is not None:
                    tool.output = (tool.output + text)[-_OUTPUT_KEPT:]
            case ToolFinished():
                self._finished(event)
            case _:
                pass

    def _finished(self, event: ToolFinished) -> None:
        """One line; of an edit that nobody was asked about, the beginning of its diff, too."""
        self._live.running.pop(event.call["id"], None)
        width, name = self._screen.width, call_words(event.name)
        end = tool_end(event.ran, event.is_error, event.duration_ms)
        room = max(width - get_cwidth(f"✓ {name}  · {end}"), width // 3)
        summary = clip(call_words(event.summary[:500]).removeprefix(f"{name} "), room)
        self._push_line(tool_line(name, summary, event.is_error, end), of_the_model=True)
        output = event.display or event.output
        if event.is_error:
            self._push_line(notice(folded(f"  {first_line(event.display)}", width)))
        elif is_diff(output) and event.call["id"] not in self._asked:
            self._push_line(beginning(output, width))
        self._folds.add(f"{name} {call_words(event.summary[:500])}", output)

    def _think(self, text: str) -> None:
        live = self._live
        if not self._thoughts:
            live.status, live.wait_until, live.thinks_since = "thinking", None, time.monotonic()
        self._thoughts.append(text)
        live.thought = (live.thought + text)[-_THOUGHT_KEPT:]

    def _end_thinking(self) -> None:
        """What was thought becomes one line."""
        if not self._thoughts:
            return
        live, text = self._live, "".join(self._thoughts)
        seconds = round(time.monotonic() - (live.thinks_since or time.monotonic()))
        live.status, live.thought, live.thinks_since = "waiting for the model", "", None
        self._thoughts.clear()
        title = f"Thought for {duration(max(seconds, 1) * 1000).replace('.0 s', ' s')}"
        self._push_line(notice(title), of_the_model=True)
        self._folds.add(title, text, prose=True)

    # -- what is written

    def flush(self, seconds: float = 0.02) -> str:
        """What is ready, rendered; after `seconds` the rest waits for the next call, so that keys are never kept."""
        if self._live.status == "waiting for the model" and self._streamed:
            self._live.status, self._live.wait_until = "writing", None
        self._live.tail = self._splitter.end(TAIL_ROWS + 2)
        width = self._screen.width
        out: list[str] = []
        until = time.monotonic() + seconds
        while self._ready:
            item = self._ready.popleft()
            self._backlog -= len(item)
            out.append(self._renderer.block(item, width) if isinstance(item, Block) else item)
            if time.monotonic() > until:
                break
        return "".join(out)

    def _write(self, seconds: float) -> None:
        self._screen.write(self.flush(seconds))

    def _push_blocks(self, blocks: list[Block]) -> None:
        if all(block.isspace() for block in blocks):
            return
        self._push_header()
        if self._shown == "lines" and not self._had_text:  # the renderer does it before all but its first block
            self._push("\n")
        self._had_text, self._shown = True, "text"
        for block in blocks:
            self._push(block)

    def _push_header(self) -> None:
        if not self._shown:
            self._shown = "header"
            self._push(header(self._session_id))

    def _push_line(self, line: str, *, of_the_model: bool = False) -> None:
        if of_the_model:
            self._push_header()
        self._push("\n" + line if self._shown == "text" else line)
        if self._shown:  # else it is about the person's line, and the answer still has its header
            self._shown = "lines"

    def _push(self, item: str) -> None:
        self._ready.append(item)
        self._backlog += len(item)
