"""What helps with typing, on a real pseudo-terminal: completion, history, pastes, the editor."""

import json
import stat
from pathlib import Path

from ptys import Terminal


def test_tab_completes_and_does_not_run() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("/st\t")
        terminal.wait_for("You: /status")
        terminal.read(0.3)
        assert "busy=" not in terminal.text()
        terminal.send("\r")
        terminal.wait_for("busy=False")
        terminal.send("/resume be\t")
        terminal.wait_for("You: /resume beta one")
        terminal.send("\x15/model la\t")
        terminal.wait_for("You: /model large")


def test_up_moves_in_the_text_first_and_then_to_the_history() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("older\r")
        terminal.wait_for("You said: older")
        terminal.send("a\nb\x1b[A")
        terminal.wait_for(lambda: terminal.line().endswith("You: a"))
        terminal.send("\x1b[A")
        terminal.wait_for(lambda: terminal.line().endswith("You: older"))


def test_ctrl_r_searches_the_history() -> None:
    with Terminal() as terminal:
        terminal.ready()
        for word in ("needle in hay", "something else"):
            terminal.send(f"{word}\r")
            terminal.wait_for(f"You said: {word}")
        terminal.send("\x12need")
        terminal.wait_for(lambda: "You: needle in hay" in terminal.text().rpartition("something else")[2])
        terminal.send("\r")
        terminal.read(0.3)
        terminal.send("!\r")
        terminal.wait_for(lambda: terminal.text().count("needle in hay") > 3)
        terminal.send("\x12zzqq")
        terminal.wait_for("nothing found, I-search backward: zzqq")
        terminal.send("\x7f\x7f\x7f\x7fsome")
        terminal.wait_for("You: something else")
        terminal.wait_for(lambda: "nothing found" not in terminal.text())


def test_a_long_paste_collapses_is_sent_whole_and_stands_folded_in_the_transcript() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.paste("\r".join(f"line {number}" for number in range(1, 121)))
        terminal.wait_for("[Pasted #1, 120 lines]")
        terminal.send(" and more")
        terminal.paste("short\nlines")
        terminal.wait_for("lines")
        terminal.send("\r")
        terminal.wait_for("line 120 and moreshort lines")
        assert "You said: line 1 line 2 line 3" in terminal.text()
        assert "You: [Pasted #1, 120 lines] and moreshort\nlines\n[default] 🤖 Assistant:" in terminal.text()


def test_history_is_kept_private_shared_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "history"
    with Terminal(f"history={path}") as terminal:
        terminal.ready()
        terminal.send("first\nsecond\r")
        terminal.wait_for("You said: first second")
        with Terminal(f"history={path}") as other:
            other.ready()
            other.send("\x1b[A")
            other.wait_for(lambda: other.prompt().split() == ["first", "second"])
            other.send("\x15\x08\x15")
            other.send("from the other\r")
            other.wait_for("You said: from the other")
        terminal.send("\r")
        terminal.send("x\r")
        terminal.wait_for("You said: x")
        terminal.send("\x1b[A\x1b[A")
        terminal.wait_for("You: from the other")
    (own,) = (tmp_path / "history.d").iterdir()
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert json.loads(own.read_text().splitlines()[0]) == "first\nsecond"


def test_history_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    with Terminal(f"history={tmp_path}") as terminal:
        terminal.ready()
        terminal.send("hello\r")
        terminal.wait_for("You said: hello")
        terminal.send("\x1b[A")
        terminal.wait_for(lambda: terminal.line().endswith("You: hello"))


def test_the_editor_gets_the_input_and_gives_it_back(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho edited >> "$1"\n')
    editor.chmod(0o755)
    for key in ("\x07", "\x18\x05"):
        with Terminal(EDITOR=str(editor)) as terminal:
            terminal.ready()
            terminal.send("text " + key)
            terminal.wait_for(lambda: terminal.prompt() == "text edited")


def test_an_editor_that_is_not_there_is_said() -> None:
    with Terminal(EDITOR="/nowhere/editor") as terminal:
        terminal.ready()
        terminal.send("text\x07")
        terminal.wait_for("could not be started")
        terminal.wait_for("You: text")


def test_a_turn_goes_on_while_the_editor_is_open(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsleep 1.5; echo edited >> "$1"\n')
    editor.chmod(0o755)
    with Terminal(EDITOR=str(editor)) as terminal:
        terminal.ready()
        terminal.send("tool\r")
        terminal.wait_for("working")
        terminal.send("text \x07")
        terminal.wait_for("Done.")
        terminal.wait_for(lambda: terminal.prompt() == "text edited")
        assert terminal.text().count("✓ read_file") == 1
