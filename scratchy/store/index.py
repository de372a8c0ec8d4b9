"""The search index of a folder of sessions: derived from the files, in `.index.sqlite`, and never needed to see one.

Before each answer it looks at the folder and indexes what grew, for a moment. Damaged, of another schema or locked for
long it is thrown away and made anew; where it cannot be written the sessions are read one by one (scan.py). Not here:
the tables (index_db.py), what is indexed how (index_update.py, index_text.py).
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import NamedTuple

from scratchy.core.errors import SessionError
from scratchy.core.found import Found, Hit
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore
from scratchy.store.index_backlog import INDEX
from scratchy.store.index_db import Damaged, Locked, connected, remove
from scratchy.store.index_items import Source
from scratchy.store.index_text import Query
from scratchy.store.index_update import CatchUp, Stat, changed_files, files_in, records
from scratchy.store.place import Place
from scratchy.store.scan import SECONDS, WIDTH, Scan, hit_of, not_reached, nothing_asked, title_hit

NEWEST = 500  # of all hits the newest so many are looked at: a common word has millions
TITLES = 5
LOCKED_LONG = 10.0  # seconds for which another process may hold the index in each try of ours
_WAIT = 0.1  # seconds for another process's lock

_MATCHING = """
SELECT words.rowid, m.number, m.start, m.size, m.checked, s.name, s.id
FROM words JOIN messages m ON m.row = words.rowid JOIN sessions s ON s.key = m.session
WHERE words MATCH ?1 AND s.live {only} ORDER BY words.rowid DESC LIMIT ?2
"""
_ONLY = "AND s.id IN (SELECT value FROM json_each(?3))"


class _Row(NamedTuple):
    row: int
    number: int
    start: int
    size: int
    checked: int
    name: str
    session_id: str


class Index:
    """Of `store`'s folder. Safe to use from several threads and processes; no connection stays open between calls."""

    def __init__(self, store: FileStore) -> None:
        self.path = os.path.join(store.folder, INDEX)
        self._place = Place(store.folder, Disk(), lambda: datetime.now(UTC))
        self._scan = Scan(store)
        self._mutex = threading.Lock()
        self._locked_since: float | None = None

    def search(
        self, text: str, *, limit: int = 20, sessions: Collection[str] | None = None, patience: float = 0.1,
        width: int = WIDTH, seconds: float = SECONDS,
    ) -> Found:  # fmt: skip
        """The newest messages that hold all words of `text`; those where they stand together first. `sessions`: only
        these. Before that what grew is indexed, for `patience` seconds; `seconds` bounds reading without an index.
        `width`: characters of a passage. Raises OSError when the folder cannot be read."""
        query = Query(text)
        if not query.terms:
            return nothing_asked(text)
        try:
            waiting, refused = self._caught_up(patience)
            hits = self._found(query, limit, sessions, width)
        except Damaged:
            self.forget()
            return self._scan.search(text, limit=limit, sessions=sessions, width=width, seconds=seconds)
        except OSError:
            return self._scan.search(text, limit=limit, sessions=sessions, width=width, seconds=seconds)
        if not refused:
            note = f"{_sessions(len(waiting))} not indexed yet; search again in a moment." if waiting else ""
            return Found(hits, len(waiting), note)
        beside = [name for name in waiting if sessions is None or name in sessions]
        more = self._scan.search(text, limit=limit, sessions=beside, width=width, seconds=seconds)
        known = {(hit.session_id, hit.number) for hit in more.hits}
        merged = [*more.hits, *(hit for hit in hits if (hit.session_id, hit.number) not in known)]
        return Found(merged[:limit], more.pending, not_reached(more.pending, seconds) if more.pending else "")

    def update(self, seconds: float, cancelled: Callable[[], bool] = lambda: False) -> int:
        """Index what is new for so long; how many sessions wait. Raises OSError where it cannot be written, also when
        another process is writing it."""
        try:
            return len(self._update(seconds, cancelled))
        except Damaged:
            self.forget()
            return len(self._update_anew(seconds, cancelled))

    def forget(self) -> None:
        """Delete it with all that lies beside it. It is made anew by the next search or update."""
        with suppress(OSError):
            remove(self.path)

    # -- up to date

    def _caught_up(self, patience: float) -> tuple[list[str], bool]:
        """The ids of sessions that are not indexed; whether that is because the index cannot be written."""
        try:
            return self._update(patience), False
        except OSError:
            with connected(self.path, _WAIT) as database:
                known, files = records(database), files_in(self._place.folder)
                return [known[name].id if name in known else name for name in changed_files(files, known)], True

    def _update_anew(self, seconds: float, cancelled: Callable[[], bool]) -> list[str]:
        try:
            return self._update(seconds, cancelled)
        except Damaged as error:  # what we made ourselves just now
            raise OSError(0, str(error), self.path) from None

    def _update(self, seconds: float, cancelled: Callable[[], bool] = lambda: False) -> list[str]:
        """The names that wait."""
        files = files_in(self._place.folder)
        if not files and not os.path.lexists(self.path):
            return []
        deadline = time.monotonic() + seconds

        def stop() -> bool:
            return time.monotonic() > deadline or cancelled()

        try:
            with self._mutex, connected(self.path, _WAIT) as database:
                known = records(database)
                if known.keys() <= files.keys() and not changed_files(files, known):
                    return []
                waiting, wasteful = self._write(database, files, stop)
        except Locked:
            self._note_locked()
            raise
        self._locked_since = None
        if wasteful:
            self.forget()
        return waiting

    def _write(
        self, database: sqlite3.Connection, files: Mapping[str, Stat], stop: Callable[[], bool]
    ) -> tuple[list[str], bool]:  # fmt: skip
        database.execute("BEGIN IMMEDIATE")
        try:
            work = CatchUp(self._place, database, stop)
            waiting = work.run(files, records(database))  # anew: another process may have written meanwhile
            wasteful = not waiting and work.wasteful
            database.execute("COMMIT")
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
        return waiting, wasteful

    def _note_locked(self) -> None:
        """A process that stands still in the middle of writing must not stop the index for ever."""
        now = time.monotonic()
        if self._locked_since is None:
            self._locked_since = now
        elif now - self._locked_since > LOCKED_LONG:
            self._locked_since = None
            self.forget()

    # -- answers

    def _found(self, query: Query, limit: int, sessions: Collection[str] | None, width: int) -> list[Hit]:
        if not os.path.lexists(self.path):  # nothing was ever stored
            return []
        with connected(self.path, _WAIT) as database:
            rows = self._together_first(database, query, self._matching(database, query.match, sessions))
            titles = self._titles(database, query, sessions)
        with ExitStack() as stack:
            opened: dict[str, Source | None] = {}
            hits: list[Hit] = []
            for row in rows:
                if len(hits) == limit:
                    break
                source = self._opened(row.name, row.session_id, opened, stack)
                message = source.item(row.number, row.start, row.size, row.checked) if source is not None else None
                if source is not None and message is not None:
                    hits.append(hit_of(row.session_id, source.header, row.number, message, query, width))
            seen = {hit.session_id for hit in hits}
            named = list(self._title_hits(titles, query, width, opened, stack, seen))
        return [*named, *hits][:limit]

    def _matching(self, database: sqlite3.Connection, match: str, sessions: Collection[str] | None) -> list[_Row]:
        only = _MATCHING.format(only=_ONLY if sessions is not None else "")
        values: list[object] = [match, NEWEST]
        if sessions is not None:
            values.append(_json_list(sessions))
        return [_Row(*row) for row in database.execute(only, values)]

    def _together_first(self, database: sqlite3.Connection, query: Query, rows: list[_Row]) -> list[_Row]:
        """Of the newest hits those where the words follow each other, then the others; newest first in both."""
        if not query.together or len(rows) < 2:
            return rows
        asked = "SELECT rowid FROM words WHERE words MATCH ? AND rowid >= ?"
        together = {row for (row,) in database.execute(asked, (query.together, rows[-1].row))}
        return sorted(rows, key=lambda row: row.row not in together)

    def _titles(
        self, database: sqlite3.Connection, query: Query, sessions: Collection[str] | None
    ) -> list[tuple[str, str]]:
        longest = max((term.text for term in query.terms), key=len)
        like = "".join(f"\\{char}" if char in "\\%_" else char for char in longest)
        rows = database.execute(
            "SELECT name, id, title FROM sessions WHERE live AND title LIKE ? ESCAPE '\\' ORDER BY updated DESC",
            (f"%{like}%",),
        )
        fits = ((n, i) for n, i, title in rows if (sessions is None or i in sessions) and query.occurs_in(title))
        return [pair for pair, _ in zip(fits, range(NEWEST), strict=False)]

    def _title_hits(
        self, titles: list[tuple[str, str]], query: Query, width: int, opened: dict[str, Source | None],
        stack: ExitStack, seen: set[str],
    ) -> Iterator[Hit]:  # fmt: skip
        """Sessions whose title holds the words, where no message of them was found."""
        fresh = [(name, session_id) for name, session_id in titles if session_id not in seen]
        for name, session_id in fresh[:TITLES]:
            source = self._opened(name, session_id, opened, stack)
            if source is not None and query.occurs_in(source.header.title or ""):
                yield title_hit(session_id, source.header, query, width)

    def _opened(self, name: str, session_id: str, opened: dict[str, Source | None], stack: ExitStack) -> Source | None:
        """The session's file, opened once an answer; None when it is gone, another's now, or cannot be read."""
        if name not in opened:
            try:
                source = Source(self._place, self._place.path(name), session_id)
                stack.callback(source.close)
                opened[name] = source if source.header.session_id in ("", session_id) else None
            except (SessionError, OSError, ValueError):
                opened[name] = None
        return opened[name]


def _json_list(texts: Collection[str]) -> str:
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)  # ids hold no control characters
    return "[" + ", ".join(f'"{text}"' for text in quoted) + "]"


def _sessions(count: int) -> str:
    return "1 session is" if count == 1 else f"{count} sessions are"
