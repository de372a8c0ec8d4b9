"""The real program on a pty with a model that answers when a test says so: what stands beside a session, and when."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ptys import PATIENCE, ROOT, Terminal

from scratchy.core.messages import text_of
from scratchy.core.stored import Header
from scratchy.store.files import FileStore


class Model(ThreadingHTTPServer):
    """Answers `Answer N`, or what `answer` makes of N, as soon as it is `free`. `asked` holds the messages of each
    request, `bodies` all of it; what `refuses` finds wrong with the messages is answered with a 400."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[list[dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[int], dict[str, Any]] = lambda number: {"content": f"Answer {number}"}
        self.refuses: Callable[[list[dict[str, Any]]], str] = lambda messages: ""
        self.free = threading.Event()
        self.free.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(body)
        messages = json.loads(body)["messages"]
        self.server.asked.append(messages)
        delta = self.server.answer(len(self.server.asked))
        if wrong := self.server.refuses(messages):
            self.send_error(400, wrong)
            return
        self.server.free.wait(60)
        try:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            end = "tool_calls" if "tool_calls" in delta else "stop"
            for choice in ({"delta": delta}, {"delta": {}, "finish_reason": end}):
                self.wfile.write(b"data: " + json.dumps({"choices": [{"index": 0, **choice}]}).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            return  # the client was killed

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Model]:
    model = Model()
    thread = threading.Thread(target=model.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.free.set()
        model.shutdown()
        model.server_close()
        thread.join()


class Home:
    """A person's folder; `open` starts the program in it on a terminal, `run` and `start` without one."""

    def __init__(self, folder: Path, model: Model) -> None:
        self.folder = folder
        self.model = model
        self.sessions = folder / "sessions"
        self.store = FileStore(self.sessions)
        self.flags = ("--base-url", model.url, "-m", "m")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT),
            "SCRATCHY_SESSIONS_DIR": str(self.sessions), "SCRATCHY_TITLES": "off",
            "OLLAMA_HOST": "http://127.0.0.1:1",
        }  # fmt: skip

    def run(
        self, *arguments: str, stdin: str = "", folder: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(ROOT / "run_agent.py"), *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, encoding="utf-8", env=self.environment | environment,
            cwd=folder or self.folder, timeout=60, check=False,
        )  # fmt: skip

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(ROOT / "run_agent.py"), *arguments]
        pipes: dict[str, Any] = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        return subprocess.Popen(command, env=self.environment, cwd=self.folder, **pipes)

    def open(self, *flags: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        return Terminal(
            *(*self.flags, "--cwd", str(self.folder), *flags),
            program=ROOT / "run_agent.py", columns=columns, rows=rows, **self.environment, **environment,
        )  # fmt: skip

    def draft(self, session_id: str = "default") -> dict[str, Any]:
        """As it lies there now."""
        left: dict[str, Any] = json.loads(self.store.draft(session_id) or '{"draft": "", "queue": []}')
        left.pop("at", None)  # how many messages there were
        return left

    def leave(self, content: str, session_id: str = "default", *said: str) -> None:
        """As an earlier run left it: a draft, and these lines of the person, answered."""
        stamp = "2026-01-01T00:00:00.000Z"
        self.store.exists(session_id)
        with closing(self.store.open(session_id, create=Header(session_id, stamp, stamp))) as writer:
            for line in said:
                answer = {"role": "assistant", "content": f"You said {line}", "stop_reason": "stop"}
                writer.append([{"role": "user", "content": line}, answer])
            writer.keep_draft(content)

    def said(self, session_id: str = "default") -> list[str]:
        """The person's lines that are stored."""
        if not self.store.exists(session_id):
            return []
        return [text_of(message) for message in self.store.load(session_id)[1] if message["role"] == "user"]


def drafted(text: str = "", *queue: str) -> str:
    return json.dumps({"draft": text, "queue": list(queue)})


def standing(terminal: Terminal, session_id: str = "default", text: str = "") -> None:
    """Wait until `text` is all that stands in the prompt of this session."""
    wanted = f"[{session_id}] You:" + (f" {text}" if text else "")
    terminal.wait_for(lambda: terminal.line() == wanted)


def soon(done: Callable[[], bool], terminal: Terminal | None = None) -> None:
    """Wait until something is so; the terminal is read meanwhile."""
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, terminal.text() if terminal else "waited in vain"
        if terminal is None:
            time.sleep(0.02)
        else:
            terminal.read(0.02)


def kill(terminal: Terminal, number: int = signal.SIGKILL) -> int:
    os.kill(terminal.pid, number)
    return terminal.exit_code()
