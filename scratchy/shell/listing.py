"""`scratchy session list`: the rows and what keeps one. It prints, asks nothing, takes no lock and repairs nothing.

Not here: the list on the screen (commands/sessions.py), searching by itself (`session search`).
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from scratchy import compose
from scratchy.commands.rows import named, shown
from scratchy.core.stored import SessionInfo, tags_in
from scratchy.core.text import clean
from scratchy.sessions.channels import channel_of
from scratchy.sessions.family import parent_of
from scratchy.sessions.finding import HITS, Finder, folder_of, model_of, passages
from scratchy.shell.printing import say, say_json
from scratchy.shell.search import SECONDS, everything

_AT_ONCE = 1000


class Wanted(NamedTuple):
    """Which rows. `here`: those of the current folder; `search`: words in id, title, tags, folder, or in what was said;
    `channel`: the provider in ids such as `agent:main:cli:local`; `limit`: the newest so many."""

    here: bool = False
    tag: str | None = None
    channel: str | None = None
    search: str | None = None
    limit: int | None = None

    def takes(self, info: SessionInfo) -> bool:
        tagged = self.tag is None or (info.header is not None and self.tag in tags_in(info.header.metadata))
        return tagged and (self.channel is None or channel_of(info.session_id) == self.channel)


def list_sessions(folder: Path, here: Path, wanted: Wanted, as_json: bool, seconds: float = SECONDS) -> int:
    store = compose.open_folder(folder)
    finder, pending = Finder(store, str(here)), 0
    while not finder.whole:
        finder.read(_AT_ONCE)
    inside: dict[str, str] = {}
    infos = finder.rows(wanted.search or "", everywhere=not wanted.here)
    if wanted.search:
        known = {info.session_id for info in infos}
        found = everything(store, wanted.search, HITS, seconds)
        pending = found.pending
        if pending:
            print(clean(found.note), file=sys.stderr)
        inside = {one: said for one, said in passages(found).items() if one not in known}
        infos += finder.named(inside, everywhere=not wanted.here)
    infos = [info for info in infos if wanted.takes(info)][: wanted.limit]
    if as_json:
        rows = [_row(info, inside.get(info.session_id)) for info in infos]
        say_json(rows, indent=2)
        return 0
    for info in infos:
        said = inside.get(info.session_id)
        say(_line(info, finder) + (f"  …{shown(said)}…" if said else ""))
    if not infos:
        none = "No session fits, of those that were looked into." if pending else "No session fits."
        say(none if finder.known else f"No sessions in {folder} yet.")
    return 0


def _line(info: SessionInfo, finder: Finder) -> str:
    if info.header is None:
        return f"{named(info.session_id)}  cannot be read: {clean(info.reason)}"
    when = info.header.updated_at[:16].replace("T", " ")
    parts = [named(info.session_id), f"{info.count} messages", clean(when)]
    parts += [shown(title)] if (title := finder.title(info)) else []
    parts += [" ".join(f"#{shown(tag)}" for tag in tags)] if (tags := tags_in(info.header.metadata)) else []
    return "  ".join([*parts, *(["(foreign: its header names another id)"] if info.foreign else [])])


def _row(info: SessionInfo, passage: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"id": info.session_id, "message_count": info.count, "size": info.size}
    if info.header is not None:
        header, metadata = info.header, info.header.metadata
        parent, provider = parent_of(metadata), metadata.get("provider")
        row |= {
            "title": header.title,
            "tags": tags_in(metadata),
            "folder": folder_of(header) or None,
            "provider": provider if isinstance(provider, str) else None,
            "model": model_of(header) or None,
            "channel": channel_of(info.session_id),
            "parent": {"id": parent[0], "at": parent[1]} if parent else None,
            "created_at": header.created_at,
            "last_activity": header.updated_at,
        }
    row |= {"passage": passage} if passage is not None else {}
    return row | ({"error": info.error} if info.error else {}) | ({"foreign": True} if info.foreign else {})
