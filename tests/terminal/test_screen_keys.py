"""The keys of the prompt, on a real pseudo-terminal."""

import json
import stat
import time
from pathlib import Path

from ptys import Terminal


def test_the_prompt_stands_and_echoes_before_anything_else_is_ready() -> None:
    with Terminal("delay=2") as terminal:
        terminal.wait_for("[default] You:")
        terminal.send("early")
        terminal.wait_for("[default] You: early")
        assert "made up" not in terminal.text()
        terminal.send("\r")
        terminal.wait_for("queued: early")
        terminal.wait_for("You said: early")


def test_marks_stand_in_the_prompt() -> None:
    with Terminal("marks=yolo") as terminal:
        terminal.wait_for("[default] yolo You:")
        assert b"[default] yolo You: " in terminal.raw


def test_ctrl_j_alt_enter_and_backslash_enter_make_lines() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("a\nb\x1b\rc\\\rd\r")
        terminal.wait_for("You said: a b c d")


def test_ctrl_d_on_an_empty_line_quits_and_names_the_way_back() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ab\x01\x04")
        terminal.wait_for(lambda: terminal.prompt() == "b")
        terminal.send("\x0b\x08\x04")
        assert terminal.exit_code() == 0
        assert "python run_agent.py --session default" in terminal.text()


def test_ctrl_c_clears_the_line_and_twice_quits() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("draft")
        terminal.wait_for("You: draft")
        terminal.send("\x03")
        terminal.wait_for("Press Ctrl-C again to quit.")
        assert terminal.prompt() == ""
        terminal.send("\x03")
        assert terminal.exit_code() == 0


def test_ctrl_c_twice_with_time_between_does_not_quit() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("\x03")
        terminal.wait_for("Press Ctrl-C again to quit.")
        terminal.wait_for(lambda: "Press Ctrl-C" not in terminal.text())
        terminal.send("\x03")
        terminal.wait_for("Press Ctrl-C again to quit.")
        terminal.send("alive\r")
        terminal.wait_for("You said: alive")


def test_escape_interrupts_and_brings_the_queue_back() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word15")
        terminal.send("second\r")
        terminal.wait_for("queued: second")
        terminal.send("third\rdraft")
        terminal.wait_for("queued: third")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")
        terminal.wait_for(lambda: terminal.prompt().split() == ["second", "third", "draft"])
        assert "queued" not in terminal.text()
        assert "You said" not in terminal.text()


def test_queued_lines_are_sent_in_order() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("tool\r")
        terminal.wait_for("working")
        terminal.send("one\rtwo\r")
        terminal.wait_for("You said: two")
        text = terminal.text()
        assert text.index("Done.") < text.index("You said: one") < text.index("You said: two")


def test_in_a_turn_ctrl_d_only_says_so_and_ctrl_c_twice_quits_once_the_turn_is_closed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Terminal(f"log={log}") as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word3")
        terminal.send("\x04")
        terminal.wait_for("Esc interrupts it")
        terminal.send("\x03\x03")
        assert terminal.exit_code() == 0
        assert log.read_text() == "cancelled slow\nclosed\n"
        assert "Interrupted." in terminal.text()


def test_commands_run_in_mid_turn_and_exit_ends_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Terminal(f"log={log}") as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word3")
        terminal.send("/status\r")
        terminal.wait_for("busy=True")
        terminal.send("/exit\r")
        assert terminal.exit_code() == 0
        assert log.read_text() == "cancelled slow\nclosed\n"


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


def test_a_long_paste_collapses_and_is_sent_whole() -> None:
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
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text().splitlines()[0]) == "first\nsecond"


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


def test_escape_comes_through_at_once() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word9")
        times = []
        start = time.monotonic()
        terminal.send("\x1b")
        while b"Interrupted" not in terminal.raw:
            terminal.read(0.005)
            assert time.monotonic() - start < 10
        times.append(time.monotonic() - start)
        terminal.send("\x1bb")  # Alt-B is still a key of its own
        terminal.send("ok\r")
        terminal.wait_for("You said: ok")
