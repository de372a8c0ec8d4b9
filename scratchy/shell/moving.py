"""`scratchy session export|import`: they print and end. Not here: the formats; the flags (session_cli.py)."""

from pathlib import Path

from scratchy import compose
from scratchy.core.errors import ConfigError, FormatError
from scratchy.core.text import reveal
from scratchy.sessions.exchange import export_session
from scratchy.sessions.manager import SessionManager
from scratchy.shell.printing import say, tell


def export(folder: Path, session_id: str, target: str, form: str | None, full: bool, as_json: bool) -> int:
    """`target` `-`: to stdout, in `form`."""
    path = None if target == "-" else Path(target)
    if path is None and as_json:
        raise ConfigError("--json has no place where the session itself goes to stdout. Name a file.")
    if form is not None and form not in compose.WRITTEN:
        raise ConfigError(f"--format is '{form}'; it must be one of {', '.join(compose.WRITTEN)}.")
    if path is None and form is None:
        raise ConfigError(f"Say in which format: --format {'|'.join(compose.WRITTEN)}.")
    store = SessionManager(store=compose.open_folder(folder)).store
    try:
        exported = export_session(store, session_id, path, form, full=full)
    except FileExistsError as error:
        raise FormatError(f"{error.filename} exists already; nothing was written. Name another file.") from None
    if path is None:
        return 0
    row = {"exported": session_id, "path": str(path), "message_count": exported.count, "notes": exported.notes}
    tell(as_json, row, "\n".join([f"Exported {exported.count} messages to {path}", *exported.notes]))
    return 0


def import_(folder: Path, source: str, session_id: str | None, as_json: bool) -> int:
    imported = SessionManager(store=compose.open_folder(folder)).import_session(source, session_id)
    if as_json:
        ids, notes = imported.session_ids, imported.notes
        tell(True, {"imported": ids, "skipped": imported.skipped, "notes": notes}, "")
        return 0
    for made in imported.session_ids:
        say(f"Imported session: '{reveal(made)}'")
    say(f"{imported.skipped} lines skipped")
    for note in imported.notes:
        say(reveal(note))
    return 0
