"""What every reader here gives and every writer takes: a conversation as a value. And the small things they share.

Not here: any format (a file each), files and stores (whoever calls).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from scratchy.core.messages import Message, ToolCall
from scratchy.core.stored import Header

AWAY = ("machine", "machine_from", "endpoint", "folder", "project")
"""Header metadata that says where a session was held: no export carries it."""
TITLE = 200  # characters


class Blob(NamedTuple):
    """Something big that messages refer to by its id, the hash of its bytes."""

    data: bytes
    tool: str = ""
    type: str = "text"


class Written(NamedTuple):
    """A conversation to write down. `messages` may be read as they are asked for, once."""

    header: Header
    messages: Iterable[Message]
    blobs: Mapping[str, Blob] = {}


class Transcript:
    """A conversation that was read. `messages` may be read as they are asked for, once; `title`, `notes` (a sentence
    each), `left` (what did not come along, and how many) and `skipped` (lines or messages that are none) are whole when
    they are through. `updated_at`: where the file itself says when the last thing was said."""

    def __init__(self, messages: Iterable[Message] = (), *, session_id: str = "", created_at: str = "") -> None:
        self.messages = messages
        self.session_id = session_id
        self.created_at = created_at
        self.updated_at = ""
        self.title = ""
        self.metadata: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}  # unknown header keys
        self.blobs: Mapping[str, Blob] = {}
        self.notes: list[str] = []
        self.left: dict[str, int] = {}
        self.skipped = 0

    def name(self, title: str) -> None:
        """The title, as one line of a decent length."""
        self.title = " ".join(title.split())[:TITLE]


def readable(blobs: Mapping[str, Blob]) -> Iterator[tuple[str, Blob]]:
    """Each blob that can be read, one at a time; a damaged one is left out."""
    for blob_id in blobs:
        try:
            yield blob_id, blobs[blob_id]
        except LookupError:
            continue


def exported_header(header: Header, *, full: bool = False) -> Header:
    """The header without what belongs to this machine; `full` keeps the folder."""
    gone = [key for key in AWAY if not (full and key == "folder")]
    return header._replace(metadata={key: header.metadata[key] for key in header.metadata if key not in gone})


def objects(lines: Iterable[bytes], told: Transcript) -> Iterator[dict[str, Any]]:
    """The JSON objects of lines, one each; what is none is counted in `told`, an empty line is not."""
    for line in lines:
        if not (line := line.strip(b" \t\r\n\0").removeprefix(b"\xef\xbb\xbf")):
            continue
        value = json_value(line)
        if isinstance(value, dict):
            yield cast("dict[str, Any]", value)
        else:
            told.skipped += 1


def json_value(data: bytes | str) -> Any:
    """The value of a JSON text; None when it is none."""
    try:
        return json.loads(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError):
        return None


def is_message(value: Any) -> bool:
    """Whether it is a dict with a role."""
    return isinstance(value, dict) and bool(text(cast("dict[str, Any]", value).get("role")))


def messages_of(values: Sequence[Any], told: Transcript) -> list[Message]:
    """Those of the values that are messages; the others are counted."""
    found = [value for value in values if is_message(value)]
    told.skipped += len(values) - len(found)
    return found


def text(value: Any) -> str:
    """The value if it is a string, else nothing."""
    return value if isinstance(value, str) else ""


def fields(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def entries(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def whole(value: Any) -> int:
    """The value if it is a count, else 0."""
    return value if type(value) is int and value >= 0 else 0


def arguments_of(value: Any) -> str:
    """A call's arguments as the string that a message holds: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def tool_call(call_id: str, name: str, arguments: Any) -> ToolCall:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments_of(arguments)}}


def assistant(content: str, calls: Sequence[ToolCall] = (), *, stamp: str = "") -> Message:
    message: Message = {"role": "assistant", "content": content or None if calls else content}
    if calls:
        message["tool_calls"] = list(calls)
    return stamped(message, stamp)


def stamped(message: Message, stamp: str) -> Message:
    if stamp:
        message["ts"] = stamp
    return message


def utc(value: Any) -> str:
    """A time as other programs write it (ISO-8601, seconds or milliseconds since the epoch) as UTC with milliseconds
    and `Z`; nothing for what is no time."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        else:
            return ""
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    except (ValueError, OverflowError, OSError):
        return ""


def image(media_type: Any, data: Any) -> dict[str, Any] | None:
    """A picture in a message, as the chat-completions API has it; None for what is none."""
    if not re.fullmatch(r"image/[a-z0-9.+-]{1,40}", text(media_type)) or not text(data):
        return None
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}


def with_images(words: str, images: Sequence[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """The content of a message: text, or parts where there are pictures."""
    if not images:
        return words
    return [*([{"type": "text", "text": words}] if words else []), *images]


def left_out(told: Transcript, count: int, what: str) -> None:
    """So many of these did not come along; `what` begins with a noun: "message of a subagent"."""
    if count:
        told.left[what] = told.left.get(what, 0) + count
