"""Stores by URL, and what lies beside their sessions."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from scratchy import config as settings
from scratchy.core.errors import ConfigError

if TYPE_CHECKING:
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
    return Scratchpad.temporary()
