"""A model server that plays what a test tells it, on a real socket: good streams, and every way to break one.

A *play* is `async (Request, Writer) -> None`; a server plays its list in order, one for each request, the last one
again and again. What it was asked lies in `requests`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Play = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    url: str
    plays: list[Play]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closed_by_client: asyncio.Event = field(default_factory=asyncio.Event)

    def next_play(self) -> Play:
        return self.plays[min(len(self.requests), len(self.plays)) - 1]


@asynccontextmanager
async def serve(*plays: Play) -> AsyncIterator[Server]:
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                server.requests.append(request)
                await server.next_play()(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            server.closed_by_client.set()
        finally:
            tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    server = Server(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", list(plays))
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode()


def whole(status: int, body: Any = b"", **headers: str) -> Play:
    """An answer of known length; `body` bytes, text, or JSON. Header names take `_` for `-`."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/plain" if isinstance(body, bytes | str) else "application/json"
    sent = {"content-type": kind, "content-length": str(len(raw))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }

    async def play(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, sent) + raw)

    return play


def stream(*pieces: bytes, kind: str = "text/event-stream", end: str = "whole", pause: float = 0.0) -> Play:
    """A chunked answer. `end`: whole (terminated, kept alive), cut (closed inside the body), hang, close (terminated,
    keep-alive announced, then closed)."""

    async def play(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, {"content-type": kind, "transfer-encoding": "chunked", "connection": "keep-alive"}))
        for piece in pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(pause)
        if end == "hang":
            await asyncio.sleep(3600)
        if end in ("whole", "close"):
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        if end in ("cut", "close"):
            writer.close()
            raise ConnectionResetError

    return play


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    await asyncio.sleep(3600)


async def drop(request: Request, writer: asyncio.StreamWriter) -> None:
    """Closes without an answer."""
    writer.close()
    raise ConnectionResetError


def sse(*events: Any, done: bool = True) -> list[bytes]:
    """Each event as `data: …`; text goes as it is, anything else as JSON."""
    datas = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
    return [f"data: {data}\n\n".encode() for data in [*datas, *(["[DONE]"] if done else [])]]


def ndjson(*events: Any) -> list[bytes]:
    return [json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events]


def delta(content: str | None = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chat-completions chunk."""
    changed = ({} if content is None else {"content": content}) | more
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": changed, "finish_reason": finish}]}


def hello(text: str = "Hello") -> list[bytes]:
    """A whole and ordinary answer."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return sse(delta(None, role="assistant"), delta(text), delta(finish="stop"), {"choices": [], "usage": usage})
