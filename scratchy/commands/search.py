"""The slash command that finds what was said. Not here: searching (sessions/searching.py)."""

import asyncio
import re

from scratchy.commands.outcome import Choose, Outcome, Row
from scratchy.commands.rows import age, shown
from scratchy.commands.talk import around
from scratchy.core.found import Hit
from scratchy.core.text import clean
from scratchy.sessions.desk import Desk
from scratchy.sessions.times import local_time


async def search(desk: Desk, argument: str) -> Outcome:
    """Find what was said in any session: words, a "phrase", the beginning of a word*. `@N ID` shows message N there."""
    if not argument:
        return Outcome('Say what to look for: `/search WORDS`, `/search "a phrase"`.')
    place = re.fullmatch(r"@([0-9]{1,9}) (.+)", argument)
    if place is not None and desk.manager.session_exists(place[2]):
        return await _show(desk, int(place[1]), place[2])
    found = await desk.searching.search(argument)
    if not found.hits:
        return Outcome("\n".join(part for part in (f"Nothing found for: {shown(argument)}", found.note) if part))
    number = f"{len(found.hits)} passages" if len(found.hits) > 1 else "1 passage"
    rows = [_row(hit) for hit in found.hits]
    return Outcome(found.note, choose=Choose(f"{number} with: {shown(argument)}", rows))


async def _show(desk: Desk, number: int, session_id: str) -> Outcome:
    text = await asyncio.to_thread(around, desk.manager.store, session_id, number)
    here = desk.conversation.session_id == session_id
    return Outcome(text if here else f"{text}\n\n`/resume {session_id}` goes on with this session.")


def _row(hit: Hit) -> Row:
    parts = [hit.session_id, age(local_time(hit.last_activity)), shown(hit.title), shown(hit.passage)]
    if hit.role == "title":
        parts.pop()
    said = "" if hit.role == "title" else f"message {hit.number}, {hit.role}:\n{clean(hit.passage)}"
    folder = f"in {clean(hit.folder)}" if hit.folder else ""
    label = " · ".join(part for part in parts if part)
    return Row(label, f"/search @{hit.number} {hit.session_id}", "\n".join(part for part in (folder, said) if part))
