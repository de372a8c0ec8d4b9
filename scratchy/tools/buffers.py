"""Files as tools see them: what an editor holds of them before what the disk holds, where an editor is there.

Only plain UTF-8 goes through an editor: of all else it might write other bytes than it was given. Not here: opening
and decoding (textfiles.py), writing on the disk (putback.py), what is kept for a rewind (snapshots.py).
"""

import io
import os
from pathlib import Path
from typing import IO, NamedTuple

from scratchy.core.ports import Editor
from scratchy.scratchpad import content_id
from scratchy.tools.putback import write
from scratchy.tools.spots import Place, gone
from scratchy.tools.textfiles import decode, looks_binary, open_regular, read_whole

_LARGEST = 4 << 20  # bytes of a file that an editor is asked about


class Content(NamedTuple):
    """What a file holds: `current` as its reader sees it, `disk` the id of what the disk holds."""

    current: bytes
    disk: str


class Files:
    """`editor` None: the disk alone. With one, every method is for a thread: it waits for the editor."""

    def __init__(self, editor: Editor | None = None) -> None:
        self._editor = editor

    def open(self, place: Place) -> IO[bytes]:
        """For reading, at any length. Raises: ToolError, OSError."""
        file = open_regular(place)
        if self._editor is None or os.fstat(file.fileno()).st_size > _LARGEST:
            return file
        with file:
            return io.BytesIO(self._current(place.path, file.read()))

    def read(self, place: Place) -> Content:
        """For an edit or a diff. Raises: ToolError (too large among it), OSError."""
        disk = read_whole(place)
        return Content(self._current(place.path, disk), content_id(disk))

    def write(self, place: Place, was: Content | None, data: bytes) -> bytes:
        """The file anew, or unchanged: also when it is not as it `was` any more (None: there was none), or lies
        elsewhere. What stands there now: an editor may have formatted it. Raises: ToolError, OSError."""
        text = _plain(data)
        if self._editor is None or text is None:
            return _put(place, was, data)
        path = place.path
        if (self.read(place) if os.path.lexists(path) else None) != was:
            raise gone(path, "changed")
        if was is not None and not os.access(path, os.W_OK):
            raise PermissionError(13, "The file is read-only", str(path))
        if not self._editor.write(str(path), text):
            return _put(place, was, data)
        stands = _on_disk(path)
        if stands is None or (was is not None and content_id(stands) == was.disk):
            return data  # not saved yet: what was meant
        return stands

    def _current(self, path: Path, disk: bytes) -> bytes:
        old = _plain(disk)
        if self._editor is None or old is None:
            return disk
        text = self._editor.text(str(path))
        if text is None:
            return disk
        if "\r\n" in old and "\r\n" not in text:  # an editor may keep the line ends of a file apart from its text
            text = text.replace("\n", "\r\n")
        if old.removesuffix("\n").removesuffix("\r") == text:  # and its last line end
            return disk
        try:
            return text.encode()
        except UnicodeEncodeError:
            return disk


def _plain(data: bytes) -> str | None:
    """The text of UTF-8 without a mark; None for other bytes, and for more than goes through an editor."""
    if len(data) > _LARGEST or looks_binary(data):
        return None
    text, encoding = decode(data)
    return text if encoding == "utf-8" else None


def _put(place: Place, was: Content | None, data: bytes) -> bytes:
    if kind := write(place, was.disk if was is not None else None, data):
        raise gone(place.path, kind)
    return data


def _on_disk(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
