"""Folders and disks as people have them: read-only, full, failing to read, without links; and races for a name."""

import errno
import itertools
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from store_kit import BASE, NEXT, START, FaultyDisk, new, opened_and_strict, save, strictly

from scratchy.core.errors import SessionLockedError
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore

NOBODY = 65534

READ_ONLY = """
import os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from scratchy.store.files import FileStore
folder = Path(sys.argv[1])
store = FileStore(folder)
if os.getuid() == 0:
    os.setgid({nobody})
    os.setuid({nobody})
assert len(store.load("x")[1]) == 3 and store.tail("x", 1)[0] == 2 and store.list()[0].count == 3
assert store.header("x")[1] == 3 and store.exists("x")
def delete(): store.delete("x")
def rename(): store.rename("x", "y")
def write(): store.open("x")
for call in (write, delete, rename):
    try:
        call()
        print("allowed", call)
    except PermissionError as error:
        print("refused" if str(folder) in str(error) else error)
"""


@contextmanager
def open_to_all():
    """A folder that other users can reach (pytest's own are 0700)."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        yield Path(made)


def test_a_read_only_folder(tmp_path):
    with open_to_all() as place:
        folder = place / "sessions"
        save(FileStore(folder), "x", BASE)
        modes = {folder: 0o555, **{path: 0o444 for path in folder.iterdir()}}
        for path, mode in modes.items():
            path.chmod(mode)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        code = READ_ONLY.format(path=sys.path, nobody=NOBODY)
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
        assert (done.stdout.split(), done.stderr) == (["refused"] * 3, "")
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        folder.chmod(0o700)


@contextmanager
def small_disk(folder: Path):
    """A file system of 256 KiB where mounting is allowed; elsewhere None."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


class SmallDisk(FaultyDisk):
    """Full once it took 200 KiB; what is removed gives nothing back."""

    left = 200_000

    def _take(self, size: int) -> None:
        if size > self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= size

    def write(self, handle, data, offset):
        self._take(len(data))
        return super().write(handle, data, offset)

    def copy(self, source, target, start, size, offset):
        self._take(size)
        return super().copy(source, target, start, size, offset)


def fill(store: FileStore, free) -> None:
    """Appends until nothing goes any more: what was acknowledged is read by all ways; then there is room again."""
    writer = store.open("x", create=new())
    expected: list[dict] = []
    with pytest.raises(OSError, match=r"No space left on device.*x_chat\.toon") as caught:
        while True:
            message = {"role": "user", "content": f"{len(expected)} " + "w" * 9000}
            writer.append([message])
            expected.append(message)
    assert caught.value.errno == errno.ENOSPC and len(expected) > 10
    for change in (lambda: writer.replace(expected[:-1], "replaced"), lambda: writer.edit(title="t")):
        with pytest.raises(OSError, match="No space left on device"):
            change()
    for reader in (store, FileStore(store.folder)):
        assert reader.load("x")[1] == expected == reader.tail("x", 999)[1] == writer.load()
        assert [(row.count, row.error) for row in reader.list()] == [(len(expected), "")]
    free()
    writer.append([NEXT])
    writer.close()
    assert opened_and_strict(Path(store.folder)) == [*expected, NEXT]


def test_a_full_disk(tmp_path):
    with small_disk(tmp_path / "small") as folder:
        if folder is not None:
            (folder / "other").write_bytes(bytes(30_000))
            fill(FileStore(folder / "sessions"), (folder / "other").unlink)
    disk = SmallDisk()
    fill(FileStore(tmp_path / "counted", disk=disk), lambda: setattr(disk, "left", 10**7))


class BadReads(Disk):
    """From the `at`-th read on the disk gives none."""

    def __init__(self, at: int) -> None:
        self.left = at

    def read(self, handle, size, offset):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(handle, size, offset)


