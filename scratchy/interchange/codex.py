"""Sessions of Codex: ~/.codex/sessions/<year>/<month>/<day>/rollout-*.jsonl. Read of version 0.169.0.

A line is {"timestamp", "type", "payload"}; the conversation is the lines of type `response_item`, whose payload is an
item of the Responses API: `message`, `function_call`, `function_call_output`, `custom_tool_call`, `local_shell_call`,
`reasoning`. Older versions wrote the items bare. What Codex itself says to the model (developer, environment) is no
part of the conversation.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from scratchy.core.messages import Message
from scratchy.core.session import result
from scratchy.interchange.transcript import (
    Transcript,
    arguments_of,
    assistant,
    entries,
    fields,
    json_value,
    left_out,
    objects,
    stamped,
    text,
    tool_call,
    utc,
    with_images,
)

_KINDS = ("session_meta", "response_item", "event_msg", "turn_context", "compacted")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning", "local_shell_call")
_NOT_SAID = ("<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<turn_aborted>")


def is_one(event: dict[str, Any]) -> bool:
    if event.get("type") in _KINDS and "payload" in event:
        return True
    bare = event.get("type") in _ITEMS and ("content" in event or "call_id" in event or "summary" in event)
    return bare or {"id", "timestamp", "instructions"} <= event.keys()


def read(lines: Iterable[bytes]) -> Transcript:
    told = Transcript()
    told.messages = _Reader(told).messages(objects(lines, told))
    return told


class _Reader:
    def __init__(self, told: Transcript) -> None:
        self._told = told
        self._answer: Message | None = None
        self._names: dict[str, str] = {}
        self._model = ""
        self._left = {"piece of reasoning": 0, "message of Codex itself": 0}

    def messages(self, events: Iterable[dict[str, Any]]) -> Iterator[Message]:
        for event in events:
            payload = fields(event.get("payload")) or event
            kind = event.get("type")
            if kind == "session_meta" or (kind is None and "instructions" in event):
                self._told.session_id = "codex-" + text(payload.get("id"))[-8:]
                self._told.created_at = utc(payload.get("timestamp"))
            elif kind == "turn_context":
                self._model = text(payload.get("model"))
            elif kind == "response_item" or (kind in _ITEMS and "payload" not in event):
                yield from self._take(payload, utc(event.get("timestamp")))
        yield from self._flush()
        for what, count in self._left.items():
            left_out(self._told, count, what)

    def _take(self, item: dict[str, Any], stamp: str) -> Iterator[Message]:
        call_id = text(item.get("call_id")) or text(item.get("id"))
        match item.get("type"):
            case "message":
                yield from self._take_message(item, stamp)
            case "function_call":
                self._call(call_id, text(item.get("name")), item.get("arguments", ""), stamp)
            case "custom_tool_call":
                self._call(call_id, text(item.get("name")), item.get("input", ""), stamp)
            case "local_shell_call":
                self._call(call_id, "local_shell", item.get("action", {}), stamp)
            case "function_call_output" | "custom_tool_call_output":
                yield from self._flush()
                yield stamped(result(call_id, self._names.get(call_id, ""), _output(item), is_error=False), stamp)
            case "reasoning":
                self._left["piece of reasoning"] += 1
            case _:
                self._told.skipped += 1

    def _take_message(self, item: dict[str, Any], stamp: str) -> Iterator[Message]:
        parts = [fields(part) for part in entries(item.get("content"))]
        words = "".join(text(part.get("text")) for part in parts)
        role = item.get("role")
        if role == "assistant":
            yield from self._flush()
            self._answer = self._begin(words, stamp)
        elif role == "user" and not words.startswith(_NOT_SAID):
            yield from self._flush()
            urls = [text(part.get("image_url")) for part in parts if part.get("type") == "input_image"]
            images: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls if url]
            yield stamped({"role": "user", "content": with_images(words, images)}, stamp)
        else:
            self._left["message of Codex itself"] += 1

    def _begin(self, words: str, stamp: str) -> Message:
        answer = assistant(words, stamp=stamp)
        if self._model:
            answer["model"] = self._model
        return answer

    def _call(self, call_id: str, name: str, arguments: Any, stamp: str) -> None:
        self._names[call_id] = name
        if self._answer is None:
            self._answer = self._begin("", stamp)
        self._answer.setdefault("tool_calls", []).append(tool_call(call_id, name, arguments))

    def _flush(self) -> Iterator[Message]:
        if self._answer is not None:
            yield self._answer
        self._answer = None


def _output(item: dict[str, Any]) -> str:
    """The text of a tool's output: a string, parts, or (older) JSON with `output` in it."""
    output = item.get("output")
    if isinstance(output, list):
        return "".join(text(fields(part).get("text")) for part in entries(output))
    if isinstance(output, dict):
        return text(fields(output).get("content")) or arguments_of(output)
    inner = fields(json_value(text(output))) if text(output).startswith('{"output"') else {}
    return text(inner.get("output")) or text(output)
