"""A folder of sessions: which file is which, what lies beside it, and its header and messages, read without a lock."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from scratchy.core.errors import SessionCorruptedError, SessionNotFoundError, SessionVersionError
from scratchy.core.messages import Message
from scratchy.core.stored import Header
from scratchy.store import lock
from scratchy.store.disk import Disk, naming
from scratchy.store.foreign import decode_foreign, utc_text
from scratchy.store.ids import SUFFIX, encode_id, file_name, is_plain, shell_id, shell_word
from scratchy.store.slices import read_slice, slices
from scratchy.store.toonfile import (
    HEAD,
    DamageError,
    FutureError,
    Head,
    NoFileError,
    OtherError,
    body_end,
    decode_document,
    decode_items,
    parse_head,
)

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
FOREIGN_MOST = 256 << 20
"""A file of another form is read whole: up to this many bytes. Nor is a longer tail kept by a repair."""
LISTED_MOST = 16 << 20
"""The same while listing; and how far a header of our form may reach."""
_AT_ONCE = 64 << 20  # of a larger file in our form first this much: it may be a tail, most of it


class Content(NamedTuple):
    """A whole session. `end`: the offset behind the last counted item; None in a file of another form."""

    header: Header
    messages: list[Message]
    end: int | None


class Place:
    """`folder` is absolute; `now` tells the time in UTC."""

    def __init__(self, folder: str, disk: Disk, now: Callable[[], datetime]) -> None:
        self.folder = folder
        self.disk = disk
        self._now = now

    def now(self) -> str:
        return utc_text(self._now())

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def lock_path(self, session_id: str) -> str:
        return self.path(f".{encode_id(session_id)}.lock")

    def draft_path(self, session_id: str) -> str:
        return self.path(f".{encode_id(session_id)}.draft")

    def temporary(self, session_id: str) -> str:
        """Where a file is made before it gets its name. One a session: who holds the lock may remove it."""
        return self.path(f".{encode_id(session_id)}.tmp")

    def find(self, session_id: str) -> str:
        """The session's file, or where it will be: its own name, else the plain one if it holds this session."""
        path = self.path(file_name(session_id))
        if os.path.lexists(path) or not is_plain(session_id):
            return path
        plain = self.path(session_id + SUFFIX)
        if not os.path.lexists(plain):
            return path
        try:
            named = read_header(self.disk, plain, session_id)[0].session_id
        except (SessionCorruptedError, SessionNotFoundError, OSError):
            named = session_id
        return plain if named in (session_id, "") else path

    def beside(self, session_id: str, folder: str = "") -> list[tuple[str, str]]:
        """What follows the session: the names, and the same with NUL in the encoded id's place."""
        encoded = re.escape(encode_id(session_id))
        shape = re.compile(rf"({encoded}_(?:events|transcript)\.jsonl|\.{encoded}\.(?:draft|tail-[0-9]+))\Z")
        with suppress(FileNotFoundError), os.scandir(folder or self.folder) as entries:
            return sorted((entry.name, _other(entry.name, session_id)) for entry in entries if shape.match(entry.name))
        return []

    # --- Reading: no lock, no repair; beside a live append the first counted items are seen

    def load(self, path: str, session_id: str) -> Content:
        handle = open_file(self.disk, path, session_id, os.O_RDONLY)
        try:
            with naming(path):
                return self.read_stored(handle, session_id)
        except DamageError as error:
            raise damaged(session_id, path, error) from None
        finally:
            self.disk.close(handle)

    def tail(self, path: str, session_id: str, count: int, before: int | None) -> tuple[int, list[Message]]:
        handle = open_file(self.disk, path, session_id, os.O_RDONLY)
        try:
            with naming(path):
                return self._tail(handle, session_id, count, before)
        except DamageError as error:
            raise damaged(session_id, path, error) from None
        finally:
            self.disk.close(handle)

    def _tail(self, handle: int, session_id: str, count: int, before: int | None) -> tuple[int, list[Message]]:
        head = read_head(self.disk, handle)
        messages = read_content(self.disk, handle, session_id).messages if head is None else None
        total = head.total if head is not None else len(messages or [])
        last = total if before is None else max(0, min(before, total))
        first = max(0, last - max(count, 0))
        if head is None:
            return first, (messages or [])[first:last]
        check_named(head.header, session_id)
        return first, read_slice(self.disk, handle, head, (first, last), self.clean_end(handle, head, session_id))

    def items(self, path: str, session_id: str, start: int) -> Iterator[Message]:
        handle = open_file(self.disk, path, session_id, os.O_RDONLY)
        try:
            head = read_head(self.disk, handle)
            if head is None:
                yield from read_content(self.disk, handle, session_id).messages[start:]
                return
            check_named(head.header, session_id)
            end = self.clean_end(handle, head, session_id)
            for messages in slices(self.disk, handle, head, (start, head.total), end):
                yield from messages
        except DamageError as error:
            raise damaged(session_id, path, error) from None
        finally:
            self.disk.close(handle)

    def clean_end(self, handle: int, head: Head, session_id: str, told: lock.Clean | None = None) -> int | None:
        """Where the last item ends, if the file is as a writer of ours left it, but for a tail: then no scan is needed
        to know, and the tail may look like anything. `told`: what to believe instead of the session's lock file."""
        clean = told or self._record(session_id)
        there = os.fstat(handle)
        if clean is None or clean.end > there.st_size:
            return None
        if clean.end == there.st_size:
            known = (there.st_ino, head.total, there.st_mtime_ns)
            return clean.end if (clean.inode, clean.total, clean.changed) == known and clean.end >= head.body else None
        return _recorded(self.disk.read(handle, clean.end, 0), there, head, clean)

    def read_stored(self, handle: int, session_id: str) -> Content:
        """`read_content` with what the lock file tells."""
        return read_content(self.disk, handle, session_id, self._record(session_id))

    def _record(self, session_id: str) -> lock.Clean | None:
        return lock.look(self.lock_path(session_id))[1]


