"""A live transcript beside each session: what is stored is also written as JSON lines, only ever appended to.

It stands around a store, so that every way to write passes here: programs, turns, clears. What it cannot write is said
once and fails no save. Not here: the shape of the lines (interchange, through compose).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from scratchy import compose
from scratchy.core.errors import save_problem
from scratchy.core.ports import SessionWriter, Store
from scratchy.core.stored import Header
from scratchy.sessions.times import utc_stamp


class Transcribed:
    """The store itself in all but `open`."""

    def __init__(self, store: Store) -> None:
        self.inner = store
        self.said = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def open(self, session_id: str, *, create: Header | None = None) -> SessionWriter:
        return cast("SessionWriter", _Writer(self, self.inner.open(session_id, create=create)))


def transcribed(store: Store) -> Store:
    """The store with a live transcript beside each of its sessions. One that has it already is returned as it is, so is
    one that has no folder: there is no beside."""
    if isinstance(store, Transcribed) or not hasattr(store, "folder"):
        return store
    return cast("Store", Transcribed(store))


def plain(store: Store) -> Store:
    """The store without its transcripts."""
    return store.inner if isinstance(store, Transcribed) else store


def transcript_path(store: Store, session_id: str) -> Path:
    """Where the session's transcript is, or would be. Raises: ValueError for a bad id, or a store without a folder."""
    folder: str | None = getattr(store, "folder", None)
    if folder is None:
        raise ValueError("Sessions in memory have no transcript file.")
    return Path(folder) / f"{compose.encoded_id(session_id)}_transcript.jsonl"


class _Writer:
    """The writer itself in all but `append` and `replace`."""

    def __init__(self, store: Transcribed, writer: SessionWriter) -> None:
        self._store = store
        self._writer = writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def append(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self._writer.append(messages)
        self._write(messages)

    def replace(self, messages: Sequence[Mapping[str, Any]], reason: str) -> None:
        """Written is what was not there before: a clear or a cut writes nothing, an edit what it changed."""
        before: Sequence[Any] = self._writer.load()
        self._writer.replace(messages, reason)
        known = {repr(message) for message in before}
        self._write([message for message in messages if repr(message) not in known])

    def _write(self, messages: Sequence[Mapping[str, Any]]) -> None:
        path = transcript_path(cast("Store", self._store), self._writer.session_id)
        try:
            if messages:
                compose.append_lines(path, compose.jsonl_lines(messages, utc_stamp()))
        except OSError as error:
            if not self._store.said:
                self._store.said = True
                self._writer.notices.append(
                    f"The transcript {path.name} cannot be written: {save_problem(error)}. The session itself is saved."
                )
