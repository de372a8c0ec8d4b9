"""Finding a session among many: rows as their headers are read, kept by words and by folder.

`read`, `looks`, `said` and `search` read files: for a worker thread. The rest only looks at what was read.
Not here: how a row looks (the faces), the search index (the store).
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from scratchy import compose
from scratchy.core.errors import ScratchyError
from scratchy.core.found import Found
from scratchy.core.images import shown_of
from scratchy.core.messages import Message
from scratchy.core.ports import Store
from scratchy.core.stored import Header, SessionInfo, tags_in
from scratchy.core.text import reveal
from scratchy.sessions.project import folder_in, identity, is_here, is_same, project_in
from scratchy.sessions.times import utc_stamp
from scratchy.sessions.wording import words_title

SAID = 6
"""Messages of a preview."""
_FIRST = 6  # messages from the start, among which the person's first words are looked for
HITS = 100
"""Messages that a search inside the sessions finds at most."""
_NEAR = 3
_LINK_MOST = 8192  # bytes of a worktree's `.git`: a path
_SHOWN = 300  # characters of a message that a row may show


class Look(NamedTuple):
    """What a row shows beside its header: the person's first words, the last words of all, who else has it open, and
    `kin` where its folder is another one of this project: `clone`, `worktree`; `moved`: it was this folder."""

    first: str = ""
    last: str = ""
    holder: int | None = None
    kin: str = ""


class Finder:
    """The sessions of `store`, for a person in `folder`. `known`: how many rows are read, `near` how many of those are
    of this folder; `whole`: there are no more."""

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = os.path.realpath(folder)
        self._today: dict[str, Any] | None = None
        self._paths: dict[str, bool] = {}  # stored folders: whether one is this folder
        self._source: Iterator[SessionInfo] | None = None
        self._rows: list[tuple[str, bool, SessionInfo]] = []  # what words are looked for in, of this folder, the row
        self.near = 0
        self.whole = False

    @property
    def known(self) -> int:
        return len(self._rows)

    def is_near(self, info: SessionInfo) -> bool:
        """Whether it was held in this folder, under whatever path."""
        path = folder_of(info.header)
        if path not in self._paths:
            self._paths[path] = is_here(path, self._folder)
        return self._paths[path]

    def read(self, count: int) -> None:
        """The next rows, at most so many, newest first. Raises: OSError when the folder cannot be read."""
        if self._source is None:
            self._source = self._store.recent()
        fresh = [(_searched(info), self.is_near(info), info) for info in islice(self._source, count)]
        self._rows += fresh
        self.near += sum(near for _, near, _ in fresh)
        if len(fresh) < count and not self.whole:
            self._find_moved()
            self._rows = sorted(
                ((searched, self.is_near(info), info) for searched, _, info in self._rows),
                key=lambda row: _activity(row[2]),
                reverse=True,
            )
            self.near = sum(near for _, near, _ in self._rows)
            self.whole = True

    def _find_moved(self) -> None:
        """Stored paths that are gone may be this folder by another name."""
        for _, near, info in self._rows:
            path = folder_of(info.header)
            if path and not near and not self._paths[path] and not os.path.lexists(path):
                self._paths[path] = is_same(_project(info), self._project())

    def _project(self) -> dict[str, Any]:
        if self._today is None:
            self._today = identity(Path(self._folder))
        return self._today

    def _kin(self, info: SessionInfo) -> str:
        path = folder_of(info.header)
        if not path or path == self._folder:
            return ""
        if self.is_near(info):
            return "" if os.path.lexists(path) else "moved"
        if f"{os.sep}.git{os.sep}worktrees{os.sep}" in (link := _git_link(path) + _git_link(self._folder)):
            main = [os.path.join(folder, ".git") + os.sep for folder in (path, self._folder)]
            if link.startswith(tuple(main)):
                return "worktree"
        root = _project(info).get("root")
        return "clone" if root and root == self._project().get("root") else ""

    def rows(self, text: str, *, everywhere: bool) -> list[SessionInfo]:
        """Those whose id, title, tags or folder have all words of `text`, whatever the case; newest first."""
        words = text.casefold().split()
        return [
            info
            for searched, near, info in self._rows
            if (everywhere or near) and all(word in searched for word in words)
        ]

    def named(self, session_ids: Iterable[str], *, everywhere: bool) -> list[SessionInfo]:
        """The rows of these ids, in their order, as far as they are known."""
        known = {info.session_id: info for _, near, info in self._rows if (everywhere or near) and not info.foreign}
        return [known[session_id] for session_id in session_ids if session_id in known]

    def search(self, text: str, seconds: float) -> tuple[dict[str, str], int]:
        """The sessions in which all words of `text` were said in one message, newest first, with the newest passage;
        how many were not looked into, after at most so many seconds of indexing and as many of reading."""
        found = compose.open_index(self._store).search(text, limit=HITS, patience=seconds, seconds=seconds)
        return passages(found), found.pending

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

    def looks(self, infos: Iterable[SessionInfo]) -> dict[str, Look]:
        """By id, from the files' two ends; what cannot be read is empty."""
        return {info.session_id: self._look(info) for info in infos}

    def title(self, info: SessionInfo) -> str:
        """Its title, else the one that the first words would make; "" where there are none, or they cannot be read."""
        if info.header is None or info.foreign or info.header.title:
            return (info.header.title or "") if info.header is not None else ""
        try:
            first = self._first(info)
        except (ScratchyError, ValueError, OSError):
            return ""
        return words_title(said) if first is not None and (said := shown_of(first, brief=True).strip()) else ""

    def _first(self, info: SessionInfo) -> Message | None:
        beginning = islice(self._store.items(info.session_id), _FIRST)
        return next((message for message in beginning if message.get("role") == "user"), None)

    def _look(self, info: SessionInfo) -> Look:
        if info.header is None or info.foreign:
            return Look()
        try:
            last = self._store.tail(info.session_id, 2)[1]
            spoken = next((text for message in reversed(last) if (text := _words(message))), "")
            return Look(_words(self._first(info)), spoken, self._store.holder(info.session_id), self._kin(info))
        except (ScratchyError, ValueError, OSError):
            return Look()

    def said(self, info: SessionInfo, count: int = SAID) -> list[Message]:
        """The last messages. Raises: SessionError, OSError."""
        return self._store.tail(info.session_id, count)[1]


