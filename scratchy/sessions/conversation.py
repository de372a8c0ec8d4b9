"""Conversation: one open session with its turns. Disk first: each finished message is stored before anything goes on.

Not here: what a turn does (core/loop.py), how it looks (the faces), which provider answers (compose.py).
"""

import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scratchy.core.context import context_of
from scratchy.core.errors import ProviderError, SessionCorruptedError, SessionError, save_problem
from scratchy.core.events import Event, MessageAdded, Notice, Saved, SaveFailed, TurnFinished
from scratchy.core.loop import NewId, TurnSettings, run_turn
from scratchy.core.messages import Message, Usage, calls_of, text_of
from scratchy.core.ports import Approve, Provider, SessionWriter, Store, Toolset
from scratchy.core.session import AgentSession, missing_results, system_part
from scratchy.core.stored import Header
from scratchy.sessions.drafts import Drafts
from scratchy.sessions.part import SLICE, Part
from scratchy.sessions.times import local_time, utc_stamp
from scratchy.sessions.worker import Worker

log = logging.getLogger("scratchy.sessions")
logging.getLogger("scratchy").addHandler(logging.NullHandler())  # silent unless somebody listens, the screen is in use


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True)
class Engine:
    """What drives a conversation's turns.

    `provider` is asked for at each turn, after the user's line is on disk; it raises ProviderError when there is none.
    `facts` is header metadata to keep with the session (provider, model, folder …), asked for after the provider;
    `context` what rides with a user's message (date, folder), stored with it when it is news. `title_of` makes a title
    of a new session's first line; `answered` is called when a turn has come to its end and is stored.
    """

    provider: Callable[[], Awaitable[Provider]]
    tools: Toolset
    system_prompt: str = ""
    max_steps: int = 20
    facts: Callable[[], Mapping[str, Any]] = dict[str, Any]
    context: Callable[[], str] = str
    title_of: Callable[[str], str] | None = None
    answered: Callable[[], None] = lambda: None


