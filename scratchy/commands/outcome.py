"""What a slash command is, and what it returns: data for a face to show. Nothing here prints or asks.

Not here: the commands (a file a theme), finding one by its name (dispatch.py).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scratchy.sessions.desk import Desk


class Row(NamedTuple):
    """One line of a choice. `line`: the slash line that choosing it runs ("": nothing); `detail`: shown beside while it
    is marked."""

    label: str
    line: str
    detail: str = ""


class Choose(NamedTuple):
    """A question to the person, answered by one of the rows or by none. Where nobody can choose the rows are printed,
    each with the line that one would type."""

    title: str
    rows: Sequence[Row]

    @property
    def is_yes_or_no(self) -> bool:
        """Whether there is one thing to do or to leave."""
        return len(self.rows) == 2 and not self.rows[1].line


@dataclass(frozen=True)
class Outcome:
    """What to show. `copy`: text for the clipboard. `switched`: another session is current, show its last exchanges.
    `choose`: ask this after the text. `pick`: let the person pick a session; `/resume ID` follows.
    `theme`: what is shown from now on looks so.
    `edit`: open this text in the person's editor, for the prompt."""

    text: str = ""
    markdown: bool = False
    copy: str | None = None
    quit: bool = False
    switched: bool = False
    choose: Choose | None = None
    pick: bool = False
    theme: str | None = None
    edit: str | None = None


Command = Callable[[Desk, str], Awaitable[Outcome]]


@dataclass(frozen=True)
class Entry:
    """`reads`: it changes nothing, so it runs in mid-turn too. `removes`: its whole name must be typed."""

    name: str
    run: Command
    aliases: tuple[str, ...] = ()
    argument: str = ""
    reads: bool = False
    removes: bool = False

    @property
    def help(self) -> str:
        return " ".join((self.run.__doc__ or "").split())
