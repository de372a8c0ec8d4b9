"""A program on a real pseudo-terminal, with a model of the screen: what a person would see, and every byte."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pyte

STATUS = re.compile(r"(.* · )?(context ~?[0-9]|branch |commit )")
"""The row below the input."""
PROGRAM = Path(__file__).with_name("fake_program.py")
ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
_NOT_PASSED = {
    "NO_COLOR", "VISUAL", "EDITOR", "COLUMNS", "LINES", "COLORTERM", "COLORFGBG", "TERM_PROGRAM",
    "TMUX", "STY", "KITTY_WINDOW_ID", "VTE_VERSION", "WEZTERM_PANE", "ALACRITTY_WINDOW_ID", "KONSOLE_VERSION",
    "WT_SESSION", "ITERM_SESSION_ID", "GHOSTTY_RESOURCES_DIR",
}  # fmt: skip
"""Of the terminal that the tests run in, which is not this one."""


class _Screen(pyte.HistoryScreen):
    """pyte's own `display` fails on the second half of a wide character whose first half was overwritten."""

    @property
    def display(self) -> list[str]:
        return ["".join(self.buffer[row][at].data for at in range(self.columns)) for row in range(self.lines)]


class Terminal:
    """`rows` and `columns` as asked for; `raw` all that the program wrote."""

    def __init__(
        self,
        *arguments: str,
        program: Path = PROGRAM,
        columns: int = 80,
        rows: int = 24,
        folder: Path | None = None,
        **environment: str,
    ) -> None:
        env = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED}
        env |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "SCRATCHY_TITLES": "words"}
        env |= environment
        self._child: Any = pexpect.spawn(
            sys.executable,
            [str(program), *arguments],
            env=env,
            cwd=folder and str(folder),
            dimensions=(rows, columns),
            encoding=None,
        )
        self._child.delaybeforesend = None
        self.pid: int = self._child.pid
        self.raw = b""
        self.columns = columns
        self.screen: Any = _Screen(columns, rows, history=5000)
        self._stream: Any = pyte.ByteStream(self.screen)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.isalive():
            os.kill(self.pid, signal.SIGKILL)
            self._child.wait()
        self._child.delayafterclose = 0
        self._child.close()

    def alive(self) -> bool:
        return bool(self._child.isalive())

    def send(self, text: str) -> None:
        self._child.send(text.encode())

    def paste(self, text: str) -> None:
        self.send(f"\x1b[200~{text}\x1b[201~")

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self.columns = columns
        self._child.setwinsize(rows, columns)

    def read(self, seconds: float = 0.05) -> None:
        """Take what comes for so long, and draw it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                data = self._child.read_nonblocking(65536, timeout=left)
            except pexpect.TIMEOUT:
                return
            except pexpect.EOF:
                return
            self.raw += data
            self._stream.feed(data)

    def until(self, what: bytes) -> bytes:
        """Take what comes until `what` has, undrawn: the model of the screen needs a second for a megabyte."""
        start, got = time.monotonic(), bytearray()
        while got.find(what, max(0, len(got) - 65536 - len(what))) < 0:
            assert time.monotonic() - start < PATIENCE, f"waited in vain for {what!r}"
            with contextlib.suppress(pexpect.TIMEOUT):
                got += self._child.read_nonblocking(65536, timeout=0.05)
        return bytes(got)

    def wait_for(self, what: str | Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not (what() if callable(what) else what in self.text()):
            assert time.monotonic() < until, f"waited in vain for {what!r}:\n{self.text()}"
            self.read()

    def ready(self) -> None:
        self.wait_for("Model: made up")
        self.wait_for(lambda: self.line().startswith("[default]"))

    def text(self) -> str:
        """Scrollback and screen, a line each, without the blanks at their ends."""
        above = ["".join(line[at].data for at in range(self.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display])

    def line(self) -> str:
        """The line that the cursor is in."""
        return str(self.screen.display[self.screen.cursor.y]).rstrip()

    def prompt(self) -> str:
        """What is typed so far in the last prompt, over all its lines."""
        typed = self.text().rpartition("You:")[2].strip()
        first, _, last = typed.rpartition("\n")
        return first.strip() if STATUS.match(last) else typed

    def hang_up(self) -> None:
        """The window is closed."""
        os.close(self._child.child_fd)

    def cpu_ticks(self) -> int:
        """Processor time of the program so far, in hundredths of a second."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def ended(self) -> None:
        assert self.exit_code() == 0

    def exit_code(self) -> int:
        until = time.monotonic() + PATIENCE
        while self._child.isalive():
            assert time.monotonic() < until, f"does not end:\n{self.text()}"
            self.read()
        self.read()
        return int(self._child.exitstatus if self._child.exitstatus is not None else -self._child.signalstatus)
