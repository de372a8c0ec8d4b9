"""Giving files back after a rewind: what `/rewind files` does, and the offer that a rewind makes. Nothing is written
but by that line. Not here: what can be given back (sessions/restoring.py), rewinding itself (branches.py).
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scratchy.commands.outcome import Choose, Outcome, Row
from scratchy.core.errors import SessionNotFoundError
from scratchy.core.messages import Message
from scratchy.core.text import reveal
from scratchy.sessions.desk import Desk
from scratchy.sessions.family import former_ids, rewind_of
from scratchy.sessions.restoring import Plan, Restoration, apply, plan, written_here

_LINES = 40  # of one file's diff on the screen
_ALL_LINES = 200
_NAMES = 50
_WIDTH = 300
_DONE = ("restored", "deleted")
_WHY = {
    "changed": "somebody else changed it since",
    "outside": "it lies outside the folders that this session works in (--add-dir adds one)",
    "link": "a link stands there, or on the way",
    "other": "what stands there is no regular file",
    "unreadable": "it cannot be read",
    "no snapshot": "its old content was not kept",
    "missing blob": "its old content is not in the scratchpad",
    "interrupted": "the call was interrupted; it may have changed it",
}


class _Asked(NamedTuple):
    """What is to be given back: the plan, the slash line that does it, whether files go forward (a redo), and how many
    changes are left alone because another machine's messages tell of them."""

    plan: Plan
    line: str
    forward: bool = False
    foreign: int = 0


async def offer(desk: Desk, entry: str) -> Outcome:
    """What the rewind that made this trash entry can give back: the diffs, and the question. Empty text: nothing."""
    return _offered(await _rewound(desk, entry))


async def offer_forward(desk: Desk, at: int) -> Outcome:
    """The same after a redo brought back the messages from number `at` on: files as those left them."""
    return _offered(await _forward(desk, at))


async def restore_files(desk: Desk, argument: str) -> Outcome:
    """`/rewind files ENTRY` gives back the files; without an entry it shows what the last rewind can give back."""
    if not argument:
        rewind = rewind_of(desk.conversation.session.metadata)
        if rewind is None:
            return Outcome("This session was not rewound, so there are no files to give back.")
        shown = await offer(desk, rewind[0])
        return shown if shown.choose else Outcome(f"There is no file to restore.\n{shown.text}".strip())
    first, _, rest = argument.partition(" ")
    forward = first == "forward" and rest.strip().isdecimal()
    asked = await (_forward(desk, int(rest)) if forward else _rewound(desk, argument))
    if not asked.plan.ready:
        return Outcome("\n".join(["No file was restored.", *_left(asked)]))
    done = await asyncio.to_thread(apply, asked.plan, desk.scratchpad, _folders(desk))
    good = [f"{reveal(path)}: {what}" for path, what in done if what in _DONE]
    failed = [f"{reveal(path)}: not restored: {_WHY.get(what, what)}" for path, what in done if what not in _DONE]
    more = [f"… and {_files(len(good) - _NAMES)} more"] if len(good) > _NAMES else []
    told = [f"Restored {_files(len(good))}.", *good[:_NAMES], *more, *failed[:_NAMES]]
    return Outcome("\n".join([*told, *_left(asked)]))


async def _rewound(desk: Desk, entry: str) -> _Asked:
    folders, machine, rewind = _folders(desk), _machine(desk), rewind_of(desk.conversation.session.metadata)
    at = rewind[1] if rewind is not None and rewind[0] == entry else None
    current = await desk.conversation.load_whole() if at is None else []

    def asked() -> _Asked:
        (metadata, messages, start), *before = _cut_by(desk, entry, at or 0)
        if at is None:
            start = _same(messages, current)
            messages = messages[start:]
        removed, foreign = written_here(messages, start, metadata, machine)
        found, later = plan(removed, desk.scratchpad, folders), list[Message]()
        for metadata, messages, start in before:
            cut, more = written_here(messages, start, metadata, machine)
            later, foreign = [*later, *cut], foreign + more
        if later:
            found = _joined(found, plan([*removed, *later], desk.scratchpad, folders))
        return _Asked(found, f"/rewind files {entry}", foreign=foreign)

    return await asyncio.to_thread(asked)


