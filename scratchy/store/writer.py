"""One session open for writing: the append, the atomic rewrite, the repair. What a process's writers of it share.

Data before count, each synced. After a failed sync a file is never trusted again, by any process: the next write makes
it anew, whole, under a new inode.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from scratchy.core.errors import SessionCorruptedError, SessionNotFoundError
from scratchy.core.messages import Message
from scratchy.core.stored import Header
from scratchy.store.disk import copy_all, write_all
from scratchy.store.lock import Clean, Lock
from scratchy.store.place import (
    FOREIGN_MOST,
    Content,
    Place,
    check_named,
    damaged,
    is_intact,
    open_file,
    read_head,
    read_slice,
)
from scratchy.store.tails import keep_tail
from scratchy.store.toonfile import (
    HEAD,
    VERSION,
    DamageError,
    Head,
    decode_items,
    encode_header,
    encode_items,
    encode_patch,
    is_stamp,
    parse_head,
    plain,
)
from scratchy.store.trash import Trash

_MOST = 999_999_999  # what the count's width holds


class SessionFile:
    """Its callers hold the lock and its mutex. `end`: behind the last committed item; `size`: what the file has;
    `trusted`: it may be appended to in place; `lost`: another program overwrote it, its content is not here any more.
    """

    def __init__(self, place: Place, trash: Trash, lock: Lock, session_id: str) -> None:
        self.session_id = session_id
        self.notices: list[str] = []
        self.count = 0
        self._header: Header | None = None
        self._place = place
        self._disk = place.disk
        self._trash = trash
        self._lock = lock
        self._path = place.find(session_id)
        self._handle: int | None = None
        self._head = Head(Header("", "", ""), 0, 0, 0)
        self._end = self._size = self._changed = 0
        self._inode = (0, 0)
        self._trusted = True
        self._lost = False
        self.gone = False
        self._open()

    @property
    def exists(self) -> bool:
        return self._handle is not None

    @property
    def path(self) -> str:
        return self._path

    @property
    def header(self) -> Header:
        if self._header is None:
            raise SessionNotFoundError(self.session_id)
        return self._header

    def begin(self, header: Header) -> None:
        """The header of a session that is not stored yet."""
        if self._handle is None and self._header is None:
            self._header = header._replace(session_id=self.session_id, version=VERSION)

    # --- Opening

    def _open(self) -> None:
        with suppress(FileNotFoundError):  # left by a kill
            self._disk.unlink(self._place.temporary(self.session_id))
        if not os.path.lexists(self._path):
            self._strays()
            return
        handle = open_file(self._disk, self._path, self.session_id, os.O_RDWR)
        try:
            found = self._verify(handle)
        except BaseException as error:
            self._disk.close(handle)
            if isinstance(error, DamageError):
                raise damaged(self.session_id, self._path, error) from None
            raise
        try:
            if isinstance(found, Content):
                self._disk.close(handle)
                self._convert(found)
                return
            head, end = found
            self._adopt(handle, head, end)
            there = os.fstat(handle)
            self._trusted = there.st_nlink == 1 and there.st_ino != self._lock.failed
            if self._size > end:
                self._cut_tail(handle)
        except BaseException:
            self.close()
            raise

    def _verify(self, handle: int) -> tuple[Head, int] | Content:
        """The header, and where the last item ends; or the content of a file of another form. A file that our last
        append left so is believed but for its last item."""
        head = read_head(self._disk, handle)
        if head is None:
            return self._place.read_stored(handle, self.session_id)
        check_named(head.header, self.session_id)
        end = self._place.clean_end(handle, head, self.session_id)
        size = os.fstat(handle).st_size
        if end is not None and end == size:  # no tail
            read_slice(self._disk, handle, head, (max(head.total - 1, 0), head.total), end)
            return head, end
        found = self._place.read_stored(handle, self.session_id).end
        if found is None:
            raise DamageError("it changed while it was read")
        if size - found > FOREIGN_MOST:
            raise DamageError(f"{size - found:,} bytes follow its last message, too many to keep as a tail", found)
        return head, found

    def _cut_tail(self, handle: int) -> None:
        """Repair: what follows the last counted item is kept beside the file, then cut off."""
        tail = self._disk.read(handle, self._size - self._end, self._end)
        keep_tail(self._place, self.session_id, tail)
        if self._trusted:
            self._disk.sync(handle)  # the count that was read may be in memory only: it is safe before the items go
            self._disk.truncate(handle, self._end)
            self._disk.sync(handle)
            self._know(handle)
        else:
            self._rewrite(self.header, b"", self.count, copied=True)
        self.notices.append(
            f"Session '{self.session_id}': {len(tail)} bytes of an unfinished save were cut off and kept beside it."
        )

    def _convert(self, content: Content) -> None:
        """A file of another form is written anew in ours, once; its bytes go to the trash."""
        header = content.header._replace(session_id=self.session_id)
        items = encode_items(content.messages, strict=False)
        self._rewrite(header, items, len(content.messages), keep="converted")
        self.notices.append(
            f"Session '{self.session_id}' was in another form and was written anew; the original is in the trash."
        )

    def _strays(self) -> None:
        """A delete that was killed left files beside a session that is gone: they follow it."""
        beside = self._place.beside(self.session_id)
        if not beside:
            return
        last = next((entry for entry in self._trash.entries() if entry.session_id == self.session_id), None)
        if last is not None and last.reason in ("deleted", "renamed"):
            with suppress(OSError):
                self._trash.add(last.name, self.session_id)

    def _adopt(self, handle: int, head: Head, end: int) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
        self._handle, self._head, self._header, self.count = handle, head, head.header, head.total
        self._end = end
        self._know(handle)

    def _know(self, handle: int) -> None:
        """The file as we left it: whatever differs later is another program's doing."""
        here = os.fstat(handle)
        self._inode, self._size, self._changed = (here.st_dev, here.st_ino), here.st_size, here.st_mtime_ns

    # --- Writing

    def append(self, messages: Sequence[Mapping[str, Any]]) -> None:
        data = encode_items(messages)
        self._ready()
        if self._lost:
            raise self._loss()
        header = self.header._replace(updated_at=self._place.now()) if messages else self.header
        handle, count = self._handle, self.count + len(messages)
        in_place = self._trusted and self._head.body <= HEAD and count <= _MOST
        if handle is None or not in_place:
            self._rewrite(header, data, count, copied=handle is not None, committed=self.count)
        elif messages:
            self._append(handle, data, header, count)

    def _append(self, handle: int, data: bytes, header: Header, count: int) -> None:
        disk, end = self._disk, self._end
        if self._size != end:  # the tail of an append that failed, and could not be cut then
            disk.truncate(handle, end)
            self._size = end
        patched = False
        try:
            write_all(disk, handle, data, end)
            self._sync(handle)
            patched = True
            write_all(disk, handle, encode_patch(header.updated_at, count), self._head.patch)
            self._sync(handle)
        except BaseException:
            self._take_back(handle, patched)
            raise
        self._header, self.count = header, count
        self._end = self._size = end + len(data)
        self._note()

    def _sync(self, handle: int) -> None:
        try:
            self._disk.sync(handle)
        except OSError:
            self._trusted = False
            self._lock.note_failed(self._inode[1])
            raise

    def _take_back(self, handle: int, patched: bool) -> None:
        """After a failed append: no tail; or, if the new count may be on disk, the old count, and the items stay: both
        counts hold then, whichever a power cut leaves. Nothing here is relied on."""
        with suppress(OSError):
            if patched:
                self._trusted = False
                write_all(self._disk, handle, encode_patch(self.header.updated_at, self.count), self._head.patch)
            else:
                self._disk.truncate(handle, self._end)
        self._know(handle)

    def replace(self, messages: Sequence[Mapping[str, Any]], reason: str) -> None:
        data = encode_items(messages)
        self._ready()
        header = self.header._replace(updated_at=self._place.now())
        keep = reason if self.count and not self._lost else None
        self._rewrite(header, data, len(messages), keep=keep)
        self._lost = False

    def edit(self, title: str | None, metadata: Mapping[str, Any] | None) -> None:
        header = self.header
        if title is not None:
            header = header._replace(title=plain(title))
        if metadata is not None:
            header = header._replace(metadata=plain(metadata))
        if self._handle is None:
            self._header = header
        elif header != self._header or not self._trusted:
            self._ready()
            if self._lost:
                raise self._loss()
            self._rewrite(header, b"", self.count, copied=True)

    def load(self) -> list[Message]:
        if self._handle is None:
            return []
        data = self._disk.read(self._handle, self._end - self._head.body, self._head.body)
        try:
            return decode_items(data, self.count, self._head.body)  # type: ignore[return-value]
        except DamageError as error:
            raise damaged(self.session_id, self._path, error) from None

    def write_copy(self, temporary: str, header: Header) -> None:
        """The session under another header, in a new file, synced."""
        handle = self._disk.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            self._fill(handle, header, b"", self.count, copied=True)
            self._disk.sync(handle)
        finally:
            self._disk.close(handle)

    def _fill(self, handle: int, header: Header, data: bytes, count: int, copied: bool) -> tuple[Head, int]:
        if not is_stamp(header.updated_at):  # of a file that others wrote
            header = header._replace(updated_at=self._place.now())
        start = encode_header(header, count)
        at = write_all(self._disk, handle, start, 0)
        if copied and self._handle is not None:
            at = copy_all(self._disk, self._handle, handle, self._head.body, self._end - self._head.body, at)
        head = parse_head(start)
        if head is None:
            raise ValueError(f"The header of session '{self.session_id}' cannot be written: {header!r}")
        return head, write_all(self._disk, handle, data, at)

    def _rewrite(
        self,
        header: Header,
        data: bytes,
        count: int,
        *,
        copied: bool = False,
        keep: str | None = None,
        committed: int | None = None,
    ) -> None:
        """The file anew: header, the old body if `copied`, then `data`. `committed`: what is in it should the last
        sync fail, so that the same append may be tried again."""
        temporary = self._place.temporary(self.session_id)
        with suppress(FileNotFoundError):
            self._disk.unlink(temporary)
        handle = self._disk.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        kept = None
        try:
            head, end = self._fill(handle, header, data, count, copied)
            self._disk.sync(handle)
            if keep is not None and os.path.lexists(self._path):
                kept = self._trash.keep(self._path, self.session_id, keep)
                self._trusted = False  # it has two names until the rename
            self._rename(temporary, kept)
        except BaseException:
            self._disk.close(handle)
            with suppress(OSError):
                self._disk.unlink(temporary)
            raise
        old = self.header if committed is not None else None
        self._adopt(handle, head, end)
        if old is not None and committed is not None:
            self._header, self.count, self._end = old, committed, end - len(data)
        self._trusted = False
        self._disk.sync_folder(self._place.folder)
        self._trusted = True
        self._header, self.count, self._end = head.header, count, end
        self._note()

    def _rename(self, temporary: str, kept: str | None) -> None:
        try:
            self._disk.rename(temporary, self._path)
        except OSError:
            if kept is not None:
                self._trash.drop(kept)
            raise

    def _note(self) -> None:
        if self._handle is not None:
            self._changed = os.fstat(self._handle).st_mtime_ns
            self._lock.note(Clean(self._inode[1], self._end, self.count, self._changed))

    # --- The file may change under its holder

    def _ready(self) -> None:
        """The lock is ours, the folder stands, and the path still is the file that we know; else it is mended."""
        self.header  # noqa: B018 - a session that was deleted or renamed meanwhile is gone
        try:
            self._lock.keep(self.session_id)
        except FileNotFoundError:
            folder = self._place.folder
            raise FileNotFoundError(errno.ENOENT, "The sessions folder is missing", folder) from None
        try:
            there = os.lstat(self._path)
        except FileNotFoundError:
            there = None
        if self._handle is None:
            if there is not None:
                self._trash.move(self._path, self.session_id, "replaced", beside=False)
                came = f"Session '{self.session_id}': another file had come in its place; it is in the trash."
                self.notices.append(came)
            return
        changed = there.st_mtime_ns if there is not None else 0
        same = there is not None and (there.st_dev, there.st_ino, there.st_size) == (*self._inode, self._size)
        if same and changed == self._changed:
            return
        known = self._head._replace(total=self.count)
        intact = is_intact(self._disk, self._handle, known, Clean(self._inode[1], self._end, self.count, 0))
        if same and intact:  # touched, or written with what it held
            self._changed = changed
            return
        self._lost = self._lost or not intact
        self._trusted = False
        if there is not None:
            self._trash.move(self._path, self.session_id, "replaced", beside=False)
        what = "was removed" if there is None else "was changed by another program (that version is in the trash)"
        self.notices.append(f"The file of session '{self.session_id}' {what} while it was open; it is written anew.")

    def _loss(self) -> SessionCorruptedError:
        return SessionCorruptedError(
            self.session_id,
            f"The file of session '{self.session_id}' was overwritten by another program while it was open; what lay "
            "there is in the trash. Save the whole session again.",
        )

    def forget(self) -> None:
        """The session was deleted or renamed: what writes to it now finds none."""
        self.close()
        self._header, self.count, self.gone = None, 0, True

    def close(self) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
        self._handle = None
