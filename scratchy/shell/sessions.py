"""`scratchy session list|show`: they print, ask nothing, and take no lock to read.

Not here: the slash commands (commands/); the flags (session_cli.py).
"""

import json
from pathlib import Path
from typing import Any

from scratchy import compose
from scratchy.commands.telling import messages_text
from scratchy.core.errors import SessionNotFoundError
from scratchy.core.messages import calls_of, text_of
from scratchy.core.text import clean, escaped_json, reveal
from scratchy.sessions.manager import SessionManager
from scratchy.shell.printing import say

BESIDE = 3  # messages shown before and behind the one that was asked for


def list_sessions(folder: Path, as_json: bool) -> int:
    manager = SessionManager(store=compose.open_folder(folder))
    infos = manager.infos()
    if as_json:
        rows: list[dict[str, Any]] = []
        for info in infos:
            row: dict[str, Any] = {"id": info.session_id, "message_count": info.count, "size": info.size}
            if info.header is not None:
                row |= {
                    "title": info.header.title,
                    "created_at": info.header.created_at,
                    "last_activity": info.header.updated_at,
                }
            rows.append(
                row | ({"error": info.error} if info.error else {}) | ({"foreign": True} if info.foreign else {})
            )
        say(escaped_json(json.dumps(rows, indent=2, ensure_ascii=False)))
        return 0
    for info in infos:
        if info.header is None:
            say(f"{reveal(info.session_id)}  cannot be read: {clean(info.reason)}")
            continue
        title = f"  {clean(info.header.title)}" if info.header.title else ""
        foreign = "  (foreign: its header names another id)" if info.foreign else ""
        when = info.header.updated_at[:16].replace("T", " ")
        say(f"{reveal(info.session_id)}  {info.count} messages  {clean(when)}{title}{foreign}")
    if not infos:
        say(f"No sessions in {folder} yet.")
    return 0


def show_session(folder: Path, session_id: str, as_json: bool, around: int | None = None) -> int:
    """All of it; or only message `around` with those beside it, each with its number."""
    if around is not None:
        return _show_around(folder, session_id, around, as_json)
    messages = SessionManager(store=compose.open_folder(folder)).load_session(session_id)
    if messages is None:
        raise SessionNotFoundError(session_id)
    if as_json:
        say(escaped_json(json.dumps(messages, indent=2, ensure_ascii=False)))
        return 0
    for message in messages:
        calls = "".join(
            f"\n→ {call['function']['name']}({call['function']['arguments']})" for call in calls_of(message)
        )
        say(clean(f"{message.get('role')}: {text_of(message)}{calls}\n"))
    return 0


def _show_around(folder: Path, session_id: str, number: int, as_json: bool) -> int:
    store = compose.open_folder(folder)
    first, messages = store.tail(session_id, 2 * BESIDE + 1, before=number + BESIDE + 1)
    if not first <= number < first + len(messages):
        count = store.header(session_id)[1]
        raise SessionNotFoundError(session_id, f"Session '{session_id}' has no message {number}; it has {count}.")
    if as_json:
        rows = [{"number": at, **message} for at, message in enumerate(messages, first)]
        say(escaped_json(json.dumps(rows, indent=2, ensure_ascii=False)))
    else:
        say(clean(messages_text(messages, first, marked=number)))
    return 0
