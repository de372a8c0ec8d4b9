"""Sessions of Claude Code: ~/.claude/projects/<folder>/<session>.jsonl. Read of version 2.1.197, as its program writes.

A line is an entry of a tree: {"type": "user" | "assistant" | …, "uuid", "parentUuid", "message": {Anthropic's message},
"timestamp", "isSidechain", "isMeta"}. Each block of an answer is a line; `message.id` tells which belong together.
A prompt that was edited has a sibling with the same parent: only the newest and what hangs below it is read.
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

_STOPS = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length"}
_SENT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
Lines = Callable[[], Iterable[bytes]]


def is_one(event: dict[str, Any]) -> bool:
    return {"sessionId", "type"} <= event.keys() or {"leafUuid", "summary"} <= event.keys()


def read(lines: Lines) -> Transcript:
    """`lines` gives them from the first on, each time it is called: the tree is read first, then its messages."""
    told = Transcript()
    abandoned = _abandoned(objects(lines(), Transcript()), told)
    told.messages = _Reader(told, abandoned).messages(objects(lines(), told))
    return told


def _abandoned(events: Iterable[dict[str, Any]], told: Transcript) -> set[str]:
    """The entries below prompts that were edited later. A parent stands before its children."""
    newest: dict[str, str] = {}
    parents: dict[str, str] = {}
    prompts: list[tuple[str, str]] = []
    for event in events:
        own, parent = text(event.get("uuid")), text(event.get("parentUuid"))
        told.session_id = told.session_id or "claude-" + text(event.get("sessionId"))[:8]
        told.created_at = told.created_at or utc(event.get("timestamp"))
        if event.get("type") in ("summary", "ai-title", "custom-title"):
            told.name(text(event.get("summary")) or text(event.get("aiTitle")) or text(event.get("customTitle")))
        parents[own] = parent
        if _is_prompt(event):
            prompts.append((own, parent))
            newest[parent] = own
    gone = {own for own, parent in prompts if newest[parent] != own}
    if gone:
        for own, parent in parents.items():
            if parent in gone:
                gone.add(own)
    return gone


def _is_prompt(event: dict[str, Any]) -> bool:
    if event.get("type") != "user" or event.get("isSidechain") or event.get("isMeta"):
        return False
    content = fields(event.get("message")).get("content")
    return not any(fields(block).get("type") == "tool_result" for block in entries(content))


class _Reader:
    def __init__(self, told: Transcript, abandoned: set[str]) -> None:
        self._told = told
        self._gone = abandoned
        self._answer: Message | None = None
        self._answer_id = ""
        self._names: dict[str, str] = {}
        self._left = {"message of an abandoned branch": 0, "message of a subagent": 0, "block of thinking": 0}

    def messages(self, events: Iterable[dict[str, Any]]) -> Iterator[Message]:
        for event in events:
            if event.get("type") not in ("user", "assistant") or event.get("isMeta"):
                continue
            if text(event.get("uuid")) in self._gone:
                self._left["message of an abandoned branch"] += 1
            elif event.get("isSidechain"):
                self._left["message of a subagent"] += 1
            else:
                yield from self._take(event)
        yield from self._flush()
        for what, count in self._left.items():
            left_out(self._told, count, what)

    def _take(self, event: dict[str, Any]) -> Iterator[Message]:
        message, stamp = fields(event.get("message")), utc(event.get("timestamp"))
        content = message.get("content")
        blocks = [fields(block) for block in entries(content)] or [{"type": "text", "text": text(content)}]
        if event["type"] == "assistant":
            yield from self._take_answer(message, blocks, stamp)
            return
        yield from self._flush()
        for block in blocks:
            if block.get("type") == "tool_result":
                yield self._result(block, stamp)
        words, images = _parts(blocks)
        if words or images:
            yield stamped({"role": "user", "content": with_images(words, images)}, stamp)

    def _take_answer(self, message: dict[str, Any], blocks: list[dict[str, Any]], stamp: str) -> Iterator[Message]:
        if self._answer is None or text(message.get("id")) != self._answer_id:
            yield from self._flush()
            self._answer, self._answer_id = _begin(message, stamp), text(message.get("id"))
        words = "".join(text(block.get("text")) for block in blocks if block.get("type") == "text")
        before = self._answer.get("content")
        self._answer["content"] = "\n\n".join(part for part in (text(before), words) if part)
        for block in blocks:
            if block.get("type") == "tool_use":
                call = tool_call(text(block.get("id")), text(block.get("name")), block.get("input", {}))
                self._names[call["id"]] = call["function"]["name"]
                self._answer.setdefault("tool_calls", []).append(call)
            elif block.get("type") in ("thinking", "redacted_thinking"):
                self._left["block of thinking"] += 1

    def _flush(self) -> Iterator[Message]:
        if self._answer is not None and (self._answer.get("content") or "tool_calls" in self._answer):
            yield self._answer
        self._answer = None

    def _result(self, block: dict[str, Any], stamp: str) -> Message:
        call_id = text(block.get("tool_use_id"))
        content = block.get("content")
        words = content if isinstance(content, str) else _parts([fields(part) for part in entries(content)])[0]
        message = result(call_id, self._names.get(call_id, ""), words, is_error=block.get("is_error") is True)
        return stamped(message, stamp)


def _begin(message: dict[str, Any], stamp: str) -> Message:
    answer = assistant("", stamp=stamp)
    usage = fields(message.get("usage"))
    sent = sum(whole(usage.get(key)) for key in _SENT)
    got = whole(usage.get("output_tokens"))
    if text(message.get("model")) and message["model"] != "<synthetic>":
        answer["model"] = message["model"]
    if sent or got:
        answer["usage"] = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
    if message.get("stop_reason") in _STOPS:
        answer["stop_reason"] = _STOPS[message["stop_reason"]]  # type: ignore[typeddict-item]
    return answer


def _parts(blocks: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The text and the pictures of blocks."""
    words = "\n\n".join(text(block.get("text")) for block in blocks if block.get("type") == "text")
    sources = [fields(block.get("source")) for block in blocks if block.get("type") == "image"]
    pictures = [image(source.get("media_type"), source.get("data")) for source in sources]
    return words, [picture for picture in pictures if picture is not None]
