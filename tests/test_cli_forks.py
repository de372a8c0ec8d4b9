"""The flags --fork and --add-dir, as a shell gives them."""

import subprocess
from pathlib import Path

import pytest
from programs import Home
from sessionbench import answer, calling, user

from scratchy import SessionManager
from scratchy.store.files import FileStore

OLD = [{"role": "system", "content": "Be brief."}, user("One"), answer("Two")]


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path)
    made.save("old", *OLD)
    return made


def fork(home: Home, *flags: str) -> "subprocess.CompletedProcess[str]":
    return home.run("--provider", "demo", *flags, "-p", "On")


def parent(home: Home, session_id: str) -> dict[str, object]:
    return FileStore(home.sessions).header(session_id)[0].metadata["parent"]


def texts(home: Home, session_id: str) -> list[str]:
    return [message["content"] for message in home.load(session_id) or []]


@pytest.mark.parametrize(
    ("flags", "made"),
    [
        (["--fork", "old"], "old-2"),
        (["--fork=old", "-s", "mine"], "mine"),
        (["-s", "old", "--fork"], "old-2"),
        (["--fork", "-r", "old"], "old-2"),
    ],
)
def test_a_fork_is_a_copy_under_its_own_id_that_knows_its_parent(home, flags, made):
    done = fork(home, *flags)
    assert done.returncode == 0, done.stderr
    assert f"Forked session: '{made}' (3 messages) from 'old'" in done.stderr
    assert home.ids() == sorted([made, "old"]) and parent(home, made) == {"id": "old", "at": 3}
    assert texts(home, made)[:4] == ["Be brief.", "One", "Two", "On"] and home.load("old") == OLD


@pytest.mark.parametrize("flags", [["--fork"], ["-c", "--fork"], ["--fork", "-c"]])
def test_a_bare_fork_takes_this_folders_last(home, flags):
    fork(home, "-s", "here")
    other = home.folder / "other"
    other.mkdir()
    work, home.work = home.work, other
    fork(home, "-s", "there")
    home.work = work
    done = fork(home, *flags)
    assert "from 'here'" in done.stderr and parent(home, "here-2")["id"] == "here"


def test_a_bare_fork_without_any_session_of_this_folder_is_told(home):
    done = fork(home, "--fork")
    assert done.returncode == 2 and "--fork ID" in done.stderr and home.ids() == ["old"]


def test_a_session_that_another_window_holds_can_be_forked(home):
    writer = FileStore(home.sessions).open("old")
    try:
        assert fork(home, "-r", "old").returncode == 75
        done = fork(home, "--fork", "old")
        assert done.returncode == 0 and texts(home, "old-2")[:3] == ["Be brief.", "One", "Two"]
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--fork", "nobody"], 1, "nobody"),
        (["--fork", "old", "-s", "old"], 1, "exists already"),
        (["--fork", "old", "-r", "old"], 2, "--fork"),
        (["--fork", "old", "-c"], 2, "--fork"),
        (["--fork", "-r", "old", "-c"], 2, "different things"),
    ],
)
def test_what_cannot_be_forked(home, flags, code, says):
    done = fork(home, *flags)
    assert done.returncode == code and says in done.stderr and home.ids() == ["old"]


def test_a_fork_keeps_title_tags_and_model_and_may_get_a_title(home):
    with SessionManager(home.sessions).opened("old") as writer:
        writer.edit(title="Old title", metadata={"tags": ["x"], "formerly": ["older"]})
    fork(home, "--fork", "old")
    fork(home, "--fork", "old", "-n", "New title")
    first, second = (FileStore(home.sessions).header(name)[0] for name in ("old-2", "old-3"))
    assert (first.title, second.title) == ("Old title", "New title")
    assert first.metadata["tags"] == ["x"] and "formerly" not in first.metadata


def test_a_fork_opens_in_a_window_too(home):
    said = home.run("--provider", "demo", "--fork", "old", stdin="/status\nMore\n").stdout
    assert "Forked session: 'old-2' (3 messages) from 'old'" in said and "Session ID: old-2" in said
    assert len(home.load("old-2") or []) == 5


# -- other folders to read


def reading(home: Home, path: Path, *flags: str) -> str:
    """What the tool answered when the model read this file, with nobody to say yes."""
    done = home.run(*home.script(calling("read_file", {"file_path": str(path)}), "Done."), *flags, "-p", "Read")
    assert done.returncode == 0, done.stderr
    return (home.load(done.stderr.partition("Session: ")[2].split()[0]) or [])[3]["content"]


def test_an_added_folder_is_read_unasked_this_time_only(home):
    outside = home.folder / "lib"
    outside.mkdir()
    (outside / "notes.txt").write_text("the parser")
    (home.folder / "more").mkdir()
    assert "the parser" in reading(home, outside / "notes.txt", "--add-dir", "../more", "--add-dir", "../lib")
    assert "the parser" in reading(home, outside / "notes.txt", "--add-dir", "../lib", "--cwd", "../more")
    assert "the parser" not in reading(home, outside / "notes.txt")
    assert b"add_dir" not in b"".join(path.read_bytes() for path in home.sessions.glob("*_chat.toon"))


def test_an_added_folder_must_be_there(home):
    done = home.run("--provider", "demo", "--add-dir", "nowhere", "-p", "Hello")
    assert done.returncode == 2 and "--add-dir nowhere" in done.stderr and home.ids() == ["old"]
