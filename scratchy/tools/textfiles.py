"""Files as bytes and as text: opened without hanging, decoded, written whole. Not here: what a tool does with them."""

import contextlib
import os
import stat
from pathlib import Path
from typing import IO

from scratchy.core.ports import ToolError
from scratchy.system import replace_file

LARGEST_EDIT = 32 << 20
_SNIFF = 8192


def open_regular(path: Path) -> IO[bytes]:
    """Open for reading; never waits for a FIFO and never touches a device. Raises: ToolError, OSError."""
    try:
        known = path.stat()
    except FileNotFoundError:
        raise ToolError(f"{path} does not exist.") from None
    if stat.S_ISDIR(known.st_mode):
        raise ToolError(f"{path} is a folder; use list_files.")
    if not stat.S_ISREG(known.st_mode):
        raise ToolError(f"{path} is not a regular file (a device, pipe or socket).")
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was changed in between
        os.close(handle)
        raise ToolError(f"{path} is not a regular file.")
    return open(handle, "rb")


def read_whole(path: Path) -> bytes:
    """For an edit or a diff. Raises: ToolError (too large among it), OSError."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_EDIT:
            raise ToolError(f"{path} is too large for this ({size} bytes); use execute_command.")
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


def write_whole(path: Path, data: bytes) -> None:
    """The file anew or unchanged; `path` is resolved, so a link stays a link. An existing file keeps mode and owner.

    Raises: OSError.
    """
    try:
        known = path.stat()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data, 0o666 & ~_umask())
        return
    if not os.access(path, os.W_OK):  # a rename would not ask
        raise PermissionError(13, "The file is read-only", str(path))
    replace_file(path, data, stat.S_IMODE(known.st_mode))
    if hasattr(os, "chown") and path.stat()[4:6] != (known.st_uid, known.st_gid):
        with contextlib.suppress(OSError):
            os.chown(path, known.st_uid, known.st_gid)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
