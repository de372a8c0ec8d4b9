"""Slash commands in an editor: those whose outcome is text. Not here: the commands (scratchy.commands).

What switches, cuts or renames a session is left out: the editor would go on showing what is not there any more.
"""

import re

from acp import update_agent_message_text
from acp.schema import AgentMessageChunk, AvailableCommand, AvailableCommandInput, UnstructuredCommandInput

from scratchy.acp.calls import fenced
from scratchy.commands.dispatch import COMMANDS, dispatch
from scratchy.commands.outcome import Entry
from scratchy.core.text import clean
from scratchy.sessions.desk import Desk

_TEXTS = frozenset(
    (
        "status", "title", "tag", "tree", "search", "history", "model", "tools", "permissions", "context", "cost",
        "export", "system", "sessions", "trash", "doctor",
    )
)  # fmt: skip
_HELP = "help"


def offered() -> list[AvailableCommand]:
    """In the order of the terminal's own list."""
    told = [_as_offered(entry) for entry in COMMANDS if entry.name in _TEXTS]
    return [AvailableCommand(name=_HELP, description="List these commands."), *told]


def _as_offered(entry: Entry) -> AvailableCommand:
    wanted = AvailableCommandInput(root=UnstructuredCommandInput(hint=entry.argument)) if entry.argument else None
    return AvailableCommand(name=entry.name, description=entry.help, input=wanted)


def is_command(line: str) -> bool:
    """Whether a prompt is a command: `/usr/bin is full` is none."""
    return re.match(r"/[a-zA-Z]+(?:\s|\Z)", line) is not None


def answered(text: str) -> AgentMessageChunk:
    return update_agent_message_text(text or "Done.")


async def run(desk: Desk, line: str) -> str:
    """What the command says, as Markdown. Never raises for bad input."""
    word = line.split(None, 1)[0].removeprefix("/").lower()
    if word == _HELP:
        return "\n".join(f"- `/{one.name}` {one.description}" for one in offered())
    entry = next((entry for entry in COMMANDS if word in (entry.name, *entry.aliases)), None)
    if entry is None or entry.name not in _TEXTS:
        why = "belongs to the terminal" if entry is not None else "is no command"
        return f"`/{word}` {why}. `/{_HELP}` lists what can be said here."
    outcome = await dispatch(desk, line)
    text = clean(outcome.text)
    return text if outcome.markdown or "\n" not in text.strip() else fenced(text, "")
