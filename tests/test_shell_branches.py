"""`session fork` and `session tree`: plain words and `--json`, and what they refuse."""

import json
from pathlib import Path

import pytest
from programs import Home

from scratchy import SessionManager


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.save("main", *({"role": "user", "content": f"line {number}"} for number in range(6)))
    return home


def test_a_fork_is_a_session_of_its_own(home: Home) -> None:
    done = home.run("session", "fork", "main", "--new-id", "idea", "--at", "4")
    assert (done.returncode, done.stdout) == (0, "Forked session: 'idea' from 'main' at message 4\n")
    done = home.run("session", "fork", "idea", "--json", "--sessions-dir", str(home.sessions))
    row = json.loads(done.stdout)
    assert row == {"id": "idea-2", "parent": {"id": "idea", "at": 4}, "message_count": 4}
    assert [len(home.load(name) or []) for name in ("main", "idea", "idea-2")] == [6, 4, 4]


def test_a_session_that_is_held_is_forked_all_the_same(home: Home) -> None:
    with SessionManager(home.sessions).opened("main"):
        assert home.run("session", "fork", "main", "--new-id", "idea").returncode == 0
    assert home.ids() == ["idea", "main"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nobody",), 1, "nobody"),
        (("main", "--new-id", "main"), 1, "exists already"),
        (("main", "--at", "7"), 2, "6 messages"),
        (("main", "--at", "x"), 2, "--at"),
        (("main", "--new-id", ""), 2, "id"),
    ],
)
def test_what_cannot_be_forked_makes_nothing(home: Home, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = home.run("session", "fork", *arguments)
    assert (done.returncode, home.ids()) == (code, ["main"]) and said in done.stderr, done


def test_the_tree(home: Home) -> None:
    home.save("other", {"role": "user", "content": "x"})
    home.run("session", "fork", "main", "--new-id", "idea", "--at", "4")
    home.run("session", "fork", "idea", "--new-id", "deeper")
    with SessionManager(home.sessions).opened("idea") as writer:
        entry = writer.cut(2)
    done = home.run("session", "tree", "deeper")
    assert done.stdout.split("\n") == [
        "- main  6 messages",
        "  - idea  at 4, 2 messages",
        "    - rewound at 2, 4 messages",
        f"      scratchy session trash restore {entry}",
        "    * deeper  at 4, 4 messages",
        "",
    ]
    assert home.run("session", "tree").stdout.count("- other  1 message") == 1
    rows = json.loads(home.run("session", "tree", "--json").stdout)
    assert {row["id"] for row in rows} == {"main", "other", "idea", "deeper"} and len(rows) == 5
    assert next(row for row in rows if row["state"] == "rewound") == {
        "id": "idea", "parent": "idea", "at": 2, "message_count": 4, "title": None, "state": "rewound", "entry": entry,
    }  # fmt: skip
    assert [row["parent"] for row in rows if row["id"] == "deeper"] == ["idea"]
    refused = home.run("session", "tree", "nobody")
    assert refused.returncode == 1 and "nobody" in refused.stderr


def test_no_sessions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.run("session", "tree").stdout.startswith("No sessions")
    assert json.loads(home.run("session", "tree", "--json").stdout) == []
