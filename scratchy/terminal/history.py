"""The lines typed so far, a file a project that all windows share: one JSON value a line, 0600, newest last.

A text is a JSON string, a shell line `{"shell": text}`. The project is the top of the repository that the working
folder lies in, else the folder itself; its file is named by the hash of that path. What earlier versions kept in one
file for all folders stands behind. A file that cannot be read or written is no error: then only this window remembers.
Not here: moving through the lines (prompt_toolkit), the line that is being typed (entry, draft).
"""

import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from prompt_toolkit.history import History

from scratchy.system import make_private_folder
from scratchy.terminal.entry import ShellLine

_NEWEST = 1 << 20  # bytes of a file's end that are read
_ENTRIES = 2000
LONGEST = 20_000  # characters of a line that is kept; a longer one, as with a long paste in it, stays in this window


class FileHistory(History):
    """`path`: the file that earlier versions kept for all folders, the projects' own lie in `<path>.d`; None: memory
    only. Lines that another window added are seen from the next prompt on."""

    def __init__(self, path: str | None, folder: str = "") -> None:
        super().__init__()
        self._shared = path
        self._folder = folder
        self._own: str | None = None
        self._long: list[str] = []  # newest first
        self._sizes = (-1, -1)

    def enter(self, folder: str) -> bool:
        """The lines of this folder's project from now on; whether they are others than before."""
        before, self._folder, self._own = self._file(), folder, None
        if self._file() == before:
            return False
        self._sizes = (-1, -1)
        self._loaded_strings = []
        return True

    async def load(self) -> AsyncGenerator[str, None]:
        sizes = self._file_sizes()
        if sizes != self._sizes:
            self._sizes = sizes
            self._loaded_strings = list(self.load_history_strings()) or self._loaded_strings
        for entry in list(self._loaded_strings):
            yield entry

    def append_string(self, string: str) -> None:
        newest = self._loaded_strings[0] if self._loaded_strings else None
        if newest != string or type(newest) is not type(string):
            super().append_string(string)

    def load_history_strings(self) -> Iterable[str]:
        entries: dict[tuple[str, bool], str] = {(line, False): line for line in self._long}
        for path in (self._file(), self._shared):
            for line in reversed(_end_of(path)):
                entry = _decoded(line)
                if entry:
                    entries.setdefault((str(entry), isinstance(entry, ShellLine)), entry)
                if len(entries) >= _ENTRIES:
                    break
        return list(entries.values())

    def store_string(self, string: str) -> None:
        path = self._file()
        if len(string) > LONGEST:
            self._long.insert(0, string)
        if path is None or len(string) > LONGEST:
            return
        up_to_date = self._file_sizes() == self._sizes
        entry = {"shell": string} if isinstance(string, ShellLine) else string
        try:
            make_private_folder(Path(path).parent)
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, _json().dumps(entry).encode() + b"\n")
            finally:
                os.close(handle)
        except OSError:
            return
        if up_to_date:  # else another window wrote, too: the next prompt reads the file again
            self._sizes = self._file_sizes()

    def _file(self) -> str | None:
        if self._own is None and self._shared is not None:
            top = _top(self._folder).encode("utf-8", "surrogateescape")
            self._own = os.path.join(f"{self._shared}.d", hashlib.sha256(top).hexdigest()[:32])
        return self._own

    def _file_sizes(self) -> tuple[int, int]:
        return _size(self._file()), _size(self._shared)


def _top(folder: str) -> str:
    """The top of the repository that the folder lies in, else the folder: looked for, no git is asked."""
    here = Path(os.path.realpath(folder))
    return str(next((above for above in (here, *here.parents) if os.path.lexists(above / ".git")), here))


def _size(path: str | None) -> int:
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return 0
    return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else 0


def _end_of(path: str | None) -> list[bytes]:
    if path is None or not _size(path):
        return []
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _NEWEST))
            return file.read().split(b"\n")
    except OSError:
        return []


def _json() -> Any:
    """Only where there is a line to read or write: this module is on the way to the prompt."""
    return import_module("json")


def _decoded(line: bytes) -> str:
    try:
        entry = _json().loads(line)
    except ValueError:
        return ""
    if isinstance(entry, dict) and isinstance(shell := entry.get("shell"), str):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return ShellLine(shell) if shell.startswith("!") else ""
    return entry if isinstance(entry, str) else ""
