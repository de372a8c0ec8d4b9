"""No control sequence of a model, a tool or a file reaches the terminal, on whatever path it comes."""

import re
import time

from ptys import Terminal

# All that the program itself may write: colours, cursor movement, erasing, modes of the terminal, its one question.
_OURS = re.compile(
    rb"\x1b\[[0-9;]*m|\x1b\[\d*[ABCDJK]|\x1b\[\?(?:1|7|12|25|1004|2004)[hl]|\x1b\[0 q|\r\n|\r|\x1b\[\d*;?\d*H"
    rb"|\x1b\]11;\?\x1b\\\x1b\[>q\x1b\[c"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


def only_ours(raw: bytes) -> bool:
    rest = _OURS.sub(b"", raw)
    found = _CONTROL.search(rest)
    assert not found, rest[max(0, found.start() - 80) : found.end() + 80]
    return True


def test_a_turn_full_of_sequences() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("evil\r")
        terminal.wait_for("Run it?")
        time.sleep(0.4)
        terminal.send("y")
        terminal.wait_for("error")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        terminal.send("\x0f")
        terminal.wait_for("display")
        terminal.send("crash\r")
        terminal.wait_for("a bug")
        assert only_ours(terminal.raw)
        assert b"owned" not in terminal.raw.replace(b"]0;owned", b"")
        assert r"preview \x1b]0;owned\x07" in terminal.text()


def test_history_full_of_sequences() -> None:
    with Terminal("resumed=1") as terminal:
        terminal.ready()
        terminal.wait_for("old answer")
        assert only_ours(terminal.raw)
