"""Vi's keys at the prompt (`edit_mode = "vi"`), on a real pseudo-terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from draftbench import Home, drafted, serving, standing
from ptys import Terminal

ESC = "\x1b"


MODES = ("NORMAL", "VISUAL", "REPLACE")


def stands(terminal: Terminal, line: str) -> None:
    """The prompt and what is typed, always in the same columns; the mode before it in `line` begins a row below."""

    def below() -> str:
        rows = terminal.screen.display[terminal.screen.cursor.y + 1 :]
        return next((row.split()[0] for row in rows if row.startswith(MODES)), "")

    first, _, rest = line.partition(" ")
    mode, typed = (first, rest) if first in MODES else ("", line)
    terminal.wait_for(lambda: terminal.line() == f"[default] {typed}" and below() == mode)


def test_modes_are_told_and_each_line_begins_as_text() -> None:
    with Terminal("keys=vi") as terminal:
        terminal.ready()
        terminal.send("hello wrld")
        stands(terminal, "You: hello wrld")
        terminal.send(ESC)
        stands(terminal, "NORMAL You: hello wrld")
        terminal.send("bli")
        stands(terminal, "You: hello wrld")
        terminal.send("o" + ESC)
        stands(terminal, "NORMAL You: hello world")
        terminal.send("vb")
        stands(terminal, "VISUAL You: hello world")
        terminal.send(ESC)
        stands(terminal, "NORMAL You: hello world")
        terminal.send("R")
        stands(terminal, "REPLACE You: hello world")
        terminal.send(ESC)
        stands(terminal, "NORMAL You: hello world")
        terminal.send("\r")
        terminal.wait_for("You said: hello world")
        stands(terminal, "You:")
        terminal.send("typed\r")
        terminal.wait_for("You said: typed")


def test_esc_interrupts_only_while_a_turn_runs() -> None:
    with Terminal("keys=vi") as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word9")
        terminal.send("next\rdraft")
        terminal.wait_for("queued: next")
        terminal.send(ESC)
        terminal.wait_for("Interrupted.")
        terminal.wait_for(lambda: terminal.prompt().split()[:2] == ["next", "draft"])
        terminal.send(ESC)
        terminal.wait_for(lambda: terminal.text().rstrip().endswith("You: next\ndraft\nNORMAL"))
        terminal.send("dk")
        stands(terminal, "NORMAL You:")


def test_esc_twice_on_an_empty_line_asks_for_a_rewind() -> None:
    with Terminal("keys=vi") as terminal:
        terminal.ready()
        terminal.send(ESC)
        stands(terminal, "NORMAL You:")
        terminal.send(ESC)
        terminal.wait_for("Unknown command /rewind")
        stands(terminal, "You:")


def test_history_search_and_newlines() -> None:
    with Terminal("keys=vi") as terminal:
        terminal.ready()
        terminal.send("needle in hay\r")
        terminal.wait_for("You said: needle in hay")
        terminal.send("other\r")
        terminal.wait_for("You said: other")
        terminal.send(ESC)
        stands(terminal, "NORMAL You:")
        terminal.send("kk")
        stands(terminal, "NORMAL You: needle in hay")
        terminal.send("jj\x12need\r")
        terminal.wait_for(lambda: terminal.line().endswith("You: needle in hay"))
        terminal.send("\x03a\nb")
        terminal.wait_for(lambda: terminal.prompt().split()[:2] == ["a", "b"])


def test_an_approval_is_answered_by_its_keys() -> None:
    with Terminal("keys=vi") as terminal:
        terminal.ready()
        terminal.send(ESC)
        stands(terminal, "NORMAL You:")
        terminal.send("iask rm -rf /\r")
        terminal.wait_for("Run it?")
        terminal.read(1.2)
        terminal.send("y")
        terminal.wait_for("allowed=True")
        terminal.send("ask rm\r")
        terminal.wait_for(lambda: terminal.text().count("Run it?") > 0)
        terminal.read(1.2)
        terminal.send(ESC)
        terminal.wait_for("allowed=False")


def test_an_exclamation_mark_is_a_shell_line_while_text_is_typed_only() -> None:
    with Terminal("keys=vi") as terminal:
        terminal.ready()
        terminal.send("!")
        stands(terminal, "shell !")
        terminal.send("ls" + ESC)
        stands(terminal, "NORMAL shell !ls")
        terminal.send("0Cx" + ESC)
        stands(terminal, "NORMAL You: x")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serving() as model:
        yield Home(tmp_path, model)


def test_the_setting_is_the_persons_and_lines_of_last_time_wait_for_normal_mode(home: Home) -> None:
    (home.folder / ".config" / "scratchy").mkdir(parents=True)
    (home.folder / ".config" / "scratchy" / "config.toml").write_text('edit_mode = "vi"\n')
    home.leave(drafted("", "queued"), "default", "Hello")
    with home.open() as terminal:
        terminal.wait_for("not sent: queued")
        standing(terminal)
        terminal.send(ESC)
        stands(terminal, "NORMAL You:")
        assert "not sent: queued" in terminal.text()
        terminal.send(ESC)
        terminal.wait_for(lambda: terminal.line().endswith("You: queued"))
        terminal.send("\x03/resume\r")
        terminal.wait_for("Filter:")
        terminal.send("x")
        terminal.wait_for("Filter: x")
        terminal.send(ESC)
        standing(terminal)