def _other(name: str, session_id: str) -> str:
    return name.replace(encode_id(session_id), "\0", 1)


def open_file(disk: Disk, path: str, session_id: str, flags: int) -> int:
    """A descriptor of a regular file. Raises SessionNotFoundError, SessionCorruptedError for anything else, OSError."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            handle = disk.open(path, flags)
            mode = os.fstat(handle).st_mode
            if stat.S_ISREG(mode):
                return handle
            disk.close(handle)
    except FileNotFoundError:
        raise SessionNotFoundError(session_id) from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        mode = stat.S_IFLNK
    kind = _KINDS.get(stat.S_IFMT(mode), "a device")
    raise damaged(session_id, path, NoFileError(f"{kind} stands in the place of its file"))


def damaged(session_id: str, path: str, error: DamageError) -> SessionCorruptedError:
    """What is wrong, where, and what to do: for the person."""
    if isinstance(error, FutureError):
        text = f"Session '{session_id}' cannot be read: {error.reason}, {path}. It was left untouched; update Scratchy."
        return SessionVersionError(session_id, text)
    advice, where = f"`scratchy session delete {shell_id(session_id)}` moves it to the trash.", path
    if isinstance(error, OtherError):
        advice = f"`scratchy session import {shell_word(path)}` makes it a session of its own."
    elif not isinstance(error, NoFileError):
        where = f"at byte {error.offset} of {path}"
        advice = f"`scratchy doctor` says whether `scratchy doctor --fix` can save some of it, {advice}"
    text = f"Session '{session_id}' cannot be read: {error.reason}, {where}. It was left untouched; {advice}"
    return SessionCorruptedError(session_id, text)


def check_named(header: Header, session_id: str) -> None:
    if not header.session_id:
        raise DamageError("its header names no session")
    if header.session_id != session_id:
        raise OtherError(header.session_id)


def read_head(disk: Disk, handle: int) -> Head | None:
    """The header of a file in our form, None for another form; usually one small read. Raises DamageError."""
    size = HEAD
    while size <= LISTED_MOST:
        data = disk.read(handle, size, 0)
        if data != disk.read(handle, size, 0):  # a writer patches it just now: half a count is no count
            continue
        at = data.find(b"\nmessages[")
        if len(data) < size or (at >= 0 and data.find(b"\n", at + 1) >= 0):
            return parse_head(data)
        size *= 4
    return None


def read_header(disk: Disk, path: str, session_id: str, most: int = FOREIGN_MOST) -> tuple[Header, int]:
    """Header and count; the header's id is not compared. Raises as `open_file`."""
    handle = open_file(disk, path, session_id, os.O_RDONLY)
    try:
        with naming(path):
            return _read_header(disk, handle, most)
    except DamageError as error:
        raise damaged(session_id, path, error) from None
    finally:
        disk.close(handle)


