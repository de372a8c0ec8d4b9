"""Slash commands that choose, name and remove sessions. Not here: what is said in one (talk.py)."""

import asyncio

from scratchy.commands.outcome import Outcome
from scratchy.commands.rows import session_line, size_text, when_text
from scratchy.core.errors import SessionNotFoundError
from scratchy.sessions.desk import Desk
from scratchy.sessions.finding import near_ones

LISTED = 50
"""Sessions that `/sessions` shows."""


async def sessions(desk: Desk, argument: str) -> Outcome:
    """List the sessions, newest activity first."""
    infos = await asyncio.to_thread(desk.manager.infos)
    if not infos:
        return Outcome(f"No sessions in {desk.place} yet.")
    current, folder = desk.conversation.session_id, str(desk.config.folder)
    lines = [session_line(info, current=info.session_id == current, folder=folder) for info in infos[:LISTED]]
    more = len(infos) - LISTED
    rest = [f"… and {more:,} more: `/resume` filters them, `scratchy session list` has them all."] if more > 0 else []
    return Outcome("\n".join(lines + rest))


async def new(desk: Desk, argument: str) -> Outcome:
    """Start a new session; without an id one is made."""
    await desk.new(argument or None)
    return Outcome(f"Created new session: '{desk.conversation.session_id}'", switched=True)


async def resume(desk: Desk, argument: str) -> Outcome:
    """Go on with a stored session; without an id, pick one."""
    if not argument:
        return Outcome(pick=True)
    try:
        await desk.resume(argument)
    except SessionNotFoundError as error:
        infos = await asyncio.to_thread(desk.manager.infos)
        return Outcome(f"{error} {near_ones(argument, infos)}".strip())
    return Outcome(f"Resumed session: '{argument}' ({desk.conversation.count} messages)", switched=True)


async def clear(desk: Desk, argument: str) -> Outcome:
    """Forget this session's messages, all but the system message. `/restore` brings them back."""
    await desk.conversation.clear()
    return Outcome(f"Cleared session: '{desk.conversation.session_id}'")


async def rename(desk: Desk, argument: str) -> Outcome:
    """Give this session another id."""
    if not argument:
        return Outcome("Name the new id: `/rename ID`.")
    old = desk.conversation.session_id
    await desk.rename(argument)
    return Outcome(f"Renamed session: '{old}' is now '{argument}'")


async def delete(desk: Desk, argument: str) -> Outcome:
    """Move a session (this one, without an id) to the trash. `/restore ID` brings it back."""
    session_id = argument or desk.conversation.session_id
    current = desk.conversation.session_id == session_id
    if not await desk.delete(session_id):
        return Outcome(f"Session '{session_id}' not found.")
    text = f"Deleted session: '{session_id}' (it is in the trash; `/restore {session_id}` brings it back)"
    return Outcome(
        f"{text}\nCreated new session: '{desk.conversation.session_id}'" if current else text, switched=current
    )


async def trash(desk: Desk, argument: str) -> Outcome:
    """List what was deleted, cleared or replaced. Nothing empties it by itself."""
    entries = desk.manager.trash()
    if not entries:
        return Outcome("The trash is empty.")
    lines = [
        f"{when_text(e.when)}  {e.session_id}  {e.count} messages, {e.reason}  (`/restore {e.name}`)" for e in entries
    ]
    total = size_text(sum(entry.size for entry in entries))
    return Outcome("\n".join([*lines, f"{len(entries)} entries, {total}"]))


async def restore(desk: Desk, argument: str) -> Outcome:
    """Bring back a session's newest version from the trash (this one's, without an id), or the entry that you name."""
    entry = await desk.restore(argument or desk.conversation.session_id)
    current = desk.conversation
    if current.session_id == entry.session_id:
        return Outcome(f"Restored session: '{entry.session_id}' ({current.count} messages)", switched=True)
    return Outcome(
        f"Restored session: '{entry.session_id}' ({entry.count} messages). `/resume {entry.session_id}` opens it."
    )
