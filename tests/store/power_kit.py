"""A disk that remembers what a power cut may undo, and every state of the files that one may leave."""

import errno
import itertools
import os
from pathlib import Path

from scratchy.store.disk import Disk


class RecordingDisk(Disk):
    """Remembers, at each call, what a power cut then may leave: `states` holds (safe, last, names, acknowledged).

    `safe` and `last` are the bytes of each inode, synced and as they are; `names` are the name tables that may be on
    disk: those since the last sync of a folder, a rename being one step. `lose` makes the k-th sync fail: that file's
    unsynced bytes are gone for good, or they did reach the disk (`reached`); a later sync of it succeeds falsely.
    """

    def __init__(self, lose: int = 0, reached: bool = False) -> None:
        self.safe: dict[int, bytes] = {}
        self.last: dict[int, bytes] = {}
        self.names: list[dict[str, int]] = [{}]
        self.states: list[tuple[dict[int, bytes], dict[int, bytes], list[dict[str, int]], int]] = []
        self.root = ""
        self.acknowledged = 0
        self.syncs = 0
        self._lose, self._reached = lose, reached
        self._lost: set[int] = set()

    def start(self, root: Path) -> None:
        self.root = str(root)
        self.names = [self._now()]
        for path, inode in self.names[0].items():
            self.safe[inode] = self.last[inode] = Path(root, path).read_bytes()

    def _now(self) -> dict[str, int]:
        found = {}
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = os.path.join(folder, name)
                if not name.endswith(".lock"):
                    found[os.path.relpath(path, self.root)] = os.lstat(path).st_ino
        return found

    def _snap(self, handle: int | None = None, *, synced: bool = False) -> None:
        if handle is not None:
            inode = os.fstat(handle).st_ino
            self.last[inode] = os.pread(handle, 1 << 24, 0) if self._readable(handle) else self.last.get(inode, b"")
            self.safe.setdefault(inode, b"")
            if synced and inode not in self._lost:
                self.safe[inode] = self.last[inode]
        names = self._now()
        if names != self.names[-1]:
            self.names.append(names)
        for path, inode in names.items():
            self.last[inode] = Path(self.root, path).read_bytes()
            self.safe.setdefault(inode, b"")
        self.states.append((dict(self.safe), dict(self.last), list(self.names), self.acknowledged))

    @staticmethod
    def _readable(handle: int) -> bool:
        try:
            os.pread(handle, 1, 0)
        except OSError:
            return False
        return True

    def open(self, path, flags):
        handle = super().open(path, flags)
        if flags & os.O_EXCL:  # the system may give a new file the number of one that is gone
            inode = os.fstat(handle).st_ino
            self.safe[inode] = self.last[inode] = b""
            self._lost.discard(inode)
        return handle

    def write(self, handle, data, offset):
        done = super().write(handle, data, offset)
        self._snap(handle)
        return done

    def copy(self, source, target, start, size, offset):
        done = super().copy(source, target, start, size, offset)
        self._snap(target)
        return done

    def truncate(self, handle, size):
        super().truncate(handle, size)
        self._snap(handle)

    def sync(self, handle):
        self.syncs += 1
        if self.syncs == self._lose:
            self._snap(handle, synced=self._reached)
            self._lost.add(os.fstat(handle).st_ino)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(handle)
        self._snap(handle, synced=True)

    def rename(self, source, target):
        super().rename(source, target)
        self._snap()

    def link(self, source, target):
        super().link(source, target)
        self._snap()

    def unlink(self, path):
        super().unlink(path)
        self._snap()

    def sync_folder(self, path):
        super().sync_folder(path)
        self.names = [self._now()]  # a journal commits all names at once
        self._snap()


def contents(safe: bytes, last: bytes) -> list[bytes]:
    """What the disk may hold of a file: each unsynced 4-KiB block old or new (alone), the size old or new."""
    if safe == last:
        return [last]
    blocks = range(0, max(len(safe), len(last)), 4096)
    changed = [at for at in blocks if safe[at : at + 4096] != last[at : at + 4096]]
    made = []
    for size, keep in itertools.product({len(safe), len(last)}, [[], changed, *([at] for at in changed)]):
        whole = bytearray(safe[:size].ljust(size, b"\0"))
        for at in keep:
            whole[at : at + 4096] = last[at : at + 4096][: max(0, size - at)]
        made.append(bytes(whole[:size].ljust(size, b"\0")))
    lost = [bytearray(last) for _ in changed]
    for at, data in zip(changed, lost, strict=True):
        data[at : at + 4096] = safe[at : at + 4096].ljust(min(4096, len(last) - at), b"\0")
    return list(dict.fromkeys([*made, *map(bytes, lost)]))


def states_after_a_cut(disk: RecordingDisk):
    """Each (files by relative path, acknowledged) that a power cut may leave, once. All files are old, or new, or one
    of them is in between: blocks of two files torn in one cut add nothing, for no file is read with another."""
    seen = set()
    for safe, last, tables, done in disk.states:
        for table in tables:
            choices = {path: contents(safe[inode], last[inode]) for path, inode in table.items()}
            old = {path: safe[inode] for path, inode in table.items()}
            new = {path: last[inode] for path, inode in table.items()}
            for base, (path, made) in itertools.product((old, new), choices.items() or [("", [])]):
                for data in made:
                    files = {**base, path: data}
                    key = (done, hash(tuple(sorted(files.items()))))
                    if key not in seen:
                        seen.add(key)
                        yield files, done


def rebuilt(files: dict[str, bytes], folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder
