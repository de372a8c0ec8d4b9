"""Searching without an index: session after session is read, newest activity first, for as long as there is time."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

from scratchy.core.errors import SessionError
from scratchy.core.found import Found, Hit
from scratchy.core.messages import Message
from scratchy.core.ports import Store
from scratchy.core.stored import Header, SessionInfo
from scratchy.store.index_text import Query, words_of

SECONDS = 2.0
WIDTH = 240


class Scan:
    """The same face as an `Index`, over any store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def search(
        self, text: str, *, limit: int = 20, sessions: Collection[str] | None = None, patience: float = 0.1,
        width: int = WIDTH, seconds: float = SECONDS,
    ) -> Found:  # fmt: skip
        """`sessions`: only these. `seconds` bounds the whole of it; `patience` is the index's and means nothing here.
        Raises OSError when the sessions cannot be listed."""
        query, deadline = Query(text), time.monotonic() + seconds
        if not query.terms:
            return nothing_asked(text)
        hits: list[Hit] = []
        rows = [row for row in self._store.list() if not row.error and (sessions is None or row.session_id in sessions)]
        for at, row in enumerate(rows):
            if len(hits) >= limit:
                break
            with suppress(SessionError, OSError, ValueError):
                hits += reversed(list(self._hits(row, query, width, deadline)))
            if time.monotonic() > deadline:
                return Found(hits[:limit], len(rows) - at, not_reached(len(rows) - at, seconds))
        return Found(hits[:limit])

    def update(self, seconds: float, cancelled: Callable[[], bool] = lambda: False) -> int:
        """Nothing to keep up to date."""
        return 0

    def forget(self) -> None:
        """Nothing is kept."""

    def _hits(self, row: SessionInfo, query: Query, width: int, deadline: float) -> Iterator[Hit]:
        header = row.header
        if header is None:
            return
        for number, message in enumerate(self._store.items(row.session_id)):
            words = words_of(message)
            if words and query.occurs_in(words):
                yield hit_of(row.session_id, header, number, message, query, width)
            if time.monotonic() > deadline:
                return
        if header.title and query.occurs_in(header.title):
            yield title_hit(row.session_id, header, query, width)


def hit_of(session_id: str, header: Header, number: int, message: Message, query: Query, width: int) -> Hit:
    passage, matches = query.passage(words_of(message), width)
    ts = message.get("ts")
    told = ts if isinstance(ts, str) else ""  # a file that somebody else wrote may hold anything
    return Hit(
        session_id, header.title or "", number, message.get("role", ""), told, passage, matches, _folder(header),
        header.updated_at,
    )  # fmt: skip


def title_hit(session_id: str, header: Header, query: Query, width: int) -> Hit:
    """A session whose title holds what is searched for: told as its first message."""
    passage, matches = query.passage(header.title or "", width)
    return Hit(
        session_id, header.title or "", 0, "title", header.created_at, passage, matches, _folder(header),
        header.updated_at,
    )  # fmt: skip


def _folder(header: Header) -> str:
    folder = header.metadata.get("folder")
    return folder if isinstance(folder, str) else ""


def nothing_asked(text: str) -> Found:
    return Found([], 0, f"There is nothing to search for in '{text}': type a word.")


def not_reached(count: int, seconds: float) -> str:
    sessions = "1 session was" if count == 1 else f"{count} sessions were"
    return f"{sessions} not reached within {seconds:g} seconds: what was said there was not searched."
