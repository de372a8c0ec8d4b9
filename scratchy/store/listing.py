"""The sessions of a folder, a row each, out of their headers. No lock is taken, nothing is repaired.

Not here: reading one session (place.py), the port (files.py).
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from scratchy.core.errors import SessionError
from scratchy.core.stored import SessionInfo
from scratchy.store.foreign import time_text
from scratchy.store.ids import SUFFIX, check_id, decode_id, file_name, is_plain
from scratchy.store.place import Place, open_file, read_row


def listed(place: Place) -> list[SessionInfo]:
    """Newest activity first. Raises OSError when the folder cannot be read; one that is missing is empty."""
    return sorted((row_of(place, entry) for entry in _entries(place)), key=activity, reverse=True)


def recent(place: Place) -> Iterator[SessionInfo]:
    """The same rows by the time of change of their files, each read when it is asked for: a page costs a page."""
    timed = [(_changed(entry), entry.name, entry) for entry in _entries(place)]
    timed.sort(reverse=True)
    for _, _, entry in timed:
        yield row_of(place, entry)


def activity(info: SessionInfo) -> str:
    """What a listing is sorted by: UTC ISO-8601."""
    told = info.header.updated_at if info.header is not None else ""
    return told if told[:1].isdigit() else time_text(info.changed)


def row_of(place: Place, entry: os.DirEntry[str]) -> SessionInfo:
    stem = entry.name[: -len(SUFFIX)]
    session_id = decode_id(stem)
    try:
        if not entry.is_file(follow_symlinks=False):  # look before opening
            open_file(place.disk, entry.path, session_id or stem, os.O_RDONLY)
        header, count, size, changed = read_row(place.disk, entry.path, session_id or stem)
    except (SessionError, OSError) as error:
        return _unreadable(entry, session_id or stem, error)
    named = header.session_id or session_id or stem
    if named == session_id or (session_id is None and entry.name == _file_name(named)):
        return SessionInfo(named, header, count, size, changed)
    plain = named == stem and is_plain(stem) and not os.path.lexists(place.path(file_name(stem)))
    return SessionInfo(named if plain else stem, header, count, size, changed, foreign=not plain)


def _entries(place: Place) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place.folder) as entries:
            return [entry for entry in entries if entry.name.endswith(SUFFIX) and entry.name[0] != "."]
    except FileNotFoundError:
        return []


def _changed(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _unreadable(entry: os.DirEntry[str], session_id: str, error: Exception) -> SessionInfo:
    size, changed = 0, 0.0
    with suppress(OSError):
        there = entry.stat(follow_symlinks=False)
        size, changed = there.st_size, there.st_mtime
    return SessionInfo(session_id, None, 0, size, changed, error=str(error))


def _file_name(named: str) -> str:
    """The name of a header's id, which may be no id at all."""
    try:
        return file_name(check_id(named))
    except ValueError:
        return ""
