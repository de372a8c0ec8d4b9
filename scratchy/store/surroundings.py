"""What lies beside sessions and under them: modes, locks, strays, the trash, the index, the disk. Looked at, not read.

Not here: the sessions themselves (doctor.py).
"""

import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import quote

from scratchy.core.findings import Finding, counted
from scratchy.store.ids import SUFFIX, decode_id
from scratchy.store.index_backlog import INDEX
from scratchy.store.index_db import is_refusal
from scratchy.store.lock import holding
from scratchy.store.place import Place
from scratchy.store.trash import FOLDER, Trash
from scratchy.system import WINDOWS, file_system

LOW, FULL = 500_000_000, 10_000_000  # bytes left on the disk: said; no message can be sure of its place

_BESIDE = re.compile(r"\.(.+)\.(lock|draft|tmp|tail-[0-9]+)\Z|([^.].*)_(events|transcript)\.jsonl\Z", re.DOTALL)
_KINDS = {"draft": "draft", "tail": "cut tail", "events": "event log", "transcript": "transcript"}
_COPY = re.compile(r"conflict|\((?:\d+|copy)\)|\.sync-", re.IGNORECASE)
REMOTE = re.compile(r"(nfs|cifs|smb|afs|9p|ncp|ceph|gluster|lustre|davfs|fuse\.(sshfs|rclone|s3fs|davfs|gcsfuse))")


def look_around(place: Place) -> Iterator[Finding]:
    """Everything but the sessions. Raises nothing: what cannot be looked at is a finding."""
    if not os.path.lexists(place.folder):
        return
    for check in (_folder, _modes, _beside, _trash, _index, _disk):
        try:
            yield from check(place)
        except OSError as error:
            text = f"cannot be looked at: {error.strerror}"
            yield Finding("unreadable", text, str(error.filename or place.folder), problem=True)


def make_all_private(place: Place) -> int:
    """Files 0600 and folders 0700, of those that are ours. How many were not."""
    found = list(_loose(place))
    for path, folder in found:
        with suppress(FileNotFoundError):
            os.chmod(path, 0o700 if folder else 0o600)
    return len(found)


def _folder(place: Place) -> Iterator[Finding]:
    mode = stat.S_IMODE(os.stat(place.folder).st_mode)
    if not os.access(place.folder, os.W_OK | os.X_OK):
        advice = "Make it yours (chmod, chown), or name another with --sessions-dir."
        yield Finding("folder", "nothing can be written here", place.folder, advice=advice, problem=True)
    elif mode & 0o022 and not WINDOWS:
        advice = f"chmod 700 {place.folder}"
        yield Finding("mode", f"others may write into it (mode {mode:o})", place.folder, advice=advice, problem=True)


# --- Modes


def _modes(place: Place) -> Iterator[Finding]:
    first, *more = [*_loose(place)] or [None]
    if first is not None:
        text = "others may read it" + (f", and {len(more):,} more files and folders of ours" if more else "")
        yield Finding(
            "modes", text, first[0], advice="`scratchy doctor --fix` makes them private.", problem=True, mendable=True
        )


def _loose(place: Place) -> Iterator[tuple[str, bool]]:
    """What of ours others may use, and whether it is a folder."""
    if WINDOWS:
        return
    for entry in _entries(place.folder):
        if entry.name.endswith(SUFFIX) or entry.name.startswith(INDEX) or _BESIDE.match(entry.name):
            yield from _if_loose(entry)
    for name in (FOLDER, ".blobs"):
        top = place.path(name)
        with suppress(FileNotFoundError):
            there = os.lstat(top)
            if stat.S_ISDIR(there.st_mode) and there.st_mode & 0o077:
                yield top, True
        yield from _loose_below(top)


def _loose_below(folder: str) -> Iterator[tuple[str, bool]]:
    for entry in _entries(folder):
        yield from _if_loose(entry)
        if entry.is_dir(follow_symlinks=False):
            yield from _loose_below(entry.path)


