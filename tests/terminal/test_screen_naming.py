"""Titles and tags at the keyboard, on the screen and in the plain face; a title that the model gives beside it."""

import os
from pathlib import Path

import pytest
from model_server import hello, stream
from programs import posts, serving
from ptys import ROOT, Terminal

from scratchy.core.stored import Header
from scratchy.store.files import FileStore

PROMPT = "[default] You:"


def window(folder: Path, *flags: str, columns: int = 100, **environment: str) -> Terminal:
    return Terminal(
        *("--sessions-dir", str(folder / "sessions"), "--cwd", str(folder), *flags),
        program=ROOT / "run_agent.py", columns=columns, rows=40,
        **{"HOME": str(folder), "PATH": os.environ["PATH"], "OLLAMA_HOST": "http://127.0.0.1:1", **environment},
    )  # fmt: skip


def header(folder: Path) -> Header:
    return FileStore(folder / "sessions").header("default")[0]


def stored(folder: Path) -> int:
    return FileStore(folder / "sessions").header("default")[1]


def ready(terminal: Terminal) -> None:
    terminal.wait_for("Model: ")
    terminal.wait_for(lambda: terminal.line() == PROMPT)


def type_(terminal: Terminal, line: str, answer: str) -> None:
    """Again where it is refused: a turn ends a little after its last message is stored."""

    def refusals() -> int:
        return terminal.text().count("was not run")

    while answer not in terminal.text():
        before = refusals()
        terminal.send(f"{line}\r")
        terminal.wait_for(lambda before=before: answer in terminal.text() or refusals() > before)
    terminal.wait_for(lambda: terminal.line() == PROMPT)


@pytest.mark.parametrize("face", [[], ["--plain"]], ids=["screen", "plain"])
def test_title_and_tag_at_the_keyboard(tmp_path, face):
    with window(tmp_path, "--provider", "demo", *face) as terminal:
        ready(terminal)
        type_(terminal, "/title", "No title yet.")
        type_(terminal, "hello", "Demo: these are canned answers")
        terminal.wait_for(lambda: stored(tmp_path) == 3)
        assert header(tmp_path).title == "hello"
        type_(terminal, "/title A talk about parsers", "Title: A talk about parsers")
        type_(terminal, "/tag +work +private", "Tags: work, private")
        terminal.wait_for("no model is told of this session")
        type_(terminal, "/tag -work", "Tags: private\n")
        type_(terminal, "/status", "Title: A talk about parsers")
        terminal.send("/exit\r")
        assert terminal.exit_code() == 0
    assert header(tmp_path).title == "A talk about parsers" and header(tmp_path).metadata["tags"] == ["private"]


def test_forty_columns_fold_a_long_title(tmp_path):
    with window(tmp_path, "--provider", "demo", columns=40) as terminal:
        ready(terminal)
        type_(terminal, "/title " + "word " * 12, "Title: word word word word")
        assert all(len(line) <= 40 for line in terminal.text().splitlines())


@pytest.mark.parametrize("face", [[], ["--plain"]], ids=["screen", "plain"])
def test_the_model_gives_a_title_beside_the_prompt(tmp_path, face):
    with serving(stream(*hello("Ready.")), stream(*hello("Talk of parsers")), stream(*hello("More."))) as server:
        flags = ["--base-url", server.url, "-m", "tiny", *face]
        with window(tmp_path, *flags, SCRATCHY_TITLES="model") as terminal:
            ready(terminal)
            type_(terminal, "Tell me of parsers", "Ready.")
            terminal.wait_for(lambda: header(tmp_path).title == "Talk of parsers")
            type_(terminal, "/title", "Title: Talk of parsers")
            type_(terminal, "And more", "More.")
            terminal.wait_for(lambda: stored(tmp_path) == 5)
            assert "Talk of parsers" not in terminal.text().replace("Title: Talk of parsers", "")
            terminal.send("/exit\r")
            assert terminal.exit_code() == 0
        asked = posts(server)
    assert len(asked) == 3 and "tools" not in asked[1].json
    assert [message["role"] for message in asked[2].json["messages"]] == ["system", "user", "assistant", "user"]


def test_a_fork_at_the_keyboard_while_the_original_is_open(tmp_path):
    with window(tmp_path, "--provider", "demo") as first:
        ready(first)
        type_(first, "hello", "Demo: these are canned answers")
        first.wait_for(lambda: stored(tmp_path) == 3)
        with window(tmp_path, "--provider", "demo", "--fork") as second:
            second.wait_for("Forked session: 'default-2' (3 messages) from 'default'")
            second.wait_for(lambda: second.line() == "[default-2] You:")
        first.send("/exit\r")
        assert first.exit_code() == 0
