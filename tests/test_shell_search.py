"""`scratchy session search` and `session show --around` as a shell runs them; plain mode's `/search`."""

import json
import os

import pytest
from programs import Home

from scratchy import SessionManager, compose
from scratchy.core.stored import Header
from scratchy.shell.listing import Wanted, list_sessions
from scratchy.shell.search import search_sessions

START = "2026-11-20T09:00:29.483Z"


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    writer = SessionManager(made.sessions).store.open(
        "work", create=Header("work", START, START, "My parser", {"folder": "/p"})
    )
    said = [{"role": "system", "content": "Be brief."}]
    said += [{"role": ("user", "assistant")[at % 2], "content": f"message {at}", "ts": START} for at in range(12)]
    writer.append([*said, {"role": "user", "content": "the needle\x1b[31m is red", "ts": START}])
    writer.close()
    return made


def test_as_json(home):
    done = home.run("session", "search", "needle", "--json")
    assert done.returncode == 0 and done.stderr == ""
    (row,) = json.loads(done.stdout)
    assert row.pop("last_activity") > START
    assert row == {
        "id": "work", "title": "My parser", "number": 13, "role": "user", "ts": START, "folder": "/p", "pending": 0,
        "passage": "the needle\x1b[31m is red", "matches": [[4, 10]],
    }  # fmt: skip
    assert "\x1b" not in done.stdout
    assert json.loads(home.run("session", "search", "absent", "--json").stdout) == []


def test_for_people_and_on_to_the_message(home):
    done = home.run("session", "search", "the", "needle")
    assert done.returncode == 0 and "\x1b" not in done.stdout
    assert "work  message 13, user  2026-11-20 09:00  My parser\n    the needle is red\n" in done.stdout
    shown = home.run("session", "show", "work", "--around", "13").stdout
    assert "→ #13 You: the needle is red" in shown and "#7 " in shown and "#6 " not in shown and "\x1b" not in shown
    rows = json.loads(home.run("session", "show", "work", "--around", "2", "--json").stdout)
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4, 5] and rows[2]["content"] == "message 1"


def test_what_is_not_there(home):
    done = home.run("session", "search", "absent")
    assert (done.returncode, done.stdout) == (0, "Nothing found.\n")
    done = home.run("session", "search", "!!!")
    assert done.returncode == 0 and "nothing to search for" in done.stderr
    done = home.run("session", "show", "work", "--around", "14")
    assert done.returncode == 1 and "'work' has no message 14; it has 14." in done.stderr
    assert home.run("session", "show", "nobody", "--around", "1").returncode == 1
    assert home.run("session", "search").returncode == 2


def test_limits_folders_and_no_session_at_all(home, tmp_path):
    assert len(json.loads(home.run("session", "search", "message", "--json", "--limit", "3").stdout)) == 3
    assert len(json.loads(home.run("session", "search", "message", "--json").stdout)) == 12
    empty = str(tmp_path / "nowhere")
    done = home.run("session", "search", "message", "--sessions-dir", empty)
    assert (done.returncode, done.stdout) == (0, "Nothing found.\n") and not os.path.exists(empty)


def test_it_sees_what_another_process_holds_and_takes_no_lock(home):
    manager = SessionManager(home.sessions)
    with manager.opened("work") as writer:
        writer.append([{"role": "user", "content": "just now"}])
        assert [row["number"] for row in json.loads(home.run("session", "search", "just", "--json").stdout)] == [14]


def test_an_emptied_trash_leaves_no_word_in_the_folder(home):
    assert json.loads(home.run("session", "search", "needle", "--json").stdout)
    home.run("session", "delete", "work")
    assert json.loads(home.run("session", "search", "needle", "--json").stdout) == []
    assert home.run("session", "trash", "empty", "--yes").returncode == 0
    left = b"".join(path.read_bytes() for path in home.sessions.rglob("*") if path.is_file())
    assert b"needle" not in left


def test_plain_prints_the_rows_and_the_line_to_type(home):
    done = home.run("--provider", "demo", stdin="/search needle\n/search @13 work\n")
    assert "1 passage with: needle" in done.stdout and "(`/search @13 work`)" in done.stdout
    assert "→ #13 You: the needle is red" in done.stdout and "`/resume work` goes on" in done.stdout


def test_what_was_not_searched_is_said_and_then_searched(home, capsys):
    for number in range(12):
        writer = SessionManager(home.sessions).store.open(f"s{number}", create=Header(f"s{number}", START, START))
        writer.append([{"role": "user", "content": f"own{number} " + "word " * 2000}])
        writer.close()
    wanted = Wanted(search="own6")
    assert search_sessions(home.sessions, "own6", 20, False, 0.0) == 0
    out, err = capsys.readouterr()
    assert out == "" and "not reached within 0 seconds" in err and "not searched" in err and "in a moment" not in err
    assert list_sessions(home.sessions, home.work, wanted, False, 0.0) == 0
    out, err = capsys.readouterr()
    assert out == "No session fits, of those that were looked into.\n" and "not reached" in err
    compose.forget_index(SessionManager(home.sessions).store)
    assert search_sessions(home.sessions, "own6", 20, True, 0.0) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == [] and "not reached" in err
    assert list_sessions(home.sessions, home.work, wanted, True) == 0
    out, err = capsys.readouterr()
    assert [row["id"] for row in json.loads(out)] == ["s6"] and err == ""
