"""The input in the person's own editor, while a turn goes on unseen. Loaded when it is asked for.

Not here: the keys and the command that ask for it (keys, commanding).
"""

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile

from prompt_toolkit.application import in_terminal

from scratchy.terminal.entry import ShellLine
from scratchy.terminal.lines import notice
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.screen import Screen


async def edit(screen: Screen, pastes: Pastes, text: str) -> None:
    """What the editor saved of `text` is the input, not sent. A `ShellLine` stays one as long as it begins like one."""
    handle, path = tempfile.mkstemp(suffix=".sh" if isinstance(text, ShellLine) else ".md", prefix="scratchy-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(pastes.expanded(text))
        async with in_terminal():
            screen.away = True
            failure = await asyncio.to_thread(_run_editor, path)
        with open(path, encoding="utf-8", errors="replace") as file:
            saved = file.read().removesuffix("\n")
    except OSError as error:
        failure, saved = f"The input could not be handed to an editor: {error}", ""
    finally:
        screen.away = False
        screen.note_key()  # the last one went to the editor
        with contextlib.suppress(OSError):
            os.unlink(path)
    if failure:
        screen.write(notice(failure))
    else:
        still_shell = isinstance(text, ShellLine) and saved.startswith("!")
        screen.buffer.put(ShellLine(saved) if still_shell else pastes.collapsed(saved))
    screen.refresh()


def _run_editor(path: str) -> str:
    """Why it failed, or "". It has the terminal to itself meanwhile; what the turn says waits."""
    fallback = "notepad" if sys.platform == "win32" else "vi"
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or fallback
    try:
        code = subprocess.call([*shlex.split(command), path])
    except (OSError, ValueError) as error:
        return f"The editor '{command}' could not be started: {error}. Set EDITOR to one that can."
    return f"The editor '{command}' ended with code {code}; the input is unchanged." if code else ""
