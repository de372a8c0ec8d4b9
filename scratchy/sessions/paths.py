"""Which paths fit what a person has typed behind an @, best first; 100,000 of them are looked through while keys come.

All of it works in slices on the event loop, or waits for a child or a thread. Not here: how the names are found
(tools/paths.py), what a mention sends (mentions.py), the menu (the faces).
"""

import asyncio
import os
import re
import stat
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from heapq import nsmallest
from itertools import islice
from pathlib import Path

from scratchy.compose.mentions import path_names

OFFERED = 60
_FEW = 8
_FOLDER_OFFERED = 500
_FRESH = 3.0  # seconds after which the names are asked for anew, when somebody asks
_KEPT = 120.0  # seconds after the last question
_FIRST = 0.04  # seconds after which a few are shown before all are known
_LOOK = 0.01  # seconds between two looks at what has come
_SLICE = 0.002  # seconds of work after which keys come first, and what they show
_REST = 0.0001  # seconds; more than none, for the screen is drawn when nothing is ready to run
_CHUNK = 512  # names, between two looks at the clock
_FOLDER_MOST = 20_000  # entries of one folder
_TIER = 10_000  # more than a path is long
_RECENT = 5000  # mentioned lately counts more than being short, less than fitting better

Chunk = tuple[list[str], list[str]]
"""Names, and the same in one case, to be looked in."""


class Paths:
    """The paths of `folder` and of `add_dirs`. `recent` gives what was mentioned before."""

    def __init__(
        self, folder: Path, add_dirs: Iterable[Path] = (), recent: Callable[[], Sequence[str]] = lambda: ()
    ) -> None:
        self.folder = folder
        self._tops = {folder: ""} | {path: f"{path}/" for path in add_dirs if path.is_absolute()}
        self._recent = recent
        self._names = _Names(self._tops)  # of these all are known
        self._loading: _Names | None = None
        self._forgetting: asyncio.TimerHandle | None = None

    async def find(self, typed: str) -> AsyncGenerator[list[str], None]:
        """Paths that fit, some at a time, the best of each first; folders end in `/`. Closing it early is cheap."""
        given = {typed}
        self._forget_later()
        async with aclosing(self._found(typed)) as batches:
            async for batch in batches:
                there = await asyncio.to_thread(_there, self.folder, batch)
                fresh = [path for path in dict.fromkeys(there) if path not in given]
                given.update(fresh)
                if fresh:
                    yield fresh

    def listed(self, typed: str) -> list[str]:
        """What lies in the folder that is typed so far, and fits the rest. Blocks."""
        return _listed(self.folder, typed)

    async def _found(self, typed: str) -> AsyncGenerator[list[str], None]:
        rooted = os.path.isabs(typed) or typed.startswith(("~", "../", "./"))
        loading = None if rooted else self._load()
        recent: Sequence[str] = () if rooted else self._recent()
        if not typed:
            yield list(recent)
        if not typed or "/" in typed:
            yield await asyncio.to_thread(self.listed, typed)
        if rooted or not typed:
            return
        for names in (self._names, loading):
            if names is not None and (names is loading or names.chunks):
                async with aclosing(_ranked(_Search(typed, recent, names))) as batches:
                    async for batch in batches:
                        yield batch

    def _forget_later(self) -> None:
        """Many names take memory; nobody may want them again."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(_KEPT, self._forget)

    def _forget(self) -> None:
        self._names = _Names(self._tops)
        self._loading = None if self._loading is None or self._loading.whole else self._loading

    def _load(self) -> "_Names | None":
        """The names that are being read anew, None where those that we have are fresh."""
        if self._loading is not None and self._loading.whole:
            self._names, self._loading = self._loading, None
        if self._loading is None and time.monotonic() - self._names.at > _FRESH:
            self._loading = _Names(self._tops)
            self._loading.begin()
        return self._loading


class _Pace:
    """Lets others run between slices of work."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _SLICE

    async def rest(self) -> None:
        if time.monotonic() > self._until:
            await asyncio.sleep(_REST)
            self._until = time.monotonic() + _SLICE


class _Names:
    """Names as they come; `at`: when they were all there."""

    def __init__(self, tops: dict[Path, str]) -> None:
        self.chunks: list[Chunk] = []
        self.at = float("-inf")
        self._tops = tops
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def whole(self) -> bool:
        return all(task.done() for task in self._tasks)

    def begin(self) -> None:
        self._tasks = [asyncio.ensure_future(self._read(top, before)) for top, before in self._tops.items()]

    async def wait(self, seconds: float | None = None) -> None:
        await asyncio.wait(self._tasks, timeout=seconds)

    async def _read(self, top: Path, before: str) -> None:
        folders, pace = {""}, _Pace()
        async with aclosing(path_names(top)) as names:
            async for some in names:
                for at in range(0, len(some), _CHUNK):
                    self._take(some[at : at + _CHUNK], before, folders)
                    await pace.rest()
        self.at = time.monotonic()

    def _take(self, names: list[str], before: str, folders: set[str]) -> None:
        """These, and the folders that are on the way to them."""
        for name in names[:]:
            folder = name.rpartition("/")[0]
            while folder not in folders:
                folders.add(folder)
                names.append(folder + "/")
                folder = folder.rpartition("/")[0]
        names = [before + name for name in names] if before else names
        self.chunks.append((names, [folded if (folded := name.casefold()) != name else name for name in names]))


