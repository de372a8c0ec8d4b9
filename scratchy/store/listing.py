"""The sessions of a folder, a row each, out of their headers. No lock is taken, nothing is repaired.

Not here: reading one session (place.py), the port (files.py).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from scratchy.core.errors import SessionError
from scratchy.core.stored import SessionInfo
from scratchy.store.foreign import time_text
from scratchy.store.ids import SUFFIX, check_id, decode_id, file_name, is_plain
from scratchy.store.place import Place, open_file, read_row


def listed(place: Place) -> list[SessionInfo]:
    """Newest activity first. Raises OSError when the folder cannot be read; one that is missing is empty."""
    try:
        with os.scandir(place.folder) as entries:
            rows = [
                row_of(place, entry.name, entry.path, entry.is_file(follow_symlinks=False))
                for entry in entries
                if _may_be_session(entry.name)
            ]
    except FileNotFoundError:
        return []
    return sorted(rows, key=activity, reverse=True)


def recent(place: Place) -> Iterator[SessionInfo]:
    """The same rows by the time of change of their files, each read when it is asked for: a page costs a page."""
    try:
        names = [name for name in os.listdir(place.folder) if _may_be_session(name)]
        # From the folder's descriptor on, the system has no path to walk: a third less time.
        folder = os.open(place.folder, os.O_RDONLY) if os.stat in os.supports_dir_fd else None
    except FileNotFoundError:
        return
    try:
        changes = [(_changed(place, name, folder), name) for name in names]
    finally:
        if folder is not None:
            os.close(folder)
    for (_, regular), name in sorted(changes, reverse=True):
        yield row_of(place, name, place.path(name), regular)


def activity(info: SessionInfo) -> str:
    """What a listing is sorted by: UTC ISO-8601."""
    told = info.header.updated_at if info.header is not None else ""
    return told if told[:1].isdigit() else time_text(info.changed)


def row_of(place: Place, name: str, path: str, regular: bool) -> SessionInfo:
    """The row of a file in the folder; `regular`: it is a file, nothing that must not be opened."""
    stem = name[: -len(SUFFIX)]
    session_id = decode_id(stem)
    try:
        if not regular:
            open_file(place.disk, path, session_id or stem, os.O_RDONLY)
        header, count, size, changed = read_row(place.disk, path, session_id or stem)
    except (SessionError, OSError) as error:
        return _unreadable(path, session_id or stem, error)
    named = header.session_id or session_id or stem
    if named == session_id or (session_id is None and name == _file_name(named)):
        return SessionInfo(named, header, count, size, changed)
    plain = named == stem and is_plain(stem) and not os.path.lexists(place.path(file_name(stem)))
    return SessionInfo(named if plain else stem, header, count, size, changed, foreign=not plain)


def _may_be_session(name: str) -> bool:
    return name.endswith(SUFFIX) and name[0] != "."


def _changed(place: Place, name: str, folder: int | None) -> tuple[float, bool]:
    """When, and whether it is a regular file."""
    try:
        there = os.stat(place.path(name) if folder is None else name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return 0.0, False
    return there.st_mtime, stat.S_ISREG(there.st_mode)


def _unreadable(path: str, session_id: str, error: Exception) -> SessionInfo:
    size, changed = 0, 0.0
    with suppress(OSError):
        there = os.lstat(path)
        size, changed = there.st_size, there.st_mtime
    return SessionInfo(session_id, None, 0, size, changed, error=str(error))


def _file_name(named: str) -> str:
    """The name of a header's id, which may be no id at all."""
    try:
        return file_name(check_id(named))
    except ValueError:
        return ""
