"""What can be saved of a damaged session file: the header's keys and the messages that decode, each by itself.

It only reads, in slices. Not here: whether a file is damaged, and the copy that is made (doctor.py).
"""

import json
import os
import re
from contextlib import suppress
from typing import Any, NamedTuple, cast

import toons

from scratchy.core.stored import Header
from scratchy.store.disk import Disk
from scratchy.store.foreign import time_text
from scratchy.store.place import FOREIGN_MOST, read_head
from scratchy.store.toonfile import (
    DamageError,
    FutureError,
    Head,
    decode_document,
    item_end,
    item_starts,
    make_header,
    plain,
)

_SLICE = 1 << 20
_HEADER_MOST = 1 << 18  # as far as a header is looked for in a file whose first lines are torn
_JSON_KEYS = ("session_id", "version", "title", "created_at", "metadata", "updated_at")


class Run(NamedTuple):
    """Bytes of whole items, one after the other."""

    start: int
    end: int
    items: int


class Gap(NamedTuple):
    """Bytes that are no message; `after` messages that are, come before them."""

    after: int
    start: int
    end: int
    reason: str


class Saved(NamedTuple):
    """`runs` in a file of our form, `messages` in one of another. `counted`: what its header counts, where it could be
    read. The header's id is empty where it could not be read."""

    header: Header
    counted: int | None
    runs: list[Run]
    gaps: list[Gap]
    messages: list[dict[str, Any]]

    @property
    def kept(self) -> int:
        return sum(run.items for run in self.runs) + len(self.messages)


def salvage(disk: Disk, handle: int) -> Saved:
    """Raises FutureError, OSError."""
    head = _head(disk, handle)
    if head is not None:
        runs, gaps = _Walk(disk, handle, head.total).over(head.body)
        return Saved(head.header, head.total, runs, gaps, [])
    there = os.fstat(handle)
    start = _next_item(disk, handle, 0, there.st_size)
    header = torn_header(disk.read(handle, min(start, _HEADER_MOST), 0), there.st_mtime)
    runs, gaps = _Walk(disk, handle, None).over(start)
    if runs or there.st_size > FOREIGN_MOST:
        return Saved(header, None, runs, gaps, [])
    fields, messages = _of_another_form(disk.read(handle, there.st_size, 0))
    return Saved(_header(fields, there.st_mtime), None, [], [], messages)


def _head(disk: Disk, handle: int) -> Head | None:
    try:
        return read_head(disk, handle)
    except FutureError:
        raise
    except DamageError:
        return None


class _Walk:
    """Over the items of a file, at most `total` of them (None: the count is not known); each is decoded, together
    with its neighbours where that goes."""

    def __init__(self, disk: Disk, handle: int, total: int | None) -> None:
        self._disk = disk
        self._handle = handle
        self._stop = os.fstat(handle).st_size
        self._total = total
        self._left = total if total is not None else 1 << 62
        self._runs: list[Run] = []
        self._gaps: list[Gap] = []

    def over(self, start: int) -> tuple[list[Run], list[Gap]]:
        at, size = start, _SLICE
        while at < self._stop and self._left > 0:
            data = self._disk.read(self._handle, min(size, self._stop - at), at)
            starts = item_starts(data, 0, min(self._left, len(data)) + 1)
            ended = at + len(data) >= self._stop
            if not starts:
                at = self._skip(at, "no message begins here")
            elif len(starts) == 1 and not ended and b"\0" in data:
                at = self._skip(at, "NUL bytes")
            elif len(starts) == 1 and not ended:
                size *= 4
            else:
                at = self._take(at, data, starts, ended)
                size = _SLICE
        return self._runs, self._gaps

    def _skip(self, at: int, reason: str) -> int:
        """A stretch that may be far longer than memory: on to the next item."""
        after = _next_item(self._disk, self._handle, at + 1, self._stop)
        self._bad(at, after, reason)
        self._left -= 1
        return after

    def _take(self, at: int, data: bytes, starts: list[int], ended: bool) -> int:
        """The items of a slice; where the last begins if it may go on behind it, else behind it."""
        whole = ended if len(starts) <= self._left else False
        bounds = [*starts, len(data)] if whole else starts
        if whole and len(starts) == self._left:  # the last counted one: what follows it is a tail
            with suppress(DamageError):
                bounds[-1] = item_end(data, starts[-1])
        self._decode(at, data, bounds)
        self._left -= len(bounds) - 1
        return at + bounds[-1] if self._left > 0 else self._stop

    def _decode(self, at: int, data: bytes, bounds: list[int]) -> None:
        first, last, count = bounds[0], bounds[-1], len(bounds) - 1
        if not count:
            return
        try:
            self._check(data[first:last], count, at + first)
        except DamageError as error:
            if count == 1:
                self._bad(at + first, at + last, error.reason)
                return
            half = count // 2
            self._decode(at, data, bounds[: half + 1])
            self._decode(at, data, bounds[half:])
            return
        if self._runs and self._runs[-1].end == at + first:
            run = self._runs.pop()
            self._runs.append(Run(run.start, at + last, run.items + count))
        else:
            self._runs.append(Run(at + first, at + last, count))

    def _check(self, data: bytes, count: int, offset: int) -> None:
        if not data.endswith(b"\n"):
            raise DamageError("it is cut off", offset + len(data))
        start = f"messages[{count}]:\n".encode()
        document = decode_document(start + data, offset - len(start))
        if len(document) > 1:  # lines that belong to no item
            raise DamageError("no message", offset)
        items = document["messages"]
        if offset + len(data) == self._stop and not items[-1].keys() & {"content", "tool_calls"}:
            raise DamageError("it is cut off", offset + len(data))  # at the end of a line, so that the rest decodes
        if self._total is None and not all(isinstance(item.get("role"), str) for item in items):
            raise DamageError("no message", offset)  # without our header nothing else tells that these are messages

    def _bad(self, start: int, end: int, reason: str) -> None:
        self._gaps.append(Gap(sum(run.items for run in self._runs), start, end, reason))


