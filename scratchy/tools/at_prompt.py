"""A shell command that the person runs at the prompt: asked of nobody, without the keys, ended with all it started.

Not here: what of it the model is told (sessions.shell_lines), how it looks (the faces).
"""

import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from scratchy.system import WINDOWS
from scratchy.tools.process import Ended, Job, run_job
from scratchy.tools.secrets import Redactor, key_values, redact

_DAYS = 30 * 86_400.0  # a person ends it
_LIMIT = 1 << 30  # bytes


class Ran(NamedTuple):
    """`output`: all of it, known keys as `[key]`; of more than 16 MiB the first and the last 8. `ending`: in words."""

    output: str
    ending: str
    failed: bool


async def run_at_prompt(
    command: str, folder: Path, *, keys: Sequence[str] = (), passed: Sequence[str] = ()
) -> AsyncGenerator[str | Ran, None]:
    """What it prints as it comes, then `Ran`. `keys`: secrets besides those of the environment; `passed`: variables
    that it gets although they are keys. Raises: OSError, ValueError when it cannot be started."""
    known = key_values(keys)
    redactor = Redactor(known)
    extra = {name: os.environ[name] for name in passed if name in os.environ}
    job = Job(shell_words(command), folder, _DAYS, limit=_LIMIT, extra=extra)
    async with aclosing(run_job(job)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Ended):
                yield Ran(redact(piece.output, known), _ending(piece), piece.why != "exit" or piece.code != 0)
            elif text := redactor.feed(piece):
                yield text


def shell_words(command: str) -> tuple[str, ...]:
    if WINDOWS:
        return (os.environ.get("COMSPEC", "cmd.exe"), "/d", "/s", "/c", command)
    return (shutil.which("bash") or "/bin/sh", "-c", command)


def _ending(ended: Ended) -> str:
    if ended.why == "output":
        return f"stopped: it printed more than {_LIMIT >> 20} MiB"
    if ended.why == "timeout":
        return "stopped after 30 days"
    told = f"ended by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return f"{told}; what it left running was ended" if ended.stopped else told
