"""What a linear face prints where the screen would let one choose: rows, and the line that one would type.

Not here: how a session is told in a row (rows.py).
"""

from collections.abc import Sequence
from itertools import islice

from scratchy.commands.outcome import Choose
from scratchy.commands.rows import session_text, shown
from scratchy.core.stored import SessionInfo
from scratchy.sessions.manager import SessionManager

SHOWN = 20
"""Sessions in the list of those to pick from."""


def choices(choose: Choose) -> list[str]:
    """The rows that `offered` has the lines of, with a number before each."""
    rows = [row for row in choose.rows if row.line]
    told = (f"{number:>3}. {shown(row.label)}  (`{shown(row.line)}`)" for number, row in enumerate(rows, 1))
    return [shown(choose.title), *told]


def offered(choose: Choose) -> list[str]:
    """The slash lines that can be chosen."""
    return [row.line for row in choose.rows if row.line]


def newest(manager: SessionManager) -> list[SessionInfo]:
    """Those that `numbered` tells; reads no more than these."""
    return list(islice(manager.store.recent(), SHOWN))


def numbered(infos: Sequence[SessionInfo], folder: str) -> list[str]:
    """Rows with a number before each."""
    return [f"{number:>3}. {session_text(info, folder)}" for number, info in enumerate(infos, 1)]


def pickable(infos: Sequence[SessionInfo], folder: str) -> list[str]:
    """The answer to `/resume` without an id, of the `newest`."""
    if not infos:
        return ["No sessions to resume yet."]
    more = ["`/sessions` lists more."] if len(infos) == SHOWN else []
    return [*numbered(infos, folder), *more, "Type `/resume ID` to open one."]
