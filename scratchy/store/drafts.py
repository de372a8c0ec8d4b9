"""What was typed and not sent, beside its session: `.<encoded id>.draft`, replaced whole, read by anybody.

Not here: when it is kept, and by whom (the session's writer).
"""

import os
from contextlib import suppress

from scratchy.core.errors import SessionNotFoundError
from scratchy.store.disk import write_all
from scratchy.store.place import Place, open_file
from scratchy.store.toonfile import plain

_MOST = 16 << 20  # bytes that are read


def read_draft(place: Place, session_id: str) -> str:
    """Empty when there is none. Raises: SessionCorruptedError for what is no file, OSError."""
    try:
        handle = open_file(place.disk, place.draft_path(session_id), session_id, os.O_RDONLY)
    except SessionNotFoundError:
        return ""
    try:
        return place.disk.read(handle, _MOST, 0).decode("utf-8", "replace")
    finally:
        place.disk.close(handle)


def write_draft(place: Place, session_id: str, text: str) -> None:
    """On disk when it returns. The session's lock and its mutex are held."""
    disk, path, temporary = place.disk, place.draft_path(session_id), place.temporary(session_id)
    with suppress(FileNotFoundError):
        disk.unlink(temporary if text else path)
    if text:
        handle = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(disk, handle, plain(text).encode(), 0)
            disk.sync(handle)
        finally:
            disk.close(handle)
        disk.rename(temporary, path)
    disk.sync_folder(place.folder)
