"""Where big tool outputs and snapshots of files rest outside the context: a folder of files named by their content.

An entry is `<id>` (a text in UTF-8; of a snapshot any bytes) and `<id>.about` (JSON: tool and type). The id is given
out only once both are on disk. Not here: the tools by which a model reads texts back (tools/), who refers to what (the
caller tells `prune`).
"""

import atexit
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from scratchy.system import SAFE_OPEN, WINDOWS, make_private_folder, replace_file, try_lock

SNAPSHOT = "snapshot"
DAY = 86_400.0
_PREVIEW = 800
_LOCK = ".lock"
_TEMPORARY = ".pad"  # ends the names of temporary folders
_held: dict[str, int] = {}  # this process's own ones, and the descriptors of their locks
_ID = re.compile(r"[0-9a-f]{32}")
_MARKDOWN = re.compile(r"^(#{1,6} \S|```|[-*] \S.*\n[-*] \S|\|.*\|$)", re.MULTILINE)


class Scratchpad:
    """`directory` is made at the first store, 0700, its files 0600. `threshold` in UTF-8 bytes."""

    def __init__(self, directory: Path | str, threshold: int = 16384) -> None:
        self.directory = Path(directory)
        self.threshold = threshold

    def maybe_store(self, tool: str, content: str) -> str:
        """The content itself up to the threshold; above it, it is stored and a text with id, size and preview returned.

        Raises: OSError when it could not be made safe on disk.
        """
        data = content.encode("utf-8", "surrogatepass")
        if len(data) <= self.threshold:
            return content
        kind = type_of(content)
        entry = self._store(tool, kind, data)
        preview = content[:_PREVIEW]
        return (
            f"[{len(data)} bytes ({len(content)} characters) of {kind} from {tool}, kept in the scratchpad as {entry}. "
            f'Read it in slices: scratchpad_read(id="{entry}", offset=0, limit=8000), in characters.]\n'
            f"It begins:\n{preview}"
        )

    def keep(self, data: bytes, tool: str = "") -> str:
        """Any bytes, under the id that is returned: a file's content before `tool` changes it. Raises: OSError."""
        return self._store(tool, SNAPSHOT, data)

    def content(self, id: str) -> bytes:
        """What `keep` kept. Raises: LookupError for an unknown id or one whose bytes are damaged, OSError."""
        data = self._file(id).read_bytes()
        if content_id(data) != id:
            raise LookupError(f"The scratchpad's entry {id} is damaged.")
        return data

    def _store(self, tool: str, kind: str, data: bytes) -> str:
        make_private_folder(self.directory)
        if self.directory.is_symlink():
            text = "A link stands in the place of this folder; nothing is written where it leads"
            raise OSError(errno.ELOOP, text, str(self.directory))
        entry = content_id(data)
        path = self.directory / entry
        known = self._about(path).get("type")
        enough = known == SNAPSHOT or (known is not None and kind != SNAPSHOT)  # once a snapshot, always one
        if enough and path.is_file() and not path.is_symlink() and path.read_bytes() == data:
            path.touch()  # used again: young again for `prune`
            return entry
        kind = SNAPSHOT if known == SNAPSHOT else kind
        replace_file(path, data, 0o600)
        about = {"tool": tool, "type": kind, "preview": data[:400].decode("utf-8", "replace")[:200]}
        replace_file(path.with_suffix(".about"), json.dumps(about).encode(), 0o600)
        return entry

    def read(self, id: str, offset: int = 0, limit: int | None = None) -> str:
        """Characters `offset` to `offset + limit`. Raises: LookupError for an unknown id, OSError."""
        try:
            text = self._file(id).read_bytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise LookupError(f"The scratchpad's entry {id} is no text.") from None
        start = max(offset, 0)
        return text[start:] if limit is None else text[start : start + max(limit, 0)]

    def _file(self, id: str) -> Path:
        path = self.directory / id
        if not _ID.fullmatch(id) or path.is_symlink() or not path.is_file():
            raise LookupError(f"The scratchpad has no entry {id!r}.")
        return path

    def list(self) -> list[dict[str, Any]]:
        """`{id, tool, type, size, preview}` of each entry, newest first; `size` in bytes."""
        rows: list[dict[str, Any]] = []
        for path, size, _ in sorted(self._entries(), key=lambda entry: entry[2], reverse=True):
            about = self._about(path)
            rows.append(
                {
                    "id": path.name,
                    "tool": about.get("tool", ""),
                    "type": about.get("type", "text"),
                    "size": size,
                    "preview": about.get("preview", ""),
                }
            )
        return rows

    def stats(self) -> dict[str, int]:
        """`{entries, bytes}`"""
        sizes = [size for _, size, _ in self._entries()]
        return {"entries": len(sizes), "bytes": sum(sizes)}

    def prune(self, max_age: float | None = None, max_bytes: int | None = None, keep: Collection[str] = ()) -> int:
        """Remove, oldest first, what is older than `max_age` seconds and what is over `max_bytes` in all.

        Never an id in `keep`: name there everything that a session or a trash entry refers to. Never a snapshot younger
        than a day: what refers to it may not be written yet. Returns how many went.
        """
        entries = sorted(self._entries(), key=lambda entry: entry[2])
        total = sum(size for _, size, _ in entries)
        oldest = None if max_age is None else time.time() - max_age
        gone = 0
        for path, size, changed in entries:
            old = oldest is not None and changed < oldest
            if changed > time.time() - DAY and self._about(path).get("type") == SNAPSHOT:
                continue
            if path.name in keep or not (old or (max_bytes is not None and total > max_bytes)):
                continue
            self._remove(path)
            total -= size
            gone += 1
        return gone

    def clear(self) -> None:
        """Remove every entry, referred to or not."""
        for path, _, _ in list(self._entries()):
            self._remove(path)

    @classmethod
    def temporary(cls) -> "Scratchpad":
        """In a folder of its own, that goes at exit. Those of processes that were killed go now: nobody else would ever
        remove them. Raises: OSError."""
        _sweep()
        folder, handle = _locked_folder()
        _held[folder] = handle
        pad = cls(folder)
        atexit.register(pad.remove_folder)
        return pad

    def remove_folder(self) -> None:
        """For a temporary scratchpad, at exit."""
        if (handle := _held.pop(str(self.directory), None)) is not None:
            os.close(handle)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _entries(self) -> Iterator[tuple[Path, int, float]]:
        """Path, size in bytes and time of change of each entry."""
        if not self.directory.is_dir():
            return
        for path in self.directory.iterdir():
            if _ID.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                known = path.stat()
                yield path, known.st_size, known.st_mtime

    def _about(self, path: Path) -> dict[str, Any]:
        try:
            about: Any = json.loads(path.with_suffix(".about").read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", about) if isinstance(about, dict) else {}

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.with_suffix(".about").unlink(missing_ok=True)


def _locked_folder() -> tuple[str, int]:
    """A new one, and the descriptor of its lock; made anew where somebody swept it away before it was locked."""
    while True:
        folder = tempfile.mkdtemp(prefix="scratchy-", suffix=_TEMPORARY)
        lock = os.path.join(folder, _LOCK)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE_OPEN, 0o600)
        with suppress(FileNotFoundError):
            if try_lock(handle) and os.path.samestat(os.fstat(handle), os.stat(lock)):
                return folder, handle
        os.close(handle)