async def _forward(desk: Desk, at: int) -> _Asked:
    conversation, folders = desk.conversation, _folders(desk)
    _, messages = await conversation.page(max(conversation.count - at, 0))
    added, foreign = written_here(messages, at, conversation.session.metadata, _machine(desk))
    found = await asyncio.to_thread(plan, added, desk.scratchpad, folders, forward=True)
    return _Asked(found, f"/rewind files forward {at}", True, foreign)


def _joined(found: Plan, further: Plan) -> Plan:
    """A file that the messages of an earlier rewind changed, too, and that was left as it was then, goes back all the
    way; one that was given back then goes the way that is left."""
    ready = {file.path: file for file in found.ready}
    files = [ready.get(file.path, file) for file in further.files]
    return Plan(files, found.commands)


def _cut_by(desk: Desk, entry: str, start: int) -> list[tuple[Mapping[str, Any], list[Message], int]]:
    """The version in the trash, from message `start` on, then what rewinds just before the one that put it there had
    cut: metadata, messages, and the number of the first of them. No more is read of a session of any size."""
    store, session = desk.manager.store, desk.conversation.session
    entries = store.trash()
    there = next((one for one in entries if one.name == entry), None)
    if there is None:
        raise SessionNotFoundError(entry, f"The trash has no entry '{entry}'. `/rewind files` shows the last rewind's.")
    if there.session_id not in (session.session_id, *former_ids(session.metadata)):
        raise SessionNotFoundError(entry, f"The trash entry '{entry}' is of another session, '{there.session_id}'.")
    header, messages = store.trashed(entry, start)
    found: list[tuple[Mapping[str, Any], list[Message], int]] = [(header.metadata, messages, start)]
    names = {one.name for one in entries}
    before, count = rewind_of(header.metadata), start + len(messages)
    while before is not None and before[1] == count and before[0] in names:
        names.discard(before[0])
        earlier, cut = store.trashed(before[0], count)
        found.append((earlier.metadata, cut, count))
        before, count = rewind_of(earlier.metadata), count + len(cut)
    return found


def _same(one: Sequence[Message], other: Sequence[Message]) -> int:
    """How many messages they have in common from the start."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _folders(desk: Desk) -> list[Path]:
    return [Path(folder).resolve() for folder in (desk.config.folder, *desk.config.add_dirs)]


def _machine(desk: Desk) -> str:
    return str(desk.conversation.engine.facts().get("machine") or "")


def _offered(asked: _Asked) -> Outcome:
    ready, count = asked.plan.ready, asked.plan.commands
    told: list[str] = []
    if ready:
        what = "do it again" if asked.forward else "take it back"
        told = [f"Tools changed {_files(len(ready))} there. This would {what}:", *_shown(ready)]
    told += _left(asked)
    if count:
        told.append(f"{count} command{'s' if count > 1 else ''} ran there; what commands changed stays as it is.")
    if not ready:
        return Outcome("\n".join(told))
    rows = [Row(f"Restore {_files(len(ready))}", asked.line), Row("Leave the files as they are", "")]
    return Outcome("\n".join(told), choose=Choose("The files that tools changed", rows))


def _shown(ready: Sequence[Restoration]) -> list[str]:
    """The diffs, cut to what a screen can bear; once they are many, the other files' names."""
    lines: list[str] = []
    for at, file in enumerate(ready):
        if len(lines) >= _ALL_LINES:
            rest = [reveal(one.path) for one in ready[at : at + _NAMES]]
            more = len(ready) - at - len(rest)
            return [*lines, "… and these files:", *rest, *([f"… and {_files(more)} more"] if more else [])]
        diff = [reveal(line)[:_WIDTH] for line in file.diff.removesuffix("\n").split("\n")]
        lines += diff[:_LINES]
        if len(diff) > _LINES:
            lines.append(f"… {len(diff) - _LINES} more lines")
    return lines


def _left(asked: _Asked) -> list[str]:
    left = [file for file in asked.plan.files if file.state != "ready"]
    lines = [f"Not touched: {reveal(file.path)}: {_WHY[file.state]}" for file in left[:_NAMES]]
    if len(left) > _NAMES:
        lines.append(f"Not touched: {_files(len(left) - _NAMES)} more")
    if asked.foreign:
        many = "a change" if asked.foreign == 1 else f"{asked.foreign} changes"
        lines.append(f"Not touched: {many} that another machine wrote down.")
    return lines


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
