"""What the terminal is started with. Cheap to import: nothing here loads what the prompt does not need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scratchy.commands.outcome import Outcome
    from scratchy.sessions.desk import Desk

    Dispatch = Callable[..., Awaitable[Outcome]]


def _no_resume_line(session_id: str) -> str:
    return ""


class Commands(NamedTuple):
    """The slash commands: `dispatch(desk, line, busy=…)` and their names."""

    dispatch: Dispatch
    names: Callable[[], Sequence[str]]


def load_commands() -> Commands:
    """Too heavy for the way to the first prompt; loaded in a thread, as rich is, so that keys echo meanwhile."""
    dispatch = import_module("scratchy.commands.dispatch")
    return Commands(dispatch.dispatch, dispatch.command_names)


class Boot(NamedTuple):
    """`make_desk` is called once, after the first prompt is drawn; its argument prints a line above the prompt at any
    time, from any thread. `resume_line(id)` is the shell line shown at the end ("": none). `mode` tells what runs
    unasked; `edit_mode` is "emacs" or "vi"; `folder`: where the session works. `commands` None: those of
    scratchy.commands.dispatch, imported after the first prompt."""

    session_id: str
    make_desk: Callable[[Callable[[str], None]], Awaitable[Desk]]
    greeting: Sequence[str] = ()
    history_file: str | None = None
    mode: str = "ask"
    edit_mode: str = "emacs"
    folder: str = ""
    theme: str = "auto"
    notify: str = "bell"
    first_line: str | None = None
    resume_line: Callable[[str], str] = _no_resume_line
    commands: Commands | None = None
