"""The real program: the agent edits files, /rewind offers them back, the diff is on the screen, a choice restores."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from draftbench import soon
from ptys import PATIENCE, ROOT, Terminal
from sessionbench import calling

from scratchy.store.files import FileStore

PAUSE = 1.1  # seconds after which a key is an answer
ANSWERS = [
    calling("edit_file", {"file_path": "poem.txt", "old_text": "roses", "new_text": "thorns"}, "c1"),
    calling("create_file", {"file_path": "new.txt", "content": "made\n"}, "c2"),
    "All done.",
    "Said again.",
]


class Work:
    """A folder with a file in it, and the program there with a script of answers that changes files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.poem, self.new = folder / "poem.txt", folder / "new.txt"
        self.poem.write_text("roses are red\n")
        self.poem.chmod(0o640)
        (folder / "answers.json").write_text(json.dumps(ANSWERS))

    def open(self, *flags: str, **environment: str) -> Terminal:
        where = ["--sessions-dir", str(self.folder / "sessions"), "--cwd", str(self.folder)]
        model = ["--provider", "scripted", "-m", str(self.folder / "answers.json")]
        return Terminal(
            *where, *model, *flags, program=ROOT / "run_agent.py", columns=100, rows=40, HOME=str(self.folder),
            SCRATCHY_TITLES="off", OLLAMA_HOST="http://127.0.0.1:1", **environment,
        )  # fmt: skip

    def messages(self) -> list[Any]:
        store = FileStore(self.folder / "sessions")
        return store.load("default")[1] if store.exists("default") else []

    @property
    def changed(self) -> bool:
        return self.poem.read_text() == "thorns are red\n" and self.new.exists()

    @property
    def restored(self) -> bool:
        as_then = self.poem.read_text() == "roses are red\n" and self.poem.stat().st_mode & 0o777 == 0o640
        return as_then and not self.new.exists()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def standing(terminal: Terminal) -> None:
    terminal.wait_for(lambda: re.fullmatch(r"\[default\] (yolo )?You:", terminal.line()) is not None)


def command(terminal: Terminal, line: str, wanted: str) -> None:
    """Type it until the screen shows `wanted` once more: in mid-turn, which ends a little after its last message is
    stored, a command is refused."""

    def refused() -> int:
        return terminal.text().count("was not run")

    standing(terminal)
    shown, count = terminal.text().count(wanted), refused()
    terminal.send(f"{line}\r")
    terminal.wait_for(lambda: terminal.text().count(wanted) > shown or refused() > count)
    if refused() > count:
        command(terminal, line, wanted)


def talked(work: Work, terminal: Terminal) -> None:
    """A turn that changed both files, stored, and the prompt is there again."""
    standing(terminal)
    terminal.send("write\r")
    soon(lambda: any(message.get("content") == "All done." for message in work.messages()), terminal)
    standing(terminal)
    assert work.changed


def rewound(work: Work, terminal: Terminal) -> None:
    command(terminal, "/rewind 1", "Restore 2 files")
    assert [message["role"] for message in work.messages()] == ["system"]


def answer(terminal: Terminal, key: str) -> None:
    time.sleep(PAUSE)
    terminal.send(key)


@pytest.mark.timeout(4 * PATIENCE)
def test_a_rewind_shows_the_diffs_and_a_choice_restores_the_files(work: Work) -> None:
    with work.open("--yolo") as terminal:
        talked(work, terminal)
        rewound(work, terminal)
        shown = terminal.text()
        assert "-thorns are red" in shown and "+roses are red" in shown and "+++ /dev/null" in shown
        assert "n Leave the files as they are" in shown and work.changed, "nothing is restored before the choice"
        answer(terminal, "y")
        terminal.wait_for("Restored 2 files.")
        standing(terminal)
        assert work.restored
        command(terminal, "/redo", "Restore 2 files")
        assert "This would do it again" in terminal.text()
        answer(terminal, "\r")
        soon(lambda: work.changed, terminal)


@pytest.mark.timeout(4 * PATIENCE)
@pytest.mark.parametrize("keys", ["\x1b", "n"])
def test_leaving_the_question_leaves_the_files(work: Work, keys: str) -> None:
    with work.open("--yolo") as terminal:
        talked(work, terminal)
        rewound(work, terminal)
        answer(terminal, keys)
        terminal.wait_for(lambda: "Leave the files" not in terminal.text())
        assert work.changed
        command(terminal, "/rewind files", "Restore 2 files")  # asks once more
        assert terminal.text().count("+roses are red") == 2
        answer(terminal, "\r")
        soon(lambda: work.restored, terminal)


@pytest.mark.timeout(4 * PATIENCE)
def test_what_was_typed_ahead_never_answers(work: Work) -> None:
    with work.open("--yolo") as terminal:
        talked(work, terminal)
        command(terminal, "/title Poems", "Title: Poems")  # runs when the turn is quite over
        standing(terminal)
        terminal.send("/rewind 1\ry\ro")
        while "Restore 2 files" not in terminal.text():
            terminal.read(0.2)
            terminal.send("o")
        terminal.send("yn")
        terminal.wait_for("typing goes to the draft")
        terminal.wait_for("queued: y")
        terminal.wait_for(lambda: re.fullmatch(r"\[default\] yolo You: o+yn", terminal.line()) is not None)
        terminal.wait_for(lambda: "typing goes to the draft" not in terminal.text())
        terminal.send("\r")  # sends what is typed: it answers on an empty line only
        terminal.wait_for("queued: o")
        assert "Restore 2 files" in terminal.text() and work.changed
        answer(terminal, "\r")
        soon(lambda: work.restored, terminal)


@pytest.mark.timeout(4 * PATIENCE)
def test_a_person_changed_one_meanwhile(work: Work) -> None:
    with work.open("--yolo") as terminal:
        talked(work, terminal)
        work.poem.write_text("my own words\n")
        command(terminal, "/rewind 1", "Restore 1 file")
        assert "somebody else changed it since" in " ".join(terminal.text().split())
        answer(terminal, "y")
        terminal.wait_for("Restored 1 file.")
        assert work.poem.read_text() == "my own words\n" and not work.new.exists()


@pytest.mark.timeout(4 * PATIENCE)
def test_plain_mode_prints_the_line_that_restores(work: Work) -> None:
    with work.open("--yolo", "--plain") as terminal:
        talked(work, terminal)
        command(terminal, "/rewind 1", "Restore 2 files")
        standing(terminal)
        assert "+roses are red" in terminal.text() and "Leave the files" not in terminal.text() and work.changed
        line = re.search(r"\(`(/rewind\s+files\s+\S+)`\)", terminal.text())
        assert line is not None, terminal.text()
        command(terminal, line[1], "Restored 2 files.")
        assert work.restored


@pytest.mark.timeout(4 * PATIENCE)
def test_the_question_before_a_call_says_what_cannot_be_undone(work: Work) -> None:
    (work.folder / "big").touch()
    with (work.folder / "big").open("wb") as file:
        file.truncate(51_000_000)
    (work.folder / "answers.json").write_text(json.dumps([calling("delete_file", {"file_path": "big"}), "Well."]))
    with work.open() as terminal:
        standing(terminal)
        terminal.send("delete it\r")
        terminal.wait_for("Run it?")
        assert "cannot be undone by /rewind: more than 50 MB" in " ".join(terminal.text().replace("│", " ").split())
