"""Lines and single keys from stdin, read in a daemon thread so that the loop never waits and an exit never hangs.

Only what was asked for is read ahead of. Not here: editing a line (prompt_toolkit does), what a line means.
"""

import asyncio
import os
import re
import select
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from scratchy import system

SILENCE = 0.6  # seconds; slow typists need less between two letters
LONGEST = 10_000_000  # bytes of one line, and of what is piped in for one answer: more than any model's window


class LineTooLong(Exception):
    """A line of the input exceeds LONGEST; all of it was left out, and the next one can be read."""


class LineInput:
    """`line`, `record` and `key` may be cancelled: what is read later is kept for the next call.
    Raises: LineTooLong."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._buffer = bytearray()
        self._ended = False
        self._too_long = False
        self._read: asyncio.Future[bytes] | None = None

    async def line(self) -> str | None:
        """The next line without its end (`\\n`, `\\r\\n` or `\\r`); None at the end of the input."""
        found = await self._upto(rb"\r\n|\n|\r")
        return None if found is None else found.decode("utf-8", "replace")

    async def record(self) -> bytes | None:
        """The next line as bytes, ended by `\\n` only, as JSON lines are; None at the end of the input."""
        return await self._upto(rb"\n")

    async def rest(self, patience: float | None = None) -> bytes | None:
        """All that comes until the end, at most some more than LONGEST bytes; None when nothing at all came for
        `patience` seconds."""
        while not self._ended and len(self._buffer) <= LONGEST:
            try:
                await asyncio.wait_for(self._more(), None if self._buffer else patience)
            except TimeoutError:
                return None
        return bytes(self._buffer)

    async def _upto(self, end: bytes) -> bytes | None:
        looked_at = 0
        while (found := re.compile(end).search(self._buffer, looked_at)) is None and not self._ended:
            if len(self._buffer) > LONGEST:
                self._too_long = True
                self._buffer.clear()
            looked_at = len(self._buffer)
            await self._more()
        if found is None and not self._buffer and not self._too_long:
            return None
        start, after = found.span() if found is not None else (len(self._buffer), len(self._buffer))
        line, was_too_long = bytes(self._buffer[:start]), self._too_long
        del self._buffer[:after]
        self._too_long = False
        if was_too_long or len(line) > LONGEST:
            raise LineTooLong
        return line

    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal that is read from."""
        try:
            columns, rows = os.get_terminal_size(self._descriptor)
        except OSError:
            return 80, 24
        return columns or 80, rows or 24

    def keys(self) -> AbstractContextManager[None]:
        """While this lasts a terminal gives each key at once and shows none of them."""
        return system.single_keys(self._descriptor)

    async def key(self) -> str | None:
        """What answers a question, inside `keys`: a key with silence after it, or a line. A person in the middle of a
        sentence gives several letters, which the caller takes for no answer. None at the end of the input."""
        while not self._buffer.strip() and not self._ended:
            self._buffer.clear()
            await self._more()
        while not self._ended and not self._buffer.endswith((b"\n", b"\r")):
            try:
                await asyncio.wait_for(self._more(), SILENCE)
            except TimeoutError:
                break
        typed = self._buffer.strip().decode("utf-8", "replace")
        self._buffer.clear()
        return typed or None

    def drop_typed(self) -> None:
        """Forget what was typed before now."""
        self._buffer.clear()
        system.drop_typed(self._descriptor)

    async def _more(self) -> None:
        if self._read is None:
            loop = asyncio.get_running_loop()
            self._read = loop.create_future()
            threading.Thread(target=_read, args=(self._descriptor, loop, self._read.set_result), daemon=True).start()
        data = await asyncio.shield(self._read)
        self._read = None
        self._buffer += data
        self._ended = not data


def _read(descriptor: int, loop: asyncio.AbstractEventLoop, give: Callable[[bytes], None]) -> None:
    try:
        while True:
            try:
                data = os.read(descriptor, 65_536)
                break
            except BlockingIOError:  # who shares this pipe made it so
                select.select([descriptor], [], [])
    except OSError:  # the terminal is gone
        data = b""
    try:
        loop.call_soon_threadsafe(give, data)
    except RuntimeError:
        return  # the loop is closed: the program ends
