"""What moves a long session costs: bytes that are copied in the kernel, and no reading of it all, then or at the next
opening; what stands in the way is kept."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store_kit import BASE, NEXT, new, opened_and_strict, save, strictly

from scratchy.core.errors import SessionCorruptedError
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore

LONG = [{"role": "user", "content": f"{number} " + "a line\n" * 600} for number in range(1500)]


class CountingDisk(Disk):
    """`taken`: bytes that were read."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, handle: int, size: int, offset: int) -> bytes:
        data = super().read(handle, size, offset)
        self.taken += len(data)
        return data


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    save(FileStore(folder), "x", LONG)
    return folder / "x_chat.toon"


def cut(store: FileStore, count: int) -> str:
    writer = store.open("x")
    entry = writer.cut(count)
    writer.close()
    return entry


MOVES: dict[str, tuple[Callable[[FileStore], Any], str, int]] = {
    "fork": (lambda store: store.fork("x", new("y")), "y", 1500),
    "fork of a part": (lambda store: store.fork("x", new("y"), 1400), "y", 1400),
    "rename": (lambda store: store.rename("x", "y"), "y", 1500),
    "cut": (lambda store: cut(store, 1400), "x", 1400),
    "delete and restore": (lambda store: store.restore(store.delete("x").name), "x", 1500),  # type: ignore[union-attr]
    "cut and restore": (lambda store: store.restore(cut(store, 1400)), "x", 1500),
    "restore as another": (lambda store: store.restore(cut(store, 9), new_id="y"), "y", 1500),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_long_session_is_moved_without_being_read(tmp_path: Path, long: Path, name: str) -> None:
    move, session_id, count = MOVES[name]
    store = FileStore(tmp_path)
    save(store, "x", LONG)
    size = (tmp_path / "x_chat.toon").stat().st_size
    disk = CountingDisk()
    counted = FileStore(tmp_path, disk=disk)
    move(counted)
    counted.open(session_id).close()
    counted.tail(session_id, 5)
    assert disk.taken < size / 4
    assert opened_and_strict(tmp_path, session_id) == LONG[:count]


def test_the_middle_of_a_long_session_is_read_from_the_nearer_side(long: Path) -> None:
    disk = CountingDisk()
    store = FileStore(long.parent, disk=disk)
    for before, most in ((3, 0.1), (1490, 0.1), (300, 0.3), (1200, 0.3)):
        disk.taken = 0
        assert store.tail("x", 2, before=before) == (before - 2, LONG[before - 2 : before])
        assert disk.taken < most * long.stat().st_size


def test_items_hold_no_more_than_a_slice(long: Path) -> None:
    disk = CountingDisk()
    items = FileStore(long.parent, disk=disk).items("x")
    assert next(items) == LONG[0] and disk.taken < long.stat().st_size / 8
    assert list(items) == LONG[1:] and disk.taken < 2 * long.stat().st_size


def test_a_damaged_session_is_forked_up_to_its_damage_only_and_named(tmp_path: Path) -> None:
    save(FileStore(tmp_path), "x", [*BASE, NEXT])
    path = tmp_path / "x_chat.toon"
    path.write_bytes(path.read_bytes().replace(b"the new one", b"the\0new one", 1))
    store = FileStore(tmp_path)
    with pytest.raises(SessionCorruptedError, match="x_chat"):
        store.fork("x", new("y"))
    assert not store.exists("y") and not (tmp_path / ".y.tmp").exists()
    store.fork("x", new("y"), 3)
    assert strictly(tmp_path / "y_chat.toon") == BASE


def test_a_foreign_file_is_forked_in_our_form(tmp_path: Path) -> None:
    (tmp_path / "x_chat.toon").write_bytes(b'{"session_id": "x", "messages": [{"role": "user", "content": "old"}, {}]}')
    store = FileStore(tmp_path)
    store.fork("x", new("y"), 1)
    assert opened_and_strict(tmp_path, "y") == [{"role": "user", "content": "old"}]
    assert (tmp_path / "x_chat.toon").read_bytes().startswith(b"{")


def test_whatever_stands_in_a_restored_sessions_place_is_kept(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    for make in (
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/dev/null"),
        lambda path: path.write_bytes(b"\0\0"),
    ):
        entry = store.delete("x")
        assert entry is not None
        make(tmp_path / "x_chat.toon")
        store.restore(entry.name)
        assert opened_and_strict(tmp_path) == BASE
        assert [one.reason for one in store.trash()] == ["displaced"]
        store.purge(store.trash()[0].name)
        assert not list((tmp_path / ".trash").iterdir())


def test_lock_files_of_sessions_that_were_never_written_go(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first, second = store.open("x", create=new()), store.open("x", create=new())
    first.close()
    assert (tmp_path / ".x.lock").exists()
    second.close()
    assert not list(tmp_path.iterdir())
    store.open("x", create=new()).close()
    writer = store.open("x", create=new())
    writer.keep_draft("typed")
    writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".x.draft", ".x.lock"]
    assert (tmp_path / ".x.draft").stat().st_mode & 0o777 == 0o600


def test_what_lies_beside_stays_with_the_version_that_is_current_unless_the_entry_brings_its_own(
    tmp_path: Path,
) -> None:
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    (tmp_path / "x_events.jsonl").write_text("first\n")
    entry = cut(store, 1)
    store.restore(entry)
    assert (tmp_path / "x_events.jsonl").read_text() == "first\n"
    gone = store.delete("x")
    assert gone is not None
    save(store, "x", [NEXT])
    (tmp_path / "x_events.jsonl").write_text("second\n")
    store.restore(gone.name)
    assert (tmp_path / "x_events.jsonl").read_text() == "first\n"
    displaced = store.trash()[0]
    assert displaced.reason == "displaced" and store.trashed(displaced.name)[1] == [NEXT]
    assert (tmp_path / ".trash" / displaced.name / "x_events.jsonl").read_text() == "second\n"
