"""Who may write a session: one lock file a session, held by the process and shared by all its writers, counted.

`.<encoded id>.lock` says who holds it, who wrote last, and where the file ended after the last whole append. What it
says is a hint for people and a shortcut for readers: only the kernel's lock decides, and a text that is stale,
rewritten or gone blocks nobody. It also names a file whose sync failed, for the next process not to trust it.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from scratchy.core.errors import SessionLockedError
from scratchy.store.disk import Disk
from scratchy.store.ids import shell_id, shell_word
from scratchy.system import SAFE_OPEN, host_name, is_stopped, lock_holder, read_at, try_lock, write_at

PATIENCE = 0.5  # seconds that a busy lock is tried
_SIZE = 512

_held: dict[str, "Lock"] = {}  # by the lock file's path
_registry = threading.RLock()


class Clean(NamedTuple):
    """Where the file `inode` ended when it held `total` messages and nothing else, and when it was last changed."""

    inode: int
    end: int
    total: int
    changed: int


class Lock:
    """A held lock: `mutex` serialises this process's threads, `users` counts its writers, `file` is what they share."""

    def __init__(self, path: str, handle: int, disk: Disk, since: str) -> None:
        self.path = path
        self.mutex = threading.RLock()
        self.users = 0
        self.file: Any = None
        self._disk = disk
        self._pid = os.getpid()
        self._host = host_name()
        self._since = since
        self._guard(handle)
        said = _parse(_text(handle))
        self._writer, self._clean, self._failed = said.writer, said.clean, said.failed
        self._write()

    def note(self, clean: Clean) -> None:
        """This process changed the session: it is `clean` now, and safe on disk."""
        self._writer, self._clean, self._failed = self._pid, clean, None
        self._write()

    def note_whole(self, clean: Clean) -> None:
        """The session, whoever wrote it, was read whole and is `clean`, and safe on disk."""
        self._clean = clean
        self._write()

    def note_failed(self, inode: int) -> None:
        """The sync of the session's file `inode` failed: what the system holds of it may not be what the disk has."""
        self._writer, self._clean, self._failed = self._pid, None, inode
        self._write()

    @property
    def failed(self) -> int | None:
        return self._failed

    @property
    def clean(self) -> Clean | None:
        return self._clean

    @property
    def writer(self) -> int | None:
        return self._writer

    @property
    def ours(self) -> bool:
        """False in a forked child: the lock stayed with the parent."""
        return self._pid == os.getpid()

    def check(self, session_id: str) -> None:
        """Raises SessionLockedError in a forked child."""
        if not self.ours:
            text = f"Session '{session_id}' is held by process {self._pid}, which this one was forked from."
            raise SessionLockedError(session_id, text, pid=self._pid)

    def keep(self, session_id: str) -> None:
        """Make sure that the lock still guards the path. Raises SessionLockedError when another process has it now."""
        if _identity(self.path) == self._inode:
            return
        handle = _try(self._disk, self.path)
        if handle is None:
            raise _refusal(self._disk, self.path, session_id)
        self._disk.close(self._handle)
        self._guard(handle)
        self._write()

    def drop(self) -> None:
        """Remove the lock file, which is held: who waits for it sees that it is gone, and makes a new one."""
        with contextlib.suppress(OSError):
            if _identity(self.path) == self._inode:
                self._disk.unlink(self.path)

    def close(self) -> None:
        self._disk.close(self._handle)

    def _guard(self, handle: int) -> None:
        here = os.fstat(handle)
        self._handle, self._inode = handle, (here.st_dev, here.st_ino)

    def _write(self) -> None:
        clean = " ".join(map(str, self._clean)) if self._clean else ""
        lines = (
            f"pid {self._pid}\nsince {self._since}\nhost {self._host}\nwriter {self._writer or ''}\nclean {clean}\n"
            f"failed {self._failed or ''}\n"
        )
        with contextlib.suppress(OSError):  # a hint: a full disk must not fail what it is a hint of
            write_at(self._handle, lines.encode().ljust(_SIZE, b" "), 0)


def acquire(disk: Disk, path: str, session_id: str, since: str) -> Lock:
    """One more user of this process's lock; `release` it. Raises SessionLockedError after half a second, OSError."""
    end = time.monotonic() + PATIENCE
    while True:
        with _registry:
            lock = _held.get(path)
            if lock is None and (handle := _try(disk, path)) is not None:
                lock = _held[path] = Lock(path, handle, disk, since)
            if lock is not None:
                lock.users += 1
                break
            if time.monotonic() >= end:
                raise _refusal(disk, path, session_id)  # its descriptor, closed later, could give up a lock of ours
        time.sleep(0.01)
    try:
        with lock.mutex:
            lock.keep(session_id)  # one that is shared may have lost its file: to a delete, or to a stranger
    except BaseException:
        release(lock)
        raise
    return lock


