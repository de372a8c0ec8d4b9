"""`scratchy session search`: what was said, in which session, at which message. Takes no lock and asks nothing."""

import sys
import time
from contextlib import suppress
from pathlib import Path

from scratchy import compose
from scratchy.core.found import Found, Hit
from scratchy.core.ports import Store
from scratchy.core.text import clean, reveal
from scratchy.shell.printing import Progress, say, say_json

SECONDS = 30.0
"""Until then everything is looked into, or what was not is said: nobody goes on when this process has ended."""
_FIRST = 2.0  # seconds of indexing and as many of reading, which is enough nearly always
_SLICE = 0.5


def everything(store: Store, text: str, limit: int, seconds: float = SECONDS) -> Found:
    """What was said in all sessions; where that takes longer, `note` says how many were not reached. Raises OSError."""
    index, deadline = compose.open_index(store), time.monotonic() + seconds
    first = min(_FIRST, seconds)
    found = index.search(text, limit=limit, patience=first, seconds=first)
    if not found.pending or first == seconds:
        return found
    waiting = total = found.pending
    with Progress("indexed") as progress, suppress(OSError):  # it cannot be written: the rest of the time is reading
        while waiting and time.monotonic() < deadline - _FIRST:
            waiting = index.update(_SLICE)
            total = max(total, waiting)
            progress(total - waiting, total, 0)
    rest = max(deadline - time.monotonic(), _FIRST)
    return index.search(text, limit=limit, patience=_SLICE, seconds=rest)


def search_sessions(folder: Path, text: str, limit: int, as_json: bool, seconds: float = SECONDS) -> int:
    found = everything(compose.open_folder(folder), text, limit, seconds)
    if found.note:
        print(clean(found.note), file=sys.stderr)
    if as_json:
        rows = [_row(hit) | {"pending": found.pending} for hit in found.hits]
        say_json(rows, indent=2)
        return 0
    for hit in found.hits:
        when = (hit.ts or hit.last_activity)[:16].replace("T", " ")
        title = f"  {clean(hit.title)}" if hit.title and hit.role != "title" else ""
        say(f"{reveal(hit.session_id)}  message {hit.number}, {clean(hit.role)}  {clean(when)}{title}")
        say(f"    {clean(hit.passage)}")
    if found.hits:
        say("`scratchy session show ID --around N` shows a message with those beside it.")
    elif not found.note:
        say("Nothing found.")
    return 0


def _row(hit: Hit) -> dict[str, object]:
    return {
        "id": hit.session_id, "title": hit.title or None, "number": hit.number, "role": hit.role, "ts": hit.ts or None,
        "passage": hit.passage, "matches": hit.matches, "folder": hit.folder or None,
        "last_activity": hit.last_activity,
    }  # fmt: skip
