"""What a line mentions, as it lies on the disk: read within bounds, through no link out of the person's folders.

Not here: how a mention is written (core/mentions.py), what of this a model gets and a person is told (sessions).
"""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Literal, NamedTuple

from scratchy.core.picture import kind_of
from scratchy.core.ports import ToolError
from scratchy.core.text import reveal
from scratchy.permissions import Permissions, is_secret
from scratchy.system import WINDOWS, open_beneath
from scratchy.tools.secrets import key_values, redact
from scratchy.tools.textfiles import decode, looks_binary

_HEAD = 8192  # bytes that tell text from what is none
_MOST_IMAGE = (5 << 20) + 1  # bytes; one more than is ever sent
_MOST_NAMES = 500
_MOST_LOOKED_AT = 20_000  # entries of one folder


class Seen(NamedTuple):
    """`text`: a text file's beginning, `read` bytes of all its `size`; a folder's names, a line each, `read` of the
    `size` that there are. `data`: an image's bytes. `path` is resolved."""

    kind: Literal["text", "folder", "image", "binary", "absent", "outside", "secret", "other", "unreadable"]
    path: Path
    text: str = ""
    read: int = 0
    size: int = 0
    data: bytes = b""
    why: str = ""


class Mentioned:
    """What may be mentioned from `folder`: what lies in it or in `add_dirs`, files that may hold keys excepted. `keys`:
    secrets besides those of the environment."""

    def __init__(self, folder: Path, add_dirs: Iterable[Path] = (), keys: Sequence[str] = ()) -> None:
        added = [place.expanduser().resolve() for place in add_dirs]
        self._permissions = Permissions(folder, added)
        self._tops = (self._permissions.folder, *added)
        self._keys = keys

    def look(self, name: str, most: int) -> Seen:
        """Reads at most `most` bytes of a text. Blocks, never raises."""
        try:
            path = self._permissions.resolve(name)
            mode = os.lstat(path).st_mode
        except PermissionError as error:
            return Seen("unreadable", Path(name), why=error.strerror or "")
        except (ToolError, OSError, ValueError):
            return Seen("absent", Path(name))
        top = next((top for top in self._tops if path.is_relative_to(top)), None)
        if top is None:
            return Seen("outside", path)
        if is_secret(path) or is_secret(Path(name)):
            return Seen("secret", path)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return Seen("other", path)
        try:
            return _folder(top, path) if stat.S_ISDIR(mode) else self._file(top, path, most)
        except OSError as error:
            return Seen("unreadable", path, why=error.strerror or str(error))

    def _file(self, top: Path, path: Path, most: int) -> Seen:
        with open(open_beneath(top, path), "rb") as file:
            known = os.fstat(file.fileno())
            if not stat.S_ISREG(known.st_mode):  # it was changed in between
                return Seen("other", path)
            size = known.st_size
            head = file.read(min(_HEAD, most))
            if kind_of(head):
                return Seen("image", path, size=size, data=head + file.read(_MOST_IMAGE - len(head)))
            if looks_binary(head):
                return Seen("binary", path, size=size)
            return _text(path, head, file, most, size, key_values(self._keys))


def _text(path: Path, head: bytes, file: IO[bytes], most: int, size: int, keys: list[str]) -> Seen:
    data = head + file.read(most - len(head) + 1)
    text, read = decode(data)[0], len(data)
    if read > most:
        data = _cut(data[:most])
        text, read = decode(data)[0], len(data)
    text = redact(text.replace("\0", "\ufffd"), keys)
    return Seen("text", path, text, read, max(size, read))


def _cut(data: bytes) -> bytes:
    """At the end of a line where one is near, else of a character."""
    line = data.rfind(b"\n") + 1
    if line > len(data) // 2:
        return data[:line]
    for end in range(len(data), len(data) - 4, -1):
        try:
            data[:end].decode()
        except UnicodeDecodeError:
            continue
        return data[:end]
    return data


def _folder(top: Path, path: Path) -> Seen:
    handle = None if WINDOWS else open_beneath(top, path)
    try:
        names: list[str] = []
        with os.scandir(path if handle is None else handle) as entries:
            for entry, _ in zip(entries, range(_MOST_LOOKED_AT), strict=False):
                names.append(entry.name + ("/" if entry.is_dir(follow_symlinks=False) else ""))
    finally:
        if handle is not None:
            os.close(handle)
    shown = [reveal(name).replace("\n", "\\n") for name in sorted(names)[:_MOST_NAMES]]
    return Seen("folder", path, "\n".join(shown), len(shown), len(names))
