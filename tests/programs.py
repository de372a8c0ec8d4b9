"""The program as a shell starts it, in a home of its own, and a model server that lives in a thread beside the test."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_server import Play, Request, Server, serve, whole

ROOT = Path(__file__).parents[1]
KEY = "sk-very-secret-1234567890"
MODELS = whole(200, {"object": "list", "data": [{"id": "tiny"}]})


class Home:
    """A folder with its own home, sessions and working folder; `run` starts the program in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.sessions = folder / "sessions"
        self.work.mkdir()
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "SYSTEMROOT")}
        self.env: dict[str, str] = kept | {
            "HOME": str(folder / "home"),
            "SCRATCHY_SESSIONS_DIR": str(self.sessions),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "OLLAMA_HOST": "http://127.0.0.1:1",
        }

    @property
    def state(self) -> Path:
        return self.folder / "home" / ".local" / "state" / "scratchy"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "run_agent.py"), *arguments]

    def run(
        self, *arguments: str, stdin: str | None = "", env: Mapping[str, str] | None = None, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, encoding="utf-8", errors="surrogateescape",
            env=self.env | dict(env or {}), cwd=self.work, timeout=40, check=False, **more,
        )  # fmt: skip

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> "subprocess.Popen[bytes]":
        pipes: dict[str, Any] = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")} | more
        return subprocess.Popen(self.command(*arguments), env=self.env | dict(env or {}), cwd=self.work, **pipes)

    def script(self, *answers: Any) -> tuple[str, ...]:
        """The flags that make the `scripted` provider give these answers."""
        path = self.folder / "answers.json"
        path.write_text(json.dumps(list(answers)))
        return "--provider", "scripted", "--model", str(path)

    def save(self, session_id: str, *messages: Mapping[str, Any]) -> None:
        from scratchy import SessionManager

        SessionManager(self.sessions).save_session(session_id, messages)

    def load(self, session_id: str) -> list[dict[str, Any]] | None:
        from scratchy import SessionManager

        return SessionManager(self.sessions).load_session(session_id)

    def ids(self) -> list[str]:
        from scratchy import SessionManager

        return sorted(row["id"] for row in SessionManager(self.sessions).list_sessions())

    def every_byte(self) -> bytes:
        return b"".join(
            path.read_bytes() for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()
        )


@contextmanager
def serving(*plays: Play) -> Iterator[Server]:
    """The server of model_server.serve, in a thread: GETs are answered with a list of models, POSTs by the plays."""
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    found: list[Server] = []
    end: list[asyncio.Event] = []

    async def main() -> None:
        async with serve(*plays) as server:
            server.next_play = lambda: _next(server, plays)  # type: ignore[method-assign]
            found.append(server)
            end.append(asyncio.Event())
            ready.set()
            await end[0].wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    try:
        ready.wait(10)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(end[0].set)
        thread.join()
        loop.close()


def _next(server: Server, plays: tuple[Play, ...]) -> Play:
    if server.requests[-1].method == "GET":
        return MODELS
    return plays[min(len(posts(server)), len(plays)) - 1]


def posts(server: Server) -> list[Request]:
    return [request for request in server.requests if request.method == "POST"]
