"""What is not saved or not sent: one more try before the program ends, and the words for it, the same in both faces.

Not here: the saving itself, and that it is tried again with each message (sessions.conversation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchy.core.errors import SessionError, save_problem
from scratchy.core.images import line_of
from scratchy.core.text import reveal
from scratchy.terminal.lines import unsaved_reason

if TYPE_CHECKING:
    from scratchy.sessions.conversation import Conversation


async def try_to_save(conversation: Conversation) -> str:
    """Write what is not saved yet; why that failed, or "" when nothing is left."""
    try:
        await conversation.settle()
    except (OSError, SessionError) as error:
        return save_problem(error)
    return ""


def not_left(session_id: str, problem: str) -> str:
    """Said instead of leaving, the first time."""
    shown = reveal(session_id)
    return (
        f"Session '{shown}' is not saved: {problem}. What is missing on disk is in memory only.\n"
        f"Make saving possible (free space, a writable folder) or `/export /elsewhere/{shown}.json`; then leave again. "
        "Leaving again without that loses it."
    )


def left(session_id: str, problem: str) -> str:
    """Said at the end."""
    return f"Session '{reveal(session_id)}' was left with messages not saved: {problem}."


def not_sent(failure: Exception) -> str:
    """Said of a line that could not be stored."""
    return f"{unsaved_reason(failure).rstrip('.')}. It was not sent: your line is back in the prompt."


def is_kept(conversation: Conversation, line: str) -> bool:
    """Whether a line that got no answer is the session's last message: then it goes with the next."""
    return any(message.get("role") == "user" and line_of(message) == line for message in conversation.recent(1))


def kept(failure: Exception) -> str:
    """Said of a line that is stored and got no answer."""
    told = str(failure)
    return told if "message is kept" in told else f"{told} (your message is kept)"


def no_draft(session_id: str) -> str:
    """Said when what lies beside the session is no draft."""
    return f"What was typed in session '{reveal(session_id)}' last time cannot be read; it is left out."
