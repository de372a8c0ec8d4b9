"""What is typed and what waits, through the real program: kept whatever ends it, shown again, sent by nobody else."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from draftbench import Home, drafted, kill, serving, soon, standing
from ptys import Terminal

EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b32m\x1bPq\x1b\\\x07\x08\x7f"
ASKS = "from last time; Enter on an empty line sends, Esc brings back"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serving() as model:
        yield Home(tmp_path, model)


def in_mid_turn(terminal: Terminal, home: Home) -> None:
    """`first` was sent and is not answered yet."""
    home.model.free.clear()
    standing(terminal)
    terminal.send("first\r")
    soon(lambda: len(home.model.asked) == 1, terminal)


def test_kill_9_keeps_draft_and_queue_and_nothing_is_sent_by_itself(home: Home) -> None:
    with home.open() as terminal:
        in_mid_turn(terminal, home)
        terminal.send("second\rthird\rhalf a tho")
        soon(lambda: home.draft() == {"draft": "half a tho", "queue": ["second", "third"]}, terminal)
        kill(terminal)
    home.model.free.set()
    assert next((home.folder / "sessions").glob(".*.draft")).stat().st_mode & 0o777 == 0o600
    with home.open() as terminal:
        standing(terminal, text="half a tho")
        terminal.wait_for(f"2 lines wait {ASKS}")
        assert "not sent: second\nnot sent: third\n2 lines wait" in terminal.text()
        terminal.send("ught\r")
        terminal.wait_for("Answer 2")
        standing(terminal)
        assert home.said() == ["first", "half a thought"]
        assert len(home.model.asked) == 2
        terminal.send("\r")
        soon(lambda: home.said()[2:] == ["second", "third"] and len(home.model.asked) == 4, terminal)
        terminal.wait_for("Answer 4")
        terminal.wait_for(lambda: ASKS not in terminal.text().rpartition("Answer 4")[2])
        soon(lambda: not home.store.draft("default"), terminal)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_keeps_them_at_once(home: Home, number: int, code: int) -> None:
    with home.open() as terminal:
        in_mid_turn(terminal, home)
        terminal.send("second\rhal")
        terminal.wait_for("queued: second")
        standing(terminal, text="hal")
        assert kill(terminal, number) == code
    assert home.draft() == {"draft": "hal", "queue": ["second"]} and home.said() == ["first"]


def test_a_closed_window_keeps_them(home: Home) -> None:
    terminal = home.open()
    in_mid_turn(terminal, home)
    terminal.send("second\rhal")
    standing(terminal, text="hal")
    terminal.hang_up()
    soon(lambda: home.draft() == {"draft": "hal", "queue": ["second"]})
    os.waitpid(terminal.pid, 0)


def test_a_session_without_a_message_keeps_them_too_and_says_how_to_come_back(home: Home) -> None:
    with home.open() as terminal:
        terminal.wait_for("Model: ")
        terminal.send("first li")
        standing(terminal, text="first li")
        assert kill(terminal, signal.SIGTERM) == 143
        terminal.wait_for("--session=default")
    assert home.store.list() == []
    with home.open() as terminal:
        standing(terminal, text="first li")
        terminal.send("ne\r")
        terminal.wait_for("Answer 1")
        soon(lambda: not home.store.draft("default"), terminal)
    assert home.said() == ["first line"]


def test_two_ctrl_c_in_mid_turn_keep_what_waited(home: Home) -> None:
    with home.open() as terminal:
        in_mid_turn(terminal, home)
        terminal.send("second\r")
        terminal.wait_for("queued: second")
        terminal.send("\x03")
        standing(terminal, text="second")
        terminal.send("\x03")
        assert terminal.exit_code() == 0
    assert home.draft() == {"draft": "second", "queue": []}


def test_what_was_cleared_or_sent_does_not_come_back(home: Home) -> None:
    with home.open() as terminal:
        terminal.wait_for("Model: ")
        terminal.send("gone")
        soon(lambda: home.draft()["draft"] == "gone", terminal)
        terminal.send("\x03")
        soon(lambda: not home.store.draft("default"), terminal)
        terminal.send("slowly typed")
        soon(lambda: home.draft()["draft"] == "slowly typed", terminal)
        terminal.send("\r")
        soon(lambda: home.said() == ["slowly typed"], terminal)
        kill(terminal)
    with home.open() as terminal:
        terminal.wait_for("slowly typed")
        standing(terminal)


def test_no_session_keeps_nothing(home: Home) -> None:
    with home.open("--no-session") as terminal:
        terminal.wait_for("Model: ")
        terminal.send("secret")
        standing(terminal, text="secret")
        assert kill(terminal, signal.SIGTERM) == 143
    assert not any((home.folder / "sessions").glob(".*")) if (home.folder / "sessions").exists() else True


def test_esc_brings_the_lines_back_into_the_prompt(home: Home) -> None:
    home.leave(drafted("end", "one", "two"), "default", "Hello")
    with home.open() as terminal:
        terminal.wait_for(ASKS)
        terminal.send("\x1b")
        terminal.wait_for(lambda: ASKS not in terminal.text())
        terminal.wait_for(lambda: terminal.prompt().split() == ["one", "two", "end"])
        soon(lambda: home.draft() == {"draft": "one\ntwo\nend", "queue": []}, terminal)
    assert home.model.asked == []


def test_forty_columns_and_a_draft_of_several_lines(home: Home) -> None:
    with home.open(columns=40) as terminal:
        in_mid_turn(terminal, home)
        terminal.send("a line that is longer than forty columns are\rone\ntwo\nthree")
        soon(lambda: home.draft()["draft"] == "one\ntwo\nthree", terminal)
        kill(terminal)
    with home.open(columns=40) as terminal:
        terminal.wait_for(lambda: terminal.prompt().split() == ["one", "two", "three"])
        terminal.wait_for("1 line waits from last time; Enter on\n  an empty line sends, Esc brings back")
        assert "not sent: a line that is longer than f…" in terminal.text()


def test_a_long_paste_is_whole_again(home: Home) -> None:
    block = "\n".join(f"line {number} of a paste" for number in range(120))
    with home.open() as terminal:
        in_mid_turn(terminal, home)
        terminal.send("look: ")
        terminal.paste(block)
        terminal.wait_for("look: [Pasted #1, 120 lines]")
        terminal.send("\r")
        terminal.wait_for("queued: look:")
        terminal.paste(block)
        terminal.wait_for("[Pasted #2, 120 lines]")
        soon(lambda: home.draft() == {"draft": block, "queue": [f"look: {block}"]}, terminal)
        kill(terminal)
    home.model.free.set()
    with home.open() as terminal:
        terminal.wait_for("1 line waits")
        terminal.wait_for(lambda: "line 119 of a paste" in terminal.line())
        terminal.send("\r")
        soon(lambda: home.said() == ["first", block], terminal)
        terminal.wait_for("Answer 2")
        standing(terminal)
        terminal.send("\r")
        soon(lambda: home.said() == ["first", block, f"look: {block}"], terminal)


def test_a_draft_belongs_to_its_session(home: Home) -> None:
    home.leave(drafted("draft of a", "queue of a"), "a", "Hello a")
    home.leave(drafted("draft of b"), "b", "Hello b")
    with home.open("-s", "a") as terminal:
        standing(terminal, "a", "draft of a")
        terminal.wait_for(f"1 line waits {ASKS}")
        terminal.send("\x15/resume b")
        soon(lambda: home.draft("a") == {"draft": "/resume b", "queue": ["queue of a"]}, terminal)
        terminal.send("\r")
        standing(terminal, "b", "draft of b")
        terminal.wait_for(lambda: ASKS not in terminal.text())
        assert home.draft("a") == {"draft": "", "queue": ["queue of a"]}
        terminal.send("\x15/rename c\r")
        standing(terminal, "c")
        terminal.send("still here")
        soon(lambda: home.draft("c")["draft"] == "still here", terminal)
        assert not home.store.draft("b")
        terminal.send("\x15/switch a\r")
        standing(terminal, "a")
        terminal.wait_for(f"1 line waits {ASKS}")
        terminal.send("/new\r")
        terminal.wait_for(lambda: terminal.line().startswith("[chat-"))
        terminal.wait_for(lambda: ASKS not in terminal.text())
        terminal.send("/resume a\r")
        standing(terminal, "a")
        terminal.wait_for(f"1 line waits {ASKS}")
        terminal.send("/delete\r")
        terminal.wait_for(lambda: terminal.line().startswith("[chat-"))
        terminal.wait_for(lambda: ASKS not in terminal.text())
        assert not home.store.draft("a")
        terminal.send("/restore a\r")
        standing(terminal, "a")
        terminal.wait_for(f"1 line waits {ASKS}")
    assert home.model.asked == []


def test_two_windows_keep_apart(home: Home) -> None:
    with home.open() as first:
        standing(first)
        first.send("of the first")
        soon(lambda: home.draft()["draft"] == "of the first", first)
        with home.open() as second:
            second.wait_for(lambda: second.line().startswith("[chat-"))
            own = second.line().partition("]")[0].removeprefix("[")
            second.send("of the second")
            soon(lambda: home.draft(own)["draft"] == "of the second", second)
            kill(second)
        kill(first)
    assert home.draft()["draft"] == "of the first"


def readable(home: Home) -> bool:
    return home.store.draft("default").startswith('{"draft": "new"')


HOSTILE = {
    "bytes": os.urandom(4096), "nuls": b"\0" * 4096, "half": b'{"draft": "x', "deep": b"[" * 200_000,
    "other": b'{"draft": 1, "queue": 2}', "huge": b'{"draft": "' + b"x" * (20 << 20) + b'"}',
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_draft_is_left_out_with_one_line(home: Home, content: bytes) -> None:
    home.leave(drafted("x"), "default", "Hello")
    (home.folder / "sessions" / ".default.draft").write_bytes(content)
    with home.open() as terminal:
        terminal.wait_for("What was typed in session 'default' last time cannot be read")
        standing(terminal)
        terminal.send("on\r")
        terminal.wait_for("Answer 1")
        assert "Traceback" not in terminal.text()
        terminal.send("new")
        soon(lambda: readable(home) and home.draft() == {"draft": "new", "queue": []}, terminal)


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_is_no_file_is_no_draft(home: Home, kind: str) -> None:
    home.leave(drafted("x"), "default", "Hello")
    path = home.folder / "sessions" / ".default.draft"
    path.unlink()
    (home.folder / "elsewhere").write_text(drafted("not ours"))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(home.folder / "elsewhere")
    else:
        path.mkdir()
    with home.open() as terminal:
        terminal.wait_for("You said Hello")
        terminal.wait_for("What was typed in session 'default' last time cannot be read; it is left out.")
        standing(terminal)
        terminal.send("on\r")
        terminal.wait_for("Answer 1")
        assert "Traceback" not in terminal.text() and "not ours" not in terminal.text()
    assert (home.folder / "elsewhere").read_text() == drafted("not ours")


def test_control_characters_in_a_draft_never_reach_the_terminal(home: Home) -> None:
    home.leave(drafted(f"draft {EVIL}", f"line {EVIL}"), "default", "Hello")
    with home.open() as terminal:
        terminal.wait_for("not sent: line")
        terminal.wait_for(lambda: "draft" in terminal.line())
        terminal.send("\r")
        terminal.wait_for("Answer 1")
        terminal.send("\r")
        terminal.wait_for("Answer 2")
        for forbidden in (b"\x1b]0;owned", b"\x1b[31mred", b"\x1bPq", b"\x9b32m"):
            assert forbidden not in terminal.raw
    assert "\x1b" not in "".join(home.said())


def test_a_draft_is_written_once_and_rest_costs_nothing(home: Home) -> None:
    with home.open() as terminal:
        terminal.wait_for("Model: ")
        terminal.send("abc")
        soon(lambda: home.draft()["draft"] == "abc", terminal)
        path = home.folder / "sessions" / ".default.draft"
        inode = path.stat().st_ino

        def rests() -> bool:
            ticks = terminal.cpu_ticks()
            terminal.read(1.5)
            return terminal.cpu_ticks() == ticks

        soon(rests)
        assert path.stat().st_ino == inode


def test_plain_mode_shows_what_the_screen_left_and_sends_none_of_it(home: Home) -> None:
    home.leave(drafted(f"end {EVIL}", "one"), "default", "Hello")
    with home.open("--plain") as terminal:
        terminal.wait_for("(typed last time, not sent; in the prompt again without --plain) one")
        terminal.wait_for("without --plain) end red")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        terminal.send("on\r")
        terminal.wait_for("Answer 1")
        assert b"owned" not in terminal.raw
    assert home.said() == ["Hello", "on"] and home.draft() == {"draft": f"end {EVIL}", "queue": ["one"]}
