"""Random keys, pastes, commands and resizes at the real program: it never crashes, no session is lost or damaged, and
the terminal is left as it was found. CI_LONG=1: minutes of it for each seed."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from programs import ROOT, Home
from ptys import PATIENCE, Terminal
from test_terminal_restored import assert_modes_are_off

from scratchy import SessionManager

LONG = bool(os.environ.get("CI_LONG"))
SECONDS = 240.0 if LONG else 12.0
SEEDS = range(4 if LONG else 2)
WORDS = (
    "hello", "list files", "read notes.md", "table", "code", "@notes.md", "@", "!echo hi", "!!echo unseen", "!",
    "漢字かな", "👩‍👩‍👧 emoji", "e\u0301\u0323 marks", "שלום عربى", "\\", "a\\\n", "very " * 60,
    "\u200b", "yolo y a n e", "read /etc/hostname\r",
)  # fmt: skip
COMMANDS = (
    "/help", "/status", "/sessions", "/new", "/resume", "/clear", "/rename r{n}", "/title T{n}", "/tag +t{n}", "/fork",
    "/tree", "/rewind 1", "/rewind", "/redo", "/undo", "/trash", "/restore", "/search hello", "/history", "/model",
    "/tools", "/copy", "/system", "/doctor", "/permissions", "/theme dark", "/theme light", "/cost", "/nonsense", "/",
    "/delete",
)  # fmt: skip
KEYS = (
    "\r", "\r", "\r", "\x1b", "\x1b\x1b", "\x03", "\t", "\x1b[Z", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D",
    "\x01", "\x05",
    "\x02", "\x06", "\x0b", "\x15", "\x17", "\x19", "\x12", "\x0f", "\x0c", "\x0a", "\x1b\r", "\x1bb", "\x1bf", "\x1bd",
    "\x7f", "\x1b[3~", "\x1b[H", "\x1b[F", "\x1b[5~", "\x1b[6~", "\x16", "\x18", "\x14", "\x1f", "\x00",
    "y", "n", "a", "e",
    "\x1b[I", "\x1b[O", "\x1b[200~", "\x1b[201~", "\x1b[13;2u", "\x1b[99~", "\x1b]11;rgb:0000/0000/0000\x07", "\x1bOP",
)  # fmt: skip


class Fuzz:
    def __init__(self, home: Home, seed: int) -> None:
        self.home = home
        self.random = random.Random(seed)
        self.terminal = self.start()
        self.done: list[str] = []

    def start(self) -> Terminal:
        env = {name: value for name, value in self.home.env.items() if name != "PYTHONPATH"}
        columns, rows = self.random.choice([(40, 12), (80, 24), (200, 50)])
        terminal = Terminal(
            "--provider", "demo", program=ROOT / "run_agent.py", columns=columns, rows=rows, folder=self.home.work,
            EDITOR="true", **env,
        )  # fmt: skip
        terminal.wait_for("You:")
        return terminal

    def act(self) -> None:
        chance = self.random.random()
        if chance < 0.25:
            text = self.random.choice(WORDS)
        elif chance < 0.4:
            text = "\x15" + self.random.choice(COMMANDS).format(n=self.random.randrange(9)) + "\r"
        elif chance < 0.88:
            text = "".join(self.random.choice(KEYS) for _ in range(self.random.randrange(1, 5)))
        elif chance < 0.92:
            lines = self.random.choice([1, 3, 300])
            text = "\x1b[200~" + "pasted 漢字 \x1b[31m\n" * lines + "\x1b[201~"
        elif chance < 0.97:
            rows, columns = self.random.choice([(5, 20), (12, 40), (24, 80), (50, 200), (24, 79)])
            self.done.append(f"resize {rows} {columns}")
            self.terminal.resize(rows, columns)
            return
        else:
            text = self.random.choice(["\x07", "\x18\x05", "\x04"])  # the editor, twice; the end
        self.done.append(repr(text))
        self.terminal.send(text)

    def check(self) -> None:
        text = self.terminal.text()
        for wrong in ("Traceback", "unexpected went wrong", "The command failed", "The turn failed"):
            assert wrong not in text, f"{self.done[-40:]}\n{text[-3000:]}"

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                self.act()
                self.terminal.read(self.random.choice([0.0, 0.02, 0.1, 0.4]))
            except OSError:
                self.terminal.read(0.2)
            self.check()
            if not self.terminal.alive():
                self.ended(0)
                self.terminal = self.start()
        os.kill(self.terminal.pid, signal.SIGTERM)
        self.ended(128 + signal.SIGTERM)

    def ended(self, code: int) -> None:
        assert self.terminal.exit_code() == code, f"{self.done[-40:]}\n{self.terminal.text()[-3000:]}"
        assert_modes_are_off(self.terminal.raw)
        self.check()
        self.terminal.__exit__()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(SECONDS + 8 * PATIENCE)
def test_random_keys_and_resizes(tmp_path: Path, seed: int) -> None:
    home = Home(tmp_path)
    (home.work / "notes.md").write_text("Some notes.\n")
    for name in ("kept", "also kept"):
        home.save(name, {"role": "user", "content": f"said in {name}"})
    Fuzz(home, seed).run(SECONDS)
    assert not (home.state / "debug.log").exists(), (home.state / "debug.log").read_text()[-3000:]
    manager = SessionManager(home.sessions)
    for row in manager.list_sessions():
        assert manager.load_session(row["id"]) is not None
    checked = home.run("doctor", "--json")
    assert checked.returncode == 0, checked.stdout
    said = home.every_byte().decode("utf-8", "replace")
    assert "said in kept" in said and "said in also kept" in said
