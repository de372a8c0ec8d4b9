"""`scratchy session delete` and `scratchy session trash list|restore|empty`: into the trash, out of it, and gone.

Nothing is gone but by `trash empty`, which says what and asks. Not here: what the trash is (store/trash.py).
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from scratchy import compose
from scratchy.core.errors import ConfigError, SessionLockedError, SessionNotFoundError
from scratchy.core.stored import SessionInfo, TrashEntry, tags_in
from scratchy.core.text import clean, reveal
from scratchy.sessions.manager import SessionManager
from scratchy.shell.printing import agreed, asking, say, tell

DONE, FAILED, TRY_AGAIN = 0, 1, 75
_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Filter(NamedTuple):
    """Which sessions a bulk delete takes; both must hold where both are given. `older_than` in seconds."""

    older_than: float | None = None
    tag: str | None = None

    def takes(self, info: SessionInfo, now: float) -> bool:
        if info.header is None:
            return False
        old = self.older_than is None or _is_old(info.header.updated_at, now, self.older_than)
        return old and (self.tag is None or self.tag in tags_in(info.header.metadata))


def seconds_of(text: str) -> float:
    """`30d`, `12h`, `45m`, `2w` in seconds. Raises: ConfigError for anything else."""
    match = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    if match is None:
        raise ConfigError(f"'{text}' is no age. Write a number and a unit: 45m, 12h, 30d, 2w.")
    return int(match[1]) * float(_UNITS[match[2]])


def _is_old(stamp: str, now: float, age: float) -> bool:
    """Of what has no readable time, or one in the future, nobody knows."""
    try:
        return now - datetime.fromisoformat(stamp).timestamp() > age
    except (ValueError, OverflowError, OSError):
        return False


def delete_sessions(folder: Path, ids: Sequence[str], wanted: Filter, dry_run: bool, as_json: bool) -> int:
    """By id or by filter; what is held elsewhere is skipped and said, and makes the exit code 75."""
    manager = SessionManager(store=compose.open_folder(folder))
    if bool(ids) == (wanted != Filter()):
        raise ConfigError("Name the sessions to delete, or a filter (--older-than 30d, --tag x), not both.")
    if not ids:
        now = time.time()
        ids = [info.session_id for info in manager.infos() if wanted.takes(info, now)]
    elif missing := next((one for one in ids if not manager.session_exists(one)), None):
        more = "; nothing was deleted" if len(ids) > 1 else ""
        raise SessionNotFoundError(missing, f"Session '{missing}' not found{more}.")
    deleted: list[str] = []
    skipped: dict[str, str] = {}
    code = DONE
    for session_id in ids:
        try:
            if dry_run or manager.delete_session(session_id):
                deleted.append(session_id)
        except SessionLockedError as error:
            skipped[session_id], code = str(error), TRY_AGAIN
        except OSError as error:
            skipped[session_id], code = f"'{session_id}', {error.strerror or error}: {error.filename}", FAILED
    row = {"would_delete" if dry_run else "deleted": deleted, "skipped": skipped}
    tell(as_json, row, _deleted_lines(deleted, skipped, dry_run))
    return code


def _deleted_lines(deleted: Sequence[str], skipped: dict[str, str], dry_run: bool) -> str:
    if dry_run:
        lines = [f"Would delete: '{reveal(one)}'" for one in deleted]
        return "\n".join([*lines, f"{_number(len(deleted), 'session')}; nothing was deleted (--dry-run)."])
    lines = [f"Deleted session: '{reveal(one)}' (it is in the trash)" for one in deleted]
    lines += [f"Skipped: {clean(why)}" for why in skipped.values()]
    return "\n".join(lines) or "No session fits; nothing was deleted."


def list_trash(folder: Path, as_json: bool) -> int:
    entries = SessionManager(store=compose.open_folder(folder)).trash()
    rows = [_row(entry) for entry in entries]
    lines = [
        f"{_short(e.when)}  {reveal(e.session_id)}  {_number(e.count, 'message')}, {e.reason}  {e.name}"
        for e in entries
    ]
    total = f"{_number(len(entries), 'entry', 'entries')}, {_size(entries)}. Nothing empties by itself."
    tell(as_json, rows, clean("\n".join([*lines, total])) if entries else "The trash is empty.")
    return DONE


def restore_from_trash(folder: Path, named: str, as_json: bool) -> int:
    """By the entry's name, or a session's newest."""
    restored = SessionManager(store=compose.open_folder(folder)).restore(named)
    tell(as_json, {"restored": restored}, f"Restored session: '{reveal(restored)}'")
    return DONE


def empty_trash(
    folder: Path, older_than: float | None, branches: bool, yes: bool, as_json: bool,
    ask: Callable[[str], str] | None = None,
) -> int:  # fmt: skip
    """For good. Entries that a living session came from (`rewind`) stay unless `branches`."""
    store = compose.open_folder(folder)
    now = time.time()
    entries = [e for e in store.trash() if older_than is None or _is_old(e.when, now, older_than)]
    named = set[str]() if branches else _named_by_sessions(store.list())
    kept = [entry for entry in entries if entry.name in named]
    going = [entry for entry in entries if entry.name not in named]
    stay = f" {_number(len(kept), 'entry', 'entries')} that /redo can bring back stay (--branches takes them too)."
    told = f"{_number(len(going), 'entry', 'entries')}, {_size(going)}.{stay if kept else ''}"
    if not entries:
        tell(as_json, {"emptied": 0, "bytes": 0, "kept": 0}, "Nothing of that kind is in the trash.")
        return DONE
    if going and not yes:
        out = asking()
        if ask is None and out is None:
            tell(as_json, {"emptied": 0, "would_empty": len(going)}, f"{told} Nothing was removed: say --yes.")
            return FAILED
        question = f"Remove for good: {told}"
        said = ask(question).strip().lower() == "y" if ask else out is not None and agreed(question, out)
        if not said:
            say("Nothing was removed.")
            return DONE
    size = sum(entry.size for entry in going)
    for entry in going:
        store.purge(entry.name)
    if going:
        compose.forget_index(store)  # it may still hold their words
    tell(as_json, {"emptied": len(going), "bytes": size, "kept": len(kept)}, f"Removed for good: {told}")
    return DONE


def _named_by_sessions(infos: Sequence[SessionInfo]) -> set[str]:
    rewinds: list[Any] = [info.header.metadata.get("rewind") for info in infos if info.header is not None]
    return {str(cast("dict[str, Any]", rewind).get("entry")) for rewind in rewinds if isinstance(rewind, dict)}


def _row(entry: TrashEntry) -> dict[str, object]:
    return {
        "name": entry.name, "id": entry.session_id, "when": entry.when, "reason": entry.reason,
        "message_count": entry.count, "size": entry.size,
    }  # fmt: skip


def _short(stamp: str) -> str:
    return stamp[:16].replace("T", " ")


def _size(entries: Sequence[TrashEntry]) -> str:
    count = sum(entry.size for entry in entries)
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} kB"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
