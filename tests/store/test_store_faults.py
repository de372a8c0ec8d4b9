"""The k-th call to the disk fails, or is the last, until a run ends without a fault: nothing acknowledged is lost."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from store_kit import BASE, NEXT, FaultyDisk, Killed, new, opened_and_strict, save

from scratchy.core.errors import SessionError
from scratchy.store.files import FileStore

TAIL = b"  - role: user\n    content: half an it"

FAULTS = [
    pytest.param({"error": errno.ENOSPC}, id="full once"),
    pytest.param({"error": errno.ENOSPC, "forever": True}, id="full for ever"),
    pytest.param({"error": errno.ENOSPC, "short": True}, id="short write, then full"),
    pytest.param({"error": errno.EIO}, id="I/O error once"),
    pytest.param({"error": errno.EIO, "forever": True}, id="I/O errors for ever"),
    pytest.param({"error": errno.EMFILE}, id="no descriptor"),
    pytest.param({"error": 0}, id="killed"),
]


def each_fault(tmp_path: Path, fault: dict, prepare: Callable, act: Callable, check: Callable) -> None:
    """`check(folder, done)` after each run; a run that failed is tried again on a disk that works, then checked."""
    at, finished = 0, False
    while not finished:
        at += 1
        assert at < 200, "no end of faults"
        folder = tmp_path / str(at)
        prepare(folder)
        disk = FaultyDisk()
        store = FileStore(folder, disk=disk)
        disk.arm(at, **fault)
        done = False
        try:
            act(store)
            done = True
        except (OSError, SessionError, Killed):
            pass
        finished = not disk.reached
        assert done or not finished
        disk.disarm()
        check(folder, done)


def base(folder: Path) -> None:
    save(FileStore(folder), "x", BASE)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_append(tmp_path, fault):
    def check(folder, done):
        found = opened_and_strict(folder)
        assert found == [*BASE, NEXT] if done else found in (BASE, [*BASE, NEXT])

    each_fault(tmp_path, fault, base, lambda store: save(store, "x", [NEXT]), check)


@pytest.mark.parametrize("fault", FAULTS[:-1])
def test_the_same_call_may_be_tried_again(tmp_path, fault):
    """By the writer that failed: neither lost nor doubled, and the file is a new one after a failed sync."""
    for at in range(1, 9):
        folder = tmp_path / str(at)
        base(folder)
        disk = FaultyDisk()
        writer = FileStore(folder, disk=disk).open("x")
        inode = (folder / "x_chat.toon").stat().st_ino
        disk.arm(at, **fault)
        failed = ""
        try:
            writer.append([NEXT])
        except OSError:
            failed = disk.names[-1] if disk.names[-1] != "truncate" else disk.names[-2]
            assert FileStore(folder).load("x")[1] in (BASE, [*BASE, NEXT])
            disk.disarm()
            writer.append([NEXT])
        disk.disarm()
        assert opened_and_strict(folder) == [*BASE, NEXT]
        if failed == "sync":
            assert (folder / "x_chat.toon").stat().st_ino != inode
        writer.append([NEXT])
        writer.close()
        assert opened_and_strict(folder) == [*BASE, NEXT, NEXT]


def test_a_failed_sync_is_remembered_when_the_session_is_opened_again(tmp_path):
    base(tmp_path)
    disk = FaultyDisk()
    store = FileStore(tmp_path, disk=disk)
    writer = store.open("x")
    inode = (tmp_path / "x_chat.toon").stat().st_ino
    disk.arm(2, errno.EIO)
    with pytest.raises(OSError):
        writer.append([NEXT])
    writer.close()
    save(store, "x", [])
    assert (tmp_path / "x_chat.toon").stat().st_ino != inode
    assert opened_and_strict(tmp_path) == BASE


@pytest.mark.parametrize("fault", FAULTS)
def test_the_first_write(tmp_path, fault):
    def check(folder, done):
        if done or FileStore(folder).exists("x"):
            assert opened_and_strict(folder) == [NEXT]

    each_fault(tmp_path, fault, lambda folder: None, lambda store: save(store, "x", [NEXT]), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_replace(tmp_path, fault):
    def act(store):
        writer = store.open("x")
        try:
            writer.replace([NEXT], "replaced")
        finally:
            writer.close()

    def check(folder, done):
        found = opened_and_strict(folder)
        assert found == [NEXT] if done else found in (BASE, [NEXT])
        if found == [NEXT]:
            store = FileStore(folder)
            store.restore(store.trash()[0].name)
            assert opened_and_strict(folder) == BASE

    each_fault(tmp_path, fault, base, act, check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_edit(tmp_path, fault):
    def act(store):
        writer = store.open("x")
        try:
            writer.edit(title="new")
        finally:
            writer.close()

    def check(folder, done):
        assert opened_and_strict(folder) == BASE
        title = FileStore(folder).header("x")[0].title
        assert title == "new" if done else title in (None, "new")

    each_fault(tmp_path, fault, base, act, check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_delete(tmp_path, fault):
    def prepare(folder):
        base(folder)
        (folder / ".x.draft").write_text("unsent")
        (folder / "x_events.jsonl").write_text("{}\n")

    def check(folder, done):
        store = FileStore(folder)
        if not store.exists("x"):
            assert store.restore(store.trash()[0].name) == "x"
        elif done:
            raise AssertionError("deleted, and still there")
        assert opened_and_strict(folder) == BASE
        kept = [path for path in folder.rglob("*") if path.name in (".x.draft", "x_events.jsonl")]
        assert len(kept) == 2

    each_fault(tmp_path, fault, prepare, lambda store: store.delete("x"), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_rename(tmp_path, fault):
    def check(folder, done):
        store = FileStore(folder)
        there = [name for name in ("x", "y") if store.exists(name)]
        assert there == ["y"] if done else there
        for name in there:
            assert opened_and_strict(folder, name) == BASE

    each_fault(tmp_path, fault, base, lambda store: store.rename("x", "y"), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_restore(tmp_path, fault):
    def prepare(folder):
        base(folder)
        FileStore(folder).delete("x")
        save(FileStore(folder), "x", [NEXT])

    def check(folder, done):
        store = FileStore(folder)
        found = {len(store.load("x")[1]) if store.exists("x") else 0} | {entry.count for entry in store.trash()}
        assert {1, 3} <= found
        if done:
            assert opened_and_strict(folder) == BASE

    each_fault(tmp_path, fault, prepare, lambda store: store.restore(store.trash()[-1].name), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_cut(tmp_path, fault):
    def act(store):
        writer = store.open("x")
        try:
            writer.cut(1)
        finally:
            writer.close()

    def check(folder, done):
        store = FileStore(folder)
        found = opened_and_strict(folder)
        assert found == BASE[:1] if done else found in (BASE, BASE[:1])
        assert all(store.trashed(entry.name)[1] == BASE for entry in store.trash())
        if found == BASE[:1]:
            store.restore(store.header("x")[0].metadata["rewind"]["entry"])
            assert opened_and_strict(folder) == BASE

    each_fault(tmp_path, fault, base, act, check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fork(tmp_path, fault):
    def check(folder, done):
        store = FileStore(folder)
        assert store.exists("y") or not done
        if store.exists("y"):
            assert opened_and_strict(folder, "y") == BASE[:2]
        else:
            store.fork("x", new("y"), 2)
        assert opened_and_strict(folder) == BASE and store.trash() == []
        assert opened_and_strict(folder, "y") == BASE[:2]

    each_fault(tmp_path, fault, base, lambda store: store.fork("x", new("y"), 2), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_purge(tmp_path, fault):
    def prepare(folder):
        base(folder)
        (folder / ".x.draft").write_text("unsent")
        FileStore(folder).delete("x")
        save(FileStore(folder), "x", [NEXT])
        FileStore(folder).delete("x")

    def check(folder, done):
        store = FileStore(folder)
        kept = [store.trashed(entry.name)[1] for entry in store.trash()]
        assert kept == [[NEXT]] if done else kept in ([[NEXT], BASE], [[NEXT]])
        if len(kept) == 2:
            store.purge(store.trash()[-1].name)
        assert len(store.trash()) == 1 and not store.exists("x")

    each_fault(tmp_path, fault, prepare, lambda store: store.purge(store.trash()[-1].name), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_draft(tmp_path, fault):
    def keep(store, text):
        writer = store.open("x")
        try:
            writer.keep_draft(text)
        finally:
            writer.close()

    def prepare(folder):
        base(folder)
        keep(FileStore(folder), "the old one")

    def check(folder, done):
        found = FileStore(folder).draft("x")
        assert found == "the new one" * 99 if done else found in ("the old one", "the new one" * 99)
        assert opened_and_strict(folder) == BASE

    each_fault(tmp_path, fault, prepare, lambda store: keep(store, "the new one" * 99), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_repair(tmp_path, fault):
    def prepare(folder):
        base(folder)
        with open(folder / "x_chat.toon", "ab") as file:
            file.write(TAIL)

    def check(folder, done):
        assert FileStore(folder).load("x")[1] == BASE
        assert opened_and_strict(folder) == BASE
        assert [path.read_bytes() for path in folder.glob(".x.tail-*")] == [TAIL]

    each_fault(tmp_path, fault, prepare, lambda store: store.open("x").close(), check)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_conversion(tmp_path, fault):
    original = b'{"session_id": "x", "messages": [{"role": "user", "content": "old"}]}'

    def prepare(folder):
        folder.mkdir()
        (folder / "x_chat.toon").write_bytes(original)

    def check(folder, done):
        assert opened_and_strict(folder) == [{"role": "user", "content": "old"}]
        assert original in [path.read_bytes() for path in folder.rglob("x_chat.toon")]

    each_fault(tmp_path, fault, prepare, lambda store: store.open("x").close(), check)


def test_every_byte_cut_of_an_append(tmp_path):
    """The file as a kill may leave it between the two writes: its first items, whatever is there of the next."""
    base(tmp_path)
    path = tmp_path / "x_chat.toon"
    before = path.read_bytes()
    save(FileStore(tmp_path), "x", [NEXT])
    item = path.read_bytes()[len(before) :]
    for cut in range(len(item) + 1):
        path.write_bytes(before + item[:cut])
        for tail in tmp_path.glob(".x.tail-*"):
            tail.unlink()
        store = FileStore(tmp_path)
        assert store.load("x")[1] == BASE == store.tail("x", 9)[1]
        writer = store.open("x")
        assert (writer.load(), len(writer.notices)) == (BASE, min(cut, 1))
        writer.close()
        assert path.read_bytes() == before
        assert [kept.read_bytes() for kept in tmp_path.glob(".x.tail-*")] == ([item[:cut]] if cut else [])


def test_short_writes_are_carried_on(tmp_path):
    class Sipping(FaultyDisk):
        def write(self, handle, data, offset):
            return super().write(handle, data[:7], offset)

        def copy(self, source, target, start, size, offset):
            return super().copy(source, target, start, min(size, 11), offset)

    store = FileStore(tmp_path, disk=Sipping())
    save(store, "x", BASE)
    writer = store.open("x")
    writer.append([NEXT])
    writer.edit(title="t")
    writer.close()
    assert new().session_id == "x" and opened_and_strict(tmp_path) == [*BASE, NEXT]
