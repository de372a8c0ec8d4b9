"""One session open for writing: opening and repair, the append, replacing and cutting. What a process's writers of it
share.

Data before count, each synced. After a failed sync a file is never trusted again, by any process: the next write makes
it anew, whole, under a new inode.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from scratchy.core.stored import Header
from scratchy.store.disk import write_all
from scratchy.store.held import HeldFile
from scratchy.store.lock import Clean, Lock
from scratchy.store.place import FOREIGN_MOST, Content, Place, check_named, damaged, open_file, read_head
from scratchy.store.renaming import after_cut, not_so_many
from scratchy.store.slices import item_at, read_slice
from scratchy.store.tails import keep_tail
from scratchy.store.toonfile import HEAD, DamageError, Head, encode_items, encode_patch, plain
from scratchy.store.trash import Trash

_MOST = 999_999_999  # what the count's width holds


class SessionFile(HeldFile):
    """See `HeldFile`; made, it is opened, or there is none yet."""

    def __init__(self, place: Place, trash: Trash, lock: Lock, session_id: str) -> None:
        super().__init__(place, trash, lock, session_id)
        self._open()

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
            self._note_whole()
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

    def _note_whole(self) -> None:
        """A file that somebody copied here was read whole: the next opening need not."""
        clean = Clean(self._inode[1], self._end, self.count, self._changed)
        if self._handle is not None and self._trusted and self._lock.clean != clean:
            with suppress(OSError):
                self._sync(self._handle)
                self._lock.note_whole(clean)

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
            self._rewrite(self.header, b"", self.count, upto=self._end)
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
        """A delete that was killed left files beside a session that is gone: they follow it. What was written since
        (a draft, before the first message) belongs to the session that begins now."""
        beside = self._place.beside(self.session_id)
        if not beside:
            return
        last = next((entry for entry in self._trash.entries() if entry.session_id == self.session_id), None)
        if last is not None and last.reason in ("deleted", "renamed"):
            with suppress(OSError):
                self._trash.add(last.name, self.session_id, older=True)

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
            self._rewrite(header, data, count, upto=self._end, committed=self.count)
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

    def cut(self, count: int, reason: str) -> str:
        if self._handle is None or not 0 <= count <= self.count:
            raise not_so_many(self.session_id, self.count, count)
        self._ready()
        if self._lost:
            raise self._loss()
        entry = self._trash.next_name(self.session_id)
        upto = item_at(self._disk, self._handle, self._head._replace(total=self.count), count, self._end)
        header = self.header._replace(
            updated_at=self._place.now(), metadata=after_cut(self.header.metadata, count, reason, entry)
        )
        self._rewrite(header, b"", count, upto=upto, keep=reason, entry=entry)
        return entry

    def lead(self, message: Mapping[str, Any], reason: str) -> None:
        data = encode_items([message])
        self._ready()
        if self._lost:
            raise self._loss()
        header, handle = self.header._replace(updated_at=self._place.now()), self._handle
        if handle is None or not self.count:
            self._rewrite(header, data, 1)
            return
        head = self._head._replace(total=self.count)
        had = read_slice(self._disk, handle, head, (0, 1), self._end)[0].get("role") == "system"
        since = item_at(self._disk, handle, head, int(had), self._end)
        self._rewrite(header, b"", self.count + (not had), upto=self._end, keep=reason, lead=(data, since))

    def edit(self, title: str | None, metadata: Mapping[str, Any] | None, updated_at: str | None) -> None:
        header = self.header
        if title is not None:
            header = header._replace(title=plain(title))
        if metadata is not None:
            header = header._replace(metadata=plain(metadata))
        if updated_at is not None:
            header = header._replace(updated_at=updated_at)
        if self._handle is None:
            self._header = header
        elif header != self._header or not self._trusted:
            self._ready()
            if self._lost:
                raise self._loss()
            self._rewrite(header, b"", self.count, upto=self._end)
