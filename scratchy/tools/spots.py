"""A path held fast: what is done to a file is done where it was judged, or not at all.

Folders are walked by descriptors, so that nobody can put a link into the way meanwhile (Windows has no such calls:
there each part is looked at first). Not here: what is read, written or deleted there.
"""

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from scratchy.core.ports import ToolError
from scratchy.system import SAFE_OPEN, WINDOWS

_FOLDER = os.O_RDONLY | SAFE_OPEN | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
_NOT_ANY_MORE = {"link": "a link came into the way", "changed": "it was changed", "moved": "its folder is another one"}


class InTheWayError(Exception):
    """Nothing can be done there; the text says what stands in the way: link, other, changed, moved, outside."""


class Spot(NamedTuple):
    """A name in an open folder: `folder` is its descriptor. On Windows None, and `name` is the whole path."""

    name: str
    folder: int | None


class Place(NamedTuple):
    """Where a file lay when it was judged: `path` resolved, `top` the nearest folder above it that there was, known
    again by its `identity`."""

    path: Path
    top: Path
    identity: tuple[int, int]


def place_of(path: Path) -> Place:
    """`path` resolved; nothing need be there."""
    top = path.parent
    while True:
        try:
            return Place(path, top, identity(os.stat(top)))
        except OSError:
            if top == top.parent:
                raise
            top = top.parent


def identity(known: os.stat_result) -> tuple[int, int]:
    return known.st_dev, known.st_ino


@contextmanager
def held(place: Place, *, make: bool = False) -> Generator[Spot]:
    """The folder that the file lies in, while it is the one that was judged; missing ones are made, if so wanted.

    Raises: InTheWayError, OSError (FileNotFoundError for a folder that is missing and not to be made)."""
    with spot_below(place.top, place.path, make=make, known=place.identity) as spot:
        yield spot


@contextmanager
def spot_below(top: Path, path: Path, *, make: bool = False, known: tuple[int, int] | None = None) -> Generator[Spot]:
    """As `held`; `top` may be a link where no identity of it is `known`."""
    *parts, name = path.relative_to(top).parts or (".",)
    if known is not None:
        _refuse_moved(top, os.stat(top), known)
    if WINDOWS:
        yield Spot(_walked(top, parts, name, make), None)
        return
    handle = os.open(top, _FOLDER & ~os.O_NOFOLLOW)
    try:
        if known is not None:
            _refuse_moved(top, os.fstat(handle), known)
        for part in parts:
            below = _descend(handle, part, make)
            os.close(handle)
            handle = below
        yield Spot(name, handle)
    finally:
        os.close(handle)


def sync(spot: Spot) -> None:
    """The names in its folder survive a power cut. Raises: OSError."""
    if spot.folder is not None:
        _sync(spot.folder)


def gone(path: Path, kind: str) -> ToolError:
    """What the model is told when `kind` stands in the way."""
    why = _NOT_ANY_MORE.get(kind, "something else stands there")
    return ToolError(f"Nothing was done: {path} is not what it was when the call was judged ({why}). Look, then retry.")


def refuse_moved(path: Path) -> None:
    """`path` was resolved when it was judged. Raises: ToolError when it leads elsewhere now."""
    if os.path.realpath(path) != str(path):
        raise gone(path, "link")


def _refuse_moved(top: Path, found: os.stat_result, known: tuple[int, int]) -> None:
    if os.path.realpath(top) != str(top):
        raise InTheWayError("link")
    if identity(found) != known:
        raise InTheWayError("moved")


def _descend(folder: int, name: str, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
            _sync(folder)
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except NotADirectoryError:  # Linux says so of a link, too
        raise InTheWayError(kind_of(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)) from None
    except OSError:
        known = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(known.st_mode):
            raise InTheWayError("link") from None
        raise


def _sync(folder: int) -> None:
    """By a descriptor of its own: one that only stands for a folder cannot be synced."""
    handle = os.open(".", os.O_RDONLY | SAFE_OPEN, dir_fd=folder)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _walked(root: Path, parts: Sequence[str], name: str, make: bool) -> str:
    folder = root
    for part in parts:
        folder = folder / part
        if make:
            folder.mkdir(exist_ok=True)
        mode = folder.lstat().st_mode
        if not stat.S_ISDIR(mode) or folder.resolve() != folder:
            raise InTheWayError("link" if stat.S_ISDIR(mode) else kind_of(mode))
    return str(folder / name)


def kind_of(mode: int) -> str:
    return "link" if stat.S_ISLNK(mode) else "other"
