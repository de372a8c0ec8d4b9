"""The real program on a pty with a model that answers when a test says so: what stands beside a session, and when."""

import json
import os
import signal
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
    """Answers `Answer N` as soon as it is `free`; `asked` holds the messages of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[list[dict[str, Any]]] = []
        self.free = threading.Event()
        self.free.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body["messages"])
        number = len(self.server.asked)
        self.server.free.wait(60)
        try:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for choice in ({"delta": {"content": f"Answer {number}"}}, {"delta": {}, "finish_reason": "stop"}):
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
    """A person's folder; `open` starts the program in it."""

    def __init__(self, folder: Path, model: Model) -> None:
        self.folder = folder
        self.model = model
        self.store = FileStore(folder / "sessions")

    def open(self, *flags: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        where = ["--sessions-dir", str(self.folder / "sessions"), "--cwd", str(self.folder)]
        return Terminal(
            *("--base-url", self.model.url, "-m", "m", *where, *flags),
            program=ROOT / "run_agent.py", columns=columns, rows=rows, HOME=str(self.folder),
            SCRATCHY_TITLES="off", OLLAMA_HOST="http://127.0.0.1:1", **environment,
        )  # fmt: skip

    def draft(self, session_id: str = "default") -> dict[str, Any]:
        """As it lies there now."""
        return json.loads(self.store.draft(session_id) or '{"draft": "", "queue": []}')

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
