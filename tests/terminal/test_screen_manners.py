"""The terminal is left as it was found, nothing moves at rest, no colour where none is wanted, narrow is enough."""

import os
import signal
import time
from pathlib import Path

from ptys import Terminal


def test_a_desk_that_cannot_be_made_ends_the_program_with_its_reason() -> None:
    with Terminal("broken=1") as terminal:
        assert terminal.exit_code() == 1
        assert "no desk today" in terminal.text()


def test_signals_end_it_with_the_turn_closed_and_the_terminal_as_it_was(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        log = tmp_path / str(number)
        with Terminal(f"log={log}") as terminal:
            terminal.ready()
            terminal.send("slow\r")
            terminal.wait_for("word3")
            os.kill(terminal.pid, number)
            assert terminal.exit_code() == 128 + number
            assert log.read_text() == "cancelled slow\nclosed\n"
            assert terminal.raw.rindex(b"\x1b[?2004l") > terminal.raw.rindex(b"\x1b[?2004h")
            assert terminal.raw.rindex(b"\x1b[?25h") > terminal.raw.rindex(b"\x1b[?25l")


def test_a_terminal_that_goes_away_ends_the_turn_and_the_program(tmp_path: Path) -> None:
    log = tmp_path / "log"
    terminal = Terminal(f"log={log}")
    terminal.ready()
    terminal.send("slow\r")
    terminal.wait_for("word3")
    terminal.hang_up()
    until = time.monotonic() + 10
    while not log.exists() or "closed" not in log.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert log.read_text() == "cancelled slow\nclosed\n"


def test_the_cursor_position_is_never_asked_for() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("markdown\r")
        terminal.wait_for("The end.")
        assert b"\x1b[6n" not in terminal.raw


def test_no_color_means_none() -> None:
    with Terminal(NO_COLOR="1") as terminal:
        terminal.ready()
        terminal.send("markdown\r")
        terminal.wait_for("The end.")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        codes = set(b";".join(part.partition(b"m")[0] for part in terminal.raw.split(b"\x1b[")[1:]).split(b";"))
        assert not codes & {str(code).encode() for code in (*range(30, 38), *range(40, 48), *range(90, 108))}


def test_narrow_and_wide_characters_fit() -> None:
    with Terminal(columns=40, rows=15) as terminal:
        terminal.ready()
        terminal.send("漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 👍👍 end\r")
        terminal.wait_for("👍👍 end")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        terminal.send("tool\r")
        terminal.wait_for("Done.")
        terminal.resize(20, 100)
        terminal.send("still here\r")
        terminal.wait_for("You said: still here")


def test_nothing_is_written_at_rest() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("hello\r")
        terminal.wait_for("You said: hello")
        terminal.read(0.5)
        before, cpu = len(terminal.raw), terminal.cpu_ticks()
        terminal.read(0.01)
        time.sleep(2)
        terminal.read(0.1)
        assert len(terminal.raw) == before
        assert terminal.cpu_ticks() - cpu <= 1
