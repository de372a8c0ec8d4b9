"""The part of a transcript that is in memory, and reading more of it: its end at first, what a request can hold later.

Not here: writing (conversation.py), what a request sends of it (core/context.py).
"""

from typing import TYPE_CHECKING

from scratchy.core.messages import Message, text_of
from scratchy.core.session import AgentSession
from scratchy.sessions.worker import Worker

if TYPE_CHECKING:
    from scratchy.core.ports import Store

SLICE = 300  # messages read at once
_UNKNOWN_WINDOW = 128_000  # tokens, when the provider does not tell its window
_CHARS_PER_TOKEN = 8  # more than texts have: where a context begins is for the server to say, not for this guess
_START = "context_start"  # in the header's metadata: the index of the first message that requests still send


class Part:
    """`session.messages` are those from index `first` on. `head` is the system message where it is not among them."""

    def __init__(self, store: "Store", session: AgentSession, worker: Worker, first: int) -> None:
        self.first = first
        self.head = ""
        self._start: int | None = None
        self._store = store
        self._session = session
        self._worker = worker

    @property
    def count(self) -> int:
        return self.first + len(self._session.messages)

    @property
    def start(self) -> int | None:
        """The index that the context starts at, since not all fits into a request; None: at the beginning."""
        return self.first + self._session.context_start if self._session.context_start else self._start

    def reset(self, first: int) -> None:
        """The transcript is another one now, and this the index of what is in memory of it."""
        self.first, self.head, self._start, self._session.context_start = first, "", None, 0

    def lead(self, system: Message, had: int) -> None:
        """Another system message leads; `had` stood there before (0 or 1)."""
        start, more = self.start, 1 - had
        if self.first:
            self.head, self.first = text_of(system), self.first + more
        else:
            self._session.messages[:had] = [system]
        if start is not None:
            self._begin(start + more)

    def _begin(self, start: int) -> None:
        self._start, self._session.context_start = start, start - self.first

    async def page(self, count: int, before: int | None = None) -> tuple[int, list[Message]]:
        """At most `count` messages before number `before` (None: the end), and the number of the first of them. What is
        not loaded is read for this call only."""
        end = self.count if before is None else min(before, self.count)
        first = max(0, end - count)
        loaded = self._session.messages[max(0, first - self.first) : max(0, end - self.first)]
        missing = min(end, self.first) - first
        return first, [*await self._read(missing, first + missing), *loaded] if missing > 0 else loaded

    async def whole(self) -> list[Message]:
        while self.first > 0:
            await self._load(self.first)
        return self._session.messages

    async def for_request(self, window: int | None, *, same_model: bool) -> None:
        """Load older messages, newest first: from where earlier requests to this model began, in this process or the
        last one; else what the window may hold, from the beginning of a turn on."""
        session = self._session
        if not same_model:
            session.metadata.pop(_START, None)
            self._start, session.context_start = None, 0
        start = session.metadata.get(_START)
        if isinstance(start, int) and 0 < start < self.count - 1 and self.start is None:
            while self.first > start:
                await self._load(self.first - start)
            self._begin(start)
        elif self.first and self.start is None:
            await self._fill((window or _UNKNOWN_WINDOW) * _CHARS_PER_TOKEN)
        if self.first and not self.head:
            head = await self._read(1, 1)
            self.head = text_of(head[0]) if head and head[0].get("role") == "system" else ""

    async def _fill(self, chars: int) -> None:
        session = self._session
        weight = sum(len(text_of(message)) for message in session.messages)
        while self.first > 0 and weight < chars:
            weight += sum(len(text_of(message)) for message in await self._load(self.first))
        if self.first:
            users = (at for at, message in enumerate(session.messages) if message.get("role") == "user")
            self._begin(self.first + next(users, 0))

    async def _load(self, most: int) -> list[Message]:
        before, start = self.first, self.start
        messages = await self._read(min(most, SLICE), before)
        if self.first != before:  # a command read it at the same time
            return []
        self._session.messages[:0] = messages
        self.first = before - len(messages)
        if start is not None:
            self._begin(start)
        return messages

    async def _read(self, count: int, before: int) -> list[Message]:
        session_id = self._session.session_id
        return (await self._worker.run(lambda: self._store.tail(session_id, count, before=before)))[1]
