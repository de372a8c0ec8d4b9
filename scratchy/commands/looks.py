"""The slash command that chooses how things look in this window. Not here: what a theme is (terminal/theme.py)."""

import os

from scratchy.commands.outcome import Outcome
from scratchy.config import CHOICES
from scratchy.sessions.desk import Desk

_THERE_ARE = "There are auto (after the terminal's background), light, dark and none."


async def theme(desk: Desk, argument: str) -> Outcome:
    """Show which theme is in use, or choose one for this window: auto, light, dark or none."""
    wanted = argument.lower()
    why = " NO_COLOR is set, so nothing is coloured." if os.environ.get("NO_COLOR") else ""
    if not wanted:
        return Outcome(f"Theme: {desk.theme}. {_THERE_ARE}{why}")
    fits = [name for name in CHOICES["theme"] if name.startswith(wanted)]
    if len(fits) != 1:
        return Outcome(f"'{argument}' names no theme. {_THERE_ARE}")
    desk.theme = fits[0]
    kept = f"Theme: {desk.theme}, in this window. `scratchy config set theme {desk.theme}` keeps it.{why}"
    return Outcome(kept, theme=desk.theme)
