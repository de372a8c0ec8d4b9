"""Conversation: one open session with its turns. Disk first: each finished message is stored before anything goes on.

Not here: what a turn does (core/loop.py), how it looks (the faces), which provider answers (compose.py).
"""

import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scratchy.core.context import context_of
from scratchy.core.errors import ProviderError, SessionError
from scratchy.core.events import Event, MessageAdded, Notice, Saved, SaveFailed, TurnFinished
from scratchy.core.images import images_of, line_of, said, titled
from scratchy.core.loop import NewId, TurnSettings, run_turn
from scratchy.core.messages import Attachment, Message, ToolSpec, Usage, calls_of
from scratchy.core.ports import Approve, Provider, SessionWriter, Store, Toolset
from scratchy.core.session import AgentSession, missing_results, system_part
from scratchy.sessions.drafts import Drafts
from scratchy.sessions.part import SLICE, Part
from scratchy.sessions.saving import Saving
from scratchy.sessions.seeing import Blob, Sight
from scratchy.sessions.times import utc_stamp
from scratchy.sessions.worker import Worker

log = logging.getLogger("scratchy.sessions")
logging.getLogger("scratchy").addHandler(logging.NullHandler())  # silent unless somebody listens, the screen is in use


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True)
class Attached:
    """What a line mentions: texts that follow it, parts that stand in it (images), and what to tell the person."""

    texts: Sequence[Attachment] = ()
    parts: Sequence[dict[str, Any]] = ()
    notices: Sequence[str] = ()


def no_blob(blob_id: str) -> bytes:
    raise LookupError(blob_id)


async def nothing_attached(line: str) -> Attached:
    return Attached()


@dataclass(frozen=True)
class Engine:
    """What drives a conversation's turns.

    `provider` is asked for at each turn, after the user's line is on disk; it raises ProviderError when there is none.
    `facts` is header metadata to keep with the session (provider, model, folder …), asked for after the provider;
    `context` what rides with a user's message (date, folder), stored with it when it is news. `title_of` makes a title
    of a new session's first line; `answered` is called when a turn has come to its end and is stored. `attach` finds
    what a user's line mentions; `blob` gives the bytes of an image by its id; `affordable` tells whether one more
    request fits into the budget, `spent` is told each answer.
    """

    provider: Callable[[], Awaitable[Provider]]
    tools: Toolset
    system_prompt: str = ""
    max_steps: int = 20
    facts: Callable[[], Mapping[str, Any]] = dict[str, Any]
    context: Callable[[], str] = str
    title_of: Callable[[str], str] | None = None
    answered: Callable[[], None] = lambda: None
    attach: Callable[[str], Awaitable[Attached]] = nothing_attached
    blob: Blob = no_blob
    affordable: Callable[[Sequence[Message], Sequence[ToolSpec]], bool] = lambda messages, tools: True
    spent: Callable[[Message], None] = lambda answer: None


