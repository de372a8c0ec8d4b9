"""Something that is not saved holds the program back once, and is said at the end."""

from pathlib import Path

from ptys import Terminal

STAYS = "Session 'default' is not saved: no space."
LEFT = "Session 'default' was left with messages not saved: no space."


def with_something_unsaved(terminal: Terminal) -> None:
    terminal.ready()
    terminal.send("unsaved\r")
    terminal.wait_for("not saved: no space")
    terminal.wait_for(lambda: "Esc to interrupt" not in terminal.text())  # in a turn Ctrl-D only says so
    terminal.wait_for(lambda: terminal.line() == "[default] You:")


def test_the_first_way_out_is_refused_with_what_to_do_and_the_second_leaves(tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    for way in ("/exit\r", "\x04"):
        with Terminal(f"full={tmp_path / 'full'}", columns=120) as terminal:
            with_something_unsaved(terminal)
            terminal.send(way)
            terminal.wait_for(STAYS)
            terminal.wait_for("/export /elsewhere/default.json")
            terminal.wait_for(lambda: terminal.line() == "[default] You:")
            terminal.send(way)
            assert terminal.exit_code() == 0
            assert terminal.text().count(LEFT) == 1
            assert "Errno" not in terminal.text()


def test_a_message_later_it_is_refused_again(tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    with Terminal(f"full={tmp_path / 'full'}", columns=120) as terminal:
        with_something_unsaved(terminal)
        terminal.send("\x04")
        terminal.wait_for(STAYS)
        terminal.send("hello\r")
        terminal.wait_for("You said: hello")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        terminal.send("/exit\r")
        terminal.wait_for(lambda: terminal.text().count(STAYS) == 2)
        terminal.send("\x03\x03")
        assert terminal.exit_code() == 0
        assert LEFT in terminal.text()


def test_one_more_try_that_succeeds_lets_it_leave(tmp_path: Path) -> None:
    with Terminal(f"full={tmp_path / 'full'}", columns=120) as terminal:
        with_something_unsaved(terminal)
        terminal.send("\x04")
        assert terminal.exit_code() == 0
        assert STAYS not in terminal.text() and LEFT not in terminal.text()
        assert "python run_agent.py --session default" in terminal.text()


def test_exit_in_mid_turn_brings_the_queue_back_when_it_stays(tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    with Terminal(f"full={tmp_path / 'full'}", columns=120) as terminal:
        with_something_unsaved(terminal)
        terminal.send("slow\r")
        terminal.wait_for("word3")
        terminal.send("queued\r")
        terminal.wait_for("queued: queued")
        terminal.send("/exit\r")
        terminal.wait_for(STAYS)
        terminal.wait_for(lambda: terminal.prompt() == "queued")
        assert "Interrupted." in terminal.text()
