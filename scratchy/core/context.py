"""What one request sends: the transcript healed, a system message in front, cut when it overflows. Never stored.

A transcript may have been cut anywhere (a crash, a rewind, another program); what goes out is always sendable.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

from scratchy.core.errors import ContextOverflowError
from scratchy.core.images import images_of, url_of
from scratchy.core.messages import Message, ToolCall, attached_of, calls_of, text_of
from scratchy.core.session import AgentSession, result, system_part

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI's rule for a function's name


def heal(messages: Iterable[Message]) -> list[Message]:
    """Sendable messages: a missing tool result is added, an orphan or second one dropped, an empty assistant message
    dropped, neighbouring user messages and neighbouring calls joined. Whole messages are handed on as they are."""
    context = Context()
    context.extend(messages)
    return context.request()


def context_of(session: AgentSession, system_prompt: str = "") -> "Context":
    """The session's context: its system message (or the prompt, where it has none), then all from `context_start`."""
    system = system_part(session.messages)
    context = Context(system_prompt, skipped=max(session.context_start, len(system)))
    context.extend(system)
    context.extend(session.messages[max(session.context_start, len(system)) :])
    return context


class Context:
    """Grows with the transcript: each message is healed once, so a step costs the same at the end of a long turn."""

    def __init__(self, system_prompt: str = "", *, skipped: int = 0) -> None:
        self._system_prompt = system_prompt
        self._healed: list[Message] = []
        self._open: dict[str, str] = {}  # id -> name of the calls that the last assistant message still waits for
        self._turns: list[tuple[int, int]] = []  # where each turn begins: index in _healed, index in the transcript
        self._fed = skipped  # how much of the transcript lies before what comes next

    def extend(self, messages: Iterable[Message]) -> None:
        for message in map(_acceptable, messages):
            role = message.get("role")
            match role:
                case "tool":
                    self._add_result(message)
                case "assistant":
                    if not self._join_calls(message):
                        self._close_calls()
                        self._add_answer(message)
                case "user":
                    self._close_calls()
                    self._add_user(as_sent(message))
                case _:
                    self._close_calls()
                    self._healed.append(message)
            self._fed += 0 if role == "system" and len(self._healed) == 1 else 1

    def request(self) -> list[Message]:
        """The messages to send now. Calls that wait for their result are answered in what is sent only."""
        missing = [result(call_id, name) for call_id, name in self._open.items()]
        return [*self._system(), *self._healed[self._system_length() :], *missing]

    def trim(self, overflow: ContextOverflowError) -> tuple[int, int]:
        """Leave out the oldest whole turns after a request was too long, never the last one.

        Returns how many turns went (0: none is left to drop) and the transcript's index that the context starts at now.
        """
        if len(self._turns) < 2:
            return 0, 0
        first = self._turns[0][0]
        weights = [_weight(message) for message in self._healed]
        target = sum(weights[first:]) * _excess(overflow)
        dropped = 1
        while dropped < len(self._turns) - 1 and sum(weights[first : self._turns[dropped][0]]) < target:
            dropped += 1
        start, fed = self._turns[dropped]
        del self._healed[self._system_length() : start]
        gone = start - self._system_length()
        self._turns = [(index - gone, origin) for index, origin in self._turns[dropped:]]
        return dropped, fed

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

    def _join_calls(self, message: Message) -> bool:
        """More calls right behind calls that nobody answered yet are parallel ones, as a program stores them that adds
        a line at a time."""
        calls, last = calls_of(message), self._healed[-1] if self._healed else None
        parallel = calls and last is not None and last.get("role") == "assistant" and self._open
        if last is None or not parallel or any(call["id"] in self._open for call in calls):
            return False
        content = _joined(last.get("content"), message.get("content"))
        self._healed[-1] = {**last, "content": content or last.get("content"), "tool_calls": [*calls_of(last), *calls]}
        self._open |= {call["id"]: call["function"]["name"] for call in calls}
        return True

    def _add_user(self, message: Message) -> None:
        if self._healed and self._healed[-1].get("role") == "user":
            before: Any = self._healed[-1].get("content")
            self._healed[-1] = {**self._healed[-1], "content": _joined(before, message.get("content"))}
        else:
            self._turns.append((len(self._healed), self._fed))
            self._healed.append(message)

    def _close_calls(self) -> None:
        self._healed += [result(call_id, name) for call_id, name in self._open.items()]
        self._open = {}


