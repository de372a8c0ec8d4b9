"""`!command` and `!!command` at the prompt: the output as it comes, then its lines above the prompt, then the model is
told, or not. Loaded with the first such line.

Not here: which lines these are (entry), how a command is run and what is stored of it (sessions.shell_lines).
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

from scratchy.core.errors import ScratchyError
from scratchy.core.events import Event, Notice
from scratchy.core.text import clean
from scratchy.sessions import shell_lines
from scratchy.sessions.desk import Desk
from scratchy.terminal.entry import ShellLine
from scratchy.terminal.folding import folded
from scratchy.terminal.layout import Running
from scratchy.terminal.lines import duration, error, notice, paint, unsaved_reason, user_lines
from scratchy.terminal.screen import Screen, shell_name

_FIRST, _LAST = 20, 60  # lines of a long output that are shown, from its two ends
_WIDEST = 2000  # characters of a line of it
_LIVE = 4000  # characters
_KEPT = 1 << 20  # characters of an interrupted command's output, and of what Ctrl-O shows


async def run_shell_line(
    screen: Screen, desk: Desk, prompt: str, line: ShellLine, keep: Callable[[str, str], None]
) -> None:
    """Run it to its end or until cancelled, which ends all that it started. `keep` gets its output for Ctrl-O."""
    screen.write(user_lines(f"{prompt.removesuffix('You: ')}{shell_name(line)} ", line))
    if not line.command:
        screen.write(notice("Nothing to run: a shell command follows the !"))
        return
    began = time.monotonic()
    running = screen.live.running["!"] = Running(str(line)[: len(line) - len(line.lstrip("!"))], line.command)
    screen.live.status, screen.live.since = "running", began
    screen.move(str)
    try:
        output, ending, failed = await _followed(desk, line.command, running)
    finally:
        screen.live.running.pop("!", None)
        screen.live.status, screen.live.since = "", None
        screen.rest()
    took = duration(int((time.monotonic() - began) * 1000))
    shown, lines, whole = await asyncio.to_thread(_prepared, output)
    mark = paint("✗", "bad") if failed else paint("✓", "good")
    keep(str(line), whole)
    screen.write(f"{lines}{mark} {paint(f'{ending} · {took}', 'notice')}\n")
    if not line.unseen:
        await _tell(screen, desk, line.command, shown, ending)
    screen.write("\n")


async def _followed(desk: Desk, command: str, running: Running) -> tuple[str, str, bool]:
    """All that it printed, how it ended, whether that is a failure."""
    kept = ""
    try:
        async with aclosing(shell_lines.run(desk, command)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, str):
                    return piece
                running.output = (running.output + piece)[-_LIVE:]
                kept = (kept + piece)[-_KEPT:]
    except asyncio.CancelledError:
        return kept, "interrupted", True
    except (OSError, ValueError) as failure:
        return "", f"it could not be started: {failure}", True
    return kept, "ended", False


async def _tell(screen: Screen, desk: Desk, command: str, output: str, ending: str) -> None:
    try:
        events = await shell_lines.tell(desk, command, output, ending)
    except (OSError, ScratchyError) as failure:
        screen.write(error(folded(f"The model is not told of it: {clean(unsaved_reason(failure))}", screen.width)))
        return
    for text in _said(events):
        screen.write(notice(folded(clean(text), screen.width)))


def _said(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def _prepared(output: str) -> tuple[str, str, str]:
    """The output without control sequences, its lines to show, and as much of it as Ctrl-O shows."""
    text = clean(output)
    half = _KEPT // 2
    whole = text if len(text) <= _KEPT else f"{text[:half]}\n[… {len(text) - 2 * half:,} characters …]\n{text[-half:]}"
    return text, _cut(text), whole


def _cut(text: str) -> str:
    """The lines of an output, of many the first and the last."""
    lines = [line if len(line) <= _WIDEST else f"{line[:_WIDEST]}…" for line in text.rstrip("\n").split("\n")]
    if not text.strip("\n"):
        return ""
    if len(lines) > _FIRST + _LAST:
        hidden = len(lines) - _FIRST - _LAST
        told = paint(f"… {hidden:,} more lines; Ctrl-O shows all", "notice")
        lines = [*lines[:_FIRST], told, *lines[-_LAST:]]
    return "\n".join(lines) + "\n"
