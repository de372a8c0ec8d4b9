"""`scratchy session fork|tree`: a copy up to a message, and who was forked from whom.

Not here: what a fork is (sessions/branches.py), the flags (session_cli.py).
"""

from pathlib import Path
from typing import Any

from scratchy import compose
from scratchy.commands.branches import drawn
from scratchy.core.errors import SessionNotFoundError
from scratchy.core.text import clean, reveal
from scratchy.sessions.branches import fork_session
from scratchy.sessions.family import Node, tree_of, trees
from scratchy.sessions.manager import SessionManager
from scratchy.shell.printing import say, say_json, tell


def fork(folder: Path, session_id: str, new_id: str | None, at: int | None, as_json: bool) -> int:
    store = compose.open_folder(folder)
    made = fork_session(store, session_id, new_id, at)
    count = store.header(made)[1]
    row = {"id": made, "parent": {"id": session_id, "at": count}, "message_count": count}
    tell(as_json, row, f"Forked session: '{reveal(made)}' from '{reveal(session_id)}' at message {count}")
    return 0


def tree(folder: Path, session_id: str | None, as_json: bool) -> int:
    manager = SessionManager(store=compose.open_folder(folder))
    families = trees(manager.infos(), manager.trash())
    if session_id is not None:
        found = tree_of(session_id, families)
        if found is None:
            raise SessionNotFoundError(session_id)
        families = [found]
    if as_json:
        rows = [_row(node) for family in families for node in family]
        say_json(rows, indent=2)
        return 0
    for family in families:
        say(clean("\n".join(drawn(family, session_id or "", "scratchy session trash restore"))))
    if not families:
        say(f"No sessions in {folder} yet.")
    return 0


def _row(node: Node) -> dict[str, Any]:
    """What a rewind cut off has the id of its session."""
    return {
        "id": node.session_id, "parent": node.parent, "at": node.at, "message_count": node.messages,
        "title": node.title, "state": node.state, "entry": node.entry or None,
    }  # fmt: skip
