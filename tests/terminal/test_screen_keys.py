"""The keys of the prompt that send, queue, interrupt and end, on a real pseudo-terminal."""

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


def test_a_mode_in_which_something_runs_unasked_stands_in_the_prompt() -> None:
    with Terminal("mode=yolo") as terminal:
        terminal.wait_for("[default] yolo You:")


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


def test_ctrl_c_clears_again_what_was_typed_since_the_first_one() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("one\x03")
        terminal.wait_for(lambda: terminal.line().endswith("You:"))
        terminal.send("two")
        terminal.wait_for("two")
        terminal.send("\x03")
        terminal.wait_for(lambda: terminal.line().endswith("You:"))
        terminal.send("three")
        terminal.wait_for("three")


def test_shift_tab_goes_through_the_modes_and_leaves_what_is_typed() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("draft\x1b[Z")
        terminal.wait_for("[default] accept-edits You: draft")
        terminal.wait_for("files in the folder are edited unasked")
        terminal.send("\x1b[Z")
        terminal.wait_for("[default] plan You: draft")
        terminal.send("\x1b[Z")
        terminal.wait_for(lambda: terminal.line() == "[default] You: draft")


def test_shift_tab_reaches_yolo_only_where_the_program_was_started_with_it() -> None:
    with Terminal("mode=yolo") as terminal:
        terminal.wait_for("Model: made up")
        for mode in ("ask", "accept-edits", "plan", "yolo"):
            terminal.send("\x1b[Z")
            terminal.wait_for(f"[default]{'' if mode == 'ask' else f' {mode}'} You:")
