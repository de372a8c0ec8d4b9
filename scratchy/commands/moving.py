"""Slash commands that take sessions out and in. Not here: the formats (interchange)."""

import os
from pathlib import Path

from scratchy.commands.outcome import Outcome
from scratchy.core.text import reveal
from scratchy.sessions.desk import Desk

_FULL = "--full"
_LISTED = 20


async def export(desk: Desk, argument: str) -> Outcome:
    """Write this session to a new file: .json (also without a path), .jsonl, .md, .html or .toon. --full: all of it."""
    words = argument.split(" ")
    full = _FULL in (words[0], words[-1])
    name = argument.removeprefix(_FULL).removesuffix(_FULL).strip() if full else argument
    path = _path(desk, name or f"{_file_name(desk.conversation.session_id)}.json")
    try:
        exported = await desk.export(path, full=full)
    except FileExistsError:
        return Outcome(f"{path} exists already; nothing was written. Name another file: `/export PATH`.")
    return Outcome("\n".join([f"Exported {exported.count} messages to {path}", *exported.notes]))


async def import_(desk: Desk, argument: str) -> Outcome:
    """Bring in sessions from a file: exports, and those of other agents. `/resume ID` opens one."""
    if not argument:
        return Outcome("Name the file: `/import PATH`.")
    imported = await desk.import_(_path(desk, argument))
    ids = imported.session_ids
    if len(ids) == 1:
        _, count = desk.manager.store.header(ids[0])
        lines = [f"Imported session: '{reveal(ids[0])}' ({count} messages). `/resume {reveal(ids[0])}` opens it."]
    else:
        lines = [f"Imported {len(ids)} sessions:", *(f"  {reveal(session_id)}" for session_id in ids[:_LISTED])]
        lines += [f"  … and {len(ids) - _LISTED} more"] if len(ids) > _LISTED else []
    if imported.skipped:
        lines.append(f"{imported.skipped} lines skipped")
    return Outcome("\n".join([*lines, *(reveal(note) for note in imported.notes)]))


def _path(desk: Desk, name: str) -> Path:
    return Path(desk.config.folder) / os.path.expanduser(name)


def _file_name(session_id: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in session_id)
