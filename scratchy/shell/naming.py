"""`scratchy session rename|title|tag`: what a session is called; each holds its lock for a moment."""

from pathlib import Path

from scratchy import compose
from scratchy.core.errors import SessionNotFoundError
from scratchy.core.text import clean, reveal
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.naming import PRIVATE_MEANS, change_tags, set_title
from scratchy.sessions.wording import PRIVATE
from scratchy.shell.printing import tell


def rename(folder: Path, session_id: str, new_id: str, as_json: bool) -> int:
    SessionManager(store=compose.open_folder(folder)).rename(session_id, new_id)
    tell(as_json, {"renamed": session_id, "id": new_id}, f"Renamed session: '{reveal(session_id)}' is now '{new_id}'")
    return 0


def title(folder: Path, session_id: str, words: list[str], as_json: bool) -> int:
    """Without words: shows it."""
    manager = SessionManager(store=compose.open_folder(folder))
    _must_exist(manager, session_id)
    now = set_title(manager, session_id, " ".join(words)) if words else manager.store.header(session_id)[0].title
    tell(as_json, {"id": session_id, "title": now}, f"Title: {clean(now)}" if now else "No title.")
    return 0


def tag(folder: Path, session_id: str, changes: list[str], as_json: bool) -> int:
    """Without changes: shows them."""
    manager = SessionManager(store=compose.open_folder(folder))
    _must_exist(manager, session_id)
    tags = change_tags(manager, session_id, changes)
    text = f"Tags: {clean(', '.join(tags))}" if tags else "No tags."
    private = f"+{PRIVATE}" in changes or PRIVATE in changes
    tell(as_json, {"id": session_id, "tags": tags}, f"{text}\n{PRIVATE_MEANS}" if private else text)
    return 0


def _must_exist(manager: SessionManager, session_id: str) -> None:
    if not manager.session_exists(session_id):
        raise SessionNotFoundError(session_id)
