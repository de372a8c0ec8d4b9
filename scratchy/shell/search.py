"""`scratchy session search`: what was said, in which session, at which message. Takes no lock and asks nothing."""

import json
import sys
from pathlib import Path

from scratchy import compose
from scratchy.core.found import Hit
from scratchy.core.text import clean, escaped_json, reveal
from scratchy.shell.printing import say

_PATIENCE = 2.0  # seconds for the index: nobody goes on with it when this process has ended


def search_sessions(folder: Path, text: str, limit: int, as_json: bool) -> int:
    found = compose.open_index(compose.open_folder(folder)).search(text, limit=limit, patience=_PATIENCE)
    if found.note:
        print(clean(found.note), file=sys.stderr)
    if as_json:
        rows = [_row(hit) | {"pending": found.pending} for hit in found.hits]
        say(escaped_json(json.dumps(rows, indent=2, ensure_ascii=False)))
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