class Conversation:
    """One session in one process. `session.messages` may be only the end of a long transcript until the first turn;
    `first` is the index in the transcript of the first of them. Without a `writer` it is opened by the first save;
    `stored` tells how many of the messages are on disk until then. `approve` None runs unasked what would ask.
    `stamp` is the store's after the last write of this conversation, None before it. `worded`: the title that was made
    here of the first line, None where none was."""

    def __init__(
        self,
        store: Store,
        session: AgentSession,
        engine: Engine,
        *,
        writer: SessionWriter | None = None,
        first: int = 0,
        stored: int = 0,
    ) -> None:
        self.session = session
        self.engine = engine
        self.approve: Approve | None = None
        self.unsaved = ""
        self.stamp: Any = None
        self.worded: str | None = None
        self.save_error: OSError | SessionError | None = None
        self._store = store
        self._writer = writer
        self._stored_before = stored
        self._worker = Worker()
        self._part = Part(store, session, self._worker, first)
        self.drafts = Drafts(store, session, self._worker, lambda: self._writer, lambda: self.count)
        self._clock = SystemClock()
        self._new_id = NewId(f"call_{os.getpid()}_{time.time_ns()}_")

    @property
    def session_id(self) -> str:
        return self.session.session_id

    @property
    def count(self) -> int:
        """Messages of the whole transcript, those that are not loaded or not saved included."""
        return self._part.count

    @property
    def saved(self) -> bool:
        """Whether all of it is on disk."""
        return self._stored == len(self.session.messages)

    @property
    def _first(self) -> int:
        return self._part.first

    @property
    def _stored(self) -> int:
        """How many of session.messages are on disk."""
        return self._stored_before if self._writer is None else self._writer.count - self._first

    @property
    def _pending(self) -> list[Message]:
        """What is to be written. A system message alone waits for the first user's message."""
        pending = self.session.messages[self._stored :]
        only_system = not self._first + self._stored and pending == system_part(pending)
        return [] if only_system else pending

    @property
    def writer(self) -> SessionWriter | None:
        return self._writer

    def recent(self, count: int) -> list[Message]:
        return self.session.messages[-count:] if count > 0 else []

    async def page(self, count: int, before: int | None = None) -> tuple[int, list[Message]]:
        """At most `count` messages before number `before` (None: the end), and the number of the first of them. What is
        not loaded is read for this call only."""
        return await self._part.page(count, before)

    async def turn(self, line: str) -> AsyncGenerator[Event, None]:
        """The user's line, stored, then the model's turn as events; each finished message is on disk before the next
        event. Close or cancel it to interrupt: what had come is stored.

        Raises: OSError or ScratchyError before any event when the line could not be stored, or the person must choose a
        model first (it is not kept then); ProviderError later, with the line kept.
        """
        provider = await self._provider()
        opening = await self._accept(line)
        try:
            for event in opening:
                yield event
            if isinstance(provider, ProviderError):
                raise provider
            for event in await self._prepare(provider):
                yield event
            settings = TurnSettings(self._clock, self._new_id, self.approve, self.engine.max_steps)
            context = context_of(self.session, self._part.head or self.engine.system_prompt)
            turn = run_turn(self.session, provider, self.engine.tools, context, settings)
            async with aclosing(turn) as events:
                async for event in events:
                    yield event
                    if isinstance(event, MessageAdded):
                        report, must_stop = await self._store_added(event.message)
                        for item in report:
                            yield item
                        if must_stop:
                            yield TurnFinished("error")
                            return
        finally:
            await self._flush()
        if self._part.start != self.session.metadata.get("context_start"):
            await self._keep_facts()
        self.engine.answered()

    async def settle(self) -> None:
        """Write what is not saved yet. Raises: OSError or SessionError when that fails; the conversation stays open."""
        await self._flush()
        if self._pending and self.save_error is not None:
            raise self.save_error

    async def close(self, *, flush: bool = True) -> None:
        """Write what is not saved yet (not `flush`: drop it), let go of the lock. Twice is once."""
        if flush:
            await self._flush()
        if self._writer is not None:
            if flush:
                await self.drafts.part()
            await self._worker.run(self._writer.close)
            self._stored_before, self._writer = self._stored, None
        self._worker.close()

    # -- edits, for commands

    async def clear(self) -> None:
        """Forget all but the system message; the old transcript goes to the trash."""
        system = system_part((await self.page(1, before=1))[1])
        if len(system) < self.count:  # else nothing to forget, nothing for the trash
            await self.cut(len(system), "cleared")

    async def cut(self, count: int, reason: str = "rewound") -> str:
        """Keep the first `count` messages of the transcript; all of it goes to the trash. Returns the entry's name."""
        await self.settle()
        writer = await self._open()

        def cut() -> str:
            first, kept = self._first, self.session.messages[: max(count - self._first, 0)]
            if count <= first:
                first, kept = self._store.tail(self.session_id, SLICE, before=count)
            entry = writer.cut(count, reason=reason)
            self.session.messages[:] = kept
            self._part.reset(first)
            self.session.metadata = dict(writer.header.metadata)
            self.stamp = self._store.stamp(self.session_id)
            return entry

        return await self._worker.run(cut)

    async def set_system(self, text: str) -> None:
        """Another system message for this session; the old transcript goes to the trash."""
        await self.settle()
        system: Message = {"role": "system", "content": text}
        had = system_part((await self.page(1, before=1))[1])
        writer = await self._open() if self._first + self._stored else None

        def lead() -> None:
            if writer is not None:
                writer.lead(system, "replaced")
            self._part.lead(system, len(had))

        await self._write(lead)

    async def edit(
        self,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    ) -> None:
        """Another title, another metadata; or metadata as `change` makes it of what the header holds then."""
        writer = await self._open()
        await self._write(
            lambda: writer.edit(title=title, metadata=change(writer.header.metadata) if change else metadata)
        )
        self.session.metadata, self.session.title = dict(writer.header.metadata), writer.header.title

    async def entitle(self, title: str | None, usage: Usage) -> None:
        """A title that the model gave, unless the person gave one meanwhile; what asking took is kept in any case."""
        writer = self._writer
        if writer is None or not writer.count:
            return

        def entitle() -> None:
            known = writer.header
            free = known.title in (None, self.worded)
            writer.edit(title=title if free else None, metadata={**known.metadata, "title_usage": dict(usage)})

        await self._write(entitle)
        self.session.metadata, self.session.title = dict(writer.header.metadata), writer.header.title

    async def load_whole(self) -> list[Message]:
        """The whole transcript, read now where only its end was loaded."""
        return await self._part.whole()

    # -- a turn's steps

    async def _provider(self) -> Provider | ProviderError:
        """A failure to find one is told when the line is on disk; what only the person can settle, before that."""
        try:
            return await self.engine.provider()
        except ProviderError as error:
            return error

    async def _accept(self, line: str) -> list[Event]:
        """Put the user's line on disk. A line that the last, failed turn left unanswered is not doubled."""
        was_unsaved = self.unsaved
        await self._flush()
        before = len(self.session.messages)
        self.session.messages += missing_results(self.session.messages)
        last = self.session.messages[-1] if self.session.messages else None
        if last is None or last.get("role") != "user" or text_of(last) != line:
            message: Message = {"role": "user", "content": line, "ts": utc_stamp(self._clock.now())}
            context = self.engine.context()
            if context and context != self._last_context():
                message["context"] = context
            self.session.messages.append(message)
        try:
            if not self._first + self._stored:  # folder and machine belong to it even if no model ever answers
                if self.session.title is None and self.engine.title_of is not None:
                    self.session.title = self.worded = self.engine.title_of(line)
                await self._keep_facts(self.session.title)
            notices = await self._store_all()
        except BaseException as error:
            del self.session.messages[max(before, self._stored) :]
            if not self._first + self._stored and self.worded:
                self.session.title = self.worded = None
            if isinstance(error, (OSError, SessionError)):
                self._note_failure(error)
            raise
        return [Saved(), *notices] if was_unsaved else notices

    async def _prepare(self, provider: Provider) -> list[Event]:
        await provider.prepare()
        log.debug("turn in %s with %s · %s", self.session_id, provider.name, provider.model)
        same = self.session.metadata.get("model") in (None, provider.model)
        await self._part.for_request(provider.window, same_model=same)
        return [*await self._keep_facts(), *self._said()]

    async def _store_added(self, message: Message) -> tuple[list[Event], bool]:
        """Store what the turn added: what to tell, and whether the turn must stop (a call or result is not safe)."""
        was_unsaved = self.unsaved
        try:
            told = await self._store_all()
        except (OSError, SessionError) as error:
            self._note_failure(error)
            return [SaveFailed(self.unsaved)], bool(calls_of(message)) or message.get("role") == "tool"
        return ([Saved(), *told] if was_unsaved else told), False

    async def _flush(self) -> None:
        """Try to write what is not on disk; a failure is remembered in `unsaved`, not raised."""
        if not self._pending:
            return
        try:
            await self._store_all()
        except (OSError, SessionError) as error:
            self._note_failure(error)

    def _note_failure(self, error: OSError | SessionError) -> None:
        self.unsaved, self.save_error = save_problem(error), error
        log.warning("session %s not saved: %s", self.session_id, error)

    async def _store_all(self) -> list[Event]:
        writer = await self._open()
        pending = self._pending
        if pending:
            try:
                await self._write(lambda: writer.append(pending))
            except SessionCorruptedError:  # another program spoilt the file while it was open here
                await self._write_anew(writer)
            self.session.last_activity = local_time(writer.header.updated_at)
        self._saved_all()
        return self._said()

    async def _write_anew(self, writer: SessionWriter) -> None:
        """All that memory holds; what lies in the file's place goes to the trash."""
        messages, unread = list(self.session.messages), self._first

        def replace() -> None:
            writer.replace(messages, "replaced")
            self._part.reset(0)

        await self._write(replace)
        lost = f" {unread} older messages were not in memory; look for them there." if unread else ""
        writer.notices.append(
            f"The file of session '{self.session_id}' was overwritten by another program; it is written anew from "
            f"memory, and what lay there is in the trash.{lost}"
        )

    def _saved_all(self) -> None:
        self.unsaved, self.save_error = "", None

    async def _write(self, call: Callable[[], None]) -> None:
        def write() -> None:
            call()
            self.stamp = self._store.stamp(self.session_id)

        await self._worker.run(write)

    async def _open(self) -> SessionWriter:
        if self._writer is None:
            created = utc_stamp(self.session.created_at.astimezone())
            header = Header(self.session_id, created, created, metadata=self.session.metadata)
            self._writer = await self._worker.run(lambda: self._store.open(self.session_id, create=header))
        return self._writer

    async def _keep_facts(self, title: str | None = None) -> list[Event]:
        """Provider, model and folder of this turn belong in the header; a rewrite only when one of them changed.
        Before the first message nothing is written: the header waits for it."""
        writer = await self._open()
        known = dict(writer.header.metadata)
        told = {**known, **self.session.metadata, **self.engine.facts(), "context_start": self._part.start}
        if told.get("machine") != known.get("machine"):
            told["machine_from"] = writer.count or None
        facts = {key: value for key, value in told.items() if value is not None}
        if facts != known or title not in (None, writer.header.title):
            try:
                await self._write(lambda: writer.edit(title=title, metadata=facts))
            except OSError as error:  # the conversation matters more than its header
                return [Notice(f"The session's header could not be updated: {save_problem(error)}.")]
        self.session.metadata.update(facts)
        for key in self.session.metadata.keys() - facts.keys():
            del self.session.metadata[key]
        return []

    def _said(self) -> list[Event]:
        if self._writer is None or not self._writer.notices:
            return []
        told: list[Event] = [Notice(text) for text in self._writer.notices]
        self._writer.notices.clear()
        return told

    def _last_context(self) -> str:
        return next((message["context"] for message in reversed(self.session.messages) if "context" in message), "")