def _acceptable(message: Message) -> Message:
    """The message as every server takes it: content that is a text or parts, tool names of the characters that APIs
    allow, no NUL. What is stored stays as the model wrote it."""
    name, calls = message.get("name"), calls_of(message)
    content: Any = message.get("content")
    sent: Message = message
    if content != (acceptable := _acceptable_content(message)):
        sent = {**sent, "content": acceptable}
    if isinstance(name, str) and not _NAME.fullmatch(name):
        sent = {**sent, "name": _allowed(name)}
    if any(not _NAME.fullmatch(call["function"]["name"]) or "\0" in call["function"]["arguments"] for call in calls):
        sent = {**sent, "tool_calls": [_acceptable_call(call) for call in calls]}
    return sent


def _acceptable_content(message: Message) -> Any:
    """Of a file that somebody else wrote it may be anything: malformed parts are left out, other JSON is a text."""
    content: Any = message.get("content")
    if isinstance(content, list):
        return [part for part in map(_acceptable_part, cast("list[Any]", content)) if part is not None]
    return None if content is None else text_of(message).replace("\0", "\ufffd")


def _acceptable_part(part: Any) -> dict[str, Any] | None:
    fields = {"text": part} if isinstance(part, str) else cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    kind, text = fields.get("type", "text"), fields.get("text")
    if kind == "text":
        return {**fields, "type": "text", "text": text.replace("\0", "\ufffd")} if isinstance(text, str) else None
    return fields if isinstance(kind, str) and (kind != "image_url" or url_of(fields)) else None


def _acceptable_call(call: ToolCall) -> ToolCall:
    function = call["function"]
    arguments = function["arguments"].replace("\0", "\ufffd")
    return {**call, "function": {"name": _allowed(function["name"]), "arguments": arguments}}


def _allowed(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unnamed"


def as_sent(message: Message) -> Message:
    """With what rides along with it: date and folder, the texts that it mentions."""
    context, content = cast("tuple[Any, Any]", (message.get("context"), message.get("content")))
    texts = attached_of(message)
    context = context if isinstance(context, str) else ""
    if not context and not texts:
        return message
    for one in texts:
        content = _joined(content, f'<attached name="{one["name"]}">\n{one["text"]}\n</attached>')
    sent: Message = {**message, "content": _joined(context, content)}
    sent.pop("context", None)
    sent.pop("attached", None)
    return sent


def _joined(first: Any, second: Any) -> Any:
    """Two contents as one: text below text, or a list of parts where one of them is a list."""
    if isinstance(first, list) or isinstance(second, list):
        return [*_parts(first), *_parts(second)]
    return "\n\n".join(str(text) for text in (first, second) if text not in (None, ""))


def _weight(message: Message) -> int:
    """Roughly, in characters; an image takes about a thousand tokens."""
    return len(text_of(message)) + 200 * len(calls_of(message)) + 4000 * len(images_of(message))


def _parts(content: Any) -> Sequence[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": str(content)}] if content else []  # pyright: ignore[reportUnknownVariableType]


def _excess(overflow: ContextOverflowError) -> float:
    """The share of the request that has to go; half of it where the server did not say by how much it is too long."""
    if overflow.prompt_tokens and overflow.window and overflow.prompt_tokens > overflow.window:
        return min(0.95, 1 - 0.8 * overflow.window / overflow.prompt_tokens)
    return 0.5
