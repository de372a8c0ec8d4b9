"""The wire to the editor: JSON-RPC, one message a line, over two file descriptors. What cannot be a message is answered
here, so that a slip of the other side ends nothing.

Two threads block on the descriptors: pipes, files and Windows are all the same to them. Not here: what messages mean.
"""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, cast

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
LONGEST = 64 << 20  # bytes of a line: images come in lines
_WAITING_IN, _WAITING_OUT = 100, 8 << 20  # lines that were read, bytes that were not written yet
_LAST_SECONDS = 2.0  # for what is still to be answered at the end, and then for what is still to be written
_TOO_LONG = b"a line that is too long"

log = logging.getLogger("scratchy.acp")


class Wire:
    """What the SDK calls a transport. Made inside the running loop. `ended`: the editor sends no more, or reads no
    more; `finish` is to be called then."""

    def __init__(self, source: int, sink: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._free = threading.Semaphore(_WAITING_IN)
        self._out: SimpleQueue[bytes | None] = SimpleQueue()
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self._broken = False
        self.ended = asyncio.Event()
        self._finished = asyncio.Event()
        self._unanswered = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._written = threading.Event()
        threading.Thread(target=self._read, args=(source,), name="acp-in", daemon=True).start()
        threading.Thread(target=self._write, args=(sink,), name="acp-out", daemon=True).start()

    async def send(self, message: dict[str, Any]) -> None:
        """In the order of the calls; waits while the editor reads slower than we write. Raises: ConnectionError."""
        if self._broken:
            raise ConnectionError("The editor does not read any more.")
        if "method" not in message:
            self._answered()
        await self._put(message)

    async def _put(self, message: dict[str, Any]) -> None:
        text = json.dumps(_told(message), separators=(",", ":"), ensure_ascii=False, default=str)
        data = text.encode("utf-8", "replace") + b"\n"  # half of a surrogate pair is no JSON to others
        self._waiting += len(data)
        if self._waiting > _WAITING_OUT:
            self._room.clear()
        self._out.put(data)
        await self._room.wait()

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None once all is over."""
        while (line := await self._lines.get()) is not None:
            self._free.release()
            if not line.strip():
                continue
            message, wrong = understood(line)
            if message is not None:
                self._note_question(message)
                return message
            if wrong is not None:
                await self._put(wrong)
        self.ended.set()
        await self._finished.wait()
        return None

    async def finish(self) -> None:
        """What is still to be answered is, if that is soon; then there are no more messages."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _LAST_SECONDS)
        self._finished.set()
        self._lines.put_nowait(None)

    async def close(self) -> None:
        """What is sent is written, if the editor reads it soon; no more is sent."""
        self._broken = True
        self._room.set()
        self._out.put(None)
        await asyncio.to_thread(self._written.wait, _LAST_SECONDS)

    # -- in the threads

    def _read(self, source: int) -> None:
        rest, skipping = bytearray(), False
        while data := _read_some(source):
            first, *more = data.split(b"\n")
            rest += first
            for piece in more:
                if not skipping and not self._take(bytes(rest)):
                    return
                rest, skipping = bytearray(piece), False
            if len(rest) > LONGEST:
                if not skipping and not self._take(_TOO_LONG):
                    return
                rest, skipping = bytearray(), True
        if rest and not skipping:
            self._take(bytes(rest))
        self._take(None)

    def _take(self, line: bytes | None) -> bool:
        """Hand a line to the loop, waiting while it has enough of them; False when it is gone."""
        self._free.acquire()
        too_long = line is not None and len(line) > LONGEST
        return self._tell(self._lines.put_nowait, _TOO_LONG if too_long else line)

    def _write(self, sink: int) -> None:
        while (data := self._out.get()) is not None:
            try:
                _write_all(sink, data)
            except OSError as error:
                log.info("the editor reads no more: %s", error)
                self._tell(self._break)
                break
            self._tell(self._make_room, len(data))
        self._written.set()

    def _tell(self, call: Callable[..., object], argument: object = None) -> bool:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:  # the loop is closed
            return False
        return True

    # -- in the loop

    def _make_room(self, written: int) -> None:
        self._waiting -= written
        if self._waiting <= _WAITING_OUT:
            self._room.set()

    def _note_question(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            self._unanswered += 1
            self._idle.clear()

    def _answered(self) -> None:
        self._unanswered -= 1
        if not self._unanswered:
            self._idle.set()

    def _break(self, _: object) -> None:
        self._broken = True
        self._room.set()
        while not self._lines.empty():
            self._lines.get_nowait()
        self._lines.put_nowait(None)


def _read_some(source: int) -> bytes:
    try:
        return os.read(source, 1 << 16)
    except OSError:
        return b""


def _write_all(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def understood(line: bytes) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The message that a line is, or the answer to one that is none; neither for an answer that fits no question."""
    if line is _TOO_LONG:
        return None, _refused(None, INVALID_REQUEST, f"The message is longer than {LONGEST} bytes.")
    try:
        message: Any = json.loads(line)
    except RecursionError:
        return None, _refused(None, PARSE_ERROR, "The message is nested too deep.")
    except ValueError as error:
        return None, _refused(None, PARSE_ERROR, f"The message is not JSON: {error}.")
    if not isinstance(message, dict):
        what = "Batches are not supported" if isinstance(message, list) else "A message is one JSON object"
        return None, _refused(None, INVALID_REQUEST, f"{what}; send one object a line.")
    fields = cast("dict[str, Any]", message)
    if "method" not in fields:
        if _fits_as_answer(fields):
            return fields, None
        log.warning("an answer of the editor that fits no question was dropped")
        return None, None
    wrong = _problem_of(fields)
    asked_by: Any = fields.get("id")
    known = asked_by if isinstance(asked_by, str | int | float) and not isinstance(asked_by, bool) else None
    return (None, _refused(known, INVALID_REQUEST, wrong)) if wrong else (fields, None)


def _fits_as_answer(message: dict[str, Any]) -> bool:
    answered = isinstance(message.get("id"), int) and ("result" in message or "error" in message)
    return answered and isinstance(message.get("error"), dict | None)


def _problem_of(message: dict[str, Any]) -> str:
    if not isinstance(message["method"], str):
        return "'method' must be a text."
    if "id" in message and (isinstance(message["id"], bool) or not isinstance(message["id"], str | int | float | None)):
        return "'id' must be a text or a number."
    if not isinstance(message.get("params"), dict | None):
        return "'params' must be an object."
    return ""


def _refused(asked_by: str | int | float | None, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": asked_by, "error": {"code": code, "message": text}}


def _told(message: dict[str, Any]) -> dict[str, Any]:
    """The SDK's own errors as sentences; all else as it is."""
    error: dict[str, Any] | None = message.get("error")
    if error is None:
        return message
    data: dict[str, Any] = error.get("data") or {}
    text = str(error["message"])
    if error["code"] == METHOD_NOT_FOUND:
        text = f"There is no method '{data.get('method', '')}' here."
    elif error["code"] == INVALID_PARAMS and "errors" in data:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in data["errors"]]
        text = f"The parameters do not fit ({'; '.join(wrong[:3])})."
        data = {}
    kept = {"data": data} if data else {}
    return {**message, "error": {"code": error["code"], "message": text, **kept}}
