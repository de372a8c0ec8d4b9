"""Stores by URL, what lies beside their sessions, and exports."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from scratchy import config as settings
from scratchy.core.errors import ConfigError

if TYPE_CHECKING:
    from scratchy.core.messages import Message
    from scratchy.core.ports import Store
    from scratchy.scratchpad import Scratchpad
    from scratchy.store.files import FileStore

_folders: "WeakValueDictionary[Path, FileStore]" = WeakValueDictionary()


def open_folder(directory: str | os.PathLike[str] | None = None, *, make: bool = False) -> "FileStore":
    """The store of session files in `directory` (None: the usual folder); one object a folder in this process. `make`:
    now, if it can be, not with the first write."""
    from contextlib import suppress

    from scratchy.store.files import FileStore

    folder = (
        Path(os.path.abspath(os.path.expanduser(directory))) if directory is not None else settings.usual_sessions_dir()
    )
    store = _folders.get(folder)
    if store is None:
        store = _folders[folder] = FileStore(folder)
    if make:
        from scratchy.system import make_private_folder

        with suppress(OSError):
            make_private_folder(folder)
    return store


def open_store(url: str) -> "Store":
    """A store by its URL: `memory://` or `file:///folder`. Raises: ConfigError naming the kinds, for another scheme."""
    parts = urlsplit(url)
    match parts.scheme:
        case "memory":
            from scratchy.store.memory import MemoryStore

            return MemoryStore()
        case "file":
            return open_folder(unquote(parts.netloc + parts.path))
        case _:
            raise ConfigError(f"'{url}' names no kind of store. The kinds are: memory://, file:///folder.")


def as_stored(message: Mapping[str, Any]) -> Any:
    """The message as it will be read back. Raises: TypeError or ValueError for what JSON has not."""
    from scratchy.store.toonfile import plain

    return plain(message)


def open_scratchpad(store: "Store") -> "Scratchpad":
    """Beside the sessions of a folder; for a store without one in a temporary folder, removed at exit."""
    from scratchy.scratchpad import Scratchpad

    folder: Path | None = getattr(store, "folder", None)
    if folder is not None:
        return Scratchpad(Path(folder) / ".blobs")
    import atexit
    from tempfile import mkdtemp

    scratchpad = Scratchpad(mkdtemp(prefix="scratchy-"))
    atexit.register(scratchpad.remove_folder)
    return scratchpad


def export(messages: "Sequence[Message]", session_id: str, path: Path) -> None:
    """Write a transcript to a new file, its format by the suffix. Raises: ValueError for another suffix; OSError."""
    from scratchy.interchange import json_list, markdown

    writers = {".json": json_list.dump, ".md": markdown.dump}
    if path.suffix.lower() not in writers:
        raise ValueError(f"'{path}' must end in .json or .md")
    text = writers[path.suffix.lower()](messages, session_id)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.write(text.encode("utf-8", "replace"))
            file.flush()
        except OSError:
            path.unlink()  # no half of an export
            raise