def _next_item(disk: Disk, handle: int, start: int, stop: int) -> int:
    """Where the next item begins, from `start` on; `stop` when none does."""
    at = start
    while at < stop:
        before = max(at - 1, 0)
        data = disk.read(handle, min(_SLICE, stop - before), before)
        found = 0 if before == at == 0 and re.match(rb"  -[ \n]", data) else -1
        if found < 0:
            match = re.search(rb"\n  -[ \n]", data)
            found = match.start() + 1 if match else -1
        if found >= 0:
            return before + found
        if before + len(data) >= stop:
            return stop
        at = before + len(data) - 4
    return stop


# --- Headers that do not decode


def torn_header(data: bytes, changed: float) -> Header:
    """Of the top-level keys at a file's start those that decode; its time stands in for those that do not."""
    fields: dict[str, Any] = {}
    for block in re.split(rb"\n(?=[^\s])", data):
        if b"\0" in block or block.startswith(b"messages["):
            continue
        with suppress(ValueError, RecursionError):
            part: Any = toons.loads(block.decode())
            if isinstance(part, dict):
                fields = {**cast("dict[str, Any]", part), **fields}
    return _header(fields, changed)


def _header(fields: dict[str, Any], changed: float) -> Header:
    """Raises FutureError."""
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        try:
            make_header({key: value})
            kept[key] = value
        except FutureError:
            raise
        except DamageError:
            continue
    header = make_header(kept)
    when = time_text(changed)
    return header._replace(created_at=header.created_at or when, updated_at=header.updated_at or when)


# --- Files of another form


def _of_another_form(data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Top-level keys, and the messages that are whole, up to the first that is not."""
    data = data.partition(b"\0")[0]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data[: error.start].decode("utf-8-sig", "ignore")
    if text.lstrip()[:1] in ("{", "["):
        return _of_json(text)
    with suppress(ValueError, RecursionError):
        document: Any = toons.loads(text[: text.rfind("\n") + 1], strict=False)
        if isinstance(document, dict):
            fields = cast("dict[str, Any]", document)
            found = fields.pop("messages", None)
            return fields, _messages(cast("list[Any]", found)) if isinstance(found, list) else []
    return {}, []


def _of_json(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    decoder = json.JSONDecoder()
    begin = re.match(r"\s*\[", text) or re.search(r'"messages"\s*:\s*\[', text)
    fields: dict[str, Any] = {}
    for key in _JSON_KEYS:
        found = re.search(rf'"{key}"\s*:\s*', text[: begin.start() if begin else len(text)])
        with suppress(ValueError, RecursionError):
            if found:
                fields[key] = plain(decoder.raw_decode(text, found.end())[0])
    items: list[Any] = []
    at = begin.end() if begin else len(text)
    with suppress(ValueError, RecursionError):  # the first that is not whole ends them
        while True:
            while text[at : at + 1] in (" ", "\t", "\r", "\n", ","):
                at += 1
            item, at = decoder.raw_decode(text, at)
            items.append(plain(item))
    return fields, _messages(items)


def _messages(items: list[Any]) -> list[dict[str, Any]]:
    found = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
    return [item for item in found if isinstance(item.get("role"), str)]
