"""JSON lines, one event a line, as transcripts of chats over channels have them:

    {"role", "content", "ts"}    {"role": "tool_call", "name", "args", "ts"}    {"role": "tool_result", "name", "result", "ts"}

Parallel calls are consecutive `tool_call` lines, then come the `tool_result` lines. Beside these keys a line has whatever
else the message has, so that nothing is lost: `id` pairs a result with its call, `assistant` (the first call's line) is
the rest of the message that made the calls, `arguments` is the model's own text where that is more than the value of
`args`, `no_ts` marks a time that stands in for none, and `message` is the whole message where lines cannot say it.
"""  # noqa: E501 - three shapes on a line

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from scratchy.core.messages import Message, calls_of
from scratchy.core.text import escaped_json
from scratchy.interchange.transcript import Transcript, Written, arguments_of, fields, is_message, objects, text

_EVENTS = ("tool_call", "tool_result")


# --- Writing ----------------------------------------------------------------------------------------------------------


def dump(session: Written) -> Iterator[str]:
    stamp, names = session.header.created_at, dict[str, str]()
    for message in session.messages:
        stamp = text(message.get("ts")) or stamp
        names |= {call["id"]: call["function"]["name"] for call in calls_of(message)}
        yield lines_of(message, stamp, names.get(str(message.get("tool_call_id")), ""))


def lines_of(message: Mapping[str, Any], stamp: str, called: str = "") -> str:
    """One message as lines, each with its end. `stamp`: the time of a message that has none; `called`: the tool whose
    result it is, where it does not say so itself."""
    events = [_timed(event, stamp) for event in _events(message, called)]
    if _joined(events) != [message]:
        event = events[0] if len(events) == 1 else {"role": "assistant", "content": message.get("content")}
        events = [_timed({**event, "message": dict(message)}, stamp)]
    return "".join(escaped_json(json.dumps(event, ensure_ascii=False)) + "\n" for event in events)


def _timed(event: dict[str, Any], stamp: str) -> dict[str, Any]:
    return event if text(event.get("ts")) else {**event, "ts": stamp, "no_ts": True}


def _events(message: Mapping[str, Any], called: str) -> list[dict[str, Any]]:
    calls = calls_of(message)
    if message.get("role") == "tool":
        rest = {key: value for key, value in message.items() if key not in ("role", "name", "content", "tool_call_id")}
        result = {"role": "tool_result", "name": message.get("name") or called, "result": message.get("content")}
        return [result | {"id": message.get("tool_call_id")} | rest]
    if message.get("role") != "assistant" or not calls or calls != message.get("tool_calls"):
        return [{"role": message.get("role"), "content": message.get("content"), **message}]
    rest = {key: value for key, value in message.items() if key not in ("role", "tool_calls", "ts")}
    stamp = {"ts": message["ts"]} if "ts" in message else {}
    events: list[dict[str, Any]] = []
    if message.get("content"):
        events.append({"role": "assistant", "content": message.get("content"), **rest, **stamp, "calls": len(calls)})
    for at, call in enumerate(calls):
        value, more = _arguments(call["function"]["arguments"])
        event = {"role": "tool_call", "name": call["function"]["name"], "args": value, "id": call["id"]} | more | stamp
        events.append(event | ({"assistant": rest} if not at and not events else {}))
    return events


def _arguments(written: str) -> tuple[Any, dict[str, str]]:
    """The value for `args`, and the model's own text where the value does not give it back."""
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return written, {}
    return value, {} if not isinstance(value, str) and arguments_of(value) == written else {"arguments": written}


# --- Reading ----------------------------------------------------------------------------------------------------------


def read(lines: Iterable[bytes]) -> Transcript:
    """Lines that are no event are counted, empty ones are not."""
    told = Transcript()
    told.messages = _messages(objects(lines, told), told)
    return told


def _messages(events: Iterable[dict[str, Any]], told: Transcript) -> Iterator[Message]:
    reader = Reader()
    for event in events:
        try:
            yield from reader.take(event)
        except ValueError:
            told.skipped += 1
    yield from reader.rest()


