"""The names of all files below a folder, as they come: git's where it knows the folder, else those of a walk.

Children do it, so that neither a large tree nor a hung disk is felt. Not here: which of them fit what is typed
(sessions/paths.py).
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from pathlib import Path

import scratchy
from scratchy.system import kill_group, start_group_kwargs
from scratchy.tools.secrets import child_environment

_SECONDS = 10.0
_MOST = 1 << 27  # bytes of names
_PIECE = 1 << 16  # bytes
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks", "ls-files", "-z")
_TRACKED, _NEW = (*_GIT, "--cached"), (*_GIT, "--others", "--exclude-standard")
_WALK = (sys.executable, "-P", "-S", "-m", "scratchy.tools.walk_child")


async def path_names(folder: Path) -> AsyncGenerator[list[str], None]:
    """Relative to `folder`, `/` between, some at a time; first what git tracks, which it has in an index. Never raises;
    closed early, the children are ended."""
    found = False
    if await asyncio.to_thread(_in_repository, folder):
        async with aclosing(_printed((_TRACKED, _NEW), folder)) as printed:
            async for names in printed:
                found = True
                yield names
    if not found:
        async with aclosing(_printed(((*_WALK, str(folder)),), Path(scratchy.__file__).parents[1])) as printed:
            async for names in printed:
                yield names


def _in_repository(folder: Path) -> bool:
    return any((place / ".git").exists() for place in (folder, *folder.parents))


async def _printed(commands: Sequence[Sequence[str]], folder: Path) -> AsyncGenerator[list[str], None]:
    """What these children print side by side, one after the other, each name ended by NUL; what they have printed when
    their time is over is all."""
    loop = asyncio.get_running_loop()
    children: list[_Child] = []
    try:
        for command in commands:
            children.append(_Child(command, folder, loop))
        until = loop.time() + _SECONDS
        for child in children:
            while (names := await asyncio.wait_for(child.names.get(), max(until - loop.time(), 0))) is not None:
                yield names
    except (OSError, TimeoutError):
        return
    finally:
        for child in children:
            child.end()


class _Child:
    """A process, and the thread that waits for what it prints. `names` get None at the end. Raises: OSError."""

    def __init__(self, command: Sequence[str], folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.names: asyncio.Queue[list[str] | None] = asyncio.Queue()
        self._loop = loop
        environment = {name: value for name, value in child_environment().items() if not name.startswith("GIT_")}
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "GIT_NO_LAZY_FETCH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            **start_group_kwargs(),
        )
        threading.Thread(target=self._read, daemon=True).start()

    def end(self) -> None:
        """Twice is once; the thread ends with it."""
        if self._process.returncode is None:
            kill_group(self._process.pid)

    def _read(self) -> None:
        rest, size = b"", 0
        with self._process as process, self._ended():
            assert process.stdout is not None
            while size < _MOST and (data := process.stdout.read(_PIECE)):
                size += len(data)
                whole, _, rest = (rest + data).rpartition(b"\0")
                if whole:
                    self._loop.call_soon_threadsafe(self.names.put_nowait, os.fsdecode(whole).split("\0"))
            self._loop.call_soon_threadsafe(self.names.put_nowait, None)

    @contextlib.contextmanager
    def _ended(self) -> Generator[None]:
        try:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
                yield
        finally:
            self.end()