class _Search:
    """What is typed: its characters, in this order, are in every path that fits. Better fits the beginning of a name,
    then of the path, then the whole of it in one place; the shorter first."""

    def __init__(self, typed: str, recent: Iterable[str], names: "_Names") -> None:
        self._typed = typed.casefold()
        self._recent = frozenset(recent)
        self._names = names
        self._taken = 0  # chunks
        self._pace = _Pace()
        self._found: list[tuple[int, str]] = []
        self._fits = re.compile("".join(f"[^{re.escape(char)}]*+{re.escape(char)}" for char in self._typed), re.DOTALL)

    @property
    def few(self) -> list[str]:
        """The best so far; what fits better may still come."""
        return [name for _, name in self._found[:_FEW]]

    async def best(self) -> list[str]:
        """Out of all, when they are known."""
        while not self._names.whole:
            await self._names.wait(_LOOK)
            await self._take()
        await self._take()
        if len(self._found) < OFFERED and len(self._typed) > 1:
            for names, keys in self._names.chunks:
                self._add((name, key) for name, key in zip(names, keys, strict=True) if self._is_scattered(key))
                await self._pace.rest()
        return [name for _, name in self._found]

    async def _take(self) -> None:
        """Those of what has come which hold it in one place: they are better, and found fast."""
        typed, fresh = self._typed, self._names.chunks[self._taken :]
        self._taken += len(fresh)
        for names, keys in fresh:
            if self._is_full:  # of those that begin so: only such ones can be better
                begins = f"/{typed}"
                self._add((n, k) for n, k in zip(names, keys, strict=True) if begins in k or k.startswith(typed))
            else:
                self._add((name, key) for name, key in zip(names, keys, strict=True) if typed in key)
            await self._pace.rest()

    @property
    def _is_full(self) -> bool:
        return len(self._found) == OFFERED and self._found[-1][0] < 2 * _TIER and not self._recent

    def _is_scattered(self, key: str) -> bool:
        return self._fits.match(key) is not None and self._typed not in key

    def ranked(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that fit."""
        keys = ((name, name.casefold()) for name in names)
        self._add((name, key) for name, key in keys if self._fits.match(key))
        return [name for _, name in self._found]

    def _add(self, fits: Iterable[tuple[str, str]]) -> None:
        rank, recent = self._rank, self._recent
        found = [(rank(key) - (_RECENT if name in recent else 0), name) for name, key in fits]
        if found:
            self._found = nsmallest(OFFERED, self._found + found)

    def _rank(self, key: str) -> int:
        """The lowest is the best."""
        typed, at = self._typed, key.rfind("/", 0, -1) + 1
        if key.startswith(typed, at):
            tier = 0
        elif key.startswith(typed):
            tier = 1
        elif typed in key:
            tier = 2 if key.find(typed, at) >= 0 else 3
        else:
            tier = 4 if self._fits.match(key, at) else 5
        return tier * _TIER + len(key)


async def _ranked(search: _Search) -> AsyncGenerator[list[str], None]:
    """A few where it takes long to know them all, then the best of all."""
    working = asyncio.ensure_future(search.best())
    try:
        await asyncio.wait({working}, timeout=_FIRST)
        while not search.few and not working.done():
            await asyncio.wait({working}, timeout=_LOOK)
        if not working.done():
            yield search.few
        yield await working
    finally:
        working.cancel()


def _there(folder: Path, names: Iterable[str]) -> list[str]:
    """Those that are still there; a folder that git knows as one name (a repository in this one) ends in `/`, too."""
    kept: list[str] = []
    for name in names:
        try:
            mode = os.stat(os.path.join(folder, os.path.expanduser(name))).st_mode
        except (OSError, ValueError):
            continue
        kept.append(name if not stat.S_ISDIR(mode) or name.endswith("/") else f"{name}/")
    return kept


def _listed(folder: Path, typed: str) -> list[str]:
    """The entries of the folder that is typed so far which fit the rest; hidden ones where a dot is typed."""
    before, slash, last = typed.rpartition("/")
    try:
        with os.scandir(os.path.join(folder, os.path.expanduser(before + slash))) as entries:
            names = [
                entry.name + ("/" if entry.is_dir() else "")
                for entry in islice(entries, _FOLDER_MOST)
                if (last.startswith(".") or not entry.name.startswith(".")) and (entry.is_dir() or entry.is_file())
            ]
    except (OSError, ValueError):
        return []
    if not last:
        return [before + slash + name for name in sorted(names)[:_FOLDER_OFFERED]]
    return [before + slash + name for name in _Search(last, (), _Names({})).ranked(names)]
