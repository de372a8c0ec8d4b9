"""What one request sends: the transcript healed, a system message in front, cut when it overflows. Never stored.

A transcript may have been cut anywhere (a crash, a rewind, another program); what goes out is always sendable.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from scratchy.core.errors import ContextOverflowError
from scratchy.core.messages import Message, calls_of, text_of
from scratchy.core.session import result, turns


def heal(messages: Iterable[Message]) -> list[Message]:
    """Sendable messages: a missing tool result is added, an orphan or second one dropped, an empty assistant message
    dropped, neighbouring user messages joined. Whole messages are handed on as they are, not copied."""
    context = Context()
    context.extend(messages)
    return context.request()


class Context:
    """Grows with the transcript: each message is healed once, so a step costs the same at the end of a long turn."""

    def __init__(self, system_prompt: str = "") -> None:
        self._system_prompt = system_prompt
        self._healed: list[Message] = []
        self._open: dict[str, str] = {}  # id -> name of the calls that the last assistant message still waits for
        self._skip_to = 0  # what lies before (a system message excepted) is left out: see `trim`

    def extend(self, messages: Iterable[Message]) -> None:
        for message in messages:
            match message.get("role"):
                case "tool":
                    self._add_result(message)
                case "assistant":
                    self._close_calls()
                    self._add_answer(message)
                case "user":
                    self._close_calls()
                    self._add_user(_with_context(message))
                case _:
                    self._close_calls()
                    self._healed.append(message)

    def request(self) -> list[Message]:
        """The messages to send now. Calls that wait for their result are answered in what is sent only."""
        system = self._system()
        missing = [result(call_id, name) for call_id, name in self._open.items()]
        return [*system, *self._healed[max(self._skip_to, self._system_length()) :], *missing]

    def trim(self, overflow: ContextOverflowError) -> int:
        """Leave out the oldest whole turns after a request was too long, never the last one; return how many (0: none
        is left to drop)."""
        starts = [start for start in turns(self._healed) if start >= self._skip_to]
        if len(starts) < 2:
            return 0
        weights = [len(text_of(message)) + 200 * len(calls_of(message)) for message in self._healed[starts[0] :]]
        target = sum(weights) * _excess(overflow)
        dropped = 1
        while dropped < len(starts) - 1 and sum(weights[: starts[dropped] - starts[0]]) < target:
            dropped += 1
        self._skip_to = starts[dropped]
        return dropped

    def _system(self) -> list[Message]:
        if self._system_length():
            return self._healed[:1]
        return [{"role": "system", "content": self._system_prompt}] if self._system_prompt else []

    def _system_length(self) -> int:
        return 1 if self._healed and self._healed[0].get("role") == "system" else 0

    def _add_result(self, message: Message) -> None:
        if self._open.pop(str(message.get("tool_call_id")), None) is not None:
            self._healed.append(message)

    def _add_answer(self, message: Message) -> None:
        calls = calls_of(message)
        if not calls and not text_of(message).strip():
            return
        self._open = {call["id"]: call["function"]["name"] for call in calls}
        self._healed.append(message)

    def _add_user(self, message: Message) -> None:
        if self._healed and self._healed[-1].get("role") == "user":
            before: Any = self._healed[-1].get("content")
            self._healed[-1] = {**self._healed[-1], "content": _joined(before, message.get("content"))}
        else:
            self._healed.append(message)

    def _close_calls(self) -> None:
        self._healed += [result(call_id, name) for call_id, name in self._open.items()]
        self._open = {}


def _with_context(message: Message) -> Message:
    context = message.get("context")
    if not context:
        return message
    sent: Message = {**message, "content": _joined(context, message.get("content"))}
    sent.pop("context", None)
    return sent


def _joined(first: Any, second: Any) -> Any:
    """Two contents as one: text below text, or a list of parts where one of them is a list."""
    if isinstance(first, list) or isinstance(second, list):
        return [*_parts(first), *_parts(second)]
    return "\n\n".join(str(text) for text in (first, second) if text not in (None, ""))


def _parts(content: Any) -> Sequence[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": str(content)}] if content else []  # pyright: ignore[reportUnknownVariableType]


def _excess(overflow: ContextOverflowError) -> float:
    """The share of the request that has to go; half of it where the server did not say by how much it is too long."""
    if overflow.prompt_tokens and overflow.window and overflow.prompt_tokens > overflow.window:
        return min(0.95, 1 - 0.8 * overflow.window / overflow.prompt_tokens)
    return 0.5