def _joined(events: Sequence[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
    reader = Reader()
    try:
        return [message for event in events for message in reader.take(event)] + list(reader.rest())
    except ValueError:
        return []


class Reader:
    """Makes messages of events: an answer is given out when the first event behind its calls has come."""

    def __init__(self, made: int = 0) -> None:
        self._answer: dict[str, Any] | None = None
        self._open: list[tuple[str, str]] = []  # id and name of calls without a result
        self._awaited = 0
        self._made = made

    def take(self, event: Mapping[str, Any]) -> Iterator[Message]:
        """The messages that are complete now. Raises: ValueError for what is no event."""
        role = event.get("role")
        if is_message(whole := event.get("message")):
            yield from self.rest()
            yield cast("Message", whole)
        elif role == "tool_call":
            yield from self._take_call(event)
        elif role == "tool_result":
            yield from self.rest()
            yield self._result(event)
        elif is_message(event):
            yield from self.rest()
            self._take_message(event)
            if not self._awaited:
                yield from self.rest()
        else:
            raise ValueError("a line needs a role")

    def rest(self) -> Iterator[Message]:
        if self._answer is not None:
            yield cast("Message", self._answer)
        self._answer, self._awaited = None, 0

    def _take_message(self, event: Mapping[str, Any]) -> None:
        message = {key: value for key, value in event.items() if key not in ("calls", "no_ts")}
        if event.get("no_ts"):
            message.pop("ts", None)
        calls = event.get("calls")
        self._awaited = calls if type(calls) is int and calls > 0 else 0
        if event.get("role") != "assistant":
            self._open, self._awaited = [], 0
        self._answer = message

    def _take_call(self, event: Mapping[str, Any]) -> Iterator[Message]:
        if not text(event.get("name")):
            raise ValueError("a tool_call needs a name")
        answer = self._answer
        if "assistant" in event or answer is None or not (self._awaited or "tool_calls" in answer):
            yield from self.rest()
            self._answer = {"role": "assistant", "content": None} | fields(event.get("assistant"))
            if "assistant" in event and "content" not in fields(event["assistant"]):
                del self._answer["content"]
            if event.get("ts") and not event.get("no_ts"):
                self._answer["ts"] = event["ts"]
            self._open = []
        assert self._answer is not None
        call = self.call(event)
        self._answer.setdefault("tool_calls", []).append(call)
        self._open.append((call["id"], call["function"]["name"]))

    def call(self, event: Mapping[str, Any]) -> dict[str, Any]:
        written = event.get("arguments")
        if not isinstance(written, str):
            written = arguments_of(event.get("args", {}))
        function = {"name": event["name"], "arguments": written}
        return {"id": text(event.get("id")) or self._new_id(), "type": "function", "function": function}

    def _result(self, event: Mapping[str, Any]) -> Message:
        name, known = text(event.get("name")), text(event.get("id"))
        paired = next((call for call in self._open if known and call[0] == known), None)
        if paired is None and not known:
            paired = next((call for call in self._open if call[1] == name), None)
        if paired is not None:
            self._open.remove(paired)
        call_id = known or (paired[0] if paired else self._new_id())
        content = event.get("result")
        content = content if isinstance(content, str) else "" if content is None else arguments_of(content)
        message: dict[str, Any] = {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}
        gone = ("role", "name", "result", "id", "no_ts", *(("ts",) if event.get("no_ts") else ()))
        return cast("Message", message | {key: value for key, value in event.items() if key not in gone})

    def _new_id(self) -> str:
        self._made += 1
        return f"call_line_{self._made}"


def is_event(message: Mapping[str, Any]) -> bool:
    """Whether it is a line of a call or a result, which no chat-completions message is."""
    return message.get("role") in _EVENTS


def as_message(event: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> Message:
    """One `tool_call` or `tool_result` as a message behind these. Raises: ValueError for a call without a name."""
    reader = Reader(made=sum(len(calls_of(message)) or message.get("role") == "tool" for message in before))
    reader._open = _open_calls(before)  # pyright: ignore[reportPrivateUsage]
    return [*reader.take(event), *reader.rest()][-1]


def _open_calls(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The calls at the end that have no result yet."""
    answered = {message.get("tool_call_id") for message in messages if message.get("role") == "tool"}
    found: list[tuple[str, str]] = []
    for message in reversed(messages):
        if message.get("role") not in ("assistant", "tool"):
            break
        found[:0] = [(c["id"], c["function"]["name"]) for c in calls_of(message) if c["id"] not in answered]
    return found
