"""Sessions of pi: ~/.pi/agent/sessions/<folder>/<time>_<id>.jsonl. Read of @mariozechner/pi-coding-agent 0.73.1, as it
writes them (format 3).

The first line is {"type": "session", "id", "version"}; each other one an entry {"type", "id", "parentId", "timestamp"}
of a tree whose last entry is where the conversation stands: the way from there to the root is what is read.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scratchy.core.messages import Message
from scratchy.core.session import result
from scratchy.interchange.transcript import (
    Transcript,
    assistant,
    entries,
    fields,
    image,
    left_out,
    objects,
    stamped,
    text,
    tool_call,
    utc,
    whole,
    with_images,
)

_STOPS = {"stop": "stop", "toolUse": "tool_calls", "length": "length", "error": "error", "aborted": "aborted"}


def is_one(event: dict[str, Any]) -> bool:
    return event.get("type") == "session" and "id" in event and "timestamp" in event


def read(lines: Callable[[], Iterable[bytes]]) -> Transcript:
    """`lines` gives them from the first on, each time it is called."""
    told = Transcript()
    way = _way(objects(lines(), Transcript()))
    told.messages = _messages(objects(lines(), told), told, way)
    return told


def _way(events: Iterable[dict[str, Any]]) -> set[str]:
    parents: dict[str, str] = {}
    last = ""
    for event in events:
        if event.get("type") != "session" and (own := text(event.get("id"))):
            parents[own] = text(event.get("parentId"))
            last = own
    way: set[str] = set()
    while last and last not in way:
        way.add(last)
        last = parents.get(last, "")
    return way


def _messages(events: Iterable[dict[str, Any]], told: Transcript, way: set[str]) -> Iterator[Message]:
    left = {"message of another branch": 0, "block of thinking": 0}
    for event in events:
        kind, own = event.get("type"), text(event.get("id"))
        if kind == "session":
            told.session_id, told.created_at = f"pi-{own[-8:]}", utc(event.get("timestamp"))
        elif kind == "session_info":
            told.name(text(event.get("name")))
        elif kind == "message" and own and own not in way:
            left["message of another branch"] += 1
        elif kind == "message":
            message = fields(event.get("message"))
            blocks = [fields(block) for block in entries(message.get("content"))]
            left["block of thinking"] += sum(block.get("type") == "thinking" for block in blocks)
            made = _message(message, blocks, utc(event.get("timestamp")))
            if made is None:
                told.skipped += 1
            else:
                yield made
    for what, count in left.items():
        left_out(told, count, what)


def _message(message: dict[str, Any], blocks: list[dict[str, Any]], stamp: str) -> Message | None:
    content = message.get("content")
    words = text(content) or "".join(text(b.get("text")) for b in blocks if b.get("type") == "text")
    pictures = [image(b.get("mimeType"), b.get("data")) for b in blocks if b.get("type") == "image"]
    images = [picture for picture in pictures if picture is not None]
    match message.get("role"):
        case "user":
            return stamped({"role": "user", "content": with_images(words, images)}, stamp)
        case "assistant":
            return _answer(message, blocks, words, stamp)
        case "toolResult":
            call_id, name = text(message.get("toolCallId")), text(message.get("toolName"))
            return stamped(result(call_id, name, words, is_error=message.get("isError") is True), stamp)
        case _:
            return None


def _answer(message: dict[str, Any], blocks: list[dict[str, Any]], words: str, stamp: str) -> Message:
    uses = [block for block in blocks if block.get("type") == "toolCall"]
    calls = [tool_call(text(use.get("id")), text(use.get("name")), use.get("arguments", {})) for use in uses]
    answer = assistant(words, calls, stamp=stamp)
    if text(message.get("model")):
        answer["model"] = message["model"]
    usage = fields(message.get("usage"))
    sent = sum(whole(usage.get(key)) for key in ("input", "cacheRead", "cacheWrite"))
    if sent or whole(usage.get("output")):
        got = whole(usage.get("output"))
        answer["usage"] = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
    if message.get("stopReason") in _STOPS:
        answer["stop_reason"] = _STOPS[message["stopReason"]]  # type: ignore[typeddict-item]
    return answer
