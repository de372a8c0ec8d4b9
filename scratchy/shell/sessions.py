"""`scratchy session show`: it prints, asks nothing, and takes no lock to read.

Not here: the list (listing.py), the slash commands (commands/), the flags (session_cli.py).
"""

from pathlib import Path

from scratchy import compose
from scratchy.commands.telling import call_text, messages_text
from scratchy.core.errors import SessionNotFoundError
from scratchy.core.images import shown_of
from scratchy.core.messages import attached_of, calls_of
from scratchy.core.text import clean
from scratchy.sessions.manager import SessionManager
from scratchy.shell.printing import say, say_json

BESIDE = 3  # messages shown before and behind the one that was asked for


def show_session(folder: Path, session_id: str, as_json: bool, around: int | None = None) -> int:
    """All of it; or only message `around` with those beside it, each with its number."""
    if around is not None:
        return _show_around(folder, session_id, around, as_json)
    messages = SessionManager(store=compose.open_folder(folder)).load_session(session_id)
    if messages is None:
        raise SessionNotFoundError(session_id)
    if as_json:
        say_json(messages, indent=2)
        return 0
    for message in messages:
        calls = "".join(f"\n→ {call_text(call)}" for call in calls_of(message))
        texts = "".join(f"\n[attached: {one['name']}]\n{one['text']}" for one in attached_of(message))
        say(clean(f"{message.get('role')}: {shown_of(message)}{texts}{calls}\n"))
    return 0


def _show_around(folder: Path, session_id: str, number: int, as_json: bool) -> int:
    store = compose.open_folder(folder)
    first, messages = store.tail(session_id, 2 * BESIDE + 1, before=number + BESIDE + 1)
    if not first <= number < first + len(messages):
        count = store.header(session_id)[1]
        raise SessionNotFoundError(session_id, f"Session '{session_id}' has no message {number}; it has {count}.")
    if as_json:
        rows = [{"number": at, **message} for at, message in enumerate(messages, first)]
        say_json(rows, indent=2)
    else:
        say(clean(messages_text(messages, first, marked=number)))
    return 0
