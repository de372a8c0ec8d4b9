"""One conversation with the real program on every kind of terminal: wide and narrow, in tmux, without colour, without
UTF-8, without a cursor: the answer is whole, nothing stands twice, and what is stored is the same."""

import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from programs import ROOT, Home
from ptys import PATIENCE, Terminal

ANSWER = """# A title

A paragraph with **bold** words, `code`, CJK 漢字かな交じり文, emoji 👩‍💻🎉, marks e\u0301n\u0303, RTL שלום עולם, and a
[link](https://example.org/a/path).

- one
- two
  1. deep

| what | 列 |
| --- | --- |
| first | 値一 |
| 🎉 | שלום |

```python
def greet(name: str) -> str:
    return f"Hello, {name}!"
```

The very end.
"""


class Screen(Protocol):
    def send(self, text: str) -> None: ...
    def text(self) -> str: ...
    def wait_for(self, what: str | Callable[[], bool]) -> None: ...
    def ended(self) -> None: ...


class Tmux:
    """The program in a real tmux: what is seen is what tmux says is there, scrollback included."""

    def __init__(self, home: Home, columns: int, *arguments: str, **environment: str) -> None:
        self._socket = f"scratchy-{uuid.uuid4().hex[:12]}"
        env = home.env | {"LANG": "C.UTF-8", "SCRATCHY_TITLES": "words", "TERM": "xterm-256color"} | environment
        command = ["new-session", "-d", "-x", str(columns), "-y", "24", *home.command(*arguments)]
        subprocess.run(self._tmux(*command), env=env, cwd=home.work, check=True, capture_output=True)

    def _tmux(self, *words: str) -> list[str]:
        return ["tmux", "-u", "-f", "/dev/null", "-L", self._socket, *words]

    def send(self, text: str) -> None:
        for piece in text.split("\r"):
            if piece:
                subprocess.run(self._tmux("send-keys", "-l", piece), check=True, capture_output=True)
            if piece != text.split("\r")[-1]:
                subprocess.run(self._tmux("send-keys", "Enter"), check=True, capture_output=True)

    def text(self) -> str:
        shown = subprocess.run(self._tmux("capture-pane", "-p", "-S", "-"), capture_output=True, encoding="utf-8")
        return "\n".join(line.rstrip() for line in shown.stdout.split("\n"))

    def wait_for(self, what: str | Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not (what() if callable(what) else what in self.text()):
            assert time.monotonic() < until, f"waited in vain for {what!r}:\n{self.text()}"
            time.sleep(0.05)

    def ended(self) -> None:
        """The program was all that ran in it."""
        check = self._tmux("has-session")
        self.wait_for(lambda: subprocess.run(check, capture_output=True).returncode != 0)

    def close(self) -> None:
        subprocess.run(self._tmux("kill-server"), capture_output=True)


KINDS: dict[str, dict[str, Any]] = {
    "40 columns": {"columns": 40},
    "80 columns": {"columns": 80},
    "200 columns": {"columns": 200},
    "NO_COLOR": {"NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
    "no UTF-8": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "plain": {"SCRATCHY_PLAIN": "1"},
}
if shutil.which("tmux"):
    KINDS |= {"tmux": {"tmux": 80}, "tmux of 40 columns": {"tmux": 40}}


@contextmanager
def opened(home: Home, kind: str) -> Iterator[Screen]:
    arguments = (*home.script(ANSWER, "Second."), "-s", "x")
    settings = dict(KINDS[kind])
    if "tmux" in settings:
        tmux = Tmux(home, settings.pop("tmux"), *arguments)
        try:
            yield tmux
        finally:
            tmux.close()
        return
    env = {name: value for name, value in home.env.items() if name != "PYTHONPATH"}
    with Terminal(*arguments, program=ROOT / "run_agent.py", folder=home.work, **env | settings) as terminal:
        yield terminal


def stored(home: Home) -> list[str]:
    return [message["content"] for message in home.load("x") or [] if message["role"] != "system"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation(tmp_path: Path, kind: str) -> None:
    home = Home(tmp_path)
    with opened(home, kind) as screen:
        screen.wait_for("You:")
        screen.wait_for("Model: scripted")
        screen.send("Show me\r")
        screen.wait_for(lambda: stored(home) == ["Show me", ANSWER])
        screen.wait_for("The very end.")
        screen.send("Again\r")
        screen.wait_for(lambda: stored(home) == ["Show me", ANSWER, "Again", "Second."])
        screen.wait_for("Second.")
        text = screen.text().rpartition("Show me")[2]  # below the greeting
        for once in ("A title", "A paragraph with", "deep", "first", "def greet(name", "The very end.", "Second."):
            assert text.count(once) == 1, (once, text)
        assert text.index("A title") < text.index("first") < text.index("def greet") < text.index("Second.")
        if kind != "no UTF-8":
            flat = text.replace("\n", "").replace(" ", "")  # pyte and tmux give a wide character two cells
            assert all(word in flat for word in ("漢字", "値一", "🎉", "שלום"))
        screen.send("/exit\r")
        screen.ended()


@pytest.mark.parametrize("kind", ["NO_COLOR", "dumb", "plain", "no UTF-8"])
def test_bytes_of(tmp_path: Path, kind: str) -> None:
    """Without colour none is sent; linear means no control sequence at all."""
    home = Home(tmp_path)
    with opened(home, kind) as screen:
        assert isinstance(screen, Terminal)
        screen.wait_for("Model: scripted")
        screen.send("Show me\r")
        screen.wait_for("The very end.")
        if kind in ("dumb", "plain"):
            assert b"\x1b" not in screen.raw
        elif kind == "NO_COLOR":
            assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|4[0-7]|9[0-7]|38|48)[;0-9]*m", screen.raw)


def test_what_is_typed_without_a_utf8_locale_is_not_lost(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with opened(home, "no UTF-8") as screen:
        assert isinstance(screen, Terminal)
        screen.wait_for("Model: scripted")
        screen.send("é漢x")
        screen.wait_for(lambda: screen.line() == "[x] You: ???x")  # a sign for each cell
        assert screen.screen.cursor.x == len("[x] You: ???x")
        screen.send("\x1b[D\x1b[D\r")
        screen.wait_for(lambda: stored(home)[:1] == ["é漢x"])
        screen.wait_for("The very end.")
