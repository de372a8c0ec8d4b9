"""Finding a session among many: rows as their headers are read, kept by words and by folder.

`read`, `look` and `said` read files: for a worker thread. `rows` and the rest only look at what was read.
Not here: how a row looks (the faces), what was said in a session (the search index).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, cast

from scratchy.core.errors import ScratchyError
from scratchy.core.messages import Message, text_of
from scratchy.core.ports import Store
from scratchy.core.stored import Header, SessionInfo
from scratchy.sessions.times import utc_stamp

SAID = 6
"""Messages of a preview."""
_FIRST = 6  # messages from the start, among which the person's first words are looked for
_SHOWN = 300  # characters of a message that a row may show


class Look(NamedTuple):
    """What a row shows beside its header: the person's first words, the last words of all, who else has it open."""

    first: str = ""
    last: str = ""
    holder: int | None = None


class Hit(NamedTuple):
    """A row, and the passage in its messages where the words were found; empty when its header has them."""

    info: SessionInfo
    passage: str = ""


Search = Callable[[str], Sequence[Hit]]


class Finder:
    """The sessions of `store`, for a person in `folder`. `known`: how many rows are read, `near` how many of those are
    of this folder; `whole`: there are no more."""

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._source: Iterator[SessionInfo] | None = None
        self._rows: list[tuple[str, bool, SessionInfo]] = []  # what words are looked for in, of this folder, the row
        self.near = 0
        self.whole = False

    @property
    def known(self) -> int:
        return len(self._rows)

    def is_near(self, info: SessionInfo) -> bool:
        return folder_of(info.header) == self._folder

    def read(self, count: int) -> None:
        """The next rows, at most so many, newest first. Raises: OSError when the folder cannot be read."""
        if self._source is None:
            self._source = self._store.recent()
        fresh = [(_searched(info), self.is_near(info), info) for info in islice(self._source, count)]
        self._rows += fresh
        self.near += sum(near for _, near, _ in fresh)
        if len(fresh) < count and not self.whole:
            self._rows = sorted(self._rows, key=lambda row: _activity(row[2]), reverse=True)
            self.whole = True

    def rows(self, text: str, *, everywhere: bool) -> list[SessionInfo]:
        """Those whose id, title, tags or folder have all words of `text`, whatever the case; newest first."""
        words = text.casefold().split()
        return [
            info
            for searched, near, info in self._rows
            if (everywhere or near) and all(word in searched for word in words)
        ]

    def refresh(self, session_id: str, new_id: str | None = None) -> None:
        """A row again after its session changed: under `new_id`, or as it was; gone when it is not stored any more."""
        at = next((at for at, row in enumerate(self._rows) if row[2].session_id == session_id), None)
        if at is None:
            return
        info = self._rows[at][2]
        try:
            header, count = self._store.header(new_id or session_id)
        except (ScratchyError, OSError):
            self.near -= self._rows.pop(at)[1]
            return
        info = info._replace(session_id=new_id or session_id, header=header, count=count)
        self._rows[at] = (_searched(info), self.is_near(info), info)

    def look(self, info: SessionInfo) -> Look:
        """From the file's two ends; what cannot be read is empty."""
        if info.header is None or info.foreign:
            return Look()
        try:
            beginning = islice(self._store.items(info.session_id), _FIRST)
            first = next((message for message in beginning if message.get("role") == "user"), None)
            last = self._store.tail(info.session_id, 2)[1]
            spoken = next((text for message in reversed(last) if (text := _words(message))), "")
            return Look(_words(first), spoken, self._store.holder(info.session_id))
        except (ScratchyError, ValueError, OSError):
            return Look()

    def said(self, info: SessionInfo, count: int = SAID) -> list[Message]:
        """The last messages. Raises: SessionError, OSError."""
        return self._store.tail(info.session_id, count)[1]


def tags_of(header: Header | None) -> list[str]:
    tags: Any = header.metadata.get("tags") if header is not None else None
    return [tag for tag in cast("list[Any]", tags) if isinstance(tag, str)] if isinstance(tags, list) else []


def folder_of(header: Header | None) -> str:
    return _text(header.metadata if header is not None else {}, "folder")


def model_of(header: Header | None) -> str:
    return _text(header.metadata if header is not None else {}, "model")


def _text(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _searched(info: SessionInfo) -> str:
    header = info.header
    title = header.title or "" if header is not None else ""
    return "\n".join((info.session_id, title, *tags_of(header), folder_of(header))).casefold()


def _words(message: Message | None) -> str:
    """The beginning of what it says, on one line."""
    return " ".join(text_of(message)[: 4 * _SHOWN].split())[:_SHOWN] if message is not None else ""


def _activity(info: SessionInfo) -> str:
    told = info.header.updated_at if info.header is not None else ""
    if told[:1].isdigit():
        return told
    try:
        return utc_stamp(datetime.fromtimestamp(info.changed, UTC))
    except (ValueError, OverflowError, OSError):
        return ""
