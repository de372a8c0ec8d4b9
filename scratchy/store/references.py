"""What one session's messages and header refer to: tool calls and their results, blobs, the session it came from.

Missing ones are notes: a request heals them, and nothing is lost by them that is here. Not here: whether the file is
whole (doctor.py).
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from scratchy.core.findings import Finding, counted
from scratchy.core.messages import Message, calls_of, text_of
from scratchy.core.stored import Header
from scratchy.store.ids import check_id, encode_id
from scratchy.store.listing import listed
from scratchy.store.place import Place
from scratchy.store.trash import FOLDER

_KEPT = re.compile(r"kept in the scratchpad as ([0-9a-f]{32})\b")
_IMAGE = re.compile(r"blob:([0-9a-f]{32,64})\Z")


class References:
    """`begin` a session, `add` its messages, `end` it; `lost` at the very end, for what needs all of them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._session_id = self._path = ""
        self._open: set[str] = set()
        self._dangling = self._orphans = self._empty = 0
        self._blobs: set[str] = set()
        self._parents: list[tuple[str, str, str]] = []
        self._rewinds: list[tuple[str, str, str]] = []

    def begin(self, session_id: str, path: str, header: Header) -> None:
        self._session_id, self._path = session_id, path
        self._open, self._blobs = set(), set()
        self._dangling = self._orphans = self._empty = 0
        for key, name, found in (("parent", "id", self._parents), ("rewind", "entry", self._rewinds)):
            told = header.metadata.get(key)
            value = cast("dict[str, Any]", told).get(name) if isinstance(told, dict) else None
            if isinstance(value, str):
                found.append((session_id, path, value))

    def add(self, message: Message) -> None:
        role, content = message.get("role"), message.get("content")
        text = content if isinstance(content, str) else text_of(message)
        if role == "tool":
            call = str(message.get("tool_call_id"))
            self._orphans += call not in self._open
            self._open.discard(call)
        else:
            self._dangling += len(self._open)
            self._open = {call["id"] for call in calls_of(message)} if role == "assistant" else set()
            self._empty += role == "assistant" and not (self._open or text)
        if "kept in the scratchpad as " in text:
            self._blobs.update(_KEPT.findall(text))
        if isinstance(content, list):
            self._blobs.update(_of_parts(content))
        if "files" in message:
            self._blobs.update(_of_files(cast("Mapping[str, Any]", message).get("files")))

    def end(self, live: bool) -> Iterator[Finding]:
        """`live`: another process has it open, so that its last calls may be running."""
        dangling = self._dangling + (0 if live else len(self._open))
        counts = (
            (dangling, "unanswered tool call"),
            (self._orphans, "stray tool result"),
            (self._empty, "empty answer"),
        )
        told = [counted(count, what) for count, what in counts if count]
        if told:
            advice = "Each request is sent without them, or with what is missing; nothing is to be done."
            yield Finding("transcript", ", ".join(told), self._path, self._session_id, advice=advice)
        gone = sorted(blob for blob in self._blobs if not os.path.exists(self._place.path(f".blobs/{blob}")))
        if gone:
            names = ", ".join(gone[:3]) + (" …" if len(gone) > 3 else "")
            text = f"{counted(len(gone), 'thing')} that it kept outside its file cannot be found: {names}"
            yield Finding("blob", text, self._path, self._session_id, advice="A placeholder is sent in their place.")

    def lost(self) -> Iterator[Finding]:
        trash = self._trash()
        formerly: set[str] | None = None
        for session_id, path, parent in self._parents:
            if self._is_there(parent, trash):
                continue
            formerly = self._formerly() if formerly is None else formerly
            if parent not in formerly:
                yield Finding("parent", f"the session that it came from, '{parent}', is gone", path, session_id)
        for session_id, path, entry in self._rewinds:
            if entry not in trash:
                text = f"what it was before a rewind is not in the trash any more ({entry})"
                yield Finding("rewind", text, path, session_id)

    def _is_there(self, session_id: str, trash: set[str]) -> bool:
        try:
            if os.path.lexists(self._place.find(check_id(session_id))):
                return True
        except ValueError:
            return False
        return any(name.partition("-")[2] == encode_id(session_id) for name in trash)

    def _trash(self) -> set[str]:
        if not (self._parents or self._rewinds):
            return set()
        try:
            return set(os.listdir(self._place.path(FOLDER)))
        except OSError:
            return set()

    def _formerly(self) -> set[str]:
        """All ids that living sessions once had."""
        headers = (info.header for info in listed(self._place) if info.header is not None)
        told = [header.metadata.get("formerly") for header in headers]
        lists = [cast("list[Any]", names) for names in told if isinstance(names, list)]
        return {name for names in lists for name in names if isinstance(name, str)}


def _of_parts(content: list[Any]) -> Iterator[str]:
    for part in content:
        image: Any = cast("dict[str, Any]", part).get("image_url") if isinstance(part, dict) else None
        url: Any = cast("dict[str, Any]", image).get("url") if isinstance(image, dict) else None
        if isinstance(url, str) and (found := _IMAGE.match(url)):
            yield found[1]


def _of_files(files: Any) -> Iterator[str]:
    """The old contents of files that a tool changed."""
    if not isinstance(files, list):
        return
    for change in cast("list[Any]", files):
        before: Any = cast("dict[str, Any]", change).get("before") if isinstance(change, dict) else None
        if isinstance(before, str) and re.fullmatch(r"[0-9a-f]{32,64}", before):
            yield before
