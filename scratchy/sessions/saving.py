"""One session's messages on their way to disk: which are not there yet, writing them, and what became of it.

Not here: what is said and when it must be stored (conversation.py), the file (store).
"""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scratchy.core.errors import SessionCorruptedError, SessionError, save_problem
from scratchy.core.events import Event, Notice
from scratchy.core.messages import Message
from scratchy.core.session import AgentSession, system_part
from scratchy.core.stored import Header
from scratchy.sessions.part import Part
from scratchy.sessions.times import local_time, utc_stamp
from scratchy.sessions.worker import Worker

if TYPE_CHECKING:
    from scratchy.core.ports import SessionWriter, Store

log = logging.getLogger("scratchy.sessions")


class Saving:
    """Without a `writer` the session is opened by the first save; `stored` messages are on disk until then. `stamp` is
    the store's after the last write here, None before it. `unsaved` says why the last save failed, `error` is it."""

    def __init__(
        self,
        store: "Store",
        session: AgentSession,
        part: Part,
        worker: Worker,
        writer: "SessionWriter | None",
        stored: int,
    ) -> None:
        self.writer = writer
        self.unsaved = ""
        self.error: OSError | SessionError | None = None
        self.stamp: Any = None
        self._store = store
        self._session = session
        self._part = part
        self._worker = worker
        self._stored_before = stored

    @property
    def stored(self) -> int:
        """How many of session.messages are on disk."""
        return self._stored_before if self.writer is None else self.writer.count - self._part.first

    @property
    def any_stored(self) -> bool:
        """Whether the transcript has a message on disk."""
        return self._part.first + self.stored > 0

    @property
    def pending(self) -> list[Message]:
        """What is to be written. A system message alone waits for the first user's message."""
        pending = self._session.messages[self.stored :]
        only_system = not self.any_stored and pending == system_part(pending)
        return [] if only_system else pending

    async def open(self) -> "SessionWriter":
        if self.writer is None:
            session = self._session
            created = utc_stamp(session.created_at.astimezone())
            header = Header(session.session_id, created, created, metadata=session.metadata)
            self.writer = await self._worker.run(lambda: self._store.open(session.session_id, create=header))
        return self.writer

    async def close(self) -> None:
        """Let go of the lock."""
        if self.writer is not None:
            await self._worker.run(self.writer.close)
            self._stored_before, self.writer = self.stored, None

    def restamp(self) -> None:
        self.stamp = self._store.stamp(self._session.session_id)

    async def write(self, call: Callable[[], None]) -> None:
        def write() -> None:
            call()
            self.restamp()

        await self._worker.run(write)

    async def flush(self) -> None:
        """Try to write what is not on disk; a failure is remembered in `unsaved`, not raised."""
        if not self.pending:
            return
        try:
            await self.store_all()
        except (OSError, SessionError) as error:
            self.note_failure(error)

    async def store_all(self) -> list[Event]:
        """Write what is not on disk; what the store has to say of it. Raises: OSError, SessionError."""
        writer = await self.open()
        pending = self.pending
        if pending:
            try:
                await self.write(lambda: writer.append(pending))
            except SessionCorruptedError:  # another program spoilt the file while it was open here
                await self._write_anew(writer)
            self._session.last_activity = local_time(writer.header.updated_at)
        self.unsaved, self.error = "", None
        return self.said()

    def note_failure(self, error: OSError | SessionError) -> None:
        self.unsaved, self.error = save_problem(error), error
        log.warning("session %s not saved: %s", self._session.session_id, error)

    async def keep_facts(self, facts: Mapping[str, Any], title: str | None = None) -> list[Event]:
        """Provider, model and folder of this turn belong in the header; a rewrite only when one of them changed.
        Before the first message nothing is written: the header waits for it."""
        writer, session = await self.open(), self._session
        known = dict(writer.header.metadata)
        told = {**known, **session.metadata, **facts, "context_start": self._part.start}
        if told.get("machine") != known.get("machine"):
            told["machine_from"] = writer.count or None
        kept = {key: value for key, value in told.items() if value is not None}
        if kept != known or title not in (None, writer.header.title):
            try:
                await self.write(lambda: writer.edit(title=title, metadata=kept))
            except OSError as error:  # the conversation matters more than its header
                return [Notice(f"The session's header could not be updated: {save_problem(error)}.")]
        session.metadata.update(kept)
        for key in session.metadata.keys() - kept.keys():
            del session.metadata[key]
        return []

    def said(self) -> list[Event]:
        """What the store mended, since this was asked last."""
        if self.writer is None or not self.writer.notices:
            return []
        told: list[Event] = [Notice(text) for text in self.writer.notices]
        self.writer.notices.clear()
        return told

    async def _write_anew(self, writer: "SessionWriter") -> None:
        """All that memory holds; what lies in the file's place goes to the trash."""
        messages, unread = list(self._session.messages), self._part.first

        def replace() -> None:
            writer.replace(messages, "replaced")
            self._part.reset(0)

        await self.write(replace)
        lost = f" {unread} older messages were not in memory; look for them there." if unread else ""
        writer.notices.append(
            f"The file of session '{self._session.session_id}' was overwritten by another program; it is written anew "
            f"from memory, and what lay there is in the trash.{lost}"
        )
