"""The input in the person's own editor, while a turn goes on unseen. Loaded when it is asked for.

Not here: the keys and the command that ask for it (keys, commanding).
"""

import asyncio
import contextlib
import os
import shlex
import sys
import tempfile

from prompt_toolkit.application import in_terminal

from scratchy.terminal.entry import ShellLine
from scratchy.terminal.lines import notice
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.screen import Screen

_PARTING = 1.0  # seconds that an editor has to end when it must


async def edit(screen: Screen, pastes: Pastes, text: str) -> None:
    """What the editor saved of `text` is the input, not sent. A `ShellLine` stays one as long as it begins like one.
    Cancelled, it ends the editor; what was saved until then is the input."""
    screen.visitor = asyncio.current_task()
    handle, path = tempfile.mkstemp(suffix=".sh" if isinstance(text, ShellLine) else ".md", prefix="scratchy-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(pastes.expanded(text))
        async with in_terminal():
            screen.away = True
            failure = await _run_editor(path)
        if not failure:
            _take(screen, pastes, path, shell=isinstance(text, ShellLine))
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            _take(screen, pastes, path, shell=isinstance(text, ShellLine))
        raise
    except OSError as error:
        failure = f"The input could not be handed to an editor: {error}"
    finally:
        screen.visitor = None
        screen.away = False
        screen.note_key()  # the last one went to the editor
        with contextlib.suppress(OSError):
            os.unlink(path)
    if failure:
        screen.write(notice(failure))
    screen.refresh()


def _take(screen: Screen, pastes: Pastes, path: str, *, shell: bool) -> None:
    with open(path, encoding="utf-8", errors="replace") as file:
        saved = file.read().removesuffix("\n")
    screen.buffer.put(ShellLine(saved) if shell and saved.startswith("!") else pastes.collapsed(saved))


async def _run_editor(path: str) -> str:
    """Why it failed, or "". It has the terminal to itself meanwhile; what the turn says waits."""
    fallback = "notepad" if sys.platform == "win32" else "vi"
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or fallback
    try:
        process = await asyncio.create_subprocess_exec(*shlex.split(command), path)
    except (OSError, ValueError) as error:
        return f"The editor '{command}' could not be started: {error}. Set EDITOR to one that can."
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    return f"The editor '{command}' ended with code {code}; the input is unchanged." if code else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _PARTING)
        except TimeoutError:
            process.kill()
            await process.wait()
