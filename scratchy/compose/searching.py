"""The search index of a store: opened, forgotten, brought up to date beside everything else."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from scratchy.core.ports import Store
    from scratchy.store.files import FileStore
    from scratchy.store.index import Index
    from scratchy.store.scan import Scan

_indexes: "WeakKeyDictionary[FileStore, Index]" = WeakKeyDictionary()


def open_index(store: "Store") -> "Index | Scan":
    """One a store in this process. A store without a folder is read session by session."""
    from scratchy.store.files import FileStore
    from scratchy.store.scan import Scan

    store = getattr(store, "inner", store)  # what stands around it, as live transcripts do, changes nothing here
    if not isinstance(store, FileStore):
        return Scan(store)
    from scratchy.store.index import Index

    if store not in _indexes:
        _indexes[store] = Index(store)
    return _indexes[store]


def forget_index(store: "Store") -> None:
    """Nothing of what was removed stays in the index: it is deleted, and made anew by the next search."""
    open_index(store).forget()


async def warm_index(store: "Store") -> None:
    """Bring the index up to date in a process of its own, where that is more than a search does unnoticed. Never
    raises; cancelled, the process ends."""
    import asyncio

    from scratchy.store.index_backlog import SOON_DONE, backlog

    folder: str | None = getattr(store, "folder", None)
    if folder is None or await asyncio.to_thread(backlog, folder) < SOON_DONE:
        return
    from scratchy.tools.process import finished, python_job

    try:
        await finished(python_job("scratchy.store.index_child", {"folder": folder}, 3600.0, 1 << 16))
    except OSError:
        return
