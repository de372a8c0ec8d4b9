"""Session files that other programs, or older Scratchy, wrote: any TOON, or JSON under the name `.toon`.

Pure, like `toonfile`. Such a file has no uncommitted tail: it is read whole and strictly, or it is damaged.
"""

import re
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import toons

from scratchy.core.stored import Header
from scratchy.store.toonfile import DamageError, FutureError, check_items, make_header, plain

_VERSION = rb'(?m)^\s*"?version"?: *([0-9]{1,9}),?\r?$'


def decode_foreign(data: bytes, changed: float) -> tuple[Header, list[dict[str, Any]]]:
    """Header and messages. `changed` (seconds since the epoch) stands in for times that the file does not tell.

    Raises: DamageError, FutureError.
    """
    try:
        document = _decode(data)
    except DamageError:
        found = re.search(_VERSION, data[:4096])
        if found and int(found[1]) > 1:
            raise FutureError(f"made by a newer Scratchy (version {int(found[1])})") from None
        raise
    fields: dict[str, Any] = {"messages": document} if isinstance(document, list) else document
    if not isinstance(document, (list, dict)):
        raise DamageError("it is neither an object nor a list of messages")
    header = make_header({key: value for key, value in fields.items() if value is not None})
    if "messages" not in fields:
        raise DamageError("it has no messages", len(data))
    messages = check_items(fields["messages"])
    when = time_text(changed)
    created = _in_utc(header.created_at) or when
    updated = _in_utc(header.updated_at) or when
    return Header(header.session_id, created, updated, header.title, header.metadata, header.extra), messages


def _decode(data: bytes) -> Any:
    if not data.strip(b"\0 \r\n\t"):
        raise DamageError("it is empty")
    if b"\0" in data:
        raise DamageError("NUL bytes", data.index(b"\0"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamageError("bytes that are no UTF-8", error.start) from None
    looks_json = text.lstrip()[:1] in ("{", "[")
    json = import_module("json")  # only for such a file: this module is on the way to the prompt
    try:
        if looks_json:
            return plain(json.loads(text))
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{"):
            place: int = getattr(error, "pos", 0)
            raise DamageError(f"it is no JSON ({error})", len(text[:place].encode())) from None
    try:
        return toons.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.line if isinstance(error, toons.ToonDecodeError) else None
        at = len("\n".join(text.split("\n")[: (line or 1) - 1]).encode())
        raise DamageError(f"it does not decode ({error})", at) from None


def _in_utc(text: str) -> str:
    """Older Scratchy wrote naive local times; what is no time at all stays as it is."""
    try:
        when = datetime.fromisoformat(text)
        return utc_text(when.astimezone(UTC)) if when.tzinfo is None else text
    except (ValueError, OverflowError, OSError):
        return text


def time_text(seconds: float) -> str:
    """Seconds since the epoch as `utc_text`; a file's time may lie beyond the calendar: then the epoch itself."""
    try:
        return utc_text(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return utc_text(datetime.fromtimestamp(0, UTC))


def utc_text(when: datetime) -> str:
    """UTC with milliseconds and `Z`: always 24 characters."""
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
