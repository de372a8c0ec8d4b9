"""`scratchy session list` in a shell: its filters, its JSON, what cannot be read, an end that nobody reads."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from programs import Home

from scratchy import SessionManager
from scratchy.core.stored import Header

STAMP = "2026-11-21T10:00:%02d.000Z"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    add(made, "agent:main:cli:local", 1, said="a zebra crosses")
    add(made, "alpha", 2, title="The parser", tags=["work"], folder=str(made.work), model="m", provider="p")
    add(made, "beta", 3, tags=["work", "later"], parent={"id": "alpha", "at": 2}, folder="/elsewhere")
    yield made


def add(home: Home, session_id: str, second: int, title: str | None = None, said: str = "x", **metadata: Any) -> None:
    header = Header(session_id, STAMP % second, STAMP % second, title, metadata)
    with closing(SessionManager(home.sessions).store.open(session_id, create=header)) as writer:
        writer.append([{"role": "user", "content": said}])


def listed(home: Home, *flags: str) -> list[dict[str, Any]]:
    done = home.run("session", "list", "--json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ids(home: Home, *flags: str) -> list[str]:
    return [row["id"] for row in listed(home, *flags)]


def test_every_filter_and_all_of_them_together(home: Home) -> None:
    everything = ["beta", "alpha", "agent:main:cli:local"]
    assert ids(home) == ids(home, "--all") == everything
    assert ids(home, "--here") == ["alpha"]
    assert ids(home, "--tag", "work") == ["beta", "alpha"] and ids(home, "--tag", "nothing") == []
    assert ids(home, "--channel", "cli") == ["agent:main:cli:local"] and ids(home, "--channel", "x") == []
    assert ids(home, "--limit", "2") == everything[:2]
    assert ids(home, "--search", "PARS the") == ["alpha"] and ids(home, "--search", "elsewhere") == ["beta"]
    assert ids(home, "--here", "--tag", "work", "--search", "alpha", "--limit", "1") == ["alpha"]
    assert home.run("session", "list", "--limit", "0").returncode == 2


def test_a_session_without_a_title_shows_its_first_words(home: Home) -> None:
    add(home, "silent", 4, said=" ")
    lines = {line.split("  ")[0]: line for line in home.run("session", "list").stdout.splitlines()}
    assert lines["agent:main:cli:local"].endswith("  a zebra crosses")
    assert "  The parser  " in lines["alpha"] and lines["silent"].count("  ") == 2


def test_search_reaches_what_was_said_and_shows_the_passage(home: Home) -> None:
    (row,) = listed(home, "--search", "zebra")
    assert row["id"] == "agent:main:cli:local" and "zebra crosses" in row["passage"]
    assert "zebra crosses" in home.run("session", "list", "--search", "zebra").stdout
    assert home.run("session", "list", "--search", "giraffe").stdout == "No session fits.\n"


def test_rows_tell_what_scripts_need(home: Home) -> None:
    beta, alpha, agent = listed(home)
    assert beta["parent"] == {"id": "alpha", "at": 2} and beta["tags"] == ["work", "later"]
    assert (alpha["title"], alpha["folder"], alpha["model"], alpha["provider"]) == (
        "The parser", str(home.work), "m", "p",
    )  # fmt: skip
    assert agent["channel"] == "cli" and agent["title"] is None and agent["tags"] == []
    (home.sessions / "bad_chat.toon").write_text("nonsense: [")
    bad = next(row for row in listed(home) if row["id"] == "bad")
    assert bad["error"] and "title" not in bad
    lines = home.run("session", "list").stdout.split("\n")
    assert any(line.endswith("The parser  #work") for line in lines) and "bad  cannot be read: " in "\n".join(lines)


def test_hostile_titles_are_harmless_on_a_line_and_whole_in_json(home: Home) -> None:
    title = "\x1b]0;owned\x07 \u202egnp\nnext \x9b31m"
    add(home, "evil", 9, title=title, tags=["\x1b[1m"], folder=title)
    said = home.run("session", "list").stdout
    assert not set(said) & set("\x1b\x07\u202e\x9b") and "gnp next" in said
    assert listed(home)[0]["title"] == title


def test_resuming_an_unknown_id_names_near_ones(home: Home) -> None:
    done = home.run("-r", "alp", "--provider", "demo")
    assert done.returncode == 1
    assert "Session 'alp' not found. One begins so: 'alpha' (The parser); `scratchy --resume=alpha`" in done.stderr
    assert "Did you mean 'beta'?" in home.run("-r", "betta", "-p", "Hi", "--provider", "demo").stderr


def test_whoever_stops_reading_ends_it_quietly(home: Home) -> None:
    for number in range(400):
        path = home.sessions / f"s{number:03}_chat.toon"
        path.write_bytes((home.sessions / "alpha_chat.toon").read_bytes().replace(b"alpha", b"s%03d" % number, 1))
    for flags in ((), ("--json",)):
        with home.start("session", "list", *flags, stderr=subprocess.PIPE) as child:
            assert child.stdout and child.stderr and child.stdout.readline()
            child.stdout.close()
            assert child.stderr.read() == b"" and child.wait(30) == 0
