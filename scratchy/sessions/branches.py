"""Going back in a session and off to the side: its turns, fork, rewind, redo, undo, and the family that comes of it.

Each change is one step in the store, and what it takes away is in the trash before. The current conversation stays
as it was when one fails. Not here: how it is told (commands/branches.py), the bytes (store/).
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from scratchy.core.errors import SessionExistsError, SessionNotFoundError
from scratchy.core.images import shown_of
from scratchy.core.ports import Store
from scratchy.core.stored import Header, TrashEntry, first_only
from scratchy.sessions.desk import Desk
from scratchy.sessions.family import former_ids, rewind_of
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.opening import made_id, open_session
from scratchy.sessions.restoring import net_changes
from scratchy.sessions.times import utc_stamp
from scratchy.sessions.worker import finished

_SLICE = 100
_NOT_THE_FORKS = ("rewind", "formerly", "title_usage")  # what a header says of that one session only


class RefusedError(ValueError):
    """What was asked for means nothing here. The text says why, and what to do instead."""


class Turn(NamedTuple):
    """A user's message, number `index` of the transcript, from which one can go on again; `back`: how many turns back
    that is."""

    back: int
    index: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody looks for a value in a turn
    text: str

    @property
    def line(self) -> str:
        return " ".join(self.text.split()) or "(no text)"


class Rewound(NamedTuple):
    """`turn` is the first that was cut, `messages` how many went with it; `entry` holds the session as it was.
    `touches`: tools wrote files or ran commands there."""

    turn: Turn
    messages: int
    entry: str
    touches: bool


class Redone(NamedTuple):
    """`at`: the first message that is there again; `touches`: tools wrote files from there on."""

    at: int
    touches: bool


class Undone(NamedTuple):
    """`was`: the entry that was taken back. `entry`: where what it displaced is now, "" where that is nothing."""

    was: TrashEntry
    entry: str


# -- turns


def turns(store: Store, session_id: str) -> Iterator[Turn]:
    """Newest first, read backwards as far as they are asked for. What is not stored has none."""
    before: int | None = None
    back = 0
    while before != 0 and store.exists(session_id):
        before, messages = store.tail(session_id, _SLICE, before=before)
        for at in range(len(messages) - 1, -1, -1):
            if messages[at].get("role") == "user":
                back += 1
                yield Turn(back, before + at, shown_of(messages[at]))


async def last_turns(desk: Desk, most: int) -> list[Turn]:
    await desk.conversation.settle()
    found = turns(desk.manager.store, desk.conversation.session_id)
    return await asyncio.to_thread(lambda: [turn for turn, _ in zip(found, range(most), strict=False)])


# -- fork


def fork_session(store: Store, session_id: str, new_id: str | None = None, at: int | None = None) -> str:
    """The first `at` messages (None: all) as another session, which remembers where it comes from; its id. Raises:
    SessionNotFoundError, SessionExistsError, ValueError when there are not so many messages."""
    header, count = store.header(session_id)
    new_id = free_id(store, session_id) if new_id is None else new_id
    at = count if at is None else at
    now = utc_stamp()
    header = header._replace(metadata=first_only(header.metadata, at))
    store.fork(session_id, forked(header, new_id, at, now), at)
    return new_id


def forked(header: Header, new_id: str, at: int, now: str) -> Header:
    """Title, tags, model and folder are the same; what happened to the other one stays there."""
    kept = {key: value for key, value in header.metadata.items() if key not in _NOT_THE_FORKS}
    metadata = {**kept, "parent": {"id": header.session_id, "at": at}}
    return header._replace(session_id=new_id, created_at=now, updated_at=now, metadata=metadata)


def free_id(store: Store, session_id: str) -> str:
    """`ID-2`, or the first number that is free."""
    try:
        number = 2
        while store.exists(f"{session_id}-{number}"):
            number += 1
    except ValueError:  # too long
        return made_id(store)
    return f"{session_id}-{number}"


async def fork(desk: Desk, new_id: str | None = None) -> str:
    """A copy of the current session becomes current; its id."""
    store, session_id = desk.manager.store, desk.conversation.session_id
    await desk.conversation.settle()
    if not store.exists(session_id):
        raise RefusedError(f"Session '{session_id}' has nothing to fork yet.")
    made = await finished(asyncio.to_thread(lambda: fork_session(store, session_id, new_id)))
    await desk.move_to(open_session(store, made, create=False))
    return made


# -- rewind, redo, undo


async def rewind(desk: Desk, back: int = 1) -> Rewound:
    """Drop the last `back` turns. They are in the trash, and named in the header."""
    found = await last_turns(desk, back) if back > 0 else []
    if len(found) < back or not found:
        total = f"has {len(found)} turn{'' if len(found) == 1 else 's'}" if found else "has no turns"
        raise RefusedError(f"Session '{desk.conversation.session_id}' {total}; there is nothing that far back.")
    return await _rewind_to(desk, found[-1])


async def _rewind_to(desk: Desk, turn: Turn) -> Rewound:
    store, conversation = desk.manager.store, desk.conversation
    touches = await finished(asyncio.to_thread(lambda: _touches(store, conversation.session_id, turn.index)))
    messages = conversation.count - turn.index
    return Rewound(turn, messages, await conversation.cut(turn.index), touches)


def _touches(store: Store, session_id: str, start: int) -> bool:
    changes = net_changes(store.items(session_id, start))
    return bool(changes.files or changes.unknown or changes.commands)


async def redo(desk: Desk, new_id: str | None = None) -> Redone:
    """Bring back what the last rewind cut off; once something was said since then, only as another session."""
    await desk.conversation.settle()
    conversation = desk.conversation
    told = rewind_of(conversation.session.metadata)
    if told is None:
        raise RefusedError(f"Nothing was rewound in session '{conversation.session_id}': there is nothing to redo.")
    name, at = told
    ours = {conversation.session_id, *former_ids(conversation.session.metadata)}
    entry = next((one for one in desk.manager.trash() if one.name == name and one.session_id in ours), None)
    if entry is None or entry.session_id not in (conversation.session_id, *former_ids(conversation.session.metadata)):
        raise RefusedError(f"What was rewound is not in the trash any more ({name}).")
    if new_id is not None:
        await _redo_beside(desk, entry, new_id, at)
    elif conversation.count != at:
        free = free_id(desk.manager.store, conversation.session_id)
        raise RefusedError(
            f"Session '{conversation.session_id}' went on after the rewind. `/redo {free}` opens what was cut off as a "
            f"session of its own; `/restore {name}` brings it back here, and what is here goes to the trash."
        )
    else:
        await _redo_here(desk, name)
    store, current = desk.manager.store, desk.conversation.session_id
    return Redone(at, await asyncio.to_thread(lambda: _touches(store, current, at)))


async def _redo_here(desk: Desk, name: str) -> None:
    """The session may have been renamed since: it keeps its id, and what it was called before."""
    session_id, former = desk.conversation.session_id, desk.conversation.session.metadata.get("formerly")
    await desk.change(session_id, lambda: desk.manager.restore(name, new_id=session_id))
    metadata = desk.conversation.session.metadata
    if metadata.get("formerly") != former:
        await desk.conversation.edit(metadata={**metadata, "formerly": former})


async def _redo_beside(desk: Desk, entry: TrashEntry, new_id: str, at: int) -> None:
    store, session_id = desk.manager.store, desk.conversation.session_id
    if store.exists(new_id):
        raise SessionExistsError(new_id, f"Session '{new_id}' exists already; choose another id: `/redo ID`.")
    await finished(asyncio.to_thread(lambda: store.restore(entry.name, new_id=new_id)))
    opened = open_session(store, new_id, create=False)
    await desk.move_to(opened)
    header = opened.writer.header if opened.writer is not None else store.header(new_id)[0]
    parent = forked(header._replace(session_id=session_id), new_id, at, utc_stamp())
    await desk.conversation.edit(metadata=parent.metadata)


async def undo(desk: Desk) -> Undone:
    """Take back the newest thing that can be: of this session a rewind, a clear, a restore, its rename, or what was
    deleted from it. What that displaces goes to the trash as `undone`, so that the next undo goes further back."""
    await desk.conversation.settle()
    manager, conversation = desk.manager, desk.conversation
    session_id, entries = conversation.session_id, manager.trash()
    found = undoable(entries, session_id, former_ids(conversation.session.metadata))
    if found is None:
        raise RefusedError(f"There is nothing to undo in session '{session_id}'.")
    if found.reason == "renamed":
        await desk.change(found.session_id, lambda: _rename_back(manager, session_id, found))
    elif found.reason != "deleted":
        await desk.change(session_id, lambda: manager.restore(found.name, reason="undone"))
    elif manager.session_exists(found.session_id):
        raise SessionExistsError(
            found.session_id,
            f"Session '{found.session_id}' was deleted, but there is one of that id again. `/restore {found.name}` "
            "brings the deleted one back in its place.",
        )
    else:
        manager.restore(found.name)
        if not manager.session_exists(session_id):  # nothing was said here since
            await desk.resume(found.session_id)
    known = {entry.name for entry in entries}
    left = next((entry.name for entry in manager.trash() if entry.name not in known and entry.reason == "undone"), "")
    return Undone(found, left)


def _rename_back(manager: SessionManager, session_id: str, entry: TrashEntry) -> None:
    """The session has its old id again; the entry goes for the one that this makes, which holds all that it held."""
    manager.rename(session_id, entry.session_id, reason="undone")
    with suppress(OSError, SessionNotFoundError):
        manager.store.purge(entry.name)


def undoable(entries: Sequence[TrashEntry], session_id: str, former: Sequence[str]) -> TrashEntry | None:
    """The newest entry that an undo in this session takes back; `entries` newest first."""
    ours = {session_id, *former}
    for entry in entries:
        if entry.reason == "deleted" and entry.note.get("by") in ours:
            return entry
        if entry.reason == "renamed" and entry.note.get("to") == session_id and entry.session_id in former:
            return entry
        if entry.session_id == session_id:
            if entry.reason in ("rewound", "cleared", "displaced"):
                return entry
            if entry.reason in ("deleted", "renamed"):  # what is older belongs to an earlier session of that name
                return None
    return None
