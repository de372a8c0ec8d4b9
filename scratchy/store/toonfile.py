"""The session file's format: pure functions between bytes and values. No path, no descriptor, no clock.

    session_id: my_project          header keys, then unknown keys in their order
    ...
    updated_at: "2026-11-20T12:36:03.554Z"      these two lines have a fixed width and are patched in place
    messages[3]:                                the count, then spaces
      - role: system                            items, in list form, each ends with a newline
        content: ...

A message is committed when the count covers it; what follows the last counted item is an uncommitted tail. Files of
another shape (tables, other key order, JSON) are read by `foreign.py`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import toons

from scratchy.core.stored import Header

VERSION = 1
HEAD = 4096  # the patched lines lie in the first block: one read, one small write that no power cut tears
DEPTH = 100

_STAMP = 24  # 2026-11-20T12:36:03.554Z
_STAMP_LINE = _STAMP + len('updated_at: ""\n')
_COUNT = 20  # `messages[123456789]:`
_OURS = frozenset(("session_id", "version", "title", "created_at", "metadata", "updated_at", "messages"))


class DamageError(ValueError):
    """The bytes are no session. `offset`: where, in bytes from the start, as well as that is known."""

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


class FutureError(DamageError):
    """Written by a newer Scratchy."""


class NoFileError(DamageError):
    """A folder, link, FIFO or device."""


class OtherError(DamageError):
    """Whole, but its header names another session than its file's name."""

    def __init__(self, named: str) -> None:
        super().__init__(f"its header names another session, {named!r}")


class Head(NamedTuple):
    """`total` messages are counted; `patch` is the offset of the `updated_at` line, `body` that of the first item."""

    header: Header
    total: int
    patch: int
    body: int


# --- Writing ----------------------------------------------------------------------------------------------------------


def encode_header(header: Header, count: int) -> bytes:
    fields: dict[str, Any] = {"session_id": header.session_id, "version": header.version}
    if header.title is not None:
        fields["title"] = header.title
    fields["created_at"] = header.created_at
    fields["metadata"] = dict(header.metadata)
    fields.update((key, value) for key, value in header.extra.items() if key not in _OURS)
    return (toons.dumps(plain(fields)) + "\n").encode() + encode_patch(header.updated_at, count)


def encode_patch(updated_at: str, count: int) -> bytes:
    """The last two header lines; `updated_at` as `utc_text` makes it."""
    return f'updated_at: "{updated_at}"\n{f"messages[{count}]:":<{_COUNT}}\n'.encode()


def is_stamp(text: str) -> bool:
    """Whether it has the width and the signs of a time as `encode_patch` needs it."""
    return len(text) == _STAMP and text[-1] == "Z" and not text.strip("0123456789-:.TZ")


def encode_items(messages: Sequence[Mapping[str, Any]], *, strict: bool = True) -> bytes:
    """Items in list form, as they stand in a file. Raises TypeError or ValueError for what is no message; not `strict`
    (files that others wrote): any object will do."""
    if not messages:
        return b""
    # The empty object at the end has other keys than any message: that forces the list form.
    check = check_message if strict else plain
    text = toons.dumps([*(check(message) for message in messages), {}])
    return text[text.index("\n") + 1 : -len("  -")].encode()


def check_message(message: Any) -> dict[str, Any]:
    """The message as it will be read back: lone surrogates replaced, NaN and infinities None, tuples lists."""
    if not isinstance(message, Mapping):
        raise TypeError(f"A message is a dict, not {type(message).__name__}.")
    checked = plain(cast("Mapping[str, Any]", message))
    if not isinstance(checked.get("role"), str):
        raise ValueError("A message needs a string 'role'.")
    return checked


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON has it. Raises TypeError for what JSON has not, ValueError when nested too deeply."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= DEPTH:
        raise ValueError(f"A message must not be nested deeper than {DEPTH} levels.")
    if isinstance(value, Mapping):
        fields = cast("Mapping[Any, Any]", value)
        return {_key(key): plain(fields[key], depth + 1) for key in fields}
    if isinstance(value, (list, tuple)):
        return [plain(entry, depth + 1) for entry in cast("Sequence[Any]", value)]
    raise TypeError(f"A message holds JSON values only, not {type(value).__name__}.")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # a pair of surrogates is a character; a lone one is replaced
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(value)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"A message's keys are strings, not {type(key).__name__}.")
    return _text(key)


# --- Reading ----------------------------------------------------------------------------------------------------------


def parse_head(data: bytes) -> Head | None:
    """The header at the start of a file in our form; None when the form is another, or `data` ends before it does.

    Raises: FutureError, or DamageError when it is our form with values that cannot be.
    """
    if data.startswith(b"\xef\xbb\xbf"):  # a byte-order mark: an editor wrote it
        return None
    at = data.find(b"\nmessages[") + 1
    end = data.find(b"\n", at)
    patch = at - _STAMP_LINE
    if end - at < _COUNT or patch < 1 or not data.startswith(b'\nupdated_at: "', patch - 1) or data[at - 2] != 0x22:
        return None
    count = data[at + 9 : end].rstrip(b" ")
    digits = count[:-2]
    if not (digits.isdigit() and count.endswith(b"]:")):
        return None
    try:
        fields: dict[str, Any] = toons.loads(data[:at].decode())
    except ValueError as error:
        raise DamageError(f"its header does not decode ({error})") from None
    return Head(make_header(fields), int(digits), patch, end + 1)


