"""The lines typed so far, in a file that all windows share: one JSON string a line, 0600, newest last.

A file that cannot be read or written is no error: then only this window remembers.
"""

import os
from collections.abc import AsyncGenerator, Iterable
from importlib import import_module
from typing import Any

from prompt_toolkit.history import History

_NEWEST = 1 << 20  # bytes of the file's end that are read
_ENTRIES = 2000


class FileHistory(History):
    """`path` None: memory only. Lines that another window added are seen from the next prompt on."""

    def __init__(self, path: str | None) -> None:
        super().__init__()
        self._path = path
        self._size = -1

    async def load(self) -> AsyncGenerator[str, None]:
        size = self._file_size()
        if size != self._size:
            self._size = size
            self._loaded_strings = list(self.load_history_strings()) or self._loaded_strings
        for entry in list(self._loaded_strings):
            yield entry

    def append_string(self, string: str) -> None:
        if not self._loaded_strings or self._loaded_strings[0] != string:
            super().append_string(string)

    def load_history_strings(self) -> Iterable[str]:
        if self._path is None:
            return []
        try:
            with open(self._path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _NEWEST))
                lines = file.read().split(b"\n")
        except OSError:
            return []
        entries: dict[str, None] = {}
        for line in reversed(lines):
            entry = _decoded(line)
            if entry:
                entries[entry] = None
            if len(entries) >= _ENTRIES:
                break
        return list(entries)

    def store_string(self, string: str) -> None:
        if self._path is None:
            return
        up_to_date = self._file_size() == self._size
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, _json().dumps(string).encode() + b"\n")
            finally:
                os.close(handle)
        except OSError:
            return
        if up_to_date:  # else another window wrote, too: the next prompt reads the file again
            self._size = self._file_size()

    def _file_size(self) -> int:
        try:
            return os.stat(self._path).st_size if self._path is not None else 0
        except OSError:
            return 0


def _json() -> Any:
    """Only where there is a line to read or write: this module is on the way to the prompt."""
    return import_module("json")


def _decoded(line: bytes) -> str:
    try:
        entry = _json().loads(line)
    except ValueError:
        return ""
    return entry if isinstance(entry, str) else ""
