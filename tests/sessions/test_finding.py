"""Finding sessions: the filter beside a naive one, rows as they are read, folders, what a row says, near ids."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchy import MemoryStore, SessionManager
from scratchy.core.stored import Header, SessionInfo
from scratchy.sessions.finding import Finder, near_ones
from scratchy.sessions.project import identity

STAMP = "2026-11-21T10:00:%02d.000Z"
letters = st.text(st.sampled_from("abAB äÄßİ日本-#/"), max_size=8)
facts = st.tuples(letters, st.lists(letters, max_size=3), st.sampled_from(["/here", "/There", ""]))


def add(store, session_id: str, second: int = 0, title: str | None = None, said=("x", "y"), **metadata) -> None:
    header = Header(session_id, STAMP % second, STAMP % second, title, metadata)
    with closing(store.open(session_id, create=header)) as writer:
        writer.append([{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)])


def whole(store, folder: str = "/here", slices: int = 2) -> Finder:
    finder = Finder(store, folder)
    while not finder.whole:
        finder.read(slices)
    return finder


@settings(max_examples=60, deadline=None)
@given(st.lists(facts, max_size=6), letters, st.booleans())
def test_the_filter_keeps_what_has_all_words_in_id_title_tags_or_folder(rows, text: str, everywhere: bool) -> None:
    store = MemoryStore()
    for number, (title, tags, folder) in enumerate(rows):
        add(store, f"s{number}{title.strip()}", title=title, tags=tags, folder=folder)
    finder = whole(store)

    def kept(info: SessionInfo) -> bool:
        assert info.header is not None
        fields = [
            info.session_id,
            info.header.title or "",
            *info.header.metadata["tags"],
            info.header.metadata["folder"],
        ]
        near = info.header.metadata["folder"] == "/here"
        words = text.casefold().split()
        return (near or everywhere) and all(any(word in field.casefold() for field in fields) for word in words)

    found = {info.session_id for info in finder.rows(text, everywhere=everywhere)}
    assert found == {info.session_id for info in store.list() if kept(info)}
    assert finder.known == len(rows) and finder.near == sum(folder == "/here" for _, _, folder in rows)


def test_rows_come_newest_first_a_slice_at_a_time_and_in_order_of_activity_at_the_end(tmp_path: Path) -> None:
    store = SessionManager(tmp_path).store
    for number in range(5):
        add(store, f"s{number}", number)
        os.utime(tmp_path / f"s{number}_chat.toon", (100 + number, 100 + number))
    os.utime(tmp_path / "s0_chat.toon", (999, 999))  # touched, not used
    finder = Finder(store, "/here")
    finder.read(2)
    assert [info.session_id for info in finder.rows("", everywhere=True)] == ["s0", "s4"] and not finder.whole
    while not finder.whole:
        finder.read(2)
    told = [info.header.updated_at for info in finder.rows("", everywhere=True) if info.header]
    assert told == sorted(told, reverse=True) and len(told) == 5


def test_what_cannot_be_read_is_a_row_and_a_missing_folder_has_none(tmp_path: Path) -> None:
    add(SessionManager(tmp_path).store, "good")
    (tmp_path / "bad_chat.toon").write_text("nonsense: [")
    os.mkfifo(tmp_path / "pipe_chat.toon")
    finder = whole(SessionManager(tmp_path).store)
    rows = {info.session_id: info for info in finder.rows("", everywhere=True)}
    assert set(rows) == {"good", "bad", "pipe"} and rows["bad"].error and rows["pipe"].error
    looks = finder.looks(rows.values())
    assert looks["bad"] == looks["pipe"] and looks["good"].first == "x" and looks["good"].last == "y"
    (tmp_path / "gone").mkdir()
    assert whole(SessionManager(tmp_path / "gone").store).known == 0


def test_the_first_words_are_the_persons_and_the_last_are_the_last_that_say_something(tmp_path: Path) -> None:
    store = SessionManager(tmp_path).store
    with closing(store.open("a", create=Header("a", STAMP % 0, STAMP % 0))) as writer:
        writer.append([
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "first\n  words " + "x" * 5000},
            {"role": "assistant", "content": "an answer"},
            {"role": "user", "content": None},
        ])  # fmt: skip
    finder = whole(store)
    (info,) = finder.rows("", everywhere=True)
    look = finder.looks([info])["a"]
    assert look.first.startswith("first words xxx") and len(look.first) == 300 and look.last == "an answer"
    assert [message["role"] for message in finder.said(info, 2)] == ["assistant", "user"]


def test_rows_follow_a_rename_and_a_delete(tmp_path: Path) -> None:
    manager = SessionManager(tmp_path)
    for name in ("a", "b"):
        add(manager.store, name, folder=str(tmp_path))
    finder = whole(manager.store, str(tmp_path))
    manager.rename("a", "c")
    finder.refresh("a", "c")
    manager.delete_session("b")
    finder.refresh("b")
    finder.refresh("never there")
    assert [info.session_id for info in finder.rows("", everywhere=False)] == ["c"] and finder.near == 1


def test_contents_are_searched_newest_first_once_a_session(tmp_path: Path) -> None:
    store = SessionManager(tmp_path).store
    add(store, "a", said=("the zebra came", "which zebra"))
    add(store, "b", said=("no animals", "none"))
    finder = whole(store)
    found, pending = finder.search("zebra", 30.0)
    assert not pending and list(found) == ["a"] and "zebra" in found["a"]
    assert [info.session_id for info in finder.named([*found, "unknown"], everywhere=True)] == ["a"]
    assert finder.named(found, everywhere=False) == []


def git(folder: Path, *arguments: str) -> None:
    person = ("-c", "user.name=A", "-c", "user.email=a@b")
    subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_moved_folder_is_this_one_and_clones_and_worktrees_are_told(tmp_path: Path) -> None:
    here, store = tmp_path / "here", MemoryStore()
    here.mkdir()
    git(here, "init", "-q")
    git(here, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "clone", "-q", str(here), "copy")
    git(here, "worktree", "add", "-q", str(tmp_path / "tree"))
    for name in ("here", "copy", "tree"):
        add(store, name, folder=str(tmp_path / name), project=identity(tmp_path / name))
    add(store, "moved", folder=str(tmp_path / "old name"), project=identity(here))
    add(store, "stranger", folder=str(tmp_path), project=identity(tmp_path))
    (tmp_path / "link").symlink_to(here)
    finder = whole(store, str(tmp_path / "link"))
    assert {info.session_id for info in finder.rows("", everywhere=False)} == {"here", "moved"} and finder.near == 2
    looks = finder.looks(finder.rows("", everywhere=True))
    told = {name: look.kin for name, look in looks.items()}
    assert told == {"here": "", "moved": "moved", "copy": "clone", "tree": "worktree", "stranger": ""}


def test_what_stands_in_the_place_of_git_is_neither_waited_for_nor_read_for_ever(tmp_path: Path) -> None:
    store = MemoryStore()
    made = {
        "fifo": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "large": lambda path: path.write_bytes(b"gitdir: " + b"/x" * 5_000_000),
        "bytes": lambda path: path.write_bytes(b"gitdir: \xff\0\n"),
        "link": lambda path: path.symlink_to(tmp_path / "fifo" / ".git"),
    }
    for name, make in made.items():
        (tmp_path / name).mkdir()
        make(tmp_path / name / ".git")
        add(store, name, folder=str(tmp_path / name), said=("first", "last"))
    for name in made:
        finder = whole(store, str(tmp_path / name))
        looks = finder.looks(finder.rows("", everywhere=True))
        assert all(look == ("first", "last", None, "") for look in looks.values()) and len(looks) == len(made)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("par", "One begins so: 'parser' (Lexing); `/resume parser` opens it."),
        ("LEX", "One begins so: 'parser' (Lexing); `/resume parser` opens it."),
        ("n", "Did you mean 'name 1', 'name 2'?"),
        ("nmae 1", "Did you mean 'name 1', 'name 2'?"),
        ("lexign", "Did you mean 'parser'?"),
        ("entirely else", ""),
    ],
)
def test_an_unknown_id_is_answered_with_near_ones(wanted: str, said: str) -> None:
    titles = {"parser": "Lexing", "name 1": None, "name 2": ""}
    infos = [SessionInfo(one, Header(one, "", "", title), 1, 1, 0.0) for one, title in titles.items()]
    assert near_ones(wanted, infos) == said
