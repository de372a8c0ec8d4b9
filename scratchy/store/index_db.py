"""The index's database: its tables, opening and removing it, which errors mean damage. SQL lives here and in index.py.

edition    one number, another one after each change
sessions   what is known of each file: its last look, how much of it is indexed, whether it still is there
messages   one row a message: its session, number, and where its bytes lie
words      their text, contentless: what SQLite 3.40 puts there it cannot take out again, so rows of sessions that
           are gone stay, and are filtered by `sessions`
"""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import NamedTuple

from scratchy.system import SAFE_OPEN, try_lock

SCHEMA = 2
_PARTS = ("", "-wal", "-shm", "-journal", "-lock")  # in this order: a new file ignores what an old one left
_BUSY = 0.2  # seconds for a program that is not ours
_POLL = 0.002
_TABLES = """
CREATE TABLE edition(number INTEGER NOT NULL);
INSERT INTO edition VALUES(random() / 2);
CREATE TABLE sessions(
    key INTEGER PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, updated TEXT NOT NULL,
    live INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL,
    count INTEGER NOT NULL, end INTEGER NOT NULL, checked INTEGER NOT NULL);
CREATE INDEX by_name ON sessions(name) WHERE live;
CREATE TABLE messages(
    row INTEGER PRIMARY KEY, session INTEGER NOT NULL, number INTEGER NOT NULL,
    start INTEGER NOT NULL, size INTEGER NOT NULL, checked INTEGER NOT NULL);
CREATE INDEX by_number ON messages(session, number);
CREATE VIRTUAL TABLE words USING fts5(
    text, content='', columnsize=0, tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'");
"""
# What the surroundings refuse; every other error of SQLite means that the index is no good.
_REFUSED = frozenset(
    (
        sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
    )
)  # fmt: skip
DAMAGE = (sqlite3.Error, ValueError, TypeError, OverflowError, KeyError, IndexError)
"""What a damaged index may raise; `is_refusal` tells what is none."""


class Known(NamedTuple):
    """A row of `sessions`: `count` messages are indexed, they end at `end` (-1: a file of another form), `checked` is
    the checksum of their bytes. `inode`, `size` and `changed` are of the file when all of it was. `title` is folded."""

    key: int
    name: str
    id: str
    title: str
    updated: str
    inode: int
    size: int
    changed: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody counts in a row
    end: int
    checked: int


COLUMNS = "key, name, id, title, updated, inode, size, changed, count, end, checked"


class Damaged(Exception):
    """The index cannot be used and should be made anew."""


class Locked(OSError):
    """Another process is writing the index, or stands still in the middle of it."""


def is_refusal(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED


_mutexes: dict[str, threading.Lock] = {}  # by path: a lock on a file keeps other processes out, not other threads


@contextmanager
def connected(path: str, patience: float) -> Generator[sqlite3.Connection, None, None]:
    """A connection for one operation; nobody else has one meanwhile, so that a file that was removed is never written
    again, nor what lies beside the new one taken for the old one's.

    The block may raise anything of `DAMAGE`; what means damage leaves as Damaged, what the surroundings refuse as
    OSError: Locked when others had it for `patience` seconds.
    """
    try:
        with _alone(path, patience):
            _make(path)
            with closing(sqlite3.connect(path, timeout=_BUSY, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous = NORMAL")
                _prepare(database)
                yield database
    except DAMAGE as error:
        if is_refusal(error):
            kind = Locked if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY else OSError
            raise kind(0, str(error), path) from None
        raise Damaged(f"{type(error).__name__}: {error}") from error


@contextmanager
def _alone(path: str, patience: float) -> Generator[None, None, None]:
    """No other thread or process of ours is in here. Raises Locked, OSError."""
    deadline, mutex = time.monotonic() + patience, _mutexes.setdefault(path, threading.Lock())
    if not mutex.acquire(timeout=patience):
        raise Locked(0, "the index is in use", path)
    try:
        while (handle := _lock(f"{path}-lock")) is None:
            if time.monotonic() > deadline:
                raise Locked(0, "the index is in use", path)
            time.sleep(_POLL)
        try:
            yield
        finally:
            os.close(handle)
    finally:
        mutex.release()


def _lock(path: str) -> int | None:
    """A descriptor that holds the lock; None when another process does, or the file was removed just now."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | SAFE_OPEN, 0o600)
    try:
        if try_lock(handle) and os.fstat(handle).st_nlink:
            return handle
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _make(path: str) -> None:
    """The file, 0600; SQLite gives what lies beside it the same mode. Nothing but a file is opened."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE_OPEN, 0o600))
        return
    if not stat.S_ISREG(mode):
        raise OSError(0, "the index is no file", path)


def _prepare(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA:
        if database.execute("SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone()[0]:
            raise Damaged("it holds what computes, and we made no such thing")
        return
    if version or database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise Damaged(f"its schema is {version}, not {SCHEMA}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")
    try:
        if not database.execute("PRAGMA user_version").fetchone()[0]:
            for statement in _TABLES.split(";\n"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {SCHEMA}")
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def remove(path: str, patience: float) -> None:
    """The index with all that lies beside it. Others who use it just now are waited for, but not for ever. Raises
    OSError."""
    with ExitStack() as stack:
        with suppress(Locked):  # who stands still for so long in the middle of it does not keep it
            stack.enter_context(_alone(path, patience))
        for part in _PARTS:
            with suppress(FileNotFoundError):
                os.unlink(path + part)
