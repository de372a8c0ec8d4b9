"""`MemoryStore`: sessions that live as long as the process. It behaves as a folder of files does, trash included."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from scratchy.core.errors import SessionLockedError, SessionNotFoundError
from scratchy.core.messages import Message
from scratchy.core.stored import Header, SessionInfo, TrashEntry
from scratchy.store.foreign import utc_text
from scratchy.store.ids import check_id
from scratchy.store.renaming import after_cut, not_so_many, renamed, taken
from scratchy.store.toonfile import VERSION, decode_items, encode_header, encode_items, is_stamp, plain


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Session:
    """`items` are encoded: what is read back is what a file would give. `stored` is False until the first write."""

    header: Header
    items: list[bytes]
    changed: float = 0.0
    version: int = 0
    stored: bool = False
    draft: str = ""

    def first(self, count: int | None) -> list[bytes]:
        """The first `count` items. Raises ValueError when there are fewer."""
        if count is not None and not 0 <= count <= len(self.items):
            raise not_so_many(self.header.session_id, len(self.items), count)
        return self.items[:count]

    def messages(self, first: int, last: int) -> list[Message]:
        return decode_items(b"".join(self.items[first:last]), last - first)  # type: ignore[return-value]

    @property
    def size(self) -> int:
        return len(encode_header(self.header, len(self.items))) + sum(map(len, self.items))


class MemoryStore:
    """`now` tells the time in UTC."""

    def __init__(self, *, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._sessions: dict[str, _Session] = {}
        self._trash: dict[str, tuple[TrashEntry, _Session]] = {}
        self._versions = 0

    def open(self, session_id: str, *, create: Header | None = None) -> "MemoryWriter":
        check_id(session_id)
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None or not (session.stored or create):
                if create is None:
                    raise SessionNotFoundError(session_id)
                session = _Session(create._replace(session_id=session_id, version=VERSION), [])
                self._sessions[session_id] = session
            return MemoryWriter(self, session)

    def stamp(self, session_id: str) -> int | None:
        session = self._sessions.get(check_id(session_id))
        return session.version if session is not None and session.stored else None

    def last_writer(self, session_id: str) -> int | None:
        return os.getpid() if self.exists(session_id) else None

    def exists(self, session_id: str) -> bool:
        session = self._sessions.get(check_id(session_id))
        return session is not None and session.stored

    def load(self, session_id: str) -> tuple[Header, list[Message]]:
        with self._lock:
            session = self._stored(session_id)
            return session.header, session.messages(0, len(session.items))

    def header(self, session_id: str) -> tuple[Header, int]:
        with self._lock:
            session = self._stored(session_id)
            return session.header, len(session.items)

    def tail(self, session_id: str, count: int, before: int | None = None) -> tuple[int, list[Message]]:
        with self._lock:
            session = self._stored(session_id)
            last = len(session.items) if before is None else max(0, min(before, len(session.items)))
            first = max(0, last - max(count, 0))
            return first, session.messages(first, last)

    def recent(self) -> Iterator[SessionInfo]:
        return iter(self.list())

    def holder(self, session_id: str) -> None:
        return None

    def list(self) -> list[SessionInfo]:
        with self._lock:
            rows = [
                SessionInfo(session_id, session.header, len(session.items), session.size, session.changed)
                for session_id, session in self._sessions.items()
                if session.stored
            ]
        return sorted(rows, key=lambda row: row.header.updated_at if row.header else "", reverse=True)

    def items(self, session_id: str, start: int = 0) -> Iterator[Message]:
        with self._lock:
            session = self._stored(session_id)
            items = session.items[max(start, 0) :]
        return (decode_items(item, 1)[0] for item in items)  # type: ignore[misc]

    def draft(self, session_id: str) -> str:
        session = self._sessions.get(check_id(session_id))
        return session.draft if session is not None else ""

    def fork(self, session_id: str, header: Header, count: int | None = None) -> None:
        new_id = check_id(header.session_id)
        with self._lock:
            source = self._stored(session_id)
            if self.exists(new_id):
                raise taken(new_id)
            stamp = header.updated_at if is_stamp(header.updated_at) else self.time()
            made = header._replace(version=VERSION, updated_at=stamp, metadata=plain(header.metadata))
            self._put(new_id, _Session(made, source.first(count)))

    def rename(self, session_id: str, new_id: str, *, reason: str = "renamed") -> None:
        check_id(new_id)
        with self._lock:
            session = self._stored(session_id)
            if self.exists(new_id):
                raise taken(new_id)
            self._put(new_id, replace(session, header=renamed(session.header, new_id), items=list(session.items)))
            session.draft = ""
            self._discard(session_id, reason, {"to": new_id})

    def delete(self, session_id: str, by: str = "") -> TrashEntry | None:
        with self._lock:
            return self._discard(session_id, "deleted", {"by": by} if by else {}) if self.exists(session_id) else None

    def trash(self) -> "list[TrashEntry]":
        with self._lock:
            return [entry for entry, _ in reversed(self._trash.values())]

    def trashed(self, name: str, start: int = 0) -> "tuple[Header, list[Message]]":
        with self._lock:
            session = self._entry(name)[1]
            return session.header, session.messages(min(start, len(session.items)), len(session.items))

    def restore(self, name: str, *, new_id: str | None = None, reason: str = "displaced") -> str:
        with self._lock:
            entry, session = self._entry(name)
            session_id = check_id(new_id if new_id is not None else entry.session_id)
            there = self._sessions.get(session_id)
            if there is not None and not session.draft:
                session.draft, there.draft = there.draft, ""
            if there is not None and there.stored:
                self._discard(session_id, reason)
            self._put(session_id, replace(session, header=session.header._replace(session_id=session_id)))
            del self._trash[name]
            return session_id

    def purge(self, name: str) -> None:
        with self._lock:
            self._entry(name)
            del self._trash[name]

    def _entry(self, name: str) -> tuple[TrashEntry, _Session]:
        if name not in self._trash:
            raise SessionNotFoundError(name, f"The trash has no entry '{name}'.")
        return self._trash[name]

    def close(self) -> None:
        """Nothing to let go."""

    # --- What writers change

    def write(self, session: _Session, header: Header, items: "list[bytes]") -> None:
        """The session holds this now. Raises SessionNotFoundError when it was deleted or renamed meanwhile."""
        with self._lock:
            if self._sessions.get(header.session_id) is not session:
                raise SessionNotFoundError(header.session_id)
            session.header, session.items = header, items
            self._touch(session)

    def keep(self, session: _Session, reason: str, note: Mapping[str, str] | None = None) -> str:
        """The session as it is now goes to the trash, a copy of it; the entry's name."""
        with self._lock:
            self._versions += 1
            header, size = session.header, session.size + len(session.draft.encode())
            name = f"{self._versions:012}-{header.session_id}"
            entry = TrashEntry(name, header.session_id, self.time(), reason, len(session.items), size, dict(note or {}))
            self._trash[name] = entry, replace(session, items=list(session.items))
            return name

    def time(self) -> str:
        return utc_text(self._now())

    def _stored(self, session_id: str) -> _Session:
        session = self._sessions.get(check_id(session_id))
        if session is None or not session.stored:
            raise SessionNotFoundError(session_id)
        return session

    def _put(self, session_id: str, session: _Session) -> None:
        self._sessions[session_id] = session
        self._touch(session)

    def _touch(self, session: _Session) -> None:
        self._versions += 1
        session.version, session.changed, session.stored = self._versions, self._now().timestamp(), True

    def _discard(self, session_id: str, reason: str, note: Mapping[str, str] | None = None) -> TrashEntry:
        return self._trash[self.keep(self._sessions.pop(session_id), reason, note)][0]


