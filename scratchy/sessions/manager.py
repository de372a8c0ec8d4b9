"""SessionManager: sessions by their id, synchronous, whole. What programs call and every face builds on.

Not here: an open conversation with its turns (conversation.py), the file format (the store).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, cast

from scratchy import compose
from scratchy.core.errors import SessionConflictError, SessionNotFoundError
from scratchy.core.messages import Message
from scratchy.core.ports import SessionWriter, Store
from scratchy.core.session import AgentSession, check_message
from scratchy.core.stored import Header, SessionInfo, TrashEntry
from scratchy.sessions.exchange import (
    Exported,
    Imported,
    as_chat,
    export_session,
    import_session,
    load_recent_history,
)
from scratchy.sessions.seen import common_start, copied, seen_in
from scratchy.sessions.times import local_texts, local_time, utc_stamp
from scratchy.sessions.transcripts import plain, transcribed, transcript_path


class SessionManager:
    """Sessions in `directory` (made when missing; None: the usual folder) or in `store` (a URL or a Store).
    `transcript`: a live transcript beside each (also by SCRATCHY_TRANSCRIPT=1).

    Every method raises ValueError or TypeError for a bad id, SessionCorruptedError for a session that cannot be read,
    SessionLockedError for one that another process holds, OSError when the disk refuses.
    """

    def __init__(
        self,
        directory: str | PathLike[str] | None = None,
        *,
        store: str | Store | None = None,
        transcript: bool = False,
    ) -> None:
        if directory is not None and store is not None:
            raise ValueError("give a directory or a store, not both")
        if isinstance(store, str):
            store = compose.open_store(store)
        self.store: Store = store or compose.open_folder(directory, make=directory is not None)
        if transcript or compose.transcript_wanted():
            self.store = transcribed(self.store)
        self._seen = seen_in(plain(self.store))

    # -- whole sessions, as programs use them

    def save_session(self, session_id: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Store these messages as the session's transcript; on disk when it returns. What is stored already is not
        written again; what would be dropped or changed keeps its old version in the trash.

        Raises: TypeError or ValueError for what is no message (nothing is touched); SessionConflictError when another
        process changed the session since this one last loaded or saved it.
        """
        if isinstance(messages, (str, bytes, Mapping)):
            raise TypeError(f"messages must be a list of dicts, not {type(messages).__name__}")
        known = self._seen.messages(session_id) or []
        same = common_start(known, messages)
        checked = [*messages[:same], *(check_message(message) for message in messages[same:])]
        with self.opened(session_id, create=True) as writer:
            self.refuse_if_changed_elsewhere(session_id)
            self.write(writer, cast("list[Message]", checked), compared=(known, same))

    def load_session(self, session_id: str) -> list[dict[str, Any]] | None:
        """The transcript as plain dicts; None when there is no such session."""
        try:
            return cast("list[dict[str, Any]]", self._load(session_id)[1])
        except SessionNotFoundError:
            self._seen.note(session_id, None, [])
            return None

    def list_sessions(self) -> list[dict[str, Any]]:
        """One dict a readable session, newest activity first: `id`, `created_at` and `last_activity` (naive local
        ISO-8601), `message_count`, `title`, `size` (bytes)."""
        local_text = local_texts()
        return [_row(info, info.header, local_text) for info in self.store.list() if info.header is not None]

    def session_exists(self, session_id: str) -> bool:
        """True also for a session that cannot be read."""
        return self.store.exists(session_id)

    def delete_session(self, session_id: str, *, by: str = "") -> bool:
        """Move it to the trash, readable or not; False when there was none. `by`: the session it is deleted from."""
        entry = self.store.delete(session_id, by)
        self._seen.note_moved(session_id)
        return entry is not None

    def append_message(self, session_id: str, message: Mapping[str, Any]) -> None:
        """Add one message to the end; makes the session when it is missing. A `tool_call` or `tool_result` line of
        JSONL becomes a message; a result goes to the call of its `id`, else to the oldest open one of its name."""
        check_message(message)
        with self.opened(session_id, create=True) as writer:
            checked = check_message(as_chat(self.store, session_id, message))
            known = self._seen.messages(session_id) if self._unchanged(session_id) else None
            known = [] if writer.count == 0 else known
            writer.append([checked])
            if known is not None:  # else what others wrote stays unseen, and a save will say so
                self._seen.note(session_id, self.store.stamp(session_id), [*known, checked], len(known))

    # -- in and out

    def load_recent_history(self, session_id: str, max_turns: int = 20) -> list[dict[str, Any]]:
        """The last turns, each a user message and all up to the next, and the system message before them. `[]` when
        there is no such session; only its end is read."""
        return cast("list[dict[str, Any]]", load_recent_history(self.store, session_id, max_turns))

    def export_session(self, session_id: str, path: str | PathLike[str], *, full: bool = False) -> Exported:
        """Write it to a new file, its format by the suffix: .json, .jsonl, .md, .html, .toon. `full`: JSON with header
        and blobs, and the folder stays in. Raises: FormatError, SessionNotFoundError, FileExistsError."""
        return export_session(self.store, session_id, Path(path), full=full)

    def import_session(self, path: str | PathLike[str], session_id: str | None = None) -> Imported:
        """New sessions from a file, its format by its content. Raises: FormatError, SessionExistsError."""
        return import_session(self.store, Path(path), session_id)

    def transcript_path(self, session_id: str) -> Path:
        """Where its live transcript is (with `transcript=True`, or SCRATCHY_TRANSCRIPT=1), or would be."""
        return transcript_path(self.store, session_id)

    # -- what faces need beside that

    def session(self, session_id: str) -> AgentSession | None:
        """The stored session as an object; None when there is none."""
        try:
            header, messages = self._load(session_id)
        except SessionNotFoundError:
            return None
        return AgentSession(
            session_id,
            messages,
            created_at=local_time(header.created_at),
            last_activity=local_time(header.updated_at),
            metadata=header.metadata,
            title=header.title,
        )

    def infos(self) -> list[SessionInfo]:
        """Every session, newest activity first, those that cannot be read included."""
        return self.store.list()

    def rename(self, session_id: str, new_id: str, *, reason: str = "renamed") -> None:
        self.store.rename(session_id, new_id, reason=reason)
        self._seen.note_moved(session_id)
        self._seen.note_moved(new_id)

    def trash(self) -> list[TrashEntry]:
        return self.store.trash()

    def in_trash(self, named: str) -> TrashEntry:
        """The entry of that name, else the newest of that session. Raises: SessionNotFoundError when there is none."""
        entries = self.store.trash()
        found = [entry for entry in entries if entry.name == named] + [e for e in entries if e.session_id == named]
        if not found:
            raise SessionNotFoundError(named, f"The trash holds nothing of session '{named}'.")
        return found[0]

    def restore(self, named: str, *, new_id: str | None = None, reason: str = "displaced") -> str:
        """Bring back a trash entry, by its name or the newest of a session; returns the session's id (`new_id`, else
        the one that it had). What stands in its place goes to the trash with `reason`."""
        entry = self.in_trash(named)
        restored = self.store.restore(entry.name, new_id=new_id, reason=reason)
        self._seen.note_moved(restored)
        return restored

    # -- shared with an open conversation

    @contextmanager
    def opened(
        self, session_id: str, *, create: bool = False, created_at: datetime | None = None
    ) -> Generator[SessionWriter]:
        """Locked for the block; a new one counts from `created_at` (naive local; None: now)."""
        now = utc_stamp()
        created = now if created_at is None else utc_stamp(created_at.astimezone())
        unchanged = self._unchanged(session_id)
        writer = self.store.open(session_id, create=Header(session_id, created, now) if create else None)
        try:
            if unchanged and writer.notices:  # opening mended the file or wrote it in our form: no change of content
                self._seen.restamp(session_id, self.store.stamp(session_id))
            yield writer
        finally:
            writer.close()

    def write(
        self,
        writer: SessionWriter,
        messages: Sequence[Message],
        reason: str = "replaced",
        compared: tuple[Sequence[Mapping[str, Any]], int] | None = None,
    ) -> None:
        """Make `messages` the transcript with the least writing, and remember it as seen. `compared`: messages seen
        before, and how many of `messages` equal them from the start, where the caller looked already."""
        session_id = writer.session_id
        known = self._seen.messages(session_id) if self._unchanged(session_id) else None
        stored: Sequence[Mapping[str, Any]] = writer.load() if known is None else known
        same = compared[1] if compared and compared[0] is stored else common_start(stored, messages)
        equal = same
        if same < min(len(stored), len(messages)):  # NaN, tuples, lone surrogates: as they are stored they may be equal
            same = common_start(*([compose.as_stored(m) for m in side] for side in (stored, messages)))
        if same == len(stored):
            writer.append(messages[same:])
        else:
            writer.replace(messages, reason)
        self._seen.note(session_id, self.store.stamp(session_id), messages, None if known is None else equal)

    def note_seen(self, session_id: str, stamp: Any, messages: Sequence[Mapping[str, Any]]) -> None:
        """What was stored when the store's stamp was this; None: nothing was."""
        self._seen.note(session_id, stamp, messages)

    def changed_elsewhere(self, session_id: str) -> bool:
        """Whether the file is another than the one this process last saw (never looked: False)."""
        return self._seen.looked(session_id) and not self._unchanged(session_id)

    def changed_here(self, session_id: str, messages: Sequence[Mapping[str, Any]]) -> bool:
        """Whether these are other messages than this process last saw stored."""
        return not self._seen.same(session_id, messages)

    def moved_here(self, session_id: str) -> bool:
        """Whether this process deleted, renamed or restored the session since it last looked."""
        return self._seen.moved(session_id)

    def refuse_if_changed_elsewhere(self, session_id: str) -> None:
        if self.changed_elsewhere(session_id):
            pid = self.store.last_writer(session_id)
            by = f"process {pid}" if pid else "another process"
            raise SessionConflictError(
                session_id,
                f"Session '{session_id}' was changed by {by} since it was last loaded here; nothing was written. "
                "Load it again, then save.",
                pid=pid,
            )

    def _unchanged(self, session_id: str) -> bool:
        return self._seen.looked(session_id) and self._seen.stamp(session_id) == self.store.stamp(session_id)

    def _load(self, session_id: str) -> tuple[Header, list[Message]]:
        stamp = self.store.stamp(session_id)  # before reading: what is written meanwhile counts as not seen
        header, messages = self.store.load(session_id)
        self._seen.note(session_id, stamp, messages)
        return header, messages


def _row(info: SessionInfo, header: Header, local_text: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": info.session_id,
        "title": header.title,
        "created_at": local_text(header.created_at),
        "last_activity": local_text(header.updated_at),
        "message_count": info.count,
        "size": info.size,
        "metadata": copied(dict(header.metadata)),
    }
