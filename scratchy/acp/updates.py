"""A turn's events as session updates, while they happen. Not here: stored messages (replay.py), asking (asking.py)."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from acp import start_tool_call, update_agent_message_text, update_agent_thought_text, update_tool_call
from acp.schema import (
    AgentMessageChunk,
    AgentThoughtChunk,
    AvailableCommandsUpdate,
    CurrentModeUpdate,
    SessionInfoUpdate,
    ToolCallProgress,
    ToolCallStart,
    UsageUpdate,
    UserMessageChunk,
)

from scratchy.acp.calls import (
    Texts,
    arguments_of,
    fenced,
    kind_of,
    locations_of,
    passage_diff,
    summary_of,
    text_content,
    title_of,
    whole_diff,
)
from scratchy.core.events import (
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
from scratchy.core.messages import FileChange, Message, ToolCall, calls_of, files_of, text_of
from scratchy.core.text import Flow, clean

Update = (
    UserMessageChunk
    | AgentMessageChunk
    | AgentThoughtChunk
    | ToolCallStart
    | ToolCallProgress
    | AvailableCommandsUpdate
    | CurrentModeUpdate
    | SessionInfoUpdate
    | UsageUpdate
)

_ENDS = {
    "length": "The answer was cut: the model reached its limit of tokens.",
    "steps": "Stopped at the limit of steps. Say “go on” to continue.",
    "budget": "Stopped: one more request would cost more than allowed.",
}
_TAIL = 4000  # characters of a running tool's output
_OFTEN = 0.3  # seconds between two such updates


class Ids:
    """Call ids as the editor knows them: providers use theirs again in another turn, an editor takes that for the old
    call."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, call_id: str) -> str:
        given, count = call_id, 1
        while given in self._given:
            count += 1
            given = f"{call_id}#{count}"
        self._given.add(given)
        return given


class _Running(NamedTuple):
    shown_id: str
    output: list[str]
    told_at: float = 0.0


def note(text: str) -> AgentMessageChunk:
    """A sentence of ours between the model's."""
    quoted = "\n".join(f"> {line}" for line in clean(text).splitlines())
    return update_agent_message_text(f"\n\n{quoted}\n\n")


def announced(call: ToolCall, shown_id: str, folder: Path) -> ToolCallStart:
    """A call that the model asked for and that has not begun."""
    name, arguments = call["function"]["name"], arguments_of(call)
    return start_tool_call(
        shown_id,
        title_of(name, summary_of(call)),
        kind=kind_of(name),
        status="pending",
        content=passage_diff(name, arguments, folder),
        locations=locations_of(arguments, folder),
        raw_input=call["function"]["arguments"] if arguments is None else arguments,
    )


class Telling:
    """One turn in `folder`. `texts` gives a changed file before and after."""

    def __init__(self, folder: Path, texts: Callable[[FileChange], Texts | None], ids: Ids) -> None:
        self._folder = folder
        self._texts = texts
        self._ids = ids
        self._open: dict[str, _Running] = {}
        self._finished: ToolFinished | None = None
        self._streamed = False
        self._text, self._thought = Flow(), Flow()

    def shown_id(self, call: ToolCall) -> str:
        """Under which id the editor knows a call of this turn."""
        running = self._open.get(call["id"])
        return running.shown_id if running is not None else call["id"]

    async def told(self, event: Event) -> list[Update]:
        match event:
            case StepStarted():
                self._streamed = False
                self._text, self._thought = Flow(), Flow()
            case TextDelta(text):
                self._streamed = True
                return _told(update_agent_message_text, self._text.feed(text))
            case ThinkingDelta(text):
                return _told(update_agent_thought_text, self._thought.feed(text))
            case MessageAdded(message) if message.get("role") == "assistant":
                return self._answered(message)
            case MessageAdded(message) if message.get("role") == "tool":
                return await self._ended(message)
            case ToolStarted():
                return [self._begun(event)]
            case ToolOutput(call_id, text):
                return self._printed(call_id, text)
            case ToolFinished():
                self._finished = event  # its message, which follows, knows the files
            case _:
                return _notes(event)
        return []

    def cut_off(self) -> list[Update]:
        """The turn was interrupted: what runs or waits does not any more."""
        ended: list[Update] = [update_tool_call(one.shown_id, status="failed") for one in self._open.values()]
        self._open.clear()
        return ended

    def _answered(self, message: Message) -> list[Update]:
        updates = _told(update_agent_thought_text, self._thought.rest())
        updates += _told(update_agent_message_text, self._text.rest() if self._streamed else clean(text_of(message)))
        for call in calls_of(message):
            self._open[call["id"]] = _Running(self._ids.new(call["id"]), [])
            updates.append(announced(call, self.shown_id(call), self._folder))
        return updates

    def _begun(self, event: ToolStarted) -> ToolCallProgress:
        return update_tool_call(
            self.shown_id(event.call),
            title=title_of(event.name, event.summary),
            status="in_progress",
            locations=locations_of(event.arguments, self._folder),
            raw_input=event.arguments,
        )

    def _printed(self, call_id: str, text: str) -> list[Update]:
        running = self._open.get(call_id)
        if running is None:
            return []
        running.output.append(text)
        now = time.monotonic()
        if now - running.told_at < _OFTEN:
            return []
        tail = "".join(running.output)[-_TAIL:]
        self._open[call_id] = _Running(running.shown_id, [tail], now)
        return [update_tool_call(running.shown_id, content=text_content(fenced(clean(tail), "")))]

    async def _ended(self, message: Message) -> list[Update]:
        event, self._finished = self._finished, None
        if event is None:
            return []
        shown_id = self.shown_id(event.call)
        self._open.pop(event.call["id"], None)
        files = files_of(message)
        content = await asyncio.to_thread(whole_diff, files, self._texts) if files and not event.is_error else []
        if not content and not event.is_error:
            content = passage_diff(event.name, arguments_of(event.call), self._folder)
        if not content:
            content = text_content(fenced(clean(event.display), "") if event.display else "")
        status = "failed" if event.is_error or not event.ran else "completed"
        return [update_tool_call(shown_id, status=status, content=content)]


def _told(update: Callable[[str], Update], text: str) -> list[Update]:
    return [update(text)] if text else []


def _notes(event: Event) -> list[Update]:
    match event:
        case RetryScheduled():
            text = event.told
        case ContextTrimmed(turns):
            text = f"The context is full: the oldest {turns} turns are left out of this request."
        case Notice():
            text = event.text
        case SaveFailed(reason):
            text = f"not saved: {reason}"
        case Saved():
            text = "Saved again."
        case TurnFinished(reason):
            text = _ENDS.get(reason, "")
        case _:
            text = ""
    return [note(text)] if text else []
