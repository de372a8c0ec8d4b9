"""The made-up program in a real tmux, if there is one: what is seen is what tmux says is there, scrollback included."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

from ptys import PATIENCE, PROGRAM, ROOT

HERE = shutil.which("tmux") is not None


class Tmux:
    def __init__(self, *arguments: str, columns: int = 80, rows: int = 24) -> None:
        self._socket = f"scratchy-{uuid.uuid4().hex[:12]}"
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "STY")}
        env |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "SCRATCHY_TITLES": "words"}
        program = [sys.executable, str(PROGRAM), *arguments]
        self._run("new-session", "-d", "-x", str(columns), "-y", str(rows), *program, env=env)

    def __enter__(self) -> "Tmux":
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill-server")

    def _run(self, *words: str, env: dict[str, str] | None = None) -> str:
        command = ["tmux", "-u", "-f", "/dev/null", "-L", self._socket, *words]
        return subprocess.run(command, env=env, capture_output=True, encoding="utf-8").stdout

    def send(self, text: str) -> None:
        """`text` may end in an Enter."""
        self._run("send-keys", "-l", text.removesuffix("\r"))
        if text.endswith("\r"):
            self._run("send-keys", "Enter")

    def resize(self, rows: int, columns: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._run("capture-pane", "-p", "-S", "-").split("\n"))

    def wait_for(self, what: str | Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not (what() if callable(what) else what in self.text()):
            assert time.monotonic() < until, f"waited in vain for {what!r}:\n{self.text()}"
            time.sleep(0.05)

    def ready(self) -> None:
        self.wait_for("Model: made up")
        self.wait_for("[default] You:")
