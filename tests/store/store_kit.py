"""Disks that fail, stop or remember, and what a good folder of sessions is: for the tests of the file store."""

import os
from pathlib import Path
from typing import Any

import toon_format

from scratchy.core.stored import Header
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore

START = "2026-11-20T09:00:29.483Z"
BASE = [{"role": "user", "content": f"message {number}\nsecond line: 1"} for number in range(3)]
NEXT = {"role": "assistant", "content": "the new one " * 20}


class Killed(BaseException):
    """The process ends here: nothing that comes after it happens."""


class FaultyDisk(Disk):
    """Fails the `at`-th call from `arm` on: once or for ever, by ending (errno 0), or taking half."""

    def __init__(self) -> None:
        self.calls = 0
        self.names: list[str] = []
        self._at = 0
        self._error = 0
        self._forever = False
        self._short = False

    def arm(self, at: int, error: int, *, forever: bool = False, short: bool = False) -> None:
        self.calls, self.names = 0, []
        self._at, self._error, self._forever, self._short = at, error, forever, short

    def disarm(self) -> None:
        self._at = 0

    @property
    def reached(self) -> bool:
        return self.calls >= self._at

    def _step(self, name: str) -> None:
        self.calls += 1
        self.names.append(name)
        if self._at and (self.calls == self._at or (self.calls > self._at and (self._forever or not self._error))):
            if not self._error:
                raise Killed
            raise OSError(self._error, os.strerror(self._error))

    def open(self, path: str, flags: int) -> int:
        self._step("open")
        return super().open(path, flags)

    def write(self, handle: int, data: bytes, offset: int) -> int:
        if self._short and self.calls + 1 == self._at and len(data) > 1:
            self._at += 1
            self.calls += 1
            return super().write(handle, data[: len(data) // 2], offset)
        self._step("write")
        return super().write(handle, data, offset)

    def copy(self, source: int, target: int, start: int, size: int, offset: int) -> int:
        self._step("copy")
        return super().copy(source, target, start, size, offset)

    def sync(self, handle: int) -> None:
        self._step("sync")
        super().sync(handle)

    def truncate(self, handle: int, size: int) -> None:
        self._step("truncate")
        super().truncate(handle, size)

    def rename(self, source: str, target: str) -> None:
        self._step("rename")
        super().rename(source, target)

    def link(self, source: str, target: str) -> None:
        self._step("link")
        super().link(source, target)

    def unlink(self, path: str) -> None:
        self._step("unlink")
        super().unlink(path)

    def make_folder(self, path: str) -> None:
        self._step("make_folder")
        super().make_folder(path)

    def remove_folder(self, path: str) -> None:
        self._step("remove_folder")
        super().remove_folder(path)

    def sync_folder(self, path: str) -> None:
        self._step("sync_folder")
        super().sync_folder(path)


def new(session_id: str = "x", **fields: Any) -> Header:
    return Header(session_id, START, START, **fields)


def save(store: FileStore, session_id: str, messages: list[dict[str, Any]]) -> None:
    writer = store.open(session_id, create=new(session_id))
    try:
        writer.append(messages)
    finally:
        writer.close()


def strictly(path: Path) -> list[dict[str, Any]]:
    """The messages of a file, as the official decoder reads it."""
    return toon_format.loads(path.read_bytes().decode(), strict=True)["messages"]


def opened_and_strict(folder: Path, session_id: str = "x") -> list[dict[str, Any]]:
    """What the next process finds: opened for writing, then valid for every decoder, and the same by every way."""
    store = FileStore(folder)
    writer = store.open(session_id)
    messages = writer.load()
    writer.close()
    (path,) = [row for row in folder.glob("*_chat.toon") if row.name.startswith(session_id)]
    assert strictly(path) == messages == store.load(session_id)[1] == store.tail(session_id, 10**6)[1]
    assert not (folder / f".{session_id}.tmp").exists()
    return messages
