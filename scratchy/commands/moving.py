"""Slash commands that take sessions out and in. Not here: the formats (interchange)."""

import os
from pathlib import Path

from scratchy.commands.outcome import Outcome
from scratchy.sessions.desk import Desk


async def export(desk: Desk, argument: str) -> Outcome:
    """Write this session to a new file, JSON or Markdown by its suffix (ID.json without a path)."""
    name = argument or f"{''.join(c if c.isalnum() or c in '-_.' else '_' for c in desk.conversation.session_id)}.json"
    path = Path(desk.config.folder) / os.path.expanduser(name)
    try:
        count = await desk.export(path)
    except FileExistsError:
        return Outcome(f"{path} exists already; nothing was written. Name another file: `/export PATH`.")
    return Outcome(f"Exported {count} messages to {path}")
