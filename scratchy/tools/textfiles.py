"""Files as bytes and as text: opened without hanging, decoded. Not here: what a tool does with them, and
writing them (putback.py)."""

import os
import stat
from typing import IO

from scratchy.core.ports import ToolError
from scratchy.system import SAFE_OPEN
from scratchy.tools.spots import InTheWayError, Place, gone, held

LARGEST_EDIT = 32 << 20
_SNIFF = 8192


def open_regular(place: Place) -> IO[bytes]:
    """Open for reading, where it was judged; never waits for a FIFO and never touches a device.

    Raises: ToolError, OSError."""
    path = place.path
    try:
        with held(place) as spot:
            known = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
            if stat.S_ISDIR(known.st_mode):
                raise ToolError(f"{path} is a folder; use list_files.")
            if stat.S_ISLNK(known.st_mode):
                raise gone(path, "link")
            if not stat.S_ISREG(known.st_mode):
                raise ToolError(f"{path} is not a regular file (a device, pipe or socket).")
            handle = os.open(spot.name, os.O_RDONLY | SAFE_OPEN, dir_fd=spot.folder)
    except FileNotFoundError:
        raise ToolError(f"{path} does not exist.") from None
    except InTheWayError as error:
        raise gone(path, str(error)) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was changed in between
        os.close(handle)
        raise ToolError(f"{path} is not a regular file.")
    return open(handle, "rb")


def read_whole(place: Place) -> bytes:
    """For an edit or a diff. Raises: ToolError (too large among it), OSError."""
    with open_regular(place) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_EDIT:
            raise ToolError(f"{place.path} is too large for this ({size} bytes); use execute_command.")
        return file.read(LARGEST_EDIT + 1)


def looks_binary(data: bytes) -> bool:
    return b"\0" in data[:_SNIFF]


def decode(data: bytes) -> tuple[str, str]:
    """The text and the encoding that writes the same bytes again: utf-8, utf-8-sig, or latin-1 where it is neither."""
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def encode(text: str, encoding: str) -> bytes:
    """Raises: ToolError naming the first character that the file's encoding lacks."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        wrong = text[error.start]
        raise ToolError(f"The file is {encoding}, which cannot hold {wrong!r} (U+{ord(wrong):04X}).") from None
