"""Searching what was said: for the person in all sessions, for the model in those that are in its reach.

Not here: the index (store), how hits are shown (the faces), when the model has to ask (tools/sessions.py).
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

from scratchy import compose
from scratchy.core.found import Found
from scratchy.core.ports import Store
from scratchy.core.stored import Header, tags_in
from scratchy.sessions.finding import folder_of
from scratchy.sessions.project import folder_in, is_here, is_same, project_in
from scratchy.sessions.wording import PRIVATE
from scratchy.sessions.worker import finished

_FOR_MODEL = 10  # hits
_PASSAGE = 500  # characters of one that a model gets
_CALM = 5.0  # seconds after the start that belong to the person and the model
_SCAN = 0.5  # seconds that a model's search may take where there is no index


class Searching:
    """One window's index. `warm` lets it catch up in the background: the first search is as quick as the next then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._warming: asyncio.Task[None] | None = None

    async def search(self, text: str, limit: int = 20) -> Found:
        """The newest hits in all sessions. Raises OSError."""
        index = await asyncio.to_thread(compose.open_index, self._store)
        return await finished(asyncio.to_thread(index.search, text, limit=limit))

    def warm(self) -> None:
        """Once; `close` ends it."""
        if self._warming is None:
            self._warming = asyncio.ensure_future(self._warm())

    async def _warm(self) -> None:
        await asyncio.sleep(_CALM)
        await compose.warm_index(self._store)

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])


class ProjectRecall:
    """What `search_sessions` may find, asked from the session `session_id`: sessions of the same folder or project that
    were held with the same server, itself left out. `facts` is the header metadata of the session that asks."""

    def __init__(self, store: Store, session_id: str, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._store = store
        self._session_id = session_id
        self._facts = facts

    def search(self, query: str, everywhere: bool) -> Found:
        """Blocks. Raises OSError."""
        facts = self._facts()
        reach = [
            info.session_id
            for info in self._store.list()
            if info.header is not None
            and not info.foreign
            and info.session_id != self._session_id
            and PRIVATE not in tags_in(info.header.metadata)
            and (everywhere or is_kin(info.header, facts))
        ]
        index = compose.open_index(self._store)
        return index.search(query, limit=_FOR_MODEL, sessions=reach, width=_PASSAGE, seconds=_SCAN)


def is_kin(header: Header, facts: Mapping[str, Any]) -> bool:
    """The same folder, or the same project that was moved, and the same server: what it was told, it may be told."""
    if (header.metadata.get("endpoint") or "") != (facts.get("endpoint") or ""):
        return False
    held, here = folder_of(header), folder_in(facts)
    if not held or not here:
        return False
    if is_here(held, os.path.realpath(here)):
        return True
    return not os.path.lexists(held) and is_same(project_in(header.metadata), project_in(facts))
