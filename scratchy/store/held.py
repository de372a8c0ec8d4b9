"""A session's file as its writers hold it: the descriptor and what is known of it, the atomic rewrite, the care when
another program changes it. Not here: opening and repair, and what is written (writer.py).
"""

import errno
import os
from contextlib import suppress

from scratchy.core.errors import SessionCorruptedError, SessionNotFoundError
from scratchy.core.messages import Message
from scratchy.core.stored import Header
from scratchy.store.disk import copy_all, write_all
from scratchy.store.lock import Clean, Lock
from scratchy.store.place import Place, damaged, is_intact
from scratchy.store.toonfile import VERSION, DamageError, Head, decode_items, encode_header, is_stamp, parse_head
from scratchy.store.trash import Trash


class HeldFile:
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

    # --- What is known of it

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

    def load(self) -> list[Message]:
        if self._handle is None:
            return []
        data = self._disk.read(self._handle, self._end - self._head.body, self._head.body)
        try:
            return decode_items(data, self.count, self._head.body)  # type: ignore[return-value]
        except DamageError as error:
            raise damaged(self.session_id, self._path, error) from None

    # --- The file anew

    def write_copy(self, temporary: str, header: Header) -> None:
        """The session under another header, in a new file, synced."""
        handle = self._disk.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            self._fill(handle, header, b"", self.count, self._end)
            self._disk.sync(handle)
        finally:
            self._disk.close(handle)

    def _fill(
        self, handle: int, header: Header, data: bytes, count: int, upto: int, lead: tuple[bytes, int] | None = None
    ) -> tuple[Head, int]:
        start, head = start_of(header, count, self._place.now())
        first, since = lead or (b"", self._head.body)
        at = write_all(self._disk, handle, start + first, 0)
        if upto and self._handle is not None:
            at = copy_all(self._disk, self._handle, handle, since, upto - since, at)
        return head, write_all(self._disk, handle, data, at)

    def _rewrite(
        self,
        header: Header,
        data: bytes,
        count: int,
        *,
        upto: int = 0,
        keep: str | None = None,
        entry: str | None = None,
        committed: int | None = None,
        lead: tuple[bytes, int] | None = None,
    ) -> None:
        """The file anew: header, the old body up to the offset `upto`, then `data`. `lead`: bytes before the old body,
        and the offset that it is taken from. `keep`: why the old one is kept in
        the trash, as `entry`. `committed`: what is in it should the last sync fail, so that the same append may be
        tried again."""
        temporary = self._place.temporary(self.session_id)
        with suppress(FileNotFoundError):
            self._disk.unlink(temporary)
        handle = self._disk.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        kept = None
        try:
            head, end = self._fill(handle, header, data, count, upto, lead)
            self._disk.sync(handle)
            if keep is not None and os.path.lexists(self._path):
                kept = self._trash.keep(self._path, self.session_id, keep, entry)
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

    def doubt(self) -> None:
        """The file may have another name: the next write makes it anew."""
        self._trusted = False

    def forget(self) -> None:
        """The session was deleted or renamed: what writes to it now finds none."""
        self.close()
        self._header, self.count, self.gone = None, 0, True

    def close(self) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
        self._handle = None


def start_of(header: Header, count: int, now: str) -> tuple[bytes, Head]:
    """A file's first bytes, and what they say."""
    if not is_stamp(header.updated_at):  # of a file that others wrote
        header = header._replace(updated_at=now)
    start = encode_header(header._replace(version=VERSION), count)
    head = parse_head(start)
    if head is None:
        raise ValueError(f"The header of session '{header.session_id}' cannot be written: {header!r}")
    return start, head
