"""Which sessions belong to a folder: after a move or a rename still its own; never those of a clone or a worktree."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from programs import Home

from scratchy.sessions.looking import Look
from scratchy.sessions.project import identity, is_same, last_of, working_folder
from scratchy.store.files import FileStore

NEW = "No session of this folder yet"
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run([*GIT, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    return folder


# -- what a folder is known by


def test_a_folder_is_known_by_its_numbers_and_a_repository_by_its_first_commit(tmp_path):
    plain = identity(tmp_path)
    assert {"device", "inode"} <= set(plain) <= {"device", "inode", "born"}
    top = repository(tmp_path / "top")
    assert identity(top)["root"] == git(top, "rev-list", "--max-parents=0", "HEAD")
    (top / "inside").mkdir()
    assert "root" not in identity(top / "inside") and identity(tmp_path / "nobody") == {}
    git(top, "worktree", "add", "-q", "../tree")
    assert "root" not in identity(tmp_path / "tree")
    known = identity(top)
    shutil.rmtree(top / ".git")
    assert "root" not in identity(top) and identity(top, known) == known  # asked of git once only


def test_git_runs_nothing_that_the_folder_brings_and_heeds_no_variable(tmp_path, monkeypatch):
    top, ran = repository(tmp_path / "top"), tmp_path / "ran"
    git(top, "config", "core.fsmonitor", f"touch {ran};")
    git(top, "config", "alias.rev-list", f"!touch {ran}")
    other = repository(tmp_path / "other")
    git(other, "commit", "-q", "--amend", "--allow-empty", "-m", "another")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert identity(top)["root"] == git(top, "rev-list", "--max-parents=0", "HEAD") and not ran.exists()


def test_without_git_and_without_a_commit_there_is_no_root(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    assert "root" not in identity(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "root" not in identity(tmp_path)


def test_a_look_brings_the_same_in_the_background(tmp_path):
    import asyncio

    look = Look(tmp_path)
    asyncio.run(look.wait(20))
    assert look.found == identity(tmp_path)


@pytest.mark.parametrize(
    ("stored", "today", "same"),
    [
        ({"device": 1, "inode": 2}, {"device": 1, "inode": 2}, True),
        ({"device": 1, "inode": 2}, {"device": 1, "inode": 3}, False),
        ({"device": 1, "inode": 2}, {"device": 9, "inode": 2}, False),
        ({"device": 1, "inode": 2, "born": 5}, {"device": 9, "inode": 2, "born": 5}, True),  # numbered anew at a boot
        ({"device": 1, "inode": 2, "born": 5}, {"device": 1, "inode": 2, "born": 6}, False),  # the number went on
        ({"device": 1, "inode": 2, "root": "a"}, {"device": 1, "inode": 2, "root": "b"}, False),
        ({"device": 1, "inode": 2}, {"device": 1, "inode": 2, "root": "b"}, True),  # `git init` since
        ({"device": 1, "inode": 2, "root": "a"}, {"device": 1, "inode": 3, "root": "a"}, False),  # a clone beside it
        ({"device": 1, "inode": 2, "root": "a"}, {"device": 7, "inode": 3, "root": "a"}, False),  # … or on another disk
        ({"device": 1, "inode": 2}, {"device": 7, "inode": 3}, False),
        ({}, {}, False),
        ({"nonsense": [1]}, {"device": 1, "inode": 2}, False),
    ],
)
def test_what_is_the_same_folder(stored, today, same):
    assert is_same(stored, today) is same


# -- where a session works


def test_a_resumed_session_works_where_it_did_if_this_machine_wrote_it(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    metadata: dict[str, Any] = {"folder": str(there), "machine": "m1"}
    assert working_folder({}, here, "m1") == working_folder({"folder": 5}, here, "m1") == (here, "")
    assert working_folder(metadata, there, "m1") == (there, "")
    folder, said = working_folder(metadata, here, "m1")
    assert (
        folder == there and said == f"Working in {there}, as this session did. `--cwd .` takes the folder you start in."
    )
    for other in (working_folder(metadata, here, "m2"), working_folder(metadata, here, "m1", adopt=True)):
        assert other == (here, f"Working in {here}. Before, this session worked in {there}.")
    assert working_folder({**metadata, "machine": ""}, here, "")[0] == here
    (tmp_path / "link").symlink_to(there)
    assert working_folder(metadata, tmp_path / "link", "m1") == (tmp_path / "link", "")
    there.rmdir()
    folder, said = working_folder(metadata, here, "m1")
    assert folder == here and "is gone" in said and str(there) in said
    assert "\x1b" not in working_folder({**metadata, "folder": "/x\x1b[31m"}, here, "m1")[1]


# -- the program: -c after what people do with folders


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path)
    made.env["SCRATCHY_TITLES"] = "off"
    return made


def say(home: Home, folder: Path, *flags: str) -> tuple[str, str]:
    """One turn in this folder: which session it was, and what was said beside the answer."""
    home.work = folder
    done = home.run("--provider", "demo", *flags, "-p", "Hello")
    assert done.returncode == 0, done.stderr
    return done.stderr.partition("Session: ")[2].split()[0], done.stderr


def metadata(home: Home, session_id: str) -> Any:
    return FileStore(home.sessions).header(session_id)[0].metadata


@pytest.mark.parametrize("kind", ["plain", "repository"])
def test_moving_and_renaming_the_folder_keeps_its_sessions(home, tmp_path, kind):
    first = repository(tmp_path / "first") if kind == "repository" else tmp_path / "first"
    first.mkdir(exist_ok=True)
    say(home, first, "-s", "mine")
    assert say(home, first, "-c")[0] == "mine"
    known = metadata(home, "mine")["project"]
    (tmp_path / "deeper").mkdir()
    second = first.rename(tmp_path / "deeper" / "second")
    session, said = say(home, second, "-c")
    assert session == "mine" and f"Session 'mine' was held in {first}, which is this folder now." in said
    assert said.count(str(first)) == 1
    assert metadata(home, "mine") | {"folder": str(second)} == metadata(home, "mine")
    assert metadata(home, "mine")["project"] == known
    session, said = say(home, second, "-c")
    assert session == "mine" and str(first) not in said  # it is this folder's from then on
    assert "Folder: " + str(second) in home.load("mine")[5]["context"]


def test_a_clone_takes_no_session_even_when_the_original_is_gone(home, tmp_path):
    top = repository(tmp_path / "top")
    say(home, top, "-s", "mine")
    git(tmp_path, "clone", "-q", "top", "clone")
    session, said = say(home, tmp_path / "clone", "-c")
    assert session != "mine" and NEW in said
    FileStore(home.sessions).delete(session)
    shutil.rmtree(top)
    assert say(home, tmp_path / "clone", "-c")[0] != "mine"


def test_a_worktree_takes_no_session(home, tmp_path):
    top = repository(tmp_path / "top")
    say(home, top, "-s", "mine")
    git(top, "worktree", "add", "-q", "../tree")
    assert NEW in say(home, tmp_path / "tree", "-c")[1]
    assert say(home, top, "-c")[0] == "mine"


def test_a_folder_that_was_deleted_and_made_again_is_the_same_to_a_person(home, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    say(home, folder, "-s", "mine")
    folder.rmdir()
    folder.mkdir()
    session, said = say(home, folder, "-c")
    assert session == "mine" and "was held in" not in said


def test_another_folder_that_got_the_deleted_ones_number_takes_nothing(home, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    say(home, folder, "-s", "mine")
    if "born" not in metadata(home, "mine")["project"]:  # the file system tells no birth: nothing to hold
        return
    folder.rmdir()
    (tmp_path / "other").mkdir()
    assert NEW in say(home, tmp_path / "other", "-c")[1]


def test_a_link_to_the_folder_is_the_folder(home, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    say(home, folder, "-s", "mine")
    assert say(home, tmp_path / "link", "-c")[0] == "mine"


def test_what_another_machine_wrote_is_never_taken_for_a_moved_folder(home, tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    say(home, first, "-s", "mine")
    writer = FileStore(home.sessions).open("mine")
    writer.edit(metadata={**writer.header.metadata, "machine": "another"})
    writer.close()
    first.rename(tmp_path / "second")
    assert NEW in say(home, tmp_path / "second", "-c")[1]


def test_headers_that_others_wrote_take_nobody_in(tmp_path, monkeypatch):
    store = FileStore(tmp_path / "sessions")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)  # a relative path is nowhere, wherever one stands
    paths = ["", ".", "/proc/self/cwd", "\0", f"{here}\0", "../here"]
    bad = [*({"folder": path} for path in paths), {"folder": 7},
           {"folder": "/nowhere", "project": "x", "machine": "m"}, {"project": identity(here)},
           {"folder": "/nowhere", "project": identity(here)},
           {"folder": "/nowhere", "project": identity(here), "machine": ["m"]}]  # fmt: skip
    for number, fields in enumerate(bad):
        from scratchy.core.stored import Header

        writer = store.open(f"s{number}", create=Header(f"s{number}", "2026-01-01", "2026-01-01", metadata=fields))
        writer.append([{"role": "user", "content": "x"}])
        writer.close()
    assert last_of(store.list(), here, lambda: "m") == (None, "")


# -- the program: sessions named from elsewhere


def test_a_session_named_from_another_folder_works_in_its_own_and_says_so(home, tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "only-there.txt").touch()
    (here / "only-here.txt").touch()
    say(home, there, "-s", "mine")
    _, said = say(home, here, "-s", "mine")
    assert f"Working in {there}, as this session did." in said and metadata(home, "mine")["folder"] == str(there)
    home.run("--provider", "demo", "-y", "-s", "mine", "-p", "list files")
    assert "only-there.txt" in str(home.load("mine")) and "only-here.txt" not in str(home.load("mine"))
    _, said = say(home, here, "--cwd", ".", "-s", "mine")
    assert f"Working in {here}. Before, this session worked in {there}." in said
    assert metadata(home, "mine")["folder"] == str(here)
    assert "Working in" not in say(home, here, "-s", "mine")[1]


def test_the_unnamed_session_works_where_the_program_is_started_and_says_so(home, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        home.work = tmp_path / name
        said = home.run("--provider", "demo", stdin="Hello\n/status\n").stdout
        assert f"Folder: {tmp_path / name}" in said
    assert f"Working in {tmp_path / 'b'}. Before, this session worked in {tmp_path / 'a'}." in said


def test_resume_inside_goes_to_the_sessions_folder_and_new_comes_back(home, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    say(home, tmp_path / "a", "-s", "one")
    home.work = tmp_path / "b"
    lines = "/resume one\n/status\n/new two\n/status\nHello\n"
    said = home.run("--provider", "demo", "-s", "start", stdin=lines).stdout
    assert said.count(f"Working in {tmp_path / 'a'}, as this session did.") == 1
    folders = [line.partition(": ")[2] for line in said.splitlines() if line.startswith("Folder: ")]
    assert folders == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert metadata(home, "two")["folder"] == str(tmp_path / "b")


def test_a_folder_that_is_gone_is_said_and_the_session_stays_its(home, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    say(home, tmp_path / "a", "-s", "one")
    (tmp_path / "a").rename(tmp_path / "moved")
    before = metadata(home, "one")
    _, said = say(home, tmp_path / "b", "-s", "one")
    assert f"Working in {tmp_path / 'b'}: the folder that this session worked in is gone, {tmp_path / 'a'}." in said
    now = metadata(home, "one")
    assert (now["folder"], now["project"]) == (before["folder"], before["project"])
    say(home, tmp_path / "moved", "-c")  # where the folder is now, it is that folder's session
    assert metadata(home, "one")["folder"] == str(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / "gone")
    say(home, tmp_path / "b", "-s", "one", "--cwd", str(tmp_path / "b"))
    assert metadata(home, "one")["folder"] == str(tmp_path / "b")


def test_the_other_folders_configuration_needs_the_same_trust(home, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    say(home, tmp_path / "a", "-s", "one")
    (tmp_path / "a" / ".scratchy").mkdir()
    (tmp_path / "a" / ".scratchy" / "config.toml").write_text('base_url = "http://evil.example/v1"\nmodel = "m"\n')
    _, said = say(home, tmp_path / "b", "-s", "one")
    assert "Not trusted, so not used: base_url" in said
    home.work = tmp_path / "b"
    said = home.run("--provider", "demo", "-s", "start", stdin="/resume one\n").stdout
    assert f"Not trusted, so not used: base_url in {tmp_path / 'a'}" in said
