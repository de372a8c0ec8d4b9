"""The terminal is left as it was found: its settings and its modes, however the program ends or is put aside."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
import tty as modes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from programs import Home

PATIENCE = 20.0
OFF_BY = {  # modes that a program may switch on, with what switches them off again
    b"\x1b[?2004h": b"\x1b[?2004l",  # bracketed paste
    b"\x1b[?1004h": b"\x1b[?1004l",  # reports of the focus
    b"\x1b[?25l": b"\x1b[?25h",  # the cursor, hidden
    b"\x1b[?7l": b"\x1b[?7h",  # no wrapping
    b"\x1b[?1049h": b"\x1b[?1049l",  # the other screen
    b"\x1b[?1000h": b"\x1b[?1000l",  # the mouse
    b"\x1b[>1u": b"\x1b[<u",  # kitty's keys
    b"\x1b[>4;2m": b"\x1b[>4;0m",  # xterm's
}
FAKE = Path(__file__).with_name("fake_program.py")


class Tty:
    """A pseudo-terminal that outlives the program on it: its settings can be compared."""

    def __init__(self, home: Home, command: list[str]) -> None:
        self._master, slave = os.openpty()
        self._slave = slave
        self.before = termios.tcgetattr(slave)
        env = home.env | {"TERM": "xterm-256color", "SCRATCHY_TITLES": "words"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=home.work, start_new_session=True,
            preexec_fn=lambda: _take_terminal(slave),
        )  # fmt: skip
        self.raw = b""

    def send(self, text: bytes) -> None:
        os.write(self._master, text)

    def wait_for(self, what: bytes) -> None:
        until = time.monotonic() + PATIENCE
        while what not in self.raw:
            assert time.monotonic() < until, self.raw
            self._read()

    def ended(self) -> int:
        until = time.monotonic() + PATIENCE
        while (code := self.process.poll()) is None:
            assert time.monotonic() < until, self.raw
            self._read()
        self._read()
        return code

    def _read(self) -> None:
        while select.select([self._master], [], [], 0.05)[0]:
            self.raw += os.read(self._master, 65536)

    def unread(self) -> bool:
        """Whether there is something for whoever reads the terminal next."""
        modes.setraw(self._slave, termios.TCSANOW)
        return bool(select.select([self._slave], [], [], 0)[0])

    def assert_as_found(self) -> None:
        assert termios.tcgetattr(self._slave) == self.before
        assert_modes_are_off(self.raw)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)


def _take_terminal(slave: int) -> None:
    import fcntl

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def assert_modes_are_off(raw: bytes) -> None:
    for on, off in OFF_BY.items():
        assert raw.rfind(on) <= raw.rfind(off), (on, raw[-400:])
    colours = re.findall(rb"\x1b\[([0-9;]*)m", raw)
    assert not colours or colours[-1] in (b"", b"0"), "the last colour is reset"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def opened(home: Home) -> Iterator[Any]:
    opened: list[Tty] = []

    def start(*command: str) -> Tty:
        opened.append(Tty(home, list(command) or home.command("--provider", "demo", "-s", "x")))
        return opened[-1]

    yield start
    for tty in opened:
        tty.close()


def test_after_ctrl_d(opened: Any) -> None:
    tty = opened()
    tty.wait_for(b"Model: demo")
    tty.send(b"\x04")
    assert tty.ended() == 0
    tty.assert_as_found()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["at rest", "in a turn"])
def test_after_a_signal(opened: Any, number: signal.Signals, when: str) -> None:
    tty = opened()
    tty.wait_for(b"Model: demo")
    if when == "in a turn":
        tty.send(b"code\r")
        tty.wait_for("🤖".encode())
    tty.process.send_signal(number)
    assert tty.ended() == 128 + number
    tty.assert_as_found()


@pytest.mark.parametrize("asked", [b"\x07", b"\x15/editor some words\r"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_while_the_editor_is_open(
    home: Home, opened: Any, tmp_path: Path, number: signal.Signals, asked: bytes
) -> None:
    editor, there = tmp_path / "editor", tmp_path / "there"
    editor.write_text(f'#!/bin/sh\nprintf " more" >> "$1"; stty raw; echo "$1" > {there}; exec sleep 1000\n')
    editor.chmod(0o755)
    home.env["EDITOR"] = str(editor)
    tty = opened()
    tty.wait_for(b"Model: demo")
    tty.send(b"some words")
    tty.wait_for(b"words")
    tty.send(asked)
    until = time.monotonic() + PATIENCE
    while not (there.exists() and there.read_text().strip()):
        assert time.monotonic() < until, tty.raw
        tty._read()
    tty.process.send_signal(number)
    assert tty.ended() == 128 + number
    tty.assert_as_found()
    assert not Path(there.read_text().strip()).exists()
    tty = opened()
    tty.wait_for(b"some words more")  # as it was saved


def test_after_ctrl_c_twice_in_the_first_moments(opened: Any) -> None:
    tty = opened()
    tty.wait_for(b"You:")
    tty.send(b"\x03\x03")
    assert tty.ended() == 0
    tty.assert_as_found()


def test_a_late_answer_of_the_terminal_is_not_left_to_the_shell(opened: Any) -> None:
    question = b"\x1b[c"
    for _ in range(5):
        tty = opened()
        tty.wait_for(question)
        asked = time.monotonic()
        tty.send(b"\x04")
        time.sleep(0.5)
        tty.send(b"\x1b]11;rgb:00/00/00\x07\x1b[?62c")
        in_time = time.monotonic() - asked < 0.7  # else this machine was too slow to tell
        assert tty.ended() == 0
        tty.assert_as_found()
        if in_time:
            assert not tty.unread()
            break


@pytest.mark.parametrize("option", ["broken=1", "bug=1"])
def test_after_a_crash_of_ours(opened: Any, option: str) -> None:
    tty = opened(sys.executable, str(FAKE), option)
    assert tty.ended() == 1
    tty.assert_as_found()


def test_ctrl_z_and_fg_in_a_shell(home: Home) -> None:
    """Put aside, the shell finds its terminal as it was; back again, the prompt stands with what was typed."""
    env = home.env | {"TERM": "xterm-256color", "PS1": "READY> ", "ENV": "", "SCRATCHY_TITLES": "words"}
    child: Any = pexpect.spawn("/bin/sh", ["-im"], env=env, cwd=str(home.work), dimensions=(24, 100), timeout=PATIENCE)
    child.delaybeforesend = None
    try:
        child.expect_exact("READY> ")
        child.sendline("stty -a")
        child.expect_exact("READY> ")
        before = re.sub(rb"\s+", b" ", child.before)
        child.sendline(" ".join(home.command("--provider", "demo", "-s", "x")))
        child.expect_exact("Model: demo")
        child.send("a draft")
        child.expect_exact("draft")
        child.send("\x1a")
        child.expect_exact("READY> ")
        put_aside = child.before
        child.sendline("stty -a")
        child.expect_exact("READY> ")
        assert re.sub(rb"\s+", b" ", child.before) == before
        for on, off in OFF_BY.items():
            assert put_aside.rfind(on) <= put_aside.rfind(off), on
        child.sendline("fg")
        child.expect_exact("You: ")
        child.expect_exact("a draft")
        child.send("\x15hello again\r")
        child.expect_exact("canned answers")
        child.send("/exit\r")
        child.expect_exact("--session=x")
        child.expect_exact("READY> ")
        child.sendline("stty -a")
        child.expect_exact("READY> ")
        assert re.sub(rb"\s+", b" ", child.before) == before
    finally:
        child.close(force=True)
    said = [message["content"] for message in home.load("x") or [] if message["role"] == "user"]
    assert said == ["hello again"]
