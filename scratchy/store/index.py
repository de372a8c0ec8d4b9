"""The search index of a folder of sessions: derived from the files, in `.index.sqlite`, and never needed to see one.

Before each answer it looks at the folder and indexes what grew, for a moment. Damaged, of another schema or locked for
long it is thrown away and made anew; where it cannot be written the sessions are read one by one (scan.py). Not here:
the tables (index_db.py), what is indexed how (index_update.py, index_text.py).
"""

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import NamedTuple

from scratchy.core.errors import SessionError
from scratchy.core.found import Found, Hit
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore
from scratchy.store.index_backlog import INDEX
from scratchy.store.index_db import Damaged, Known, Locked, connected, is_refusal, remove
from scratchy.store.index_items import Source
from scratchy.store.index_text import Query
from scratchy.store.index_update import CatchUp, Stat, changed_files, files_in, records, session_of, stat_of
from scratchy.store.place import Place
from scratchy.store.scan import SECONDS, WIDTH, Scan, hit_of, not_reached, nothing_asked, title_hit

NEWEST = 500  # of all hits the newest so many are looked at: a common word has millions
TITLES = 5
LOCKED_LONG = 10.0  # seconds for which another process may hold the index in each try of ours
_WAIT = 1.0  # seconds for another process, which has it for a slice of indexing at most

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
        self._scan = Scan(FileStore(store.folder))  # not `store`: who keeps an index by its store lets go of both
        self._locked_since: float | None = None
        self._known: tuple[int, dict[str, Known]] = (0, {})

    def search(
        self, text: str, *, limit: int = 20, sessions: Collection[str] | None = None, patience: float = 0.1,
        width: int = WIDTH, seconds: float = SECONDS,
    ) -> Found:  # fmt: skip
        """The newest messages that hold all words of `text`; those where they stand together first. `sessions`: only
        these. Before that what grew is indexed, for `patience` seconds; what waits then is read, newest activity first,
        for `seconds` at most.
        `width`: characters of a passage. Raises OSError when the folder cannot be read."""
        query = Query(text)
        if not query.terms:
            return nothing_asked(text)
        try:
            waiting, rows, titles = self._asked(query, limit, sessions, patience)
            hits = self._hits(query, rows, titles, limit, width)
        except Damaged:
            self.forget()
            return self._scan.search(text, limit=limit, sessions=sessions, width=width, seconds=seconds)
        except OSError:
            return self._scan.search(text, limit=limit, sessions=sessions, width=width, seconds=seconds)
        beside = {name for name in waiting if sessions is None or name in sessions}
        if not beside:
            return Found(hits)
        more = self._scan.search(text, limit=limit, sessions=beside, width=width, seconds=seconds)
        known = {(hit.session_id, hit.number) for hit in more.hits}
        merged = [*more.hits, *(hit for hit in hits if (hit.session_id, hit.number) not in known)]
        note = f"{not_reached(more.pending, seconds)} Each search reaches more." if more.pending else ""
        merged.sort(key=lambda hit: hit.last_activity, reverse=True)
        return Found(merged[:limit], more.pending, note)

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
            remove(self.path, _WAIT * 2)

    # -- up to date

    def _update_anew(self, seconds: float, cancelled: Callable[[], bool]) -> list[str]:
        try:
            return self._update(seconds, cancelled)
        except Damaged as error:  # what we made ourselves just now
            raise OSError(0, str(error), self.path) from None

    def _update(self, seconds: float, cancelled: Callable[[], bool]) -> list[str]:
        """The names that wait."""
        files = files_in(self._place.folder)
        if not files and not os.path.lexists(self.path):
            return []
        with self._connected() as database:
            waiting, wasteful = self._catch_up(database, files, seconds, cancelled)
        if wasteful:
            self.forget()
        return waiting

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection, None, None]:
        """Raises Damaged and OSError. A process that stands still in the middle of writing does not stop the index for
        ever."""
        try:
            with connected(self.path, _WAIT) as database:
                self._locked_since = None
                yield database
        except Locked:
            now = time.monotonic()
            self._locked_since = self._locked_since or now
            if now - self._locked_since > LOCKED_LONG:
                self._locked_since = None
                self.forget()
            raise

    def _records(self, database: sqlite3.Connection) -> dict[str, Known]:
        """What the index knows of each file; read again only when it changed."""
        edition = int(database.execute("SELECT number FROM edition").fetchone()[0])
        if edition != self._known[0]:
            self._known = (edition, records(database))
        return self._known[1]

    def _catch_up(
        self, database: sqlite3.Connection, files: Mapping[str, Stat], seconds: float, cancelled: Callable[[], bool]
    ) -> tuple[list[str], bool]:
        """The names that wait; whether most of the index is of sessions that are gone. Raises what SQLite raises."""
        known, deadline = self._records(database), time.monotonic() + seconds
        if known.keys() <= files.keys() and not changed_files(files, known):
            return [], False
        self._known = (0, {})
        database.execute("BEGIN IMMEDIATE")
        try:
            work = CatchUp(self._place, database, known, lambda: time.monotonic() > deadline or cancelled())
            waiting = work.run(files)
            wasteful = not waiting and work.wasteful
            database.execute("UPDATE edition SET number = number + 1")
            edition = int(database.execute("SELECT number FROM edition").fetchone()[0])
            database.execute("COMMIT")
            self._known = (edition, work.known)
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
        return waiting, wasteful

    # -- answers

    def _asked(
        self, query: Query, limit: int, sessions: Collection[str] | None, patience: float
    ) -> tuple[list[str], list[_Row], list[tuple[str, str]]]:
        """The ids of sessions that wait, also where the index cannot be written; what was found."""
        files = files_in(self._place.folder)
        if not files and not os.path.lexists(self.path):
            return [], [], []
        wasteful = False
        with self._connected() as database:
            try:
                names, wasteful = self._catch_up(database, files, patience, lambda: False)
            except sqlite3.Error as error:
                if not is_refusal(error):
                    raise
                names = changed_files(files, self._records(database))
            rows = self._rows(database, query, max(limit, NEWEST), sessions)
            titles = self._titles(database, query, sessions)
            known = self._records(database) if names else {}
        if wasteful:
            self.forget()
        waiting = [known[name].id if name in known else session_of(name) for name in names]
        return waiting, rows, titles

    def _hits(self, query: Query, rows: list[_Row], titles: list[tuple[str, str]], limit: int, width: int) -> list[Hit]:
        """Raises Damaged when a file that nobody changed does not hold what the index says."""
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
                elif source is not None and self._is_unchanged(row.name, stat_of(os.fstat(source.handle))):
                    raise Damaged(f"it is wrong about {row.name}")
            seen = {hit.session_id for hit in hits}
            named = list(self._title_hits(titles, query, width, opened, stack, seen))
        return [*named, *hits][:limit]

    def _is_unchanged(self, name: str, there: Stat) -> bool:
        return name in self._known[1] and not changed_files({name: there}, self._known[1])

    def _rows(
        self, database: sqlite3.Connection, query: Query, most: int, sessions: Collection[str] | None
    ) -> list[_Row]:
        """Hits of the words as they are typed, if that are enough; else of longer last words, too."""
        if query.exact is not None:
            rows = self._matching(database, query.exact.match, most, sessions)
            if len(rows) == most:
                return self._together_first(database, query.exact, rows)
        return self._together_first(database, query, self._matching(database, query.match, most, sessions))

    def _matching(
        self, database: sqlite3.Connection, match: str, most: int, sessions: Collection[str] | None
    ) -> list[_Row]:
        only = _MATCHING.format(only=_ONLY if sessions is not None else "")
        values: list[object] = [match, most]
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
