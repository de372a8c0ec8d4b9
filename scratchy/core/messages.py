"""One shape for a message: the chat-completions dict, in memory, in the file and on the wire.

Lives here: the typed dicts and small readers of them. Not here: conversions for an API (providers), the file (store).
"""

from collections.abc import Mapping
from typing import Any, Literal, Required, TypedDict, cast

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length", "tool_calls", "error", "aborted"]
_MOST_TOKENS = 10**12  # of a request; more is no count


class Function(TypedDict):
    """`arguments` stays the string that the model wrote, even when it is not valid JSON."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    id: str
    type: Literal["function"]
    function: Function


class Usage(TypedDict, total=False):
    """Tokens of one request, as the server counted them. `cached_tokens` are those of the prompt that the server still
    had, `reasoning_tokens` those of the completion that were thought and not said."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class FileChange(TypedDict):
    """What a tool did to one file. `path` is absolute; `before` and `after` are the scratchpad's ids of the contents
    (None: there was no file), of which `before` lies there; `mode` the permission bits before, None as `before`."""

    path: str
    before: str | None
    after: str | None
    mode: int | None


class Attachment(TypedDict):
    """A text that a line mentions: `name` as it was written (`@notes.md`), `text` as it was then."""

    name: str
    text: str


class Message(TypedDict, total=False):
    """The chat-completions message plus our own optional keys (from `ts` on). Unknown keys are kept, never sent.

    `ts` is UTC ISO-8601 with `Z`; `duration_ms` whole milliseconds; `context` (date, folder) is joined in front of
    `content` when a request is built, `attached` (read with `attached_of`) behind it; `files`: what a tool's call
    changed, read with `files_of`. An image is a part `{"type": "image_url", "image_url": {"url": "blob:<id>"}}`, its
    bytes in the scratchpad. `content` may be
    anything JSON in a file that somebody else wrote: read it with `text_of`.
    """

    role: Required[str]
    content: str | list[dict[str, Any]] | None
    tool_calls: list[ToolCall]
    tool_call_id: str
    name: str
    ts: str
    model: str
    usage: Usage
    stop_reason: StopReason
    duration_ms: int
    is_error: bool
    id: str
    context: str
    files: list[FileChange]
    attached: list[Attachment]


class ToolSpec(TypedDict):
    """What a model is told of a tool: `{"type": "function", "function": {"name", "description", "parameters"}}`."""

    type: Literal["function"]
    function: dict[str, Any]


def text_of(message: Mapping[str, Any]) -> str:
    """The message's text, whatever shape its content has: parts are joined, other JSON is shown as Python prints it."""
    content: Any = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text_of_part(part) for part in cast("list[Any]", content))
    return str(content)


def _text_of_part(part: Any) -> str:
    text = cast("dict[str, Any]", part).get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""


def calls_of(message: Mapping[str, Any]) -> list[ToolCall]:
    """The message's well-formed tool calls; what is malformed (a file that somebody else wrote) is left out."""
    calls: Any = message.get("tool_calls")
    return [call for call in cast("list[Any]", calls) if _is_call(call)] if isinstance(calls, list) else []


def _is_call(call: Any) -> bool:
    if not isinstance(call, dict):
        return False
    fields = cast("dict[str, Any]", call)
    function: Any = fields.get("function")
    if not isinstance(function, dict) or not isinstance(fields.get("id"), str):
        return False
    inner = cast("dict[str, Any]", function)
    return isinstance(inner.get("name"), str) and isinstance(inner.get("arguments"), str)


def files_of(message: Mapping[str, Any]) -> list[FileChange]:
    """The message's well-formed file changes; what is malformed (a file that somebody else wrote) is left out."""
    files: Any = message.get("files")
    return [one for one in cast("list[Any]", files) if _is_change(one)] if isinstance(files, list) else []


def _is_change(change: Any) -> bool:
    if not isinstance(change, dict):
        return False
    fields = cast("dict[str, Any]", change)
    mode: Any = fields.get("mode")
    return (
        isinstance(fields.get("path"), str)
        and all(isinstance(fields.get(key), str | None) for key in ("before", "after"))
        and (mode is None or (isinstance(mode, int) and 0 <= mode <= 0o7777))
    )


def usage_of(message: Mapping[str, Any]) -> Usage:
    """The message's well-formed counts; what is malformed (a file that somebody else wrote) is left out."""
    told: Any = message.get("usage")
    counts = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    good = {key: counts[key] for key in Usage.__annotations__ if type(counts.get(key)) is int}
    return cast("Usage", {key: count for key, count in good.items() if 0 <= count < _MOST_TOKENS})


def attached_of(message: Mapping[str, Any]) -> list[Attachment]:
    """The message's well-formed attachments; what is malformed (a file that somebody else wrote) is left out."""
    texts: Any = message.get("attached")
    return [one for one in cast("list[Any]", texts) if _is_attachment(one)] if isinstance(texts, list) else []


def _is_attachment(one: Any) -> bool:
    if not isinstance(one, dict):
        return False
    fields = cast("dict[str, Any]", one)
    return isinstance(fields.get("name"), str) and isinstance(fields.get("text"), str)
