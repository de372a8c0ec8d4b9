"""`session delete` and `session trash`: what goes into the trash, what comes back, what is gone, and what is not."""

import json
import os
import signal
from pathlib import Path

import pytest
from programs import Home

from scratchy import SessionManager


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    manager = SessionManager(home.sessions)
    for name in ("one", "two", "three"):
        manager.save_session(name, [{"role": "user", "content": name}])
    return home


def age(home: Home, name: str, stamp: str) -> None:
    """The session as if it had been active last then."""
    path = home.sessions / f"{name}_chat.toon"
    text = path.read_text()
    line = next(line for line in text.split("\n") if line.startswith("updated_at:"))
    path.write_text(text.replace(line, f'updated_at: "{stamp}"'))


def tag(home: Home, name: str, *tags: str) -> None:
    with SessionManager(home.sessions).opened(name) as writer:
        writer.edit(metadata={**writer.header.metadata, "tags": list(tags)})


def test_several_are_deleted_by_name_and_an_unknown_one_deletes_none(home: Home) -> None:
    done = home.run("session", "delete", "one", "nobody")
    assert done.returncode == 1 and "nobody" in done.stderr
    assert SessionManager(home.sessions).session_exists("one")
    done = home.run("session", "delete", "one", "two", "--json")
    assert json.loads(done.stdout) == {"deleted": ["one", "two"], "skipped": {}}
    assert [row["id"] for row in SessionManager(home.sessions).list_sessions()] == ["three"]


def test_a_bulk_delete_takes_what_is_old_and_tagged_and_says_so_first(home: Home) -> None:
    age(home, "one", "2020-01-01T00:00:00.000Z")
    age(home, "two", "2020-01-01T00:00:00.000Z")
    tag(home, "two", "x")
    tag(home, "three", "x")
    age(home, "two", "2020-01-01T00:00:00.000Z")
    done = home.run("session", "delete", "--older-than", "30d", "--dry-run")
    assert "'one'" in done.stdout and "'two'" in done.stdout and "'three'" not in done.stdout
    assert len(SessionManager(home.sessions).list_sessions()) == 3
    done = home.run("session", "delete", "--older-than", "30d", "--tag", "x", "--json")
    assert json.loads(done.stdout)["deleted"] == ["two"]
    done = home.run("session", "delete", "--tag", "nothing")
    assert done.returncode == 0 and "nothing was deleted" in done.stdout


@pytest.mark.parametrize("stamp", ["2999-01-01T00:00:00.000Z", "garbage"])
def test_what_has_no_readable_time_or_one_in_the_future_is_never_old(home: Home, stamp: str) -> None:
    age(home, "one", stamp)
    assert json.loads(home.run("session", "delete", "--older-than", "1m", "--json").stdout)["deleted"] == []


@pytest.mark.parametrize("arguments", [(), ("one", "--tag", "x"), ("--older-than", "soon"), ("--older-than", "-3d")])
def test_a_bulk_delete_needs_ids_or_a_filter_that_means_something(home: Home, arguments: tuple[str, ...]) -> None:
    done = home.run("session", "delete", *arguments)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(SessionManager(home.sessions).list_sessions()) == 3


def test_what_another_window_holds_is_skipped_and_the_exit_code_says_so(home: Home) -> None:
    tag(home, "one", "x")
    tag(home, "two", "x")
    with home.start("--provider", "demo", "--session", "one") as holder:
        assert holder.stdin is not None and holder.stdout is not None
        said = b""
        while b"You: " not in said:  # the prompt: the session is open
            said += os.read(holder.stdout.fileno(), 65536)
        done = home.run("session", "delete", "--tag", "x", "--json")
        told = json.loads(done.stdout)
        assert done.returncode == 75 and told["deleted"] == ["two"]
        assert list(told["skipped"]) == ["one"] and str(holder.pid) in told["skipped"]["one"]
        holder.send_signal(signal.SIGKILL)
    assert home.run("session", "delete", "--tag", "x").returncode == 0


def test_the_trash_is_listed_restored_from_and_emptied_only_after_a_yes(home: Home) -> None:
    home.run("session", "delete", "one", "two")
    rows = json.loads(home.run("session", "trash", "list", "--json").stdout)
    assert [(row["id"], row["reason"], row["message_count"]) for row in rows] == [
        ("two", "deleted", 1),
        ("one", "deleted", 1),
    ]
    assert home.run("session", "trash", "restore", rows[1]["name"]).returncode == 0
    assert "2 entries" not in home.run("session", "trash", "list").stdout
    done = home.run("session", "trash", "empty")
    assert done.returncode == 1 and "--yes" in done.stdout  # nobody there to ask
    assert len(json.loads(home.run("session", "trash", "list", "--json").stdout)) == 1
    done = home.run("session", "trash", "empty", "--yes", "--json")
    assert json.loads(done.stdout)["emptied"] == 1
    assert home.run("session", "trash", "list").stdout == "The trash is empty.\n"
    assert not list((home.sessions / ".trash").iterdir())


def test_emptying_by_age_leaves_what_is_new_and_what_comes_from_the_future(home: Home) -> None:
    home.run("session", "delete", "one", "two", "three")
    notes = sorted((home.sessions / ".trash").glob("*/note.json"))
    for note, when in zip(notes, ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"), strict=False):
        note.write_text(json.dumps({**json.loads(note.read_text()), "when": when}))
    done = home.run("session", "trash", "empty", "--older-than", "30d", "--yes", "--json")
    assert json.loads(done.stdout)["emptied"] == 1
    assert len(json.loads(home.run("session", "trash", "list", "--json").stdout)) == 2


def test_what_a_rewind_can_bring_back_stays_unless_branches_are_named(home: Home) -> None:
    with SessionManager(home.sessions).opened("one") as writer:
        writer.append([{"role": "assistant", "content": "yes"}])
        entry = writer.cut(1)
    home.run("session", "delete", "two")
    done = home.run("session", "trash", "empty", "--yes", "--json")
    assert json.loads(done.stdout)["kept"] == 1
    assert [row["name"] for row in json.loads(home.run("session", "trash", "list", "--json").stdout)] == [entry]
    assert json.loads(home.run("session", "trash", "empty", "--branches", "--yes", "--json").stdout)["emptied"] == 1


def test_an_empty_trash_and_unknown_entries_are_plain_words(home: Home) -> None:
    assert home.run("session", "trash", "empty").returncode == 0
    done = home.run("session", "trash", "restore", "nobody")
    assert done.returncode == 1 and "nobody" in done.stderr and "Traceback" not in done.stderr


def test_a_trash_that_is_a_link_is_told_and_nothing_goes_there(home: Home, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (home.sessions / ".trash").symlink_to(tmp_path / "theirs")
    done = home.run("session", "delete", "one")
    assert done.returncode == 1 and "Skipped: 'one', The trash is a link" in done.stdout and "Errno" not in done.stdout
    assert len(home.ids()) == 3 and not list((tmp_path / "theirs").iterdir())
