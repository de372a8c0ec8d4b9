"""A tiny chat-completions server on loopback, in a process of its own: `python -m benchmarks.server`.

It prints its URL and ends when its standard input ends. The last user's message tells what is answered: `long N` gets
Markdown of about N tokens, `slow N` the same at 200 tokens/s, all else a greeting. The size of each request is printed.
"""

import json
import re
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from benchmarks.answers import tokens
from benchmarks.common import PYTHON, ROOT

RATE = 200  # tokens a second of the slow answers


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # each token leaves at once

    def do_GET(self) -> None:
        self._whole(json.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        print(len(body), flush=True)
        asked = json.loads(body)
        orders = re.findall(r"^(long|slow) (\d+)$", _said(asked["messages"]), re.MULTILINE)
        kind, count = orders[-1] if orders else ("", "0")
        pieces = tokens(int(count)) if kind else ["Hello!"]
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "".join(pieces)}
            self._whole(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode())
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events = [_event({"content": piece}) for piece in pieces] + [_event({}, "stop"), b"data: [DONE]\n\n"]
        with suppress(ConnectionError):  # who asked may have gone
            self._stream(events, RATE if kind == "slow" else None)

    def _whole(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: list[bytes], rate: int | None) -> None:
        started = time.perf_counter()
        for at, event in enumerate(events):
            if rate:
                time.sleep(max(0.0, started + at / rate - time.perf_counter()))
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


def _said(messages: list[dict[str, Any]]) -> str:
    """The last user's message; some clients send it in parts, some with more in it."""
    said = ""
    for message in messages:
        content = message["content"]
        parts = content if isinstance(content, list) else [{"text": content}]
        text = "\n".join(str(part.get("text", "")) for part in parts).strip()
        if message["role"] == "user":
            said = text
    return said


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**chunk, 'choices': [choice]}, ensure_ascii=False)}\n\n".encode()


class Server:
    """The server as a child; `flags` name it to Scratchy."""

    def __enter__(self) -> "Server":
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.server"], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()

    def flags(self) -> list[str]:
        return ["--provider", "openai", "--base-url", self.url, "-m", "bench"]

    def request_sizes(self) -> list[int]:
        """Bytes of the bodies so far. Ends the server."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        return [int(line) for line in self._child.stdout]


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main() -> None:
    with _Listener(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
