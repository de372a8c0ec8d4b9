"""What a turn does, told as values: a closed union of frozen dataclasses. A face is one `match` over `Event`.

Facts are named in the past tense. Deltas are the exception: fragments that exist only here and are stored nowhere.
"""

from dataclasses import dataclass
from typing import Any, Literal

from scratchy.core.messages import Message, ToolCall

TurnReason = Literal["stop", "length", "steps", "budget", "error", "aborted"]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A model request is about to be made. `step` counts from 1 in each turn."""

    step: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the assistant's text, as the model wrote it (control characters included)."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """The next piece of what the model thinks before it answers, where its server tells it."""

    text: str


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The provider waits `delay` seconds before it asks again, because of `reason` (a sentence for the person)."""

    reason: str
    delay: float
    attempt: int

    @property
    def told(self) -> str:
        """The sentence, with what follows; begun seconds count."""
        return f"{self.reason}; trying again {f'in {-int(-self.delay // 1)} s' if self.delay else 'now'}"


@dataclass(frozen=True, slots=True)
class ContextTrimmed:
    """The request was too long: the oldest `turns` turns are left out of the context (the transcript keeps them)."""

    turns: int


@dataclass(frozen=True, slots=True)
class MessageAdded:
    """A finished message stands in the session. Whoever stores must store it before asking for the next event."""

    message: Message


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """A tool call waits for the person. `preview` is the whole and exact effect (command, diff, address);
    `scope` says what "always" would cover, e.g. "this command"; "": there is no always."""

    call: ToolCall
    name: str
    arguments: dict[str, Any]
    preview: str
    scope: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """`arguments` is what the tool gets (parsed and checked); `summary` is one line for the person."""

    call: ToolCall
    name: str
    arguments: dict[str, Any]
    summary: str


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A piece of what a running tool prints; live only."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """`output` is what the model gets (clipped, or a scratchpad reference); `display` is for the person. `ran` False:
    the call was refused, by the person or because it cannot run; `output` says why. `summary` as in `ToolStarted`."""

    call: ToolCall
    name: str
    summary: str
    ran: bool
    output: str
    display: str
    is_error: bool
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """A message could not be stored: `reason` is one of "no space", "I/O error", "permission", "folder missing" or the
    system's own words. The message stays in memory and is written first by the next save."""

    reason: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What an earlier `SaveFailed` left unsaved is on disk now."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the person that belongs to no message (a repair, a change of model)."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The turn is over. `stop`: the model had no more to say; `length`: it was cut; `steps`: the step limit;
    `budget`: one more request would cost more than allowed; `error`: see the exception or notice that came with it."""

    reason: TurnReason


ProviderEvent = TextDelta | ThinkingDelta | RetryScheduled
Event = (
    StepStarted
    | TextDelta
    | ThinkingDelta
    | RetryScheduled
    | ContextTrimmed
    | MessageAdded
    | ApprovalRequested
    | ToolStarted
    | ToolOutput
    | ToolFinished
    | SaveFailed
    | Saved
    | Notice
    | TurnFinished
)