def passages(found: Found) -> dict[str, str]:
    """The newest passage of each session, newest first."""
    newest: dict[str, str] = {}
    for hit in found.hits:
        newest.setdefault(hit.session_id, hit.passage)
    return newest


def near_ones(wanted: str, infos: Sequence[SessionInfo], how: str = "`/resume {}`") -> str:
    """What a person may have meant who named a session that is none, as a sentence; "" when nothing is near."""
    told = {info.session_id: (info.header.title or "") if info.header is not None else "" for info in infos}
    begins = [
        one
        for one, title in told.items()
        if one.casefold().startswith(wanted.casefold()) or title.casefold().startswith(wanted.casefold())
    ]
    if len(begins) == 1:
        title = f" ({reveal(told[begins[0]])})" if told[begins[0]] else ""
        return f"One begins so: '{reveal(begins[0])}'{title}; {how.format(begins[0])} opens it."
    near = begins[:_NEAR] or difflib.get_close_matches(wanted, told, n=_NEAR, cutoff=0.6)
    titles = {title.casefold(): one for one, title in told.items() if title}
    near = near or [
        titles[title] for title in difflib.get_close_matches(wanted.casefold(), titles, n=_NEAR, cutoff=0.6)
    ]
    named = ", ".join(f"'{reveal(one)}'" for one in near)
    return f"Did you mean {named}?" if near else ""


def folder_of(header: Header | None) -> str:
    return folder_in(header.metadata) if header is not None else ""


def model_of(header: Header | None) -> str:
    model = header.metadata.get("model") if header is not None else None
    return model if isinstance(model, str) else ""


def _project(info: SessionInfo) -> Mapping[str, Any]:
    return project_in(info.header.metadata) if info.header is not None else {}


def _git_link(folder: str) -> str:
    """Where the `.git` file of a worktree leads; empty for any other folder."""
    text = compose.first_bytes(os.path.join(folder, ".git"), _LINK_MOST).decode("utf-8", "replace")
    return text.removeprefix("gitdir:").strip() if text.startswith("gitdir:") else ""


def _searched(info: SessionInfo) -> str:
    header = info.header
    title, tags = (header.title or "", tags_in(header.metadata)) if header is not None else ("", [])
    return "\n".join((info.session_id, title, *tags, folder_of(header))).casefold()


def _words(message: Message | None) -> str:
    """The beginning of what it says, on one line."""
    return " ".join(shown_of(message, brief=True)[: 4 * _SHOWN].split())[:_SHOWN] if message is not None else ""


def _activity(info: SessionInfo) -> str:
    told = info.header.updated_at if info.header is not None else ""
    if told[:1].isdigit():
        return told
    try:
        return utc_stamp(datetime.fromtimestamp(info.changed, UTC))
    except (ValueError, OverflowError, OSError):
        return ""
