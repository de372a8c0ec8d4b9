"""One file looked at and put back: only inside given folders, never through a link, never over another content.

Not here: the walk to its folder (spots.py), which files, and what they held (sessions/restoring.py).
"""

import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from scratchy.scratchpad import content_id
from scratchy.system import SAFE_OPEN, WINDOWS
from scratchy.tools.diff import unified
from scratchy.tools.spots import InTheWayError, Place, Spot, held, kind_of, spot_below, sync
from scratchy.tools.textfiles import decode, looks_binary

LARGEST = 64_000_000  # bytes; no tool keeps or leaves a larger file
LARGEST_SHOWN = 2_000_000
_LONGEST_DIFF = 65_536  # characters


class Standing(NamedTuple):
    """What stands at a path today. `kind`: file, absent, link (it or a folder on the way is one), other (a folder, a
    FIFO …), changed (a file too large to be what a tool left), outside, unreadable. `id` of a file's content and
    `mode`, its permission bits: None for all else."""

    kind: str
    id: str | None = None
    mode: int | None = None
    data: bytes = b""


def standing(path: str, folders: Sequence[Path]) -> Standing:
    """`path` absolute, `folders` resolved."""
    try:
        with _spot(path, folders) as spot:
            return _look(spot, _known(spot))
    except FileNotFoundError:
        return Standing("absent")
    except InTheWayError as error:
        return Standing(str(error))
    except OSError:
        return Standing("unreadable")


def put(
    path: str, folders: Sequence[Path], expected: str | None, data: bytes | None, mode: int | None,
    keep: Callable[[bytes], object],
) -> str:  # fmt: skip
    """Make the file hold `data` with the permissions `mode` (None: as it has, or as new ones have), or remove it where
    `data` is None. Only while its content has the id `expected` (None: while there is none); that goes to `keep` first.
    Missing folders on the way are made.

    Returns "" when it is done, else what stands in the way: "changed" or a `Standing.kind`. Raises: OSError. But for ""
    the file is as it was.
    """
    try:
        with _spot(path, folders, make=data is not None) as spot:
            return _put(spot, path, expected, data, mode, keep)
    except InTheWayError as error:
        return str(error)


def write(place: Place, expected: str | None, data: bytes) -> str:
    """As `put`, for a file where it was judged: it keeps its mode, and nothing of it is kept here."""
    try:
        with held(place, make=True) as spot:
            return _put(spot, str(place.path), expected, data, None, lambda _: None)
    except InTheWayError as error:
        return str(error)


def _put(
    spot: Spot, path: str, expected: str | None, data: bytes | None, mode: int | None, keep: Callable[[bytes], object]
) -> str:
    known = _known(spot)
    today = _look(spot, known)
    if today.kind not in ("file", "absent"):
        return today.kind
    if today.id != expected:
        return "changed"
    if known is not None:
        if not os.access(spot.name, os.W_OK, dir_fd=spot.folder):  # a rename would not ask
            raise PermissionError(13, "The file is read-only", path)
        keep(today.data)
    if data is not None:
        _replace(spot, data, mode, known)
    elif known is not None:
        _refuse_changed(spot, known)
        os.unlink(spot.name, dir_fd=spot.folder)
    sync(spot)
    return ""


def difference(path: str, today: bytes | None, then: bytes | None) -> str:
    """From today's content to then's, like `diff -u`; of a binary or very large file only the sizes."""
    old, new = ("/dev/null" if data is None else path for data in (today, then))
    sides = (today or b"", then or b"")
    if any(looks_binary(side) or len(side) > LARGEST_SHOWN for side in sides):
        return f"--- {old}\n+++ {new}\n({len(sides[0])} bytes become {len(sides[1])})\n"
    text = unified(decode(sides[0])[0], decode(sides[1])[0], old, new) or f"--- {old}\n+++ {new}\n(an empty file)\n"
    return text if len(text) <= _LONGEST_DIFF else f"{text[:_LONGEST_DIFF]}\n(the rest is not shown)\n"


@contextmanager
def _spot(path: str, folders: Sequence[Path], *, make: bool = False) -> Generator[Spot]:
    """The folder that the file lies in, opened without following a link. Raises: InTheWayError (outside, link, other),
    OSError (FileNotFoundError for a folder that is missing and not to be made)."""
    root = next((folder for folder in folders if _inside(path, folder)), None)
    if root is None:
        raise InTheWayError("outside")
    with spot_below(root, Path(path), make=make) as spot:
        yield spot


def _inside(path: str, folder: Path) -> bool:
    """By spelling: the walk sees to it that no link leads elsewhere. The folder itself is not inside."""
    wanted = Path(path)
    return (
        wanted.is_absolute()
        and "\0" not in path
        and os.path.normpath(path) == str(wanted)
        and wanted.is_relative_to(folder)
        and wanted != folder
    )


def _known(spot: Spot) -> os.stat_result | None:
    try:
        return os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _look(spot: Spot, known: os.stat_result | None) -> Standing:
    if known is None:
        return Standing("absent")
    if not stat.S_ISREG(known.st_mode):
        return Standing(kind_of(known.st_mode))
    if known.st_size > LARGEST:
        return Standing("changed")
    handle = os.open(spot.name, os.O_RDONLY | SAFE_OPEN, dir_fd=spot.folder)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was changed in between
            return Standing("other")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        return Standing("changed")
    return Standing("file", content_id(data), stat.S_IMODE(known.st_mode), data)


def _refuse_changed(spot: Spot, known: os.stat_result | None) -> None:
    """Somebody was at the file since it was looked at."""
    if _stamp(_known(spot)) != _stamp(known):
        raise InTheWayError("changed")


def _stamp(known: os.stat_result | None) -> tuple[int, int, int] | None:
    return (known.st_ino, known.st_size, known.st_mtime_ns) if known is not None else None


def _replace(spot: Spot, data: bytes, mode: int | None, known: os.stat_result | None) -> None:
    """A temporary neighbour, synced, renamed over the file; whose owner and, where no mode is given, mode it gets."""
    folder, name = os.path.split(spot.name)
    temporary = os.path.join(folder, f".{name[:40]}.{os.urandom(6).hex()}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE_OPEN, 0o666, dir_fd=spot.folder)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            if not WINDOWS:
                _dress(handle, mode, known)
            os.fsync(handle)
        _refuse_changed(spot, known)
        os.replace(temporary, spot.name, src_dir_fd=spot.folder, dst_dir_fd=spot.folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=spot.folder)
        raise


def _dress(handle: int, mode: int | None, known: os.stat_result | None) -> None:
    if known is not None:
        mode = stat.S_IMODE(known.st_mode) if mode is None else mode
        with suppress(OSError):
            os.fchown(handle, known.st_uid, known.st_gid)
    if mode is not None:
        os.fchmod(handle, mode & 0o777)