def read_row(disk: Disk, path: str, session_id: str) -> tuple[Header, int, int, float]:
    """Header, count, size and time of change of a file that a listing found: as few calls as that can be."""
    handle = disk.open(path, os.O_RDONLY)
    try:
        there = os.fstat(handle)
        if not stat.S_ISREG(there.st_mode):
            raise DamageError("its file is none")
        try:
            head = parse_head(disk.read(handle, HEAD, 0))
        except DamageError:  # it may be patched just now
            head = None
        header, count = (head.header, head.total) if head is not None else _read_header(disk, handle, LISTED_MOST)
        return header, count, there.st_size, there.st_mtime
    except DamageError as error:
        raise damaged(session_id, path, error) from None
    finally:
        disk.close(handle)


def _read_header(disk: Disk, handle: int, most: int) -> tuple[Header, int]:
    head = read_head(disk, handle)
    if head is not None:
        return head.header, head.total
    header, messages = _foreign(disk, handle, most)
    return header, len(messages)


def _foreign(disk: Disk, handle: int, most: int) -> tuple[Header, list[dict[str, Any]]]:
    there = os.fstat(handle)
    if there.st_size > most:
        size, limit = f"{there.st_size / 1e6:,.0f} MB", f"{most >> 20} MB"
        advice = "; opening it writes it anew" if there.st_size <= FOREIGN_MOST else ""
        reason = f"it is not in Scratchy's form, and too large to be read whole ({size}, at most {limit}){advice}"
        raise DamageError(reason)
    return decode_foreign(disk.read(handle, there.st_size, 0), there.st_mtime)


def read_content(disk: Disk, handle: int, session_id: str, clean: lock.Clean | None = None) -> Content:
    """Header and messages, strictly. `clean`: where our last write ended, if known. Raises DamageError."""
    head = read_head(disk, handle)
    if head is None:
        header, messages = _foreign(disk, handle, FOREIGN_MOST)
        if header.session_id:
            check_named(header, session_id)
        return Content(header, messages, None)  # type: ignore[arg-type]
    check_named(head.header, session_id)
    data, end = _body(disk, handle, head, clean)  # after the header: what the count covers is there by now
    if parse_head(data[: head.body]) == head:
        messages = decode_document(data[:end])["messages"]
    else:  # an append came between
        messages = decode_items(data[head.body : end], head.total, head.body)
    return Content(head.header, messages, end)  # type: ignore[arg-type]


def is_intact(disk: Disk, handle: int, known: Head, clean: lock.Clean) -> bool:
    """Whether a file that we had open still holds a session of this form and length, which ends where `clean` says."""
    try:
        head = read_head(disk, handle)
        if head is None or (head.total, head.patch, head.body) != (known.total, known.patch, known.body):
            return False
        return read_content(disk, handle, known.header.session_id, clean).end == clean.end
    except DamageError:
        return False


def _body(disk: Disk, handle: int, head: Head, clean: lock.Clean | None) -> tuple[bytes, int]:
    """The file from its start, as far as it is needed, and where its last counted item ends."""
    size = _AT_ONCE
    while True:
        there = os.fstat(handle)
        data = disk.read(handle, min(size, there.st_size), 0)
        whole = size >= there.st_size
        end = _recorded(data, there, head, clean) if clean is not None else None
        if end is not None:
            return data, end
        try:
            end = body_end(data, head)
            if whole or data[end:].strip(b" "):
                return data, end
        except DamageError:
            if whole or b"\0" in data:
                raise
        size *= 4


def _recorded(data: bytes, there: os.stat_result, head: Head, clean: lock.Clean) -> int | None:
    """The end that `clean` tells, if it is of this file with this many items, and shorter than the file is now."""
    end = clean.end
    if (clean.inode, clean.total) != (there.st_ino, head.total) or not head.body <= end < there.st_size:
        return None
    try:
        return end if len(data) >= end == body_end(data[:end], head) else None
    except DamageError:
        return None
