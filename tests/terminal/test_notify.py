"""Who looks elsewhere is called when a long turn ends or an approval waits; reports of the focus are no keys."""

import time

from ptys import Terminal

AWAY, BACK = "\x1b[O", "\x1b[I"
BELL, OSC9 = b"\x07", b"\x1b]9;Scratchy: "


def test_an_approval_calls_only_where_nobody_looks() -> None:
    for report, called in ((AWAY, True), (BACK, False)):
        with Terminal() as terminal:
            terminal.ready()
            terminal.wait_for(lambda terminal=terminal: b"\x1b[?1004h" in terminal.raw)
            terminal.send(report)
            terminal.send("ask rm\r")
            terminal.wait_for("Run it?")
            terminal.read(0.3)
            assert (BELL in terminal.raw) == called


def test_by_choice_the_desktop_tells_it_or_nothing_does() -> None:
    for notify in ("osc9", "off"):
        with Terminal(f"notify={notify}") as terminal:
            terminal.ready()
            terminal.wait_for(lambda terminal=terminal: b"\x1b[?1004h" in terminal.raw)
            terminal.send(AWAY)
            terminal.send("ask rm\r")
            terminal.wait_for("Run it?")
            terminal.read(0.3)
            assert (OSC9 + b"execute_command waits for your answer.\x07" in terminal.raw) == (notify == "osc9")
            assert notify == "osc9" or BELL not in terminal.raw


def test_in_tmux_the_notification_is_handed_on() -> None:
    with Terminal("notify=osc9", TMUX="/tmp/none,1,0") as terminal:
        terminal.ready()
        terminal.wait_for(lambda: b"\x1b[?1004h" in terminal.raw)
        terminal.send(AWAY + "ask rm\r")
        terminal.wait_for(lambda: b"\x1bPtmux;\x1b\x1b]9;Scratchy: " in terminal.raw)


def test_a_short_turn_calls_nobody_and_a_turn_just_typed_neither() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.wait_for(lambda: b"\x1b[?1004h" in terminal.raw)
        terminal.send(AWAY + "hello\r")
        terminal.wait_for("You said: hello")
        terminal.read(0.3)
        assert BELL not in terminal.raw
    with Terminal() as terminal:  # one that reports nothing: the last key came just now
        terminal.ready()
        terminal.send("ask rm\r")
        terminal.wait_for("Run it?")
        terminal.read(0.3)
        assert BELL not in terminal.raw


def test_a_report_is_no_key_to_an_approval_and_no_text() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask rm\r")
        terminal.wait_for("Run it?")
        time.sleep(1.1)
        terminal.send(AWAY + BACK)
        terminal.read(0.1)
        terminal.send("y")  # a key just before it would have needed a pause
        terminal.wait_for("allowed=True")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")


def test_the_reports_end_with_the_program() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.wait_for(lambda: b"\x1b[?1004h" in terminal.raw)
        terminal.send("\x04")
        assert terminal.exit_code() == 0
        assert terminal.raw.rindex(b"\x1b[?1004l") > terminal.raw.rindex(b"\x1b[?1004h")


def test_an_editor_gets_no_reports() -> None:
    with Terminal(EDITOR="true") as terminal:
        terminal.ready()
        terminal.wait_for(lambda: b"\x1b[?1004h" in terminal.raw)
        terminal.send("\x07")
        terminal.wait_for(lambda: terminal.raw.count(b"\x1b[?1004h") == 2)
        assert terminal.raw.count(b"\x1b[?1004l") == 1
