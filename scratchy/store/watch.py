"""Watching a session that another process writes: what is new each time one looks. Takes no lock, writes nothing.

It follows the name, not the file: a session that was written anew, or renamed, is followed. A look at one that did not
change costs a stat. Not here: how often one looks, and how it is shown (shell/watch.py).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from scratchy.core.errors import SessionCorruptedError, SessionNotFoundError
from scratchy.core.messages import Message
from scratchy.core.ports import Store


class New(NamedTuple):
    """A message and its number, from 1."""

    number: int
    message: Message


class Said(NamedTuple):
    """What happened to the session, for the person. `over`: there is nothing left to watch."""

    text: str
    over: bool = False


class Watch:
    """`session_id` is the one that is followed now. `last`: how many stored messages are shown first.

    Raises: SessionNotFoundError when it is neither stored nor held by anybody; ValueError for a bad id.
    """

    def __init__(self, store: Store, session_id: str, last: int = 5) -> None:
        self.session_id = session_id
        self._store = store
        self._last = last
        self._stamp: Any = None
        self._seen: int | None = None
        self._newest: Message | None = None
        self._missed = 0
        if not store.exists(session_id) and store.holder(session_id) is None:
            raise SessionNotFoundError(session_id)

    def look(self) -> Iterator[New | Said]:
        """What came since the last look. Raises: OSError when the store cannot be read."""
        stamp = self._store.stamp(self.session_id)
        if stamp is None:
            yield from self._gone()
            return
        self._missed = 0
        if stamp == self._stamp:
            return
        try:
            news = self._read()
        except SessionCorruptedError as error:
            news = [Said(f"{error} Waiting for it to be readable.")]
        except SessionNotFoundError:  # between the two looks
            return
        self._stamp = stamp
        yield from news

    def _read(self) -> list[New | Said]:
        total = self._store.header(self.session_id)[1]
        said: list[New | Said] = []
        if self._seen is not None and (total < self._seen or not self._continues()):
            what = "was cut back" if 0 < total < self._seen else "was cleared" if not total else "was written anew"
            said.append(Said(f"Session '{self.session_id}' {what}: {total} messages now."))
            self._seen = total if total < self._seen else None
        start = max(total - self._last, 0) if self._seen is None else self._seen
        messages = self._from(start, total)
        self._seen = start + len(messages)
        if messages:
            self._newest = messages[-1]
        elif self._seen:
            self._newest = self._from(self._seen - 1, self._seen)[0]
        return said + [New(start + number, message) for number, message in enumerate(messages, 1)]

    def _continues(self) -> bool:
        """Whether the last message that was shown still stands where it stood."""
        if not self._seen:
            return True
        return self._from(self._seen - 1, self._seen) == [self._newest]

    def _from(self, start: int, total: int) -> list[Message]:
        """The messages from index `start` to the end, which may be behind `total` by now; to `total` when that is
        behind `start` by one: the caller wants a single one."""
        first, messages = self._store.tail(self.session_id, total - start, total)
        return messages[max(start - first, 0) :]

    def _gone(self) -> Iterator[Said]:
        if self._seen is None and self._store.holder(self.session_id) is not None:
            return  # open, and nothing stored yet
        self._missed += 1
        if self._missed < 2:  # a file that is written anew may be away for a moment
            return
        newest = next((entry for entry in self._store.trash() if entry.session_id == self.session_id), None)
        renamed = newest.note.get("to") if newest is not None and newest.reason == "renamed" else None
        if isinstance(renamed, str) and self._store.exists(renamed):
            yield Said(f"Session '{self.session_id}' was renamed: it is '{renamed}' now.")
            self.session_id, self._stamp, self._missed = renamed, None, 0
            return
        deleted = newest is not None and newest.reason == "deleted"
        what = "was deleted; it is in the trash" if deleted else "is not there any more"
        yield Said(f"Session '{self.session_id}' {what}.", over=True)
