"""Two conversations through run_agent.py on a pty, each with a real model behind it. Persistence is judged by the
request that a resumed session sends, since a small model forgets what it reads."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pexpect
import pyte
import pytest
import tiny_model
import toon_format

from scratchy import SessionManager
from scratchy.providers.local import box_weights

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0


class Screen:
    """run_agent.py on a pty of 100 by 30, and what a person sees."""

    def __init__(self, home: Path, session: str, *flags: str) -> None:
        self._home, self._session = home, session
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        command = [str(ROOT / "run_agent.py"), "--sessions-dir", str(home / "sessions"), "--cwd", str(home)]
        command += ["--session", session, *flags]
        self._child: Any = pexpect.spawn(sys.executable, command, env=env, dimensions=(30, 100), encoding=None)
        self._screen: Any = pyte.HistoryScreen(100, 30, history=2000)
        self._stream: Any = pyte.ByteStream(self._screen)

    def text(self) -> str:
        above = ["".join(line[at].data for at in range(100)) for line in self._screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self._screen.display])

    def type(self, text: str) -> None:
        self._child.send(text.encode())

    def wait(self, *wanted: str, gone: str = "Esc to interrupt") -> str:
        """Until all of it is on the screen and no turn runs; the whole text."""
        until = time.monotonic() + PATIENCE
        while not all(text in self.text() for text in wanted) or (gone and gone in self.text()):
            assert time.monotonic() < until, f"waited in vain for {wanted}:\n{self.text()}"
            try:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=0.1))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                assert all(text in self.text() for text in wanted), self.text()
                break
        return self.text()

    def watch(self, seconds: float) -> str:
        """What is on the screen after so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(pexpect.TIMEOUT):
                self._stream.feed(self._child.read_nonblocking(65536, timeout=0.05))
        return self.text()

    def answered(self, count: int) -> None:
        """Until the session has so many messages: what is on the screen may be the replay of an older turn, and a turn
        that has not begun yet shows nothing."""
        until = time.monotonic() + PATIENCE
        manager = SessionManager(self._home / "sessions")
        while len(manager.load_session(self._session) or ()) < count:
            assert time.monotonic() < until, f"waited in vain for {count} messages:\n{self.text()}"
            with contextlib.suppress(pexpect.TIMEOUT):
                self._stream.feed(self._child.read_nonblocking(65536, timeout=0.1))

    def leave(self) -> int:
        self.type("/exit\r")
        self._child.expect(pexpect.EOF, timeout=20)
        self._child.close()
        return int(self._child.exitstatus)


@contextmanager
def recorded(model: Path) -> Iterator[tuple[str, list[Any]]]:
    """A real llama.cpp server with this model, behind a door that keeps the body of each request."""
    child = subprocess.Popen(
        [sys.executable, "-P", str(ROOT / "scratchy" / "providers" / "local_server.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdin and child.stdout
    settings = {"model": str(model), "key": "k", "context": 4096, "threads": 2, "sampling": {}}
    child.stdin.write(json.dumps(settings).encode() + b"\n")
    child.stdin.flush()
    behind = urlsplit(json.loads(child.stdout.readline())["url"]).netloc
    bodies: list[Any] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._pass_on("POST", self.rfile.read(int(self.headers["content-length"])))

        def do_GET(self) -> None:
            self._pass_on("GET", b"")

        def _pass_on(self, method: str, body: bytes) -> None:
            if body:
                bodies.append(json.loads(body))
            connection = http.client.HTTPConnection(behind, timeout=PATIENCE)
            connection.request(
                method, self.path, body, {"authorization": "Bearer k", "content-type": "application/json"}
            )
            answer = connection.getresponse()
            self.send_response(answer.status)
            self.send_header("content-type", answer.getheader("content-type", ""))
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(piece)
                self.wfile.flush()
            connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{door.server_address[1]}/v1", bodies
    finally:
        door.shutdown()
        door.server_close()
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


def stored(home: Path, session: str) -> list[Any]:
    decoded: Any = toon_format.decode((home / "sessions" / f"{session}_chat.toon").read_text())
    return decoded["messages"]


@pytest.mark.timeout(300)
def test_a_name_told_to_the_model_in_the_box_is_sent_again_after_a_resume(tmp_path: Path) -> None:
    screen = Screen(tmp_path, "names")
    screen.wait("Started new session: 'names'", "Model: local", "offered no tools")
    screen.type("My name is Hao\r")
    screen.answered(3)
    assert screen.leave() == 0
    first = stored(tmp_path, "names")
    assert [m["role"] for m in first] == ["system", "user", "assistant"] and first[2]["content"]

    weights = box_weights()
    assert weights is not None
    with recorded(weights) as (url, bodies):
        screen = Screen(tmp_path, "names", "--base-url", url)
        screen.wait("Resuming session: 'names' (3 messages)", "Model: openai", "My name is Hao")
        screen.type("What's my name?\r")
        screen.answered(5)
        assert screen.leave() == 0
    sent = bodies[-1]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert sent[1]["content"].endswith("My name is Hao") and sent[2]["content"] == first[2]["content"]
    assert sent[3]["content"].endswith("What's my name?")
    assert [m["role"] for m in stored(tmp_path, "names")][3:] == ["user", "assistant"]


@pytest.mark.timeout(300)
def test_a_tool_call_of_a_real_model_is_approved_run_and_answered(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    model = tiny_model.cached(Path(pytestconfig.cache.mkdir("tiny_model")))
    screen = Screen(tmp_path, "tools", "-m", str(model))
    screen.wait("Started new session: 'tools'", "Model: local")
    screen.type("please run a command\r")
    for _ in range(200):  # the model calls what it likes: whatever asks is allowed
        # Keys that follow one another sooner are typing, not answers; and only what is on the screen by now is asked.
        if "Run it?" in screen.watch(1.2):
            screen.type("y")
        messages = stored(tmp_path, "tools") if (tmp_path / "sessions" / "tools_chat.toon").exists() else []
        if messages and messages[-1]["role"] == "assistant" and not messages[-1].get("tool_calls"):
            break
    roles = [m["role"] for m in stored(tmp_path, "tools")]
    assert roles[:4] == ["system", "user", "assistant", "tool"] and roles[-1] == "assistant"
    screen.type("/status\r")
    screen.wait("Session ID: tools", f"Messages: {len(roles)}", "Saved: Yes", "Model: local")
    assert screen.leave() == 0
