"""Bringing the index up to date with the folder: which files changed, what of them is the same, and indexing the rest.

One `CatchUp` a transaction; it stops when it is told to, and the next one goes on. Not here: searching, opening the
database.
"""

import os
import sqlite3
import stat
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from scratchy.core.errors import SessionError
from scratchy.store.foreign import time_text
from scratchy.store.ids import SUFFIX, decode_id
from scratchy.store.index_db import COLUMNS, Known
from scratchy.store.index_items import Item, Source
from scratchy.store.index_text import fold, indexable, words_of
from scratchy.store.place import LISTED_MOST, Place, read_header

_BIG = 4 << 20  # bytes: a larger session in its old file is only looked at where it was last written
_LAST = 1 << 16
_FRESH = 2.0  # seconds: what was written so lately may be in the middle of it
_SIGN = (1 << 62) - 1


class Stat(NamedTuple):
    """A file as the folder tells it. `changed` mixes the times of its content and of its rights."""

    inode: int
    size: int
    changed: int
    written: float


def files_in(folder: str) -> dict[str, Stat]:
    """The regular files that may be sessions, by name. Raises OSError; a missing folder is empty."""
    found: dict[str, Stat] = {}
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return found
    with entries:
        for entry in entries:
            name = entry.name
            if not name.endswith(SUFFIX) or name[0] == "." or not name.isascii():
                continue
            try:
                there = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # deleted just now
                continue
            if stat.S_ISREG(there.st_mode):
                found[name] = stat_of(there)
    return found


def stat_of(there: os.stat_result) -> Stat:
    changed = (there.st_mtime_ns + there.st_ctime_ns) & _SIGN
    return Stat(there.st_ino & _SIGN, there.st_size, changed, there.st_mtime)


def session_of(name: str) -> str:
    """The session whose file it is by its name; its header may know better."""
    return decode_id(name.removesuffix(SUFFIX)) or name.removesuffix(SUFFIX)


def records(database: sqlite3.Connection) -> dict[str, Known]:
    rows = database.execute(f"SELECT {COLUMNS} FROM sessions WHERE live")
    return {row[1]: Known(*row) for row in rows}


def changed_files(files: Mapping[str, Stat], known: Mapping[str, Known]) -> list[str]:
    """The names of files that are not as the index knows them."""
    return [
        name
        for name, there in files.items()
        if (row := known.get(name)) is None or row[5:8] != there[:3]  # inode, size, changed
    ]


