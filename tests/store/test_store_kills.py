"""Processes killed at random moments, full disks, power cuts rebuilt from the calls: nothing acknowledged is lost."""

import errno
import itertools
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from store_kit import BASE, NEXT, opened_and_strict, save

from scratchy.store.disk import Disk
from scratchy.store.files import FileStore

KILLS = 200 if os.environ.get("CI_LONG") else 40

WRITER = """
import sys
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
writer = FileStore(sys.argv[1]).open("x", create=Header("x", "", ""))
number = int(sys.argv[2])
while True:
    number += 1
    writer.append([{"role": "user", "content": f"{number} " + "z" * (number * 131 % 9000)}])
    print(number, flush=True)
    if number % 6 == 0:
        writer.edit(title=f"title {number}")
        print("title", number, flush=True)
"""


def test_kills_at_random_moments(tmp_path):
    seed = random.randrange(10**9)
    chance = random.Random(seed)
    acknowledged, titled = 0, 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-c",
                f"import sys; sys.path[:0] = {sys.path!r}\n{WRITER}",
                str(tmp_path),
                str(acknowledged),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(chance.random() * 0.03)
        process.kill()
        lines += process.stdout.read().split("\n")
        process.stdout.close()
        process.wait()
        for line in lines:
            words = line.split()
            acknowledged = int(words[0]) if len(words) == 1 else acknowledged
            titled = int(words[1]) if len(words) == 2 else titled
        found = [int(message["content"].split()[0]) for message in opened_and_strict(tmp_path)]
        assert found == list(range(1, len(found) + 1)), seed
        assert acknowledged <= len(found) <= acknowledged + 1, seed
        title = FileStore(tmp_path).header("x")[0].title
        assert titled <= int((title or "title 0").split()[1]) <= len(found), seed
        acknowledged = len(found)
    assert acknowledged > KILLS


def test_a_file_size_limit(tmp_path):
    """As a full disk: the write is short, then refused; the same append works when there is room."""
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    writer = store.open("x")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = {"role": "user", "content": "b" * 20_000}
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, old[1]))
    try:
        for _ in range(2):
            try:
                writer.append([big])
                raise AssertionError("the limit did not hold")
            except OSError as error:
                assert error.errno == errno.EFBIG
        assert store.load("x")[1] == BASE == writer.load() and len(store.list()) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    writer.append([big])
    writer.close()
    assert opened_and_strict(tmp_path) == [*BASE, big] and not list(tmp_path.glob(".x.tail*"))


class RecordingDisk(Disk):
    """Remembers what a power cut could undo: writes since a file's last sync, names since their folder's."""

    def __init__(self) -> None:
        self.pending: dict[int, list[tuple[int, bytes]]] = {}
        self.sizes: dict[int, int] = {}
        self.safe: dict[int, bytes] = {}
        self.states: list[tuple[dict[int, bytes], dict[int, bytes], list[dict[str, int]], int]] = []
        self.names: list[dict[str, int]] = [{}]
        self.root = ""
        self.acknowledged = 0

    def _now(self) -> dict[str, int]:
        found = {}
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = os.path.join(folder, name)
                if not name.endswith(".lock"):
                    found[os.path.relpath(path, self.root)] = os.lstat(path).st_ino
        return found

    def _snap(self) -> None:
        """One state that may be there when the power goes now."""
        names = self._now()
        if names != self.names[-1]:
            self.names.append(names)
        live = {}
        for path, inode in names.items():
            live[inode] = Path(self.root, path).read_bytes()
        for inode, data in live.items():
            self.safe.setdefault(inode, b"")
            self.last[inode] = data
        self.states.append((dict(self.safe), dict(self.last), list(self.names), self.acknowledged))

    def start(self, root: Path) -> None:
        self.root = str(root)
        self.last: dict[int, bytes] = {}
        self.names = [self._now()]
        for path, inode in self.names[0].items():
            self.safe[inode] = self.last[inode] = Path(root, path).read_bytes()

    def write(self, handle, data, offset):
        done = super().write(handle, data, offset)
        self.last[os.fstat(handle).st_ino] = self.read(handle, 1 << 24, 0)
        self._snap()
        return done

    def copy(self, source, target, start, size, offset):
        done = super().copy(source, target, start, size, offset)
        self.last[os.fstat(target).st_ino] = self.read(target, 1 << 24, 0)
        self._snap()
        return done

    def truncate(self, handle, size):
        super().truncate(handle, size)
        self.last[os.fstat(handle).st_ino] = self.read(handle, 1 << 24, 0)
        self._snap()

    def sync(self, handle):
        super().sync(handle)
        self.safe[os.fstat(handle).st_ino] = self.read(handle, 1 << 24, 0)
        self._snap()

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
        if path == self.root:
            self.names = [self._now()]
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


def test_power_cuts(tmp_path):
    folder = tmp_path / "live"
    disk = RecordingDisk()
    save(FileStore(folder), "x", BASE)
    disk.start(folder)
    store = FileStore(folder, disk=disk)
    writer = store.open("x")
    expected = list(BASE)
    acknowledged = [list(BASE)]
    for step in range(4):
        item = {"role": "user", "content": f"{step} " + "é" * (step * 3000)}
        expected.append(item)
        acknowledged.append(list(expected))
        writer.append([item])
        disk.acknowledged += 1
    writer.edit(title="t")
    expected.append(NEXT)
    acknowledged.append(list(expected))
    writer.append([NEXT])
    disk.acknowledged += 1
    writer.close()
    seen, number = set(), 0
    for safe, last, names, done in disk.states:
        for names_then in names:
            inode = names_then.get("x_chat.toon")
            assert inode is not None
            for data in contents(safe.get(inode, b""), last[inode]):
                if (data, done) in seen:
                    continue
                seen.add((data, done))
                number += 1
                after = tmp_path / str(number)
                after.mkdir()
                (after / "x_chat.toon").write_bytes(data)
                assert opened_and_strict(after) in acknowledged[done : done + 2]
    assert number > 30
