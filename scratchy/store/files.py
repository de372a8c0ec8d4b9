"""`FileStore`: a folder of sessions, one file each. The store port, put together from the other files here."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from scratchy.core.errors import (
    SessionLockedError,
    SessionNotFoundError,
)
from scratchy.core.messages import Message
from scratchy.core.stored import Header, SessionInfo, TrashEntry
from scratchy.store import moving
from scratchy.store.disk import Disk, naming
from scratchy.store.drafts import read_draft, write_draft
from scratchy.store.ids import check_id
from scratchy.store.listing import listed, recent
from scratchy.store.lock import Lock, acquire, holding, locked, look, release
from scratchy.store.place import Place, damaged, read_header
from scratchy.store.renaming import taken
from scratchy.store.toonfile import OtherError
from scratchy.store.trash import Trash
from scratchy.store.writer import SessionFile


def utc_now() -> datetime:
    return datetime.now(UTC)


class FileStore:
    """The sessions in `folder`, which is made by the first write. `now` tells the time; `disk` makes the calls."""

    def __init__(
        self, folder: str | os.PathLike[str], *, now: Callable[[], datetime] = utc_now, disk: Disk | None = None
    ) -> None:
        self._place = Place(os.path.realpath(folder), disk or Disk(), now)
        self._disk = self._place.disk
        self._trash = Trash(self._place)

    @property
    def folder(self) -> str:
        return self._place.folder

    def open(self, session_id: str, *, create: Header | None = None) -> "FileWriter":
        """A session that is missing gets its file with its first `append` or `replace`, not before."""
        check_id(session_id)
        if create is None and not self.exists(session_id):
            raise SessionNotFoundError(session_id)
        self._disk.make_folder(self._place.folder)
        lock = acquire(self._disk, self._place.lock_path(session_id), session_id, self._place.now())
        try:
            with lock.mutex, naming(self._place.find(session_id)):
                file = self._file(lock, session_id)
                if not file.exists:
                    if create is None:
                        raise SessionNotFoundError(session_id)
                    file.begin(create)
                return FileWriter(self._place, lock, file)
        except BaseException:
            release(lock)
            raise

    def _file(self, lock: Lock, session_id: str) -> SessionFile:
        """What this process's writers of the session share. The lock's mutex is held."""
        if lock.file is None or lock.file.gone:
            lock.file = SessionFile(self._place, self._trash, lock, session_id)
        return lock.file

    # --- Reading

    def stamp(self, session_id: str) -> tuple[int, int, int] | None:
        """Inode, size, time of change in nanoseconds."""
        try:
            there = os.lstat(self._place.find(check_id(session_id)))
        except FileNotFoundError:
            return None
        return there.st_ino, there.st_size, there.st_mtime_ns

    def last_writer(self, session_id: str) -> int | None:
        """The pid of the process that wrote the session last, where its lock file tells."""
        return look(self._place.lock_path(check_id(session_id)))[0]

    def holder(self, session_id: str) -> int | None:
        there = holding(self._place.lock_path(check_id(session_id)))
        return there.pid if there is not None else None

    def exists(self, session_id: str) -> bool:
        return os.path.lexists(self._place.find(check_id(session_id)))

    def load(self, session_id: str) -> tuple[Header, list[Message]]:
        content = self._place.load(self._place.find(check_id(session_id)), session_id)
        return content.header._replace(session_id=session_id), content.messages

    def header(self, session_id: str) -> tuple[Header, int]:
        path = self._place.find(check_id(session_id))
        header, count = read_header(self._disk, path, session_id)
        if header.session_id not in ("", session_id):
            raise damaged(session_id, path, OtherError(header.session_id))
        return header._replace(session_id=session_id), count

    def tail(self, session_id: str, count: int, before: int | None = None) -> tuple[int, list[Message]]:
        return self._place.tail(self._place.find(check_id(session_id)), session_id, count, before)

    def items(self, session_id: str, start: int = 0) -> Iterator[Message]:
        """Read slice by slice, and errors are raised as it is read: no more than a slice is in memory."""
        return self._place.items(self._place.find(check_id(session_id)), session_id, max(start, 0))

    def draft(self, session_id: str) -> str:
        return read_draft(self._place, check_id(session_id))

    def list(self) -> list[SessionInfo]:
        """Newest activity first. Raises OSError when the folder cannot be read; one that is missing is empty."""
        return listed(self._place)

    def recent(self) -> Iterator[SessionInfo]:
        """`list`, a row at a time: by time of change, each header read when it is asked for."""
        return recent(self._place)

    # --- Moving

    def fork(self, session_id: str, header: Header, count: int | None = None) -> None:
        new_id, place = check_id(header.session_id), self._place
        if not self.exists(session_id):
            raise SessionNotFoundError(session_id)
        with locked(self._disk, place.lock_path(new_id), new_id, place.now()) as lock:
            if self.exists(new_id):
                raise taken(new_id)
            moving.fork(place, session_id, header, count, lock)

    def rename(self, session_id: str, new_id: str, *, reason: str = "renamed") -> None:
        check_id(new_id)
        if not self.exists(session_id):
            raise SessionNotFoundError(session_id)
        place = self._place
        with ExitStack() as stack:
            locks = {
                name: stack.enter_context(locked(self._disk, place.lock_path(name), name, place.now()))
                for name in sorted({session_id, new_id})
            }
            if self.exists(new_id):
                raise taken(new_id)
            file = self._file(locks[session_id], session_id)
            if not file.exists:
                raise SessionNotFoundError(session_id)
            moving.rename(place, self._trash, file, locks[new_id], new_id, reason)
            self._drop_lock(session_id)

    def _drop_lock(self, session_id: str) -> None:
        """The lock is held: who waits for it sees that its file is gone, and makes a new one."""
        with suppress(OSError):
            self._disk.unlink(self._place.lock_path(session_id))

    def delete(self, session_id: str, by: str = "") -> TrashEntry | None:
        if not self.exists(session_id):
            return None
        with locked(self._disk, self._place.lock_path(session_id), session_id, self._place.now()) as lock:
            path = self._place.find(session_id)
            if not os.path.lexists(path):
                return None
            entry = self._trash.move(path, session_id, "deleted", note={"by": by} if by else None)
            if lock.file is not None:
                lock.file.forget()
            self._drop_lock(session_id)
            return entry

    def trash(self) -> "list[TrashEntry]":
        return self._trash.entries()

    def trashed(self, name: str, start: int = 0) -> "tuple[Header, list[Message]]":
        path, session_id = self._trash.file_of(name), self._trash.find(name).session_id
        header, _ = read_header(self._disk, path, session_id)
        return header, [*self._place.items(path, session_id, start)]

    def restore(self, name: str, *, new_id: str | None = None, reason: str = "displaced") -> str:
        entry = self._trash.find(name)
        session_id = check_id(new_id if new_id is not None else entry.session_id)
        place = self._place
        self._disk.make_folder(place.folder)
        with locked(self._disk, place.lock_path(session_id), session_id, place.now()) as lock:
            moving.restore(place, self._trash, entry, session_id, lock, reason)
        return session_id

    def purge(self, name: str) -> None:
        self._trash.purge(name)

    def close(self) -> None:
        """Nothing to let go: writers close themselves."""


class FileWriter:
    """See `SessionWriter` in core.ports. Writers of one session in one process share what they know of it."""

    def __init__(self, place: Place, lock: Lock, file: SessionFile) -> None:
        self._place = place
        self._lock = lock
        self._file = file
        self._closed = False

    @property
    def session_id(self) -> str:
        return self._file.session_id

    @property
    def header(self) -> Header:
        return self._file.header

    @property
    def count(self) -> int:
        return self._file.count

    @property
    def notices(self) -> list[str]:
        return self._file.notices

    def append(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """No messages: makes sure that what was acknowledged is safe, and that the session has a file."""
        with self._turn():
            self._file.append(messages)

    def replace(self, messages: Sequence[Mapping[str, Any]], reason: str) -> None:
        with self._turn():
            self._file.replace(messages, reason)

    def edit(
        self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None, updated_at: str | None = None
    ) -> None:
        with self._turn():
            self._file.edit(title, metadata, updated_at)

    def cut(self, count: int, *, reason: str = "rewound") -> str:
        with self._turn():
            return self._file.cut(count, reason)

    def lead(self, message: Mapping[str, Any], reason: str) -> None:
        with self._turn():
            self._file.lead(message, reason)

    def keep_draft(self, text: str) -> None:
        with self._turn():
            if not self._file.gone:
                write_draft(self._place, self.session_id, text)

    def load(self) -> list[Message]:
        with self._turn():
            return self._file.load()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            release(self._lock, drop=self._nothing_is_stored)

    def _nothing_is_stored(self) -> bool:
        place, session_id = self._place, self.session_id
        return not self._file.exists and not os.path.lexists(self._file.path) and not place.beside(session_id)

    @contextmanager
    def _turn(self) -> Generator[None, None, None]:
        """One thread at a time, and only while the lock is held."""
        if self._closed:
            raise SessionLockedError(self.session_id, f"Session '{self.session_id}' was closed; open it again.")
        self._lock.check(self.session_id)
        with self._lock.mutex, naming(self._file.path):
            yield