def release(lock: Lock, drop: Callable[[], bool] | None = None) -> None:
    """The last user gives the lock up, and closes what its users shared. `drop`: whether the lock file goes, too."""
    if not lock.ours:
        return
    with _registry:
        lock.users -= 1
        if lock.users == 0:
            del _held[lock.path]
            if drop is not None and drop():
                lock.drop()
            if lock.file is not None:
                lock.file.close()
            lock.close()


@contextlib.contextmanager
def locked(disk: Disk, path: str, session_id: str, since: str) -> Generator[Lock, None, None]:
    """Hold the session's lock, with its mutex, for a block."""
    lock = acquire(disk, path, session_id, since)
    try:
        with lock.mutex:
            yield lock
    finally:
        release(lock)


def look(path: str) -> tuple[int | None, Clean | None]:
    """Who wrote the session last, and where its file ended then, as far as that is known. Takes no lock."""
    with _registry:  # a second descriptor of a lock file that we hold would, closed, give the lock up
        lock = _held.get(path)
        if lock is not None:
            return lock.writer, lock.clean
        try:
            handle = os.open(path, os.O_RDONLY | SAFE_OPEN)
        except OSError:
            return None, None
        try:
            said = _parse(_text(handle))
            return said.writer, said.clean
        finally:
            os.close(handle)


def _try(disk: Disk, path: str) -> int | None:
    """The descriptor of the lock file, locked; None when another process has it."""
    while True:
        handle = disk.open(path, os.O_RDWR | os.O_CREAT)
        try:
            got = try_lock(handle)
        except OSError:
            disk.close(handle)
            raise
        here = os.fstat(handle)
        if got and _identity(path) == (here.st_dev, here.st_ino):
            return handle
        disk.close(handle)
        if not got:
            return None


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what is at the path now: who deletes a session deletes its lock file, too."""
    try:
        there = os.lstat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _refusal(disk: Disk, path: str, session_id: str) -> SessionLockedError:
    handle = disk.open(path, os.O_RDWR | os.O_CREAT)
    try:
        holder = _holder(handle)
    finally:
        disk.close(handle)
    name = shell_word(session_id)
    text = (
        f"Session '{session_id}' is held by {holder}. `scratchy session watch {shell_id(session_id)}` shows it live, "
        f"`scratchy --fork={name}` opens a copy; it is free when that process ends.{holder.advice}"
    )
    return SessionLockedError(session_id, text, pid=holder.pid, host=holder.host, since=holder.since)


class Holder(NamedTuple):
    """Another process that holds a lock, as far as that is known. As a text: who it is, and whether it stands still."""

    pid: int | None
    host: str | None
    since: str | None

    @property
    def stopped(self) -> bool:
        return self.pid is not None and self.host == host_name() and is_stopped(self.pid)

    @property
    def advice(self) -> str:
        return f" `kill -CONT {self.pid}` lets it go on." if self.stopped else ""

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.pid else "another process"
        details = (f" on {self.host}" if self.host else "") + (f" since {self.since}" if self.since else "")
        return who + details + (", which is stopped" if self.stopped else "")


def holding(path: str) -> Holder | None:
    """Who else holds the lock; None when nobody does, or it cannot be told. Takes no lock."""
    with _registry:  # as in `look`
        if path in _held:
            return None
        try:
            handle = os.open(path, os.O_RDONLY | SAFE_OPEN)
        except OSError:
            return None
        try:
            return _holder(handle) if lock_holder(handle) is not None else None
        finally:
            os.close(handle)


def _holder(handle: int) -> Holder:
    pid, said = lock_holder(handle), _parse(_text(handle))
    if pid is not None and pid != said.pid:  # the text is not the holder's
        return Holder(pid, host_name(), None)
    return Holder(said.pid, said.host, said.since)


def _text(handle: int) -> str:
    try:
        return read_at(handle, _SIZE, 0).decode("utf-8", "replace")
    except OSError:
        return ""


class _Said(NamedTuple):
    """What a lock file's text tells; None for what it does not."""

    pid: int | None
    since: str | None
    host: str | None
    writer: int | None
    clean: Clean | None
    failed: int | None


def _parse(text: str) -> _Said:
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(" ")
        fields[name] = value if value.isprintable() else ""
    numbers = fields.get("clean", "").split()
    clean = Clean(*map(int, numbers)) if len(numbers) == 4 and all(map(_is_number, numbers)) else None

    def number(name: str) -> int | None:
        value = fields.get(name, "")
        return int(value) if _is_number(value) else None

    since, host = fields.get("since") or None, fields.get("host") or None
    return _Said(number("pid"), since, host, number("writer"), clean, number("failed"))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _after_fork() -> None:
    """The locks stayed with the parent."""
    global _registry  # another thread of the parent may have held it
    _registry = threading.RLock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
