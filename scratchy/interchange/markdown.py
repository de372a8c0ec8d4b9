"""Markdown for people: a heading a message, tool calls and results as fenced blocks. One way only."""

import re
from collections.abc import Iterator

from scratchy.core.images import shown_of
from scratchy.core.messages import Message, attached_of, calls_of, text_of
from scratchy.interchange.transcript import Written

_HEADINGS = {"system": "System", "user": "You", "assistant": "Assistant", "tool": "Tool"}
LOST = "what is no text (usage, times but those of messages)"


def dump(session: Written) -> Iterator[str]:
    header = session.header
    yield f"# {_one_line(header.session_id)}\n\n"
    if header.title:
        yield f"{_one_line(header.title)} ({header.created_at})\n\n"
    for at, message in enumerate(session.messages):
        yield ("\n" if at else "") + _section(message)


def _section(message: Message) -> str:
    role = str(message.get("role", ""))
    heading = _one_line(_HEADINGS.get(role, role))
    name = f" `{_one_line(str(message.get('name')))}`" if role == "tool" and message.get("name") else ""
    when = f" ({_one_line(str(message.get('ts')))})" if message.get("ts") else ""
    text = text_of(message) if role == "tool" else shown_of(message)
    body = fenced(text) if role == "tool" else text
    calls = "".join(
        f"\n\nCalls `{_one_line(call['function']['name'])}`:\n\n{fenced(call['function']['arguments'], 'json')}"
        for call in calls_of(message)
    )
    texts = "".join(
        f"\n\nAttached `{_one_line(one['name'])}`:\n\n{fenced(one['text'])}" for one in attached_of(message)
    )
    return f"## {heading}{name}{when}\n\n{body}{texts}{calls}\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def fenced(text: str, language: str = "") -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