def test_reads_that_fail_name_the_file_and_change_nothing(tmp_path):
    save(FileStore(tmp_path), "x", BASE)
    (tmp_path / ".x.lock").unlink()
    path = tmp_path / "x_chat.toon"
    before = (path.read_bytes(), path.stat().st_ino)
    disk = BadReads(0)
    store = FileStore(tmp_path, disk=disk)
    calls = (store.load, lambda name: store.tail(name, 1), store.header, lambda name: store.open(name).close())
    failures = 0
    for at, call in itertools.product(range(5), calls):
        disk.left = at
        try:
            call("x")
        except OSError as error:
            failures += 1
            assert error.errno == errno.EIO and "x_chat.toon" in str(error)
    assert failures > 8
    disk.left = 0
    assert [(row.count, row.header) for row in store.list()] == [(0, None)] and store.list()[0].error
    assert (path.read_bytes(), path.stat().st_ino) == before and not (tmp_path / ".trash").exists()
    assert opened_and_strict(tmp_path) == BASE


class NoLinks(FaultyDisk):
    def link(self, source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_file_system_without_links(tmp_path):
    store = FileStore(tmp_path, disk=NoLinks())
    save(store, "x", BASE)
    writer = store.open("x")
    writer.replace([NEXT], "replaced")
    writer.close()
    assert [entry.count for entry in store.trash()] == [3]
    store.rename("x", "y")
    assert opened_and_strict(tmp_path, "y") == [NEXT] and not store.exists("x")
    assert store.restore(store.trash()[-1].name) == "x" and opened_and_strict(tmp_path) == BASE
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".tmp", ".part")] == []


RENAMER = """
import sys
sys.path[:0] = {path!r}
from scratchy.store.files import FileStore
from scratchy.core.errors import SessionExistsError, SessionLockedError
store = FileStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    store.rename(sys.argv[2], "name")
    print("renamed")
except (SessionExistsError, SessionLockedError):
    print("refused")
"""