def _sweep() -> None:
    """Removes this user's temporary folders whose lock no living process holds."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as found:
        for entry in found:
            if entry.name.endswith(_TEMPORARY) and entry.path not in _held:
                with suppress(OSError):
                    _remove_unheld(entry)


def _remove_unheld(folder: os.DirEntry[str]) -> None:
    if not folder.is_dir(follow_symlinks=False):
        return
    if not WINDOWS and folder.stat(follow_symlinks=False).st_uid != os.geteuid():
        return
    handle = os.open(os.path.join(folder.path, _LOCK), os.O_RDWR | SAFE_OPEN)
    try:
        if not try_lock(handle):
            return
        shutil.rmtree(folder.path, ignore_errors=True)
    finally:
        os.close(handle)
    if WINDOWS:  # which keeps a file that is open
        shutil.rmtree(folder.path, ignore_errors=True)


def content_id(data: bytes) -> str:
    """The name of an entry with this content: 32 hex digits of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


def type_of(content: str) -> str:
    """`json`, `markdown` or `text`, from the content."""
    if content.lstrip()[:1] in ("{", "["):
        try:
            json.loads(content)
        except (ValueError, RecursionError):
            pass
        else:
            return "json"
    return "markdown" if _MARKDOWN.search(content[:20_000]) else "text"
