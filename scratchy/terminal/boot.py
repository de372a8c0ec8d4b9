"""What the terminal is started with. Cheap to import: nothing here loads what the prompt does not need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scratchy.commands import Desk, Outcome

    Dispatch = Callable[..., Awaitable[Outcome]]


def _no_resume_line(session_id: str) -> str:
    return ""


class Commands(NamedTuple):
    """The slash commands: `dispatch(desk, line, busy=…)` and their names."""

    dispatch: Dispatch
    names: Callable[[], Sequence[str]]


class Boot(NamedTuple):
    """`make_desk` is called once, after the first prompt is drawn; its argument prints a line above the prompt at any
    time, from any thread. `resume_line(id)` is the shell line shown at the end ("": none). `marks` stand in the prompt.
    `commands` None: those of scratchy.commands, imported after the first prompt."""

    session_id: str
    make_desk: Callable[[Callable[[str], None]], Awaitable[Desk]]
    greeting: Sequence[str] = ()
    history_file: str | None = None
    marks: str = ""
    first_line: str | None = None
    resume_line: Callable[[str], str] = _no_resume_line
    commands: Commands | None = None