def make_header(fields: Mapping[str, Any]) -> Header:
    """The header of decoded top-level keys. Raises FutureError and DamageError for values that cannot be."""
    get = fields.get
    version: Any = get("version", VERSION)
    if type(version) is not int or version < 1:
        raise DamageError(f"its version is {version!r}")
    if version > VERSION:
        raise FutureError(f"made by a newer Scratchy (version {version})")
    session_id: Any = get("session_id", "")
    created: Any = get("created_at", "")
    updated: Any = get("updated_at", "")
    title: Any = get("title")
    metadata: Any = get("metadata") or {}
    if not (type(session_id) is type(created) is type(updated) is str and type(metadata) is dict):
        raise DamageError("its header has values that cannot be")
    if title is not None and type(title) is not str:
        raise DamageError(f"its title is {title!r}")
    extra: dict[str, Any] = {} if _OURS.issuperset(fields) else {key: fields[key] for key in fields if key not in _OURS}
    return Header(session_id, created, updated, title, cast("dict[str, Any]", metadata), extra, version)


def body_end(data: bytes, head: Head) -> int:
    """The offset behind the last counted item, found by its own indentation, whatever follows.

    `data` is the file from its start. Raises DamageError when there are fewer items than counted.
    """
    if data.count(b"\n  -", head.body - 1) == head.total > 0:  # no tail that looks like an item: the fast way
        return item_end(data, data.rfind(b"\n  -") + 1)
    starts = item_starts(data, head.body, head.total)
    if len(starts) < head.total:
        raise DamageError(f"{head.total} messages are counted, {len(starts)} are there", len(data))
    return item_end(data, starts[-1]) if starts else head.body


def item_starts(data: bytes, at: int, limit: int) -> list[int]:
    """The offsets of at most `limit` items from `at`, which is where one begins. Stops at what is no item."""
    starts: list[int] = []
    while len(starts) < limit and _is_item(data, at):
        starts.append(at)
        at = data.find(b"\n  -", at) + 1
        while at > 0 and not _is_item(data, at):
            at = data.find(b"\n  -", at) + 1
        if at == 0:
            break
    return starts


def _is_item(data: bytes, at: int) -> bool:
    return data.startswith((b"  - ", b"  -\n"), at)


_CONTINUES = re.compile(rb"    [ ]*[^\s\0]")  # a blank line is none of ours: it belongs to a tail


def item_end(data: bytes, start: int) -> int:
    """The offset behind the item that begins at `start`. Raises DamageError when its last line has no end."""
    at = data.find(b"\n", start) + 1
    while at > 0 and _CONTINUES.match(data, at):
        at = data.find(b"\n", at) + 1
    if at == 0:
        raise DamageError("its last message is cut off", len(data))
    return at


def last_items(data: bytes, wanted: int) -> list[int]:
    """The offsets in `data` of its last `wanted` items, which end where `data` ends; fewer when it holds fewer.

    `data` may begin anywhere behind a newline; what comes before its first item belongs to an earlier one.
    """
    starts: list[int] = []
    at = len(data)
    while len(starts) < wanted:
        at = data.rfind(b"\n  -", 0, at) + 1
        if at == 0:
            break
        if _is_item(data, at):
            starts.append(at)
    return starts[::-1]


def decode_items(data: bytes, count: int, offset: int = 0) -> list[dict[str, Any]]:
    """Exactly `count` items, strictly. `offset`: where `data` lies in its file, for what an error says."""
    start = f"messages[{count}]:\n".encode()
    return decode_document(start + data, offset - len(start))["messages"]


def decode_document(data: bytes, offset: int = 0) -> dict[str, Any]:
    """The top-level keys of a whole document in our form, strictly; `messages` is a list of objects."""
    if b"\0" in data:  # escaped by every writer, accepted by decoders: a page that was lost
        raise DamageError("NUL bytes in it", offset + data.index(b"\0"))
    try:
        document: Any = toons.loads(data.decode())
    except UnicodeDecodeError as error:
        raise DamageError("bytes that are no UTF-8", offset + error.start) from None
    except toons.ToonDecodeError as error:
        raise DamageError(f"it does not decode ({error})", offset + _line(data, error.line)) from None
    except (ValueError, RecursionError) as error:
        raise DamageError(f"it does not decode ({error})", offset) from None
    check_items(document.get("messages"), offset)
    return document


def check_items(items: Any, offset: int = 0) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in cast("list[Any]", items)):
        raise DamageError("its messages are no list of objects", offset)
    return cast("list[dict[str, Any]]", items)


def _line(data: bytes, line: int | None) -> int:
    """The offset of a line, counted from 1."""
    at = 0
    for _ in range((line or 1) - 1):
        at = data.find(b"\n", at) + 1
    return at
