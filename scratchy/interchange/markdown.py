"""Markdown for people: a heading a message, tool calls and results as fenced blocks. One way only."""

import re
from collections.abc import Sequence

from scratchy.core.messages import Message, calls_of, text_of

_HEADINGS = {"system": "System", "user": "You", "assistant": "Assistant", "tool": "Tool"}


def dump(messages: Sequence[Message], session_id: str) -> str:
    return f"# {session_id}\n\n" + "\n".join(_section(message) for message in messages)


def _section(message: Message) -> str:
    role = message.get("role", "")
    heading = _HEADINGS.get(role, role)
    name = f" `{message.get('name')}`" if role == "tool" and message.get("name") else ""
    when = f" ({message.get('ts')})" if message.get("ts") else ""
    text = text_of(message)
    body = _fenced(text) if role == "tool" else text
    calls = "".join(
        f"\n\nCalls `{call['function']['name']}`:\n\n{_fenced(call['function']['arguments'], 'json')}"
        for call in calls_of(message)
    )
    return f"## {heading}{name}{when}\n\n{body}{calls}\n"


def _fenced(text: str, language: str = "") -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
