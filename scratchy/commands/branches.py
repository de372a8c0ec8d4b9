"""Slash commands that go back in a session and off to the side: /fork /rewind /redo /undo /tree.

Not here: what they do (sessions/branches.py, sessions/family.py), the files that a rewind can give back (files.py).
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from scratchy.commands import files
from scratchy.commands.outcome import Choose, Outcome, Row
from scratchy.core.errors import ScratchyError
from scratchy.sessions import branches
from scratchy.sessions.branches import Rewound, Turn, Undone
from scratchy.sessions.desk import Desk
from scratchy.sessions.family import Family, rewind_of, tree_of, trees

_OFFERED = 30  # turns to choose from
_LINE = 60  # characters of a message that name its turn
_DEEP = 6  # generations that a tree indents: it is read at 40 columns


async def fork(desk: Desk, argument: str) -> Outcome:
    """Copy this session to another id, and go on in the copy; without an id one is made."""
    old = desk.conversation.session_id
    made = await branches.fork(desk, argument or None)
    return Outcome(f"Forked session: '{made}' from '{old}' at message {desk.conversation.count}", switched=True)


async def rewind(desk: Desk, argument: str) -> Outcome:
    """Go back n turns; without a number, choose the turn. `/redo` brings back what is cut off."""
    word, _, rest = argument.partition(" ")
    if word.lower() == "files":
        return await files.restore_files(desk, rest.strip())
    if argument:
        if not (argument.isascii() and argument.isdigit() and 0 < int(argument[:9]) == int(argument)):
            return Outcome("Say how many turns to go back: `/rewind 1`. `/rewind` alone lists them.")
        done = await branches.rewind(desk, int(argument))
        return await _with_files(_rewound(done), done.touches, lambda: files.offer(desk, done.entry))
    turns = await branches.last_turns(desk, _OFFERED)
    if not turns:
        return Outcome(f"Session '{desk.conversation.session_id}' has no turns to go back over.")
    rows = [Row(f"{turn.back}  {_line(turn)}", f"/rewind {turn.back}", turn.text) for turn in turns]
    return Outcome(choose=Choose("Go back to before which message?", rows))


async def redo(desk: Desk, argument: str) -> Outcome:
    """Bring back what the last rewind cut off; with an id, as another session."""
    done = await branches.redo(desk, argument or None)
    current = desk.conversation
    where = f"as session '{current.session_id}'" if argument else f"in session '{current.session_id}'"
    text = f"Brought back what was rewound, {where} ({current.count} messages)"
    offered = await _with_files(text, done.touches, lambda: files.offer_forward(desk, done.at))
    return replace(offered, switched=True)


async def undo(desk: Desk, argument: str) -> Outcome:
    """Take back this session's last rewind, clear, restore or rename, or the last delete from it."""
    before, told = desk.conversation, rewind_of(desk.conversation.session.metadata)
    undone = await branches.undo(desk)
    outcome = Outcome(_undone(desk, undone))
    if told is not None and told[0] == undone.was.name:  # a rewind was taken back: a redo
        outcome = await _with_files(outcome.text, True, lambda: files.offer_forward(desk, told[1]))
    return replace(outcome, switched=desk.conversation is not before)


async def tree(desk: Desk, argument: str) -> Outcome:
    """Draw this session's family: what it was forked from, its forks, what was rewound."""
    current = desk.conversation.session_id
    family = tree_of(current, trees(desk.manager.infos(), desk.manager.trash()))
    if family is None:
        return Outcome(f"* {current}  nothing stored yet")
    return Outcome("\n".join(drawn(family, current)))


def drawn(family: Family, current: str, restore: str = "/restore") -> Iterator[str]:
    """A line a session, two blanks a generation; `*` marks the current one. Where the blanks end, who comes from whom
    is said. `restore`: the command that brings an entry of the trash back."""
    for node in family:
        space = "  " * min(node.depth, _DEEP)
        source = f", of {node.parent}" if node.depth > _DEEP else ""
        at = f"at {node.at}, " if node.at is not None else ""
        many = f"{at}{_many(node.messages or 0, 'message')}{source}"
        if node.state == "rewound":
            yield f"{space}- rewound {many}"
            yield f"{space}  {restore} {node.entry}"
            continue
        told = {"gone": "gone", "trash": "in the trash"}.get(node.state, many)
        yield f"{space}{'*' if node.session_id == current else '-'} {node.session_id}  {told}"
        if node.title:
            yield f"{space}  {' '.join(node.title.split())}"


def _line(turn: Turn) -> str:
    return turn.line if len(turn.line) <= _LINE else turn.line[: _LINE - 1] + "…"


def _rewound(done: Rewound) -> str:
    them = "it" if done.messages == 1 else "them"
    return (
        f"Went back to before '{_line(done.turn)}': {_many(done.messages, 'message')} cut off.\n"
        f"/redo brings {them} back; the session as it was is in the trash: {done.entry}"
    )


async def _with_files(text: str, touches: bool, offer: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """What was done, and what can be done about the files that tools changed there."""
    if not touches:
        return Outcome(text)
    try:
        offered = await offer()
    except (ScratchyError, OSError) as error:
        return Outcome(f"{text}\nWhat tools changed there cannot be told: {error}")
    return replace(offered, text=f"{text}\n{offered.text}".strip())


def _undone(desk: Desk, undone: Undone) -> str:
    was = undone.was
    count = f"({desk.conversation.count} messages)"
    match was.reason:
        case "renamed":
            text = f"Took back the rename: this session is '{was.session_id}' again"
        case "deleted":
            text = f"Took back the delete: session '{was.session_id}' is there again"
        case "displaced":
            text = f"Took back the restore of session '{was.session_id}' {count}"
        case _:
            what = "rewind" if was.reason == "rewound" else "clear"
            text = f"Took back the {what} of session '{was.session_id}' {count}"
    left = undone.entry and was.reason != "renamed"
    return text + (f"\nWhat was here is in the trash: `/restore {undone.entry}` brings it back." if left else "")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
