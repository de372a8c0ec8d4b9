"""The trash and what others put into it: links, files, notes that are none of ours."""

import json
from pathlib import Path

import pytest
from store_kit import BASE, save

from scratchy.core.errors import SessionCorruptedError, SessionNotFoundError
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore, utc_now
from scratchy.store.place import Place
from scratchy.store.surroundings import look_around


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of somebody else, with a session's file in it."""
    folder = tmp_path / "theirs"
    save(FileStore(folder), "x", BASE)
    (folder / "thesis.txt").write_text("years of work")
    return folder


def trouble(folder: Path) -> list[str]:
    found = look_around(Place(str(folder), Disk(), utc_now))
    return [f"{finding.problem} {finding.text} {finding.path}" for finding in found if finding.kind == "trash"]


def test_a_link_in_the_trash_is_no_entry_and_nothing_behind_it_is_touched(tmp_path: Path, theirs: Path) -> None:
    store = FileStore(tmp_path / "s")
    save(store, "x", BASE)
    ours = store.delete("x")
    link = tmp_path / "s" / ".trash" / "20260101T000000.000Z-x"
    link.symlink_to(theirs)
    before = sorted(path.name for path in theirs.iterdir())
    assert [entry.name for entry in store.trash()] == [ours.name]
    for call in (store.purge, store.restore, store.trashed):
        with pytest.raises(SessionNotFoundError, match="no entry"):
            call(link.name)
    assert sorted(path.name for path in theirs.iterdir()) == before and link.is_symlink()
    assert link.name in trouble(tmp_path / "s")[0]


def test_a_link_inside_an_entry_is_removed_itself(tmp_path: Path, theirs: Path) -> None:
    store = FileStore(tmp_path / "s")
    save(store, "x", BASE)
    entry = store.delete("x")
    (tmp_path / "s" / ".trash" / entry.name / "more").symlink_to(theirs)
    before = sorted(path.name for path in theirs.iterdir())
    store.purge(entry.name)
    assert store.trash() == [] and sorted(path.name for path in theirs.iterdir()) == before


def test_a_trash_that_is_a_link_is_refused_by_name(tmp_path: Path, theirs: Path) -> None:
    store = FileStore(tmp_path / "s")
    save(store, "x", BASE)
    trash = tmp_path / "s" / ".trash"
    trash.symlink_to(theirs)
    before = sorted(path.name for path in theirs.iterdir())
    with pytest.raises(OSError, match="trash is a link") as raised:
        store.delete("x")
    assert raised.value.filename == str(trash)
    assert store.trash() == [] and store.load("x")[1] == BASE
    assert sorted(path.name for path in theirs.iterdir()) == before
    (tmp_path / "s" / ".blobs").symlink_to(theirs)
    assert [told.startswith("True") for told in trouble(tmp_path / "s")] == [True, True]


def test_a_trash_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    (tmp_path / ".trash").write_text("a note")
    with pytest.raises(FileExistsError) as raised:
        store.delete("x")
    assert raised.value.filename == str(tmp_path / ".trash")
    assert store.trash() == [] and store.load("x")[1] == BASE and trouble(tmp_path)[0].startswith("True")


@pytest.mark.parametrize(
    "note",
    [{"id": ["x"], "by": ["x"], "reason": {}, "when": 7, "clean": ["x"]}, {"reason": "deleted", "by": 1}, [], "x", 7],
)
def test_a_garbled_note_is_an_entry_like_others(tmp_path: Path, note: object) -> None:
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    entry = store.delete("x")
    (tmp_path / ".trash" / entry.name / "note.json").write_text(json.dumps(note))
    read = store.trash()[0]
    assert (read.session_id, read.count, dict(read.note)) == ("x", len(BASE), {})
    assert store.restore(entry.name) == "x" and store.load("x")[1] == BASE


@pytest.mark.parametrize("noted", ["a", "", "\ud800", "../a", "x" * 999])
def test_a_note_does_not_make_an_entry_another_sessions(tmp_path: Path, noted: str) -> None:
    store = FileStore(tmp_path)
    save(store, "a", BASE)
    save(store, "b", BASE[:1])
    entry = store.delete("b")
    (tmp_path / ".trash" / entry.name / "note.json").write_text(json.dumps({"id": noted, "reason": "deleted"}))
    assert [row.session_id for row in store.trash()] == ["b"]
    assert store.restore(entry.name) == "b" and store.load("a")[1] == BASE and store.load("b")[1] == BASE[:1]


def test_an_id_longer_than_a_name_is_the_notes(tmp_path: Path) -> None:
    store, long = FileStore(tmp_path), "long " * 99
    save(store, long, BASE)
    assert store.delete(long).session_id == long == store.restore(store.trash()[0].name)


def test_no_session_makes_room_for_another_ones_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    save(store, "a", BASE)
    save(store, "b", BASE[:1])
    entry = store.delete("b")
    liar = entry.name.replace("-b", "-a")
    (tmp_path / ".trash" / entry.name).rename(tmp_path / ".trash" / liar)
    (tmp_path / ".trash" / liar / "note.json").unlink()
    with pytest.raises(SessionCorruptedError, match=r"names another session, 'b'.*session import"):
        store.restore(liar)
    assert store.load("a")[1] == BASE and [row.name for row in store.trash()] == [liar]
