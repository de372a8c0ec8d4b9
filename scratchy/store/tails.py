"""The bytes that a repair cuts off a session's file, kept beside it as `.<encoded id>.tail-<nanoseconds>`."""

import os
import time

from scratchy.store.disk import write_all
from scratchy.store.place import Place, open_file


def keep_tail(place: Place, session_id: str, tail: bytes) -> None:
    """On disk when it returns; once, however often the repair is killed and begun again. The session's lock is held."""
    if _is_kept(place, session_id, tail):
        return
    disk = place.disk
    temporary = place.temporary(session_id)
    handle = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(disk, handle, tail, 0)
        disk.sync(handle)
    finally:
        disk.close(handle)
    disk.rename(temporary, f"{temporary.removesuffix('tmp')}tail-{time.time_ns()}")
    disk.sync_folder(place.folder)


def _is_kept(place: Place, session_id: str, tail: bytes) -> bool:
    for name, shape in place.beside(session_id):
        path = place.path(name)
        if "tail-" in shape and os.lstat(path).st_size == len(tail):
            handle = open_file(place.disk, path, session_id, os.O_RDONLY)
            try:
                if place.disk.read(handle, len(tail), 0) == tail:
                    return True
            finally:
                place.disk.close(handle)
    return False
