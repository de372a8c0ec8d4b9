"""The calls that a file store makes to the disk, one thin method each, so that a test can count them and make one fail.

No policy lives here: which call comes when, and what a failure means, is decided in `writer`, `trash` and `files`.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scratchy.system import SAFE_OPEN, make_private, make_private_folder, read_at, sync_data, sync_names, write_at

_CHUNK = 1 << 20


class Disk:
    """Every method raises OSError as the system gave it."""

    def open(self, path: str, flags: int) -> int:
        """A descriptor that no link led to and no child inherits; a file that is made here is 0600."""
        handle = os.open(path, flags | SAFE_OPEN, 0o600)
        try:
            if flags & os.O_CREAT and os.fstat(handle).st_mode & 0o777 != 0o600:
                make_private(handle)
        except OSError:
            os.close(handle)
            raise
        return handle

    def close(self, handle: int) -> None:
        os.close(handle)

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """At most `size` bytes; fewer only at the end of the file."""
        data = read_at(handle, size, offset)
        if len(data) == size or len(data) < _CHUNK:  # a small read is short at the end only
            return data
        parts = [data]
        at = offset + len(data)
        while at < offset + size and (data := read_at(handle, offset + size - at, at)):
            parts.append(data)
            at += len(data)
        return b"".join(parts)

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """The number of bytes that were taken, which may be fewer than given."""
        return write_at(handle, data, offset)

    def copy(self, source: int, target: int, start: int, size: int, offset: int) -> int:
        """Like `write`, of bytes that lie in `source` from `start`; inside the kernel where it can."""
        try:
            return os.copy_file_range(source, target, size, start, offset)
        except (AttributeError, OSError):
            return self.write(target, self.read(source, min(size, _CHUNK), start), offset)

    def sync(self, handle: int) -> None:
        sync_data(handle)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def link(self, source: str, target: str) -> None:
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def make_folder(self, path: str) -> None:
        make_private_folder(Path(path))

    def remove_folder(self, path: str) -> None:
        os.rmdir(path)

    def sync_folder(self, path: str) -> None:
        sync_names(Path(path))


@contextmanager
def naming(path: str) -> Generator[None, None, None]:
    """An OSError of the block that names no file names this one: a call on a descriptor knows none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = path
        raise


def write_all(disk: Disk, handle: int, data: bytes, offset: int) -> int:
    """All of it, however short the single writes are; the offset behind it."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += _some(disk.write(handle, bytes(view[done:]) if done else data, offset + done))
    return offset + done


def copy_all(disk: Disk, source: int, target: int, start: int, size: int, offset: int) -> int:
    done = 0
    while done < size:
        done += _some(disk.copy(source, target, start + done, size - done, offset + done))
    return offset + done


def _some(taken: int) -> int:
    if taken <= 0:
        raise OSError(5, "The disk took no bytes")
    return taken
