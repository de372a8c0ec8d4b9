"""Lines and single keys from stdin, read in a daemon thread so that the loop never waits and an exit never hangs.

Only what was asked for is read ahead of. Not here: editing a line (prompt_toolkit does), what a line means.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable

from scratchy import system

SILENCE = 0.6  # seconds; slow typists need less between two letters


class LineInput:
    """`line` and `key` may be cancelled: what is read later is kept for the next call."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._buffer = b""
        self._ended = False
        self._read: asyncio.Future[bytes] | None = None

    async def line(self) -> str | None:
        """The next line without its end (`\\n`, `\\r\\n` or `\\r`); None at the end of the input."""
        while b"\n" not in self._buffer and b"\r" not in self._buffer and not self._ended:
            await self._more()
        if not self._buffer:
            return None
        ends = [at for at in (self._buffer.find(b"\n"), self._buffer.find(b"\r")) if at >= 0]
        at = min(ends, default=len(self._buffer))
        found, rest = self._buffer[:at], self._buffer[at:]
        self._buffer = rest[2:] if rest.startswith(b"\r\n") else rest[1:]
        return found.decode("utf-8", "replace")

    async def key(self) -> str | None:
        """What answers a question: a key with silence after it, or a line. A person in the middle of a sentence gives
        several letters, which the caller takes for no answer. None at the end of the input."""
        with system.single_keys(self._descriptor):
            while not self._buffer.strip() and not self._ended:
                self._buffer = b""
                await self._more()
            while not self._ended and not self._buffer.endswith((b"\n", b"\r")):
                try:
                    await asyncio.wait_for(self._more(), SILENCE)
                except TimeoutError:
                    break
        typed, self._buffer = self._buffer.strip().decode("utf-8", "replace"), b""
        return typed or None

    def drop_typed(self) -> None:
        """Forget what was typed before now."""
        self._buffer = b""
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
        data = os.read(descriptor, 65_536)
    except OSError:  # the terminal is gone
        data = b""
    try:
        loop.call_soon_threadsafe(give, data)
    except RuntimeError:
        return  # the loop is closed: the program ends
