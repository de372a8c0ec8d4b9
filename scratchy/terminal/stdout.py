"""Writing to stdout for a program: in order, whole, without blocking the loop, so that a signal is always obeyed.

Not here: what is written (oneshot.py, streamjson.py), stderr, terminals with a prompt.
"""

import asyncio
import os
import sys

from scratchy import system

_PIECE = 4096  # bytes that a pipe takes without blocking, once it says that it takes any


class OutputError(Exception):
    """stdout takes nothing more: the disk behind it is full, say. The session is not touched by it."""


def encoding() -> str:
    return sys.stdout.encoding or "utf-8"


class Stdout:
    """What a cancelled `put` left over goes before the next one: a line is never cut by an interrupt."""

    def __init__(self) -> None:
        self._handle = sys.stdout.fileno()
        self._left = bytearray()
        self._writing = asyncio.Lock()

    async def put(self, text: str) -> None:
        """All of `text`; what stdout's encoding lacks is escaped. Raises: BrokenPipeError, OutputError."""
        self._left += text.encode(encoding(), "backslashreplace")
        async with self._writing:
            try:
                await self._write()
            except BrokenPipeError:
                raise
            except OSError as error:
                self._left.clear()
                why = f"The answer could not be written: {error.strerror}. It is in the session."
                raise OutputError(why) from error

    async def _write(self) -> None:
        sys.stdout.flush()
        while self._left:
            if not system.can_write(self._handle):
                await self._until_writable()
            try:
                del self._left[: os.write(self._handle, self._left[:_PIECE])]
            except BlockingIOError:  # who shares it made it so
                await self._until_writable()

    async def _until_writable(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._handle, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._handle)