class Conversation:
    """One session in one process. `session.messages` may be only the end of a long transcript until the first turn;
    `first` is the index in the transcript of the first of them. Without a `writer` it is opened by the first save;
    `stored` tells how many of the messages are on disk until then. `approve` None runs unasked what would ask.
    `worded`: the title that was made here of the first line, None where none was."""

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
        self.worded: str | None = None
        self._store = store
        self._worker = Worker()
        self._part = Part(store, session, self._worker, first)
        self._saving = Saving(store, session, self._part, self._worker, writer, stored)
        self.drafts = Drafts(store, session, self._worker, lambda: self._saving.writer, lambda: self.count)
        self._sight = Sight(engine.blob)
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
        return self._saving.stored == len(self.session.messages)

    @property
    def unsaved(self) -> str:
        """Why the last save failed, "" when it did not."""
        return self._saving.unsaved

    @property
    def stamp(self) -> Any:
        """The store's after the last write of this conversation, None before it."""
        return self._saving.stamp

    def restamp(self) -> None:
        """The store changed the session's file by itself."""
        self._saving.restamp()

    @property
    def save_error(self) -> OSError | SessionError | None:
        return self._saving.error

    @property
    def writer(self) -> SessionWriter | None:
        return self._saving.writer

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
        provider, before = await self._provider(), self.recent(1)
        opening = await self._accept(line)
        asked = self.recent(1)
        new_images = asked != before and any(map(images_of, asked))
        try:
            for event in opening:
                yield event
            if isinstance(provider, ProviderError):
                raise provider
            for event in await self._prepare(provider):
                yield event
            engine = self.engine
            affordable, spent = engine.affordable, engine.spent
            settings = TurnSettings(self._clock, self._new_id, self.approve, engine.max_steps, affordable, spent)
            context = context_of(self.session, self._part.head or self.engine.system_prompt)
            if told := self._sight.untold(provider, context.request()):
                yield Notice(told)
            seeing = self._sight.through(provider, new=new_images)
            turn = run_turn(self.session, seeing, self.engine.tools, context, settings)
            async with aclosing(turn) as events:
                async for event in events:
                    if isinstance(event, TurnFinished) and (told := self._sight.untold(provider, context.request())):
                        yield Notice(told)  # it came out in this turn
                    yield event
                    if isinstance(event, MessageAdded):
                        report, must_stop = await self._store_added(event.message)
                        for item in report:
                            yield item
                        if must_stop:
                            yield TurnFinished("error")
                            return
        finally:
            await self._saving.flush()
        if self._part.start != self.session.metadata.get("context_start"):
            await self._saving.keep_facts(self.engine.facts())
        self.engine.answered()

    async def note(self, text: str) -> list[Event]:
        """Something for the model to know at the next turn, as a message of the user; nobody is asked now. Raises:
        OSError, ScratchyError when it could not be stored."""
        return await self._store_line(text, {"role": "user", "content": text, "ts": utc_stamp(self._clock.now())})

    async def settle(self) -> None:
        """Write what is not saved yet. Raises: OSError or SessionError when that fails; the conversation stays open."""
        await self._saving.flush()
        if self._saving.pending and self._saving.error is not None:
            raise self._saving.error

    async def close(self, *, flush: bool = True) -> None:
        """Write what is not saved yet (not `flush`: drop it), let go of the lock. Twice is once."""
        if flush:
            await self._saving.flush()
            if self.writer is not None:
                await self.drafts.part()
        await self._saving.close()
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
        writer = await self._saving.open()

        def cut() -> str:
            first, kept = self._part.first, self.session.messages[: max(count - self._part.first, 0)]
            if count <= first:
                first, kept = self._store.tail(self.session_id, SLICE, before=count)
            entry = writer.cut(count, reason=reason)
            self.session.messages[:] = kept
            self._part.reset(first)
            self.session.metadata = dict(writer.header.metadata)
            self._saving.restamp()
            return entry

        return await self._worker.run(cut)

    async def set_system(self, text: str) -> None:
        """Another system message for this session; the old transcript goes to the trash."""
        await self.settle()
        system: Message = {"role": "system", "content": text}
        had = system_part((await self.page(1, before=1))[1])
        writer = await self._saving.open() if self._saving.any_stored else None

        def lead() -> None:
            if writer is not None:
                writer.lead(system, "replaced")
            self._part.lead(system, len(had))

        await self._saving.write(lead)

    async def edit(
        self,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    ) -> None:
        """Another title, another metadata; or metadata as `change` makes it of what the header holds then."""
        writer = await self._saving.open()
        await self._saving.write(
            lambda: writer.edit(title=title, metadata=change(writer.header.metadata) if change else metadata)
        )
        self.session.metadata, self.session.title = dict(writer.header.metadata), writer.header.title

    async def entitle(self, title: str | None, usage: Usage) -> None:
        """A title that the model gave, unless the person gave one meanwhile; what asking took is kept in any case."""
        writer = self._saving.writer
        if writer is None or not writer.count:
            return

        def entitle() -> None:
            known = writer.header
            free = known.title in (None, self.worded)
            writer.edit(title=title if free else None, metadata={**known.metadata, "title_usage": dict(usage)})

        await self._saving.write(entitle)
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
        last = self.session.messages[-1] if self.session.messages else None
        if last is not None and last.get("role") == "user" and line_of(last) == line:
            return await self._store_line(line, None)
        text, pasted = said(line)
        attached = await self.engine.attach(text)
        parts = [*pasted, *attached.parts]
        content = [{"type": "text", "text": text}, *parts] if parts else text
        message: Message = {"role": "user", "content": content, "ts": utc_stamp(self._clock.now())}
        context = self.engine.context()
        if context and context != self._last_context():
            message["context"] = context
        if attached.texts:
            message["attached"] = list(attached.texts)
        return [*(Notice(text) for text in attached.notices), *await self._store_line(line, message)]

    async def _store_line(self, line: str, message: Message | None) -> list[Event]:
        """Put what the user said on disk; `message` None: it lies there already. What cannot be stored is forgotten."""
        was_unsaved = self.unsaved
        await self._saving.flush()
        before = len(self.session.messages)
        self.session.messages += missing_results(self.session.messages)
        if message is not None:
            self.session.messages.append(message)
        try:
            if not self._saving.any_stored:  # folder and machine belong to it even if no model ever answers
                if self.session.title is None and self.engine.title_of is not None:
                    self.session.title = self.worded = self.engine.title_of(titled(line))
                await self._saving.keep_facts(self.engine.facts(), self.session.title)
            notices = await self._saving.store_all()
        except BaseException as error:
            del self.session.messages[max(before, self._saving.stored) :]
            if not self._saving.any_stored and self.worded:
                self.session.title = self.worded = None
            if isinstance(error, (OSError, SessionError)):
                self._saving.note_failure(error)
            raise
        return [Saved(), *notices] if was_unsaved else notices

    async def _prepare(self, provider: Provider) -> list[Event]:
        await provider.prepare()
        log.debug("turn in %s with %s · %s", self.session_id, provider.name, provider.model)
        same = self.session.metadata.get("model") in (None, provider.model)
        await self._part.for_request(provider.window, same_model=same)
        return [*await self._saving.keep_facts(self.engine.facts()), *self._saving.said()]

    async def _store_added(self, message: Message) -> tuple[list[Event], bool]:
        """Store what the turn added: what to tell, and whether the turn must stop (a call or result is not safe)."""
        was_unsaved = self.unsaved
        try:
            told = await self._saving.store_all()
        except (OSError, SessionError) as error:
            self._saving.note_failure(error)
            return [SaveFailed(self.unsaved)], bool(calls_of(message)) or message.get("role") == "tool"
        return ([Saved(), *told] if was_unsaved else told), False

    def _last_context(self) -> str:
        return next((message["context"] for message in reversed(self.session.messages) if "context" in message), "")
