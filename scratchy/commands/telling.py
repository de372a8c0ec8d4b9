"""How messages are told in lines: with their number in the transcript, a tool call on one line.

Not here: which messages (talk.py), colours (the faces), exports (interchange).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scratchy.core.images import shown_of
from scratchy.core.messages import Message, ToolCall, attached_of, calls_of

_RESULT = 400  # characters of a tool's result
_VALUE = 60  # characters of one argument, except the first
_CALL = 200


def counted(count: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def messages_text(messages: Sequence[Message], first: int, marked: int | None = None) -> str:
    """`messages`, of which the first is number `first` of the transcript; number `marked` stands out."""
    numbered = enumerate(messages, first)
    return "\n\n".join(("→ " if number == marked else "") + _message(number, message) for number, message in numbered)


def call_text(call: ToolCall) -> str:
    """A tool call on one line: `read_file notes.txt`; what is no JSON object stands as the model wrote it."""
    function = call["function"]
    return _one_line(f"{function['name']} {arguments_text(function['arguments'])}", _CALL)


def arguments_text(arguments: str) -> str:
    """A call's arguments on one line: the first value bare, the others named."""
    try:
        values: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return _one_line(arguments, _CALL)
    if not isinstance(values, dict):
        return _one_line(arguments, _CALL)
    told = [_value(value, key if at else "") for at, (key, value) in enumerate(values.items())]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return _one_line(" ".join(told), _CALL)


def _value(value: Any, key: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{key}={_one_line(text, _VALUE)}" if key else _one_line(text, _CALL)


def _message(number: int, message: Mapping[str, Any]) -> str:
    who = {"user": "You", "assistant": "Assistant", "system": "System"}.get(
        message.get("role", ""), message.get("name") or "tool"
    )
    text = shown_of(message)
    if message.get("role") == "tool" and len(text) > _RESULT:
        text = f"{text[:_RESULT]}…"
    calls = [f"→ {call_text(call)}" for call in calls_of(message)]
    texts = [f"[attached: {one['name']}, {len(one['text']):,} characters]" for one in attached_of(message)]
    return "\n".join([f"#{number} {who}: {text}".rstrip(), *texts, *calls])


def _one_line(text: str, length: int) -> str:
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