class MemoryWriter:
    """See `SessionWriter` in core.ports."""

    def __init__(self, store: MemoryStore, session: _Session) -> None:
        self._store = store
        self._session = session
        self._closed = False
        self.notices: list[str] = []

    @property
    def session_id(self) -> str:
        return self._session.header.session_id

    @property
    def header(self) -> Header:
        return self._session.header

    @property
    def count(self) -> int:
        return len(self._session.items)

    def append(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self._check()
        items = [encode_items([message]) for message in messages]
        if items or not self._session.stored:
            header = self.header._replace(updated_at=self._store.time())
            self._store.write(self._session, header, [*self._session.items, *items])

    def replace(self, messages: Sequence[Mapping[str, Any]], reason: str) -> None:
        self._check()
        items = [encode_items([message]) for message in messages]
        if self._session.items:
            self._store.keep(replace(self._session, draft=""), reason)
        self._store.write(self._session, self.header._replace(updated_at=self._store.time()), items)

    def cut(self, count: int, *, reason: str = "rewound") -> str:
        self._check()
        kept = self._session.first(count)
        if not self._session.stored:
            raise not_so_many(self.session_id, self.count, count)
        entry = self._store.keep(replace(self._session, draft=""), reason)
        metadata = after_cut(self.header.metadata, count, reason, entry)
        self._store.write(self._session, self.header._replace(updated_at=self._store.time(), metadata=metadata), kept)
        return entry

    def lead(self, message: Mapping[str, Any], reason: str) -> None:
        self._check()
        items = self._session.items
        had = bool(items) and self._session.messages(0, 1)[0].get("role") == "system"
        if items:
            self._store.keep(replace(self._session, draft=""), reason)
        header = self.header._replace(updated_at=self._store.time())
        self._store.write(self._session, header, [encode_items([message]), *items[had:]])

    def keep_draft(self, text: str) -> None:
        self._check()
        self._session.draft = plain(text)

    def edit(
        self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None, updated_at: str | None = None
    ) -> None:
        self._check()
        header = self.header
        if title is not None:
            header = header._replace(title=plain(title))
        if metadata is not None:
            header = header._replace(metadata=plain(metadata))
        if updated_at is not None:
            header = header._replace(updated_at=updated_at)
        if not self._session.stored:
            self._session.header = header
        elif header != self.header:
            self._store.write(self._session, header, self._session.items)

    def load(self) -> list[Message]:
        self._check()
        return self._session.messages(0, self.count)

    def close(self) -> None:
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise SessionLockedError(self.session_id, f"Session '{self.session_id}' was closed; open it again.")