def test_two_processes_rename_to_one_name(tmp_path):
    for turn in range(4):
        folder = tmp_path / str(turn)
        contents = {name: [{"role": "user", "content": name}] for name in ("a", "b", "c")}
        for name, messages in contents.items():
            save(FileStore(folder), name, messages)
        command = [sys.executable, "-c", RENAMER.format(path=sys.path), str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = {name: subprocess.Popen([*command, name], **pipes) for name in contents}
        for process in processes.values():
            assert process.stdout.readline() == "ready\n"
        for process in processes.values():
            process.stdin.write("\n")
            process.stdin.flush()
        said = {name: process.communicate()[0].strip() for name, process in processes.items()}
        assert sorted(said.values()) == ["refused", "refused", "renamed"]
        store = FileStore(folder)
        for name, messages in contents.items():
            assert store.load("name" if said[name] == "renamed" else name)[1] == messages
        assert len(store.list()) == 3


def test_a_rename_killed_halfway_leaves_nothing_behind_once_it_is_opened(tmp_path):
    save(FileStore(tmp_path), "x", BASE)
    for name in (".x.tmp", ".y.tmp"):
        (tmp_path / name).write_bytes(b"half a copy")
    os.link(tmp_path / "x_chat.toon", tmp_path / "second name")
    store = FileStore(tmp_path)
    store.rename("x", "y")
    assert opened_and_strict(tmp_path, "y") == BASE and not list(tmp_path.glob(".*.tmp"))
    assert strictly(tmp_path / "second name") == BASE


HOLDER = """
import sys
sys.path[:0] = {path!r}
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
writer = FileStore(sys.argv[1]).open("x", create=Header("x", "", ""))
writer.append([{{"role": "user", "content": "of the other process"}}])
with open(sys.argv[1] + "/x_chat.toon", "ab") as file:
    file.write(b"  - role: user")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_whose_session_was_deleted_gives_no_right_to_the_next(tmp_path):
    """The writer of a deleted session is still open here; another process makes it anew, and is amid a save."""
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    writer = store.open("x")
    store.delete("x")
    command = [sys.executable, "-c", HOLDER.format(path=sys.path), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"held\n"
        before = (tmp_path / "x_chat.toon").read_bytes()
        for call in (lambda: store.open("x"), lambda: store.delete("x"), lambda: store.rename("x", "y")):
            with pytest.raises(SessionLockedError) as caught:
                call()
            assert caught.value.pid == process.pid
        assert (tmp_path / "x_chat.toon").read_bytes() == before
        assert process.stdin
        process.stdin.close()
    writer.close()
    assert len(opened_and_strict(tmp_path)) == 1


class Interrupted(FaultyDisk):
    """Ctrl-C as a rename or a link returns: done, and nobody hears of it."""

    armed = False

    def rename(self, source, target):
        super().rename(source, target)
        if self.armed:
            raise KeyboardInterrupt

    def link(self, source, target):
        super().link(source, target)
        if self.armed:
            raise KeyboardInterrupt


def test_an_interrupt_loses_nothing(tmp_path):
    for number, act in enumerate(
        (
            lambda store: store.delete("x"),
            lambda store: store.rename("x", "y"),
            lambda store: store.open("x").replace([NEXT], "replaced"),
            lambda store: store.open("x").edit(title="t"),
        )
    ):
        folder = tmp_path / str(number)
        disk = Interrupted()
        store = FileStore(folder, disk=disk)
        save(store, "x", BASE)
        disk.armed = True
        with pytest.raises(KeyboardInterrupt):
            act(store)
        disk.armed = False
        found = [store.load(name)[1] for name in ("x", "y") if store.exists(name)]
        found += [
            store.load(store.restore(entry.name, new_id=f"back {at}"))[1] for at, entry in enumerate(store.trash())
        ]
        assert BASE in found and all(messages in (BASE, [NEXT]) for messages in found)


@pytest.mark.parametrize("year", [1, 1969, 2126, 9999])
def test_a_clock_that_is_wrong(tmp_path, year):
    """Order comes from the place in the file; `created_at` is set once; nothing is deleted for its age."""
    save(FileStore(tmp_path), "x", BASE)
    store = FileStore(tmp_path, now=lambda: datetime(year, 12, 31, 23, 59, 59, 999_999, UTC))
    save(store, "x", [NEXT])
    header, messages = store.load("x")
    assert (
        messages == [*BASE, NEXT] and header.created_at == START and header.updated_at.startswith(f"{year:04}-12-31T")
    )
    for _ in range(3):
        writer = store.open("x")
        writer.replace(BASE, "replaced")
        writer.close()
        save(store, "x", [NEXT])
    names = [entry.name for entry in store.trash()]
    assert len(set(names)) == 3 and [entry.count for entry in store.trash()] == [4, 4, 4]
    store.restore(names[0])
    assert opened_and_strict(tmp_path) == [*BASE, NEXT]
    save(FileStore(tmp_path), "x", [NEXT])
    assert opened_and_strict(tmp_path) == [*BASE, NEXT, NEXT]


@pytest.mark.parametrize("seconds", [0, -(10**9), 2**33, 10**12])
def test_a_file_time_beyond_the_calendar(tmp_path, seconds):
    shared = Path("/dev/shm")  # keeps any time, where there is one; other file systems clamp it
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as made:
        folder = Path(made)
        path = folder / "x_chat.toon"
        path.write_text('{"messages": [{"role": "user", "content": "a"}]}')
        save(FileStore(folder), "y", BASE)
        os.utime(path, (seconds, seconds))
        os.utime(folder / "y_chat.toon", (seconds, seconds))
        store = FileStore(folder)
        assert sorted((row.session_id, row.count, row.error) for row in store.list()) == [("x", 1, ""), ("y", 3, "")]
        save(store, "x", [NEXT])
        save(store, "y", [NEXT])
        assert len(opened_and_strict(folder)) == 2 and opened_and_strict(folder, "y") == [*BASE, NEXT]


@pytest.mark.parametrize("text", ["", "baddate", "9999-99-99", "2026-11-20", "\u0662\u0660\u0662\u0666", "0" * 300])
def test_garbage_dates_in_a_header(tmp_path, text):
    store = FileStore(tmp_path)
    save(store, "other", BASE)
    writer = store.open("x", create=new()._replace(created_at=text, updated_at=text))
    writer.append(BASE)
    writer.close()
    assert store.load("x")[0].created_at == text
    path = tmp_path / "x_chat.toon"
    stamp = store.header("x")[0].updated_at.encode()
    path.write_bytes(path.read_bytes().replace(stamp, text.encode()[:24].ljust(24, b"?")))
    assert {(row.session_id, row.count, row.error) for row in store.list()} == {("x", 3, ""), ("other", 3, "")}
    save(store, "x", [NEXT])
    assert opened_and_strict(tmp_path) == [*BASE, NEXT] and store.load("x")[0].created_at == text