class CatchUp:
    """`known` is kept true to the database; `stop` is asked between pieces of work. Raises what SQLite raises; a file
    that cannot be read is no error."""

    def __init__(
        self, place: Place, database: sqlite3.Connection, known: dict[str, Known], stop: Callable[[], bool]
    ) -> None:
        self.known = known
        self._place = place
        self._database = database
        self._stop = stop
        self._next_row: int = database.execute("SELECT ifnull(max(row), 0) + 1 FROM messages").fetchone()[0]
        self._retired = False

    def run(self, files: Mapping[str, Stat]) -> list[str]:
        """The names that wait for the next time, newest activity last."""
        known = self.known
        for name in known.keys() - files.keys():
            self._retire(known[name])
        waiting = changed_files(files, known)
        for at, name in enumerate([name for name in waiting if name not in known]):
            if at % 16 == 0 and at and self._stop():
                return waiting
            self._discover(name, files[name])
        waiting = changed_files(files, known)  # without those that cannot be read
        waiting.sort(key=lambda name: known[name].updated if not known[name].count else time_text(files[name].written))
        for at, name in enumerate(waiting):
            if (at and self._stop()) or not self._index(known[name], files[name]):
                return waiting[at:]
        return []

    @property
    def wasteful(self) -> bool:
        """Whether most of what the index holds is of sessions that are gone."""
        if not self._retired:
            return False
        gone, there = self._database.execute(
            "SELECT sum(count * (1 - live)), sum(count * live) FROM sessions"
        ).fetchone()
        return (gone or 0) > (there or 0) + 20_000

    # -- one session

    def _discover(self, name: str, there: Stat) -> Known:
        """A new row for a file, from its header alone; one that is no session is done with until it changes."""
        path = self._place.path(name)
        session_id = session_of(name)
        try:
            header, _ = read_header(self._place.disk, path, session_id, LISTED_MOST)
            session_id = header.session_id or session_id
            if self._place.find(session_id) != path:
                raise SessionError(session_id, "its header names another session")
        except (SessionError, PermissionError, ValueError):
            return self._add(Known(0, name, session_id, "", "", *there[:3], 0, 0, 0))
        except OSError:  # it may go better next time
            return self._add(Known(0, name, session_id, "", "", 0, 0, 0, 0, 0, 0))
        return self._add(Known(0, name, session_id, fold(header.title or ""), header.updated_at, 0, 0, 0, 0, 0, 0))

    def _index(self, known: Known, there: Stat) -> bool:
        """Whether all of it is indexed now."""
        try:
            source = Source(self._place, self._place.path(known.name), known.id)
        except (SessionError, PermissionError, ValueError):
            self._retire(known)
            self._add(
                known._replace(title="", inode=there.inode, size=there.size, changed=there.changed, count=0, end=0)
            )
            return True
        except OSError:
            return True
        try:
            if source.header.session_id not in ("", known.id):
                self._retire(known)
                known = self._discover(known.name, there)
                if known.inode:
                    return True
            known = self._kept(known, source, there)
            title, updated = fold(source.header.title or ""), source.header.updated_at
            known, whole = self._add_messages(known._replace(title=title, updated=updated), source)
            if whole:
                known = known._replace(inode=there.inode, size=there.size, changed=there.changed)
                if source.body + known.end < there.size and time.time() - there.written < _FRESH:
                    known = known._replace(changed=0)  # an append may be half done: look again next time
            self._save(known)
            return whole
        finally:
            source.close()

    def _kept(self, known: Known, source: Source, there: Stat) -> Known:
        """The row that goes on: this one, cut to what is still the same; one of a session that had this content; or a
        new one."""
        if known.count:
            known, was = self._cut(known, source), known
            if known.count and self._same(known, source, trust=known.count == was.count and there.inode == was.inode):
                return known
            self._retire(was)
            known = self._add(was._replace(inode=0, size=0, changed=0, count=0, end=0, checked=0))
        return self._adopted(known, source) or known

    def _cut(self, known: Known, source: Source) -> Known:
        """A session that is shorter now keeps the rows of the messages that are left, if these are the same."""
        if source.head is None or known.end < 0 or source.total >= known.count:
            return known
        rows = self._database.execute(
            "SELECT number, start, size, checked FROM messages WHERE session = ? AND number < ? ORDER BY number",
            (known.key, source.total),
        ).fetchall()
        if not rows or any(source.check_of(start, size) != check for _, start, size, check in rows):
            return known._replace(count=0)
        self._database.execute(
            "UPDATE messages SET session = 0 WHERE session = ? AND number >= ?", (known.key, source.total)
        )
        end = rows[-1][1] + rows[-1][2]
        return known._replace(count=len(rows), end=end, checked=source.check_of(0, end))

    def _same(self, known: Known, source: Source, *, trust: bool) -> bool:
        """Whether what is indexed still begins the session. `trust`: the file is the one that it was, so that a big one
        can only have grown."""
        if (source.head is None) != (known.end < 0) or source.total < known.count:
            return False
        if source.head is None:
            return source.total == known.count and _check_of_all(source) == known.checked
        if source.body + known.end > source.size:
            return False
        if trust and known.end > _BIG:
            rows = self._database.execute(
                "SELECT start, size, checked FROM messages WHERE session = ? AND number = ?",
                (known.key, known.count - 1),
            )
            return all(source.check_of(start, size) == check for start, size, check in rows)
        return source.check_of(0, known.end) == known.checked

    def _adopted(self, known: Known, source: Source) -> Known | None:
        """A session that is gone and had exactly this content was renamed, restored or put back."""
        end = source.size - source.body if source.head is not None else -1
        rows = self._database.execute(
            f"SELECT {COLUMNS} FROM sessions WHERE NOT live AND count = ? AND end = ? AND count > 0 "
            "ORDER BY key DESC LIMIT 8",
            (source.total, end),
        )
        for old in [Known(*row) for row in rows]:
            if self._same(old, source, trust=False):
                self._database.execute("DELETE FROM sessions WHERE key = ?", (known.key,))
                self._database.execute("UPDATE sessions SET live = 1 WHERE key = ?", (old.key,))
                return old._replace(name=known.name, id=known.id)
        return None

    def _add_messages(self, known: Known, source: Source) -> tuple[Known, bool]:
        """What is not indexed yet, piece by piece. Whether that was all."""
        count, end, checked = known.count, max(known.end, 0), known.checked
        whole = True
        for items, data in source.pieces(count, end):
            self._add_items(known.key, count, items)
            count, end, checked = count + len(items), end + len(data), crc32(data, checked)
            if self._stop():
                whole = source.head is None or count >= source.total
                break
        if source.head is None:
            end, checked = -1, _check_of_all(source)
        return known._replace(count=count, end=end, checked=checked), whole

    def _add_items(self, key: int, number: int, items: Sequence[Item]) -> None:
        row = self._next_row
        self._next_row += len(items)
        self._database.executemany(
            "INSERT INTO messages VALUES(?, ?, ?, ?, ?, ?)",
            [(row + at, key, number + at, item.start, item.size, item.check) for at, item in enumerate(items)],
        )
        texts = [(row + at, words_of(item.message)) for at, item in enumerate(items) if item.message is not None]
        self._database.executemany(
            "INSERT INTO words(rowid, text) VALUES(?, ?)",
            [(at, indexable(text).replace("\0", " ")) for at, text in texts if text],
        )

    # -- rows of sessions

    def _add(self, known: Known) -> Known:
        values = (*known[1:5], 1, *known[5:])
        added = self._database.execute(f"INSERT INTO sessions VALUES(NULL, {', '.join('?' * len(values))})", values)
        known = known._replace(key=added.lastrowid or 0)
        self.known[known.name] = known
        return known

    def _save(self, known: Known) -> None:
        pairs = ", ".join(f"{name} = ?" for name in Known._fields[1:])
        self._database.execute(f"UPDATE sessions SET {pairs} WHERE key = ?", (*known[1:], known.key))
        self.known[known.name] = known

    def _retire(self, known: Known) -> None:
        self._retired = True
        self.known.pop(known.name, None)
        self._database.execute("UPDATE sessions SET live = 0 WHERE key = ?", (known.key,))


def _check_of_all(source: Source) -> int:
    items = next(source.pieces(0, 0))[0]
    return crc32(b"".join(struct.pack("<I", item.check) for item in items))
