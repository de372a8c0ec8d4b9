"""Runs one child process in its own group and tells its output as it comes. Not here: what is run, and why.

The output goes to an unnamed file that is read along, not to a pipe: whoever keeps it open cannot hang us, stdout and
stderr stay in order, and memory stays small however much is printed.
"""

import asyncio
import codecs
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import scratchy
from scratchy.system import WINDOWS, group_alive, kill_group, start_group_kwargs
from scratchy.tools.secrets import child_environment

MEGABYTE = 1 << 20
_LONGEST_KEPT = 8 * MEGABYTE
_POLL = 0.05
_GRACE = 1.0
_SHORT_GRACE = 0.3  # the prompt is back within a second of Ctrl-C
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Ended:
    """`output`: everything, or the beginning and the end with a note between. `code` negative: ended by that signal.

    `why`: by itself, at the time limit, or because it printed over the limit. `stopped`: it had left processes behind
    in its group, and they were ended.
    """

    output: str
    code: int
    why: Literal["exit", "timeout", "output"]
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """`command` is a program with its arguments. `timeout` in seconds, `limit` in bytes of
    output at which it is stopped, `stdin` what it reads. `merge`: stderr is part of the output, else it is dropped.
    `extra`: more environment."""

    command: Sequence[str]
    folder: Path
    timeout: float
    stdin: bytes = b""
    limit: int = 256 * MEGABYTE
    merge: bool = True
    extra: Mapping[str, str] = field(default_factory=dict[str, str])


async def run_job(job: Job) -> AsyncGenerator[str | Ended, None]:
    """Pieces of its output, then `Ended`. Closed early or cancelled, it ends the whole group before it returns.

    Raises: OSError when it cannot be started.
    """
    with contextlib.ExitStack() as files:
        writer, reader = _spool(files)
        source = files.enter_context(tempfile.TemporaryFile())
        source.write(job.stdin)
        source.seek(0)
        process = await asyncio.create_subprocess_exec(
            *job.command,
            cwd=job.folder,
            env=child_environment() | {**job.extra},
            stdin=source,
            stdout=writer,
            stderr=asyncio.subprocess.STDOUT if job.merge else asyncio.subprocess.DEVNULL,
            **start_group_kwargs(),
        )
        ended = asyncio.ensure_future(process.wait())
        try:
            follower = _Follower(reader)
            deadline = time.monotonic() + job.timeout
            why: Literal["exit", "timeout", "output"] = "exit"
            while why == "exit" and not ended.done():
                await asyncio.wait({ended}, timeout=_POLL)
                if piece := follower.more():
                    yield piece
                if not ended.done():
                    over = time.monotonic() >= deadline
                    why = "output" if follower.size() > job.limit else "timeout" if over else "exit"
            stopped = await _end(process.pid, ended, _GRACE)
            for piece in follower.rest():
                yield piece
            yield Ended(_whole(reader), -1 if process.returncode is None else process.returncode, why, stopped)
        finally:
            await _end(process.pid, ended, _SHORT_GRACE)


def python_job(module: str, request: Mapping[str, Any], seconds: float, limit: int) -> Job:
    """A child of our own code, asked by JSON on its stdin. Nothing is imported from the folder that it works in."""
    source = str(Path(scratchy.__file__).resolve().parents[1])
    search = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH", "")) if part)
    extra = {"PYTHONPATH": search, "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "ignore"}
    command = (sys.executable, "-P", "-m", module)
    return Job(command, Path(source), seconds, json.dumps(request).encode(), limit, extra=extra)


async def finished(job: Job) -> Ended:
    ended = Ended("", 1, "exit")
    async with contextlib.aclosing(run_job(job)) as pieces:
        async for piece in pieces:
            ended = piece if isinstance(piece, Ended) else ended
    return ended


def _spool(files: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """A file open twice, each with its own position: for the child to append to, for us to read."""
    folder = files.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    path = Path(folder) / "output"
    writer = files.enter_context(path.open("ab", buffering=0))
    reader = files.enter_context(path.open("rb", buffering=0))
    if not WINDOWS:
        path.unlink()  # nothing is left of it, however we end
    return writer, reader


async def _end(pid: int, ended: "asyncio.Future[int]", grace: float) -> bool:
    """Nothing of the group is left after this. True if there was something, besides a head that had ended."""
    if ended.done() and not group_alive(pid):
        return False
    try:
        kill_group(pid, gently=True)
        patience = time.monotonic() + grace
        while time.monotonic() < patience and (not ended.done() or group_alive(pid)):
            await asyncio.sleep(_POLL / 2)
    finally:
        kill_group(pid)
    await asyncio.wait({ended}, timeout=_GRACE)  # one that waits for a dead disk cannot be ended by anybody
    return True


class _Follower:
    """Reads a growing file from where it read last; a character cut in two waits for its other half."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._position = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def more(self) -> str:
        """The next piece. Far behind, it jumps ahead: live output is for watching, the whole is kept elsewhere."""
        behind = self.size() - self._position
        skipped = ""
        if behind > 4 * _PIECE:
            skipped = "\n[…]\n"
            self._position += behind - _PIECE
        data = _read_at(self._file, self._position, _PIECE)
        self._position += len(data)
        return skipped + self._decoder.decode(data)

    def rest(self) -> list[str]:
        pieces = [self.more() for _ in range(5)]
        pieces.append(self._decoder.decode(b"", final=True))
        return [piece for piece in pieces if piece]


def _whole(file: IO[bytes]) -> str:
    """All of the output; of more than 16 MiB the first and the last 8, cut at line ends."""
    size = os.fstat(file.fileno()).st_size
    if size <= 2 * _LONGEST_KEPT:
        return _read_at(file, 0, size).decode("utf-8", "replace")
    head = _read_at(file, 0, _LONGEST_KEPT)
    head = head[: head.rfind(b"\n") + 1]
    tail = _read_at(file, size - _LONGEST_KEPT, _LONGEST_KEPT)
    tail = tail[tail.find(b"\n") + 1 :]
    left_out = f"[… {size - len(head) - len(tail)} of {size} bytes left out …]\n"
    return head.decode("utf-8", "replace") + left_out + tail.decode("utf-8", "replace")


def _read_at(file: IO[bytes], position: int, count: int) -> bytes:
    file.seek(position)
    parts: list[bytes] = []
    while count > 0 and (part := file.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
