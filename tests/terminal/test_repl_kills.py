"""SIGKILL at random moments of a REPL on a pty: nothing that was acknowledged is lost, the file is whole at once or
after one opening. What was acknowledged is judged by the requests that a server saw: they hold only what is on disk."""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pexpect
import pytest
import toon_format
import toons

from scratchy.core.messages import text_of
from scratchy.store.files import FileStore

KILLS = 50 if os.environ.get("CI_LONG") else 8
ROOT = Path(__file__).parents[2]


class Model(BaseHTTPRequestHandler):
    """Streams an answer of a few words, slowly enough to be killed in the middle of it."""

    requests: ClassVar[list[list[dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.requests.append(body["messages"])
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        words = [f"answer {len(self.requests)} ", "with ", "some ", "**words**\n\n", "and an end"]
        try:
            for word in words:
                self._event({"choices": [{"index": 0, "delta": {"content": word}}]})
                time.sleep(0.01)
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            return  # the client was killed

    def do_GET(self) -> None:
        self.send_error(404)

    def _event(self, data: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def model() -> Iterator[str]:
    Model.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def talk_and_die(url: str, folder: Path, moment: random.Random, number: int, *, plain: bool) -> None:
    """Start the REPL, say some lines, and SIGKILL it at a random moment."""
    flags = ["--base-url", url, "-m", "m", "--sessions-dir", str(folder / "sessions"), *(["--plain"] if plain else [])]
    env = {**os.environ, "HOME": str(folder), "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    env["SCRATCHY_TITLES"] = "words"  # each request that the server sees is one of the conversation
    child: Any = pexpect.spawn(
        sys.executable, [str(ROOT / "run_agent.py"), *flags], env=env, timeout=30, encoding="utf-8"
    )
    child.delaybeforesend = None
    try:
        child.expect("You:")
        for line in range(moment.randrange(1, 4)):
            child.send(f"line {number}.{line}\r")
            seen = len(Model.requests)
            if moment.random() < 0.8:
                wait_until(lambda seen=seen: len(Model.requests) > seen, child)
            child.expect([pexpect.TIMEOUT, "an end"], timeout=moment.uniform(0, 0.3))
        child.kill(signal.SIGKILL)
        child.wait()
    finally:
        child.close(force=True)


def wait_until(done: Callable[[], bool], child: Any) -> None:
    until = time.monotonic() + 10
    while not done() and time.monotonic() < until:
        child.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=0.02)


def told(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(m["role"], text_of(m)) for m in messages if m["role"] != "system"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "screen"])
def test_no_kill_loses_what_was_acknowledged(tmp_path: Path, model: str, plain: bool) -> None:
    moment = random.Random(7)
    path = tmp_path / "sessions" / "default_chat.toon"
    for number in range(KILLS // 2):
        talk_and_die(model, tmp_path, moment, number, plain=plain)
        if not path.exists():
            continue
        writer = FileStore(tmp_path / "sessions").open("default")
        stored: Any = writer.load()
        writer.close()
        text = path.read_bytes().decode()
        assert toons.loads(text)["messages"] == stored
        assert len(toon_format.decode(text)["messages"]) == len(stored)  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue, reportOptionalSubscript]
        if Model.requests:
            sent = [pair for pair in told(Model.requests[-1]) if pair[0] != "system"]
            kept = [pair for pair in told(stored) if pair[0] != "system"]
            lost = [text for _, text in joined_apart(sent) if not any(text in kept_text for _, kept_text in kept)]
            assert not lost, (lost, kept)
    assert Model.requests


def joined_apart(sent: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbouring user lines go out as one message: each line counts; the context before them is not the person's."""
    parts = [(role, part) for role, text in sent for part in (text.split("\n\n") if role == "user" else [text])]
    return [(role, part) for role, part in parts if not part.startswith("Date: ")]
