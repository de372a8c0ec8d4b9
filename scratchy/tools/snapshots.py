"""What a file tool changes is kept first, so that a rewind can give it back: old bytes as blobs, changes as values.

Here: what can be kept and what cannot (told before the person says yes), keeping, then writing or deleting. Not here:
what the tools say (files.py), giving back (putback.py).
"""

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from scratchy.core.messages import FileChange
from scratchy.core.ports import ToolError
from scratchy.permissions import Permissions
from scratchy.scratchpad import Scratchpad, content_id
from scratchy.system import SAFE_OPEN
from scratchy.tools.buffers import Content, Files
from scratchy.tools.spots import InTheWayError, Place, gone, held, identity, refuse_moved

MOST_BYTES = 50_000_000
MOST_FILES = 1000
MOST_COUNTED = 100_000


class Survey(NamedTuple):
    """What goes with a path: `files` regular ones that can be kept, `left` what cannot (links, special files, what
    cannot be read or named), `entries` all of them but the path itself, folders included."""

    files: list[Path]
    size: int
    left: int
    entries: int


class Snapshots:
    """`scratchpad` None: nothing is kept, and that is said. `files`: what is read and written."""

    def __init__(self, permissions: Permissions, scratchpad: Scratchpad | None, files: Files) -> None:
        self.files = files
        self._permissions = permissions
        self._scratchpad = scratchpad

    def caveat(self, path: Path) -> str:
        """Why a change of the file cannot be taken back, a line for the preview; empty when it can."""
        return _caveat(self._why_not(path))

    def caveat_of_deleting(self, path: Path, found: Survey) -> str:
        why = self._why_not(path) or _too_much(found)
        if not why and not found.files and found.left:
            why = "a link, a special file or one that cannot be read is not kept"
        if why or not found.left:
            return _caveat(why)
        return f"/rewind cannot bring back {found.left} of them (links, special files, what cannot be read)."

    def _why_not(self, path: Path) -> str:
        if self._scratchpad is None:
            return "this session keeps no old versions of files"
        if not self._permissions.inside(path):
            return f"it lies outside {self._permissions.folder}"
        return "" if _named_in_utf8(path) else "its name is not UTF-8"

    def write(
        self, tool: str, place: Place, was: Content | None, data: bytes
    ) -> tuple[list[FileChange], OSError | None]:
        """The file anew, what it `was` kept first (None: there is no file); an error when it is written but may not
        last.

        Raises: ToolError when that cannot be kept or is not so any more, OSError when the file was not written."""
        path = place.path
        try:
            change = self._kept(tool, path, was.current) if was is not None else _new(path)
        except OSError as error:
            raise _not_kept("changed", path, error) from None
        failure: OSError | None = None
        try:
            data = self.files.write(place, was, data)
        except OSError as error:
            if not _holds(path, data):
                raise
            failure = error
        if self._scratchpad is None or not _named_in_utf8(path):
            return [], failure
        return [{**change, "after": content_id(data)}], failure

    def delete(self, tool: str, place: Place, stopped: Callable[[], bool]) -> list[FileChange]:
        """What `place` and all below it will lose, kept; nothing is deleted here. Empty when it is too much. Before
        each file `stopped` is asked.

        Raises: ToolError when it could not be kept."""
        path = place.path
        refuse_moved(path.parent)
        found = survey(path)
        if self._scratchpad is None or _too_much(found):
            return []
        try:
            return [self._kept(tool, file, _read(file)) for file in found.files if not stopped()]
        except OSError as error:
            raise _not_kept("deleted", path, error) from None

    def _kept(self, tool: str, path: Path, data: bytes) -> FileChange:
        mode = stat.S_IMODE(path.stat().st_mode)
        blob = self._scratchpad.keep(data, tool) if self._scratchpad is not None else None
        return {"path": str(path), "before": blob, "after": None, "mode": mode}


def remove(
    place: Place, folder: tuple[int, int] | None, kept: Sequence[FileChange]
) -> tuple[list[FileChange], OSError | None]:
    """Delete it, a folder (known again by that identity) with all that is in it: which of the files are gone, and what
    stopped it halfway.

    Raises: ToolError when it is not there any more, OSError when nothing of what was kept is gone."""
    failure: OSError | None = None
    try:
        with held(place) as spot:
            if folder is None:
                os.unlink(spot.name, dir_fd=spot.folder)
            elif identity(os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)) != folder:
                raise gone(place.path, "changed")
            else:
                shutil.rmtree(spot.name, dir_fd=spot.folder)
    except InTheWayError as error:
        raise gone(place.path, str(error)) from None
    except OSError as error:
        failure = error
    away = [change for change in kept if not os.path.lexists(change["path"])]
    if failure is not None and not away:
        raise failure
    return away, failure


def survey(path: Path) -> Survey:
    """Links are not followed. Counting stops where it would take long; once the files are too many to be kept they are
    only counted."""
    if not is_folder(path):
        known = path.lstat()
        kept = stat.S_ISREG(known.st_mode) and _can_be_kept(path)
        return Survey([path] if kept else [], known.st_size, 0 if kept else 1, 0)
    files: list[Path] = []
    size = left = entries = 0
    folders = [str(path)]
    while folders and entries <= MOST_COUNTED:
        for entry in _inside(folders.pop()):
            entries += 1
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif len(files) > MOST_FILES:
                continue
            elif entry.is_file(follow_symlinks=False) and _can_be_kept(Path(entry.path)):
                files.append(Path(entry.path))
                size += entry.stat(follow_symlinks=False).st_size
            else:
                left += 1
    return Survey(files, size, left, entries)


def _inside(folder: str) -> list[os.DirEntry[str]]:
    """What vanished meanwhile or cannot be listed has nothing in it: nor can it be deleted."""
    with suppress(OSError), os.scandir(folder) as found:
        return list(found)
    return []


def is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _too_much(found: Survey) -> str:
    if found.size > MOST_BYTES:
        return f"more than {MOST_BYTES // 1_000_000} MB are not kept"
    return f"more than {MOST_FILES} files are not kept" if len(found.files) > MOST_FILES else ""


def _caveat(why: str) -> str:
    return f"This cannot be undone by /rewind: {why}." if why else ""


def _not_kept(done: str, path: Path, error: OSError) -> ToolError:
    why = error.strerror or str(error)
    return ToolError(f"Nothing was {done}: what {path} holds could not be kept for /rewind first ({why}).")


def _new(path: Path) -> FileChange:
    return {"path": str(path), "before": None, "after": None, "mode": None}


def _named_in_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _can_be_kept(path: Path) -> bool:
    return os.access(path, os.R_OK) and _named_in_utf8(path)


def _read(path: Path) -> bytes:
    """Never through a link, never waiting for a FIFO. Raises: OSError, also for what is no regular file any more."""
    handle = os.open(path, os.O_RDONLY | SAFE_OPEN)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a regular file any more")
        data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise OSError(f"{path} grew while it was read")
        return data


def _holds(path: Path, data: bytes) -> bool:
    """Whether the write happened in spite of its error: the name could not be synced, say."""
    try:
        return _read(path) == data
    except OSError:
        return False