def _if_loose(entry: os.DirEntry[str]) -> Iterator[tuple[str, bool]]:
    with suppress(FileNotFoundError):
        mode = entry.stat(follow_symlinks=False).st_mode
        if mode & 0o077 and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield entry.path, stat.S_ISDIR(mode)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Nothing for what is no folder, or a link to one."""
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return []
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


# --- What lies beside sessions


def _beside(place: Place) -> Iterator[Finding]:
    entries = _entries(place.folder)
    sessions = {entry.name[: -len(SUFFIX)] for entry in entries if entry.name.endswith(SUFFIX)}
    strays: dict[str, list[str]] = {}
    for entry in entries:
        found = _BESIDE.match(entry.name)
        if found is None:
            if _COPY.search(entry.name) and "toon" in entry.name and not entry.name.endswith(SUFFIX):
                text = "looks like the conflict copy of a sync client; nothing uses it"
                yield Finding("copy", text, entry.path, advice="Compare it with the session, then delete it.")
            continue
        encoded, kind = found[1] or found[3], (found[2] or found[4]).partition("-")[0]
        if kind == "lock":
            yield from _lock(entry.path, encoded)
        if kind == "tmp" or not (encoded in sessions or decode_id(encoded) in sessions):
            strays.setdefault(kind, []).append(entry.name)
    yield from _strays(place, strays)


def _lock(path: str, encoded: str) -> Iterator[Finding]:
    holder = holding(path)
    if holder is not None:
        yield Finding("held", f"held by {holder}", path, decode_id(encoded) or encoded, advice=holder.advice.strip())


def _strays(place: Place, strays: dict[str, list[str]]) -> Iterator[Finding]:
    for kind, names in sorted(strays.items()):
        shown = ", ".join(sorted(names)[:3]) + (" …" if len(names) > 3 else "")
        if kind == "lock":
            text = f"{counted(len(names), 'lock file')} of sessions that hold no message: {shown}"
        elif kind == "tmp":
            text = f"{counted(len(names), 'unfinished write')}, removed when the session is opened: {shown}"
        else:
            text = f"{counted(len(names), _KINDS[kind])} without a session: {shown}"
        yield Finding("stray", text, place.folder)


# --- Trash, index, disk


def _trash(place: Place) -> Iterator[Finding]:
    trash = Trash(place)
    for top in (trash.folder, place.path(".blobs")):
        if os.path.lexists(top) and not stat.S_ISDIR(os.lstat(top).st_mode):
            advice = "Move it away: nothing can be put there, so deleting, rewinding and big outputs fail."
            yield Finding(
                "trash", "it is no folder, but stands in the place of one of ours", top, "", None, advice, True
            )
    readable = {entry.name for entry in trash.entries()}
    broken = sorted(entry.name for entry in _entries(trash.folder) if entry.name not in readable)
    if broken:
        shown = ", ".join(broken[:3]) + (" …" if len(broken) > 3 else "")
        yield Finding("trash", f"{counted(len(broken), 'thing')} in the trash without a session: {shown}", trash.folder)


def _index(place: Place) -> Iterator[Finding]:
    path = place.path(INDEX)
    if not os.path.lexists(path):
        return
    way = "mode=ro" if os.path.lexists(f"{path}-wal") else "immutable=1"  # else reading leaves files beside it
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?{way}", uri=True, timeout=1)) as index:
            said = str(index.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        said = "ok" if is_refusal(error) else str(error)
    if said != "ok":
        advice = "It is derived: the next search makes it anew."
        yield Finding("index", f"the search index is damaged ({said})", path, advice=advice)


def _disk(place: Place) -> Iterator[Finding]:
    free = shutil.disk_usage(place.folder).free
    if free < LOW:
        text = f"{free / 1e6:,.0f} MB are left on this disk"
        advice = "Make room: a message that cannot be saved is not sent."
        yield Finding("space", text, place.folder, advice=advice, problem=free < FULL)
    kind = file_system(place.folder)
    if REMOTE.match(kind):
        text = f"it lies on a network file system ({kind}), whose locks are not to be relied on"
        yield Finding("network", text, place.folder, advice="Use a session from one machine at a time there.")
