"""Images that a person hands in: read, judged by their bytes, kept in the scratchpad.

Not here: which files a line mentions (mentions.py), what a request carries (seeing.py).
"""

import os
import stat
from pathlib import Path
from typing import Any

from scratchy.core import images
from scratchy.core.picture import kind_of, picture_of
from scratchy.core.text import reveal
from scratchy.scratchpad import Scratchpad

LARGEST = 5 << 20  # bytes; vendors refuse more
_NAME = 60  # characters of a name that are kept
_HEAD = 16


def is_image(path: Path | str) -> bool:
    """Whether a file begins as an image that models take does. No device, no pipe is opened."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and bool(kind_of(_read(path, _HEAD)))
    except (OSError, ValueError):
        return False


def image_part(pad: Scratchpad, source: Path | bytes, name: str = "") -> dict[str, Any]:
    """The part of a message for an image, its bytes on disk. `name`: as the person knows it; a file has its own.

    Raises: ValueError with a sentence when it is no image that can be sent; OSError when it cannot be read or kept.
    """
    name = _tidy(name or (source.name if isinstance(source, Path) else ""))
    data = source if isinstance(source, bytes) else _file(source)
    called = f"'{name}'" if name else "That"
    if len(data) > LARGEST:
        raise ValueError(f"{called} is larger than {LARGEST >> 20} MB, the most that is sent. Make it smaller first.")
    try:
        picture = picture_of(data)
    except ValueError as error:
        raise ValueError(f"{called} is {error}.") from None
    about = f"{picture.width}×{picture.height}, {_size(len(data))}"
    return images.part(pad.keep(data, "image"), f"{name}, {about}" if name else about)


def _file(path: Path) -> bytes:
    """At most one byte more than may be. Raises: OSError; ValueError for what is no file."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"'{_tidy(path.name)}' is no file.")
    return _read(path, LARGEST + 1)


def _read(path: Path | str, most: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(most)


def _tidy(name: str) -> str:
    """A name for one line, in brackets, that hides nothing."""
    line = reveal(" ".join(name.split())).translate({ord("["): "(", ord("]"): ")"})
    return line if len(line) <= _NAME else f"…{line[1 - _NAME :]}"


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{max(1, round(count / 1000))} kB"
