"""The rows of the session picker: read from headers as they come, filtered at each key, their words when they are seen.

Files are read in worker threads, one at a time; no key waits for one. Not here: the keys of the picker (picker.py), how
rows are laid out as a menu (menu.py).
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from prompt_toolkit.utils import get_cwidth

from scratchy.commands.rows import age, named, short_age, shown, straight
from scratchy.core.errors import ScratchyError
from scratchy.core.images import shown_of
from scratchy.core.stored import SessionInfo, tags_in
from scratchy.sessions.finding import Finder, Look, folder_of, model_of
from scratchy.sessions.times import local_time
from scratchy.terminal.layout import clip
from scratchy.terminal.lines import one_line

_PAGE = 64  # rows that are read before anything is drawn
_SLICE = 250
_UNDECIDED = 0.04  # seconds in which a session of this folder is looked for before all folders are shown
_HEAD_START = 0.05  # seconds in which the first page has the processor to itself
_PREVIEW = 4_000  # characters of a message
_PAUSE = 0.2  # seconds without a key before contents are searched
_SEARCHED = 2  # characters from which on contents are searched
_SECONDS = 0.3  # of indexing and as many of reading, until what was found is shown
_ON = 1.0  # … each time that it goes on
_WIDE = 64  # columns from which on a row has room for more than its name


class SessionRows:
    """The `Source` of the picker. `current`: the id that is open in this window, if one is. `redraw` is set by the
    menu's user. `start` reads until all is known, `stop` ends that."""

    def __init__(self, finder: Finder, current: str | None) -> None:
        self.finder = finder
        self.current = current
        self.redraw: Callable[[], object] = str
        self.rows: Sequence[SessionInfo] = ()
        self.everywhere = False
        self._touched = False
        self._text = ""
        self._looks: dict[str, Look] = {}
        self._wanted: dict[str, SessionInfo] = {}
        self._details: dict[str, str] = {}
        self._found: dict[str, str] = {}  # passages, by id
        self._unread = 0  # sessions whose contents were not looked into
        self._failed = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._search: asyncio.Task[None] | None = None
        self._looking = False

    async def start(self) -> None:
        """The first rows are there when it returns. Raises: OSError when the folder cannot be read."""
        begun = time.monotonic()
        await asyncio.to_thread(self.finder.read, _PAGE)
        while not (self.finder.near or self.finder.whole) and time.monotonic() - begun < _UNDECIDED:
            await asyncio.to_thread(self.finder.read, _SLICE)
        self.everywhere = not self.finder.near
        self._keep()
        if not self.finder.whole:
            self._begin(self._read())

    async def stop(self) -> None:
        for task in [*self._tasks]:
            task.cancel()
            await asyncio.wait([task])

    def renew(self, session_id: str, new_id: str | None = None) -> None:
        """A session was changed, renamed or removed here."""
        for known in (self._looks, self._details, self._found):
            known.pop(session_id, None)
        self.finder.refresh(session_id, new_id)
        self._keep()

    def toggle_folders(self) -> None:
        self.everywhere = not self.everywhere
        self._touched = True
        self._keep()

    # -- what the menu asks

    def title(self, width: int) -> str:
        finder, sessions = self.finder, "Sessions of " if width > 60 else ""
        more = "" if finder.whole else " …"
        if self._failed:
            return self._failed
        unread = f" · {self._unread:,} not searched{' yet' if self._searching else ''}" if self._unread else ""
        unread = unread or (" · searching …" if self._searching and not self.rows else "")
        if not self.everywhere:
            known = f"{finder.near:,} ({finder.known:,}{more} in all)"
            return f"{sessions}this folder: {len(self.rows):,} of {known}{unread}"
        none = ", none of this folder" if finder.whole and not finder.near else ""
        return f"{sessions}all folders: {len(self.rows):,} of {finder.known:,}{more}{unread or none}"

    def hint(self, width: int) -> str:
        if self._text and not self.rows and not self._searching:
            matches = "Nothing matches in what was searched" if self._unread else "Nothing matches"
            return matches + ("" if self.everywhere else " in this folder · ^A all folders") + " · Esc"
        if width < 50:
            return "Enter ^Rename ^Xdel ^Tag ^All Tab Esc"
        other = "this folder" if self.everywhere else "all folders"
        short = width < 100
        words = ("rename", "del", "tag") if short else ("renames", "deletes", "tags")
        keys = " · ".join(f"^{key} {word}" for key, word in zip("RXT", words, strict=True))
        return f"Enter opens · Tab previews · {keys} · ^A {other} · Esc"

    def filter(self, text: str) -> None:
        self._touched = self._touched or bool(text)
        self._text = text
        self._found.clear()
        self._unread = 0
        self._keep()
        if self._search is not None:
            self._search.cancel()
            self._search = None
        if len(text.strip()) >= _SEARCHED:
            self._search = self._begin(self._look_inside(text))

    def same(self, one: SessionInfo, other: SessionInfo) -> bool:
        return one.session_id == other.session_id

    def line(self, row: SessionInfo, width: int) -> str:
        mark = "* " if row.session_id == self.current else ""
        header = row.header
        if header is None:
            return mark + f"{named(row.session_id)}  cannot be read: {one_line(row.reason)}"
        look = self._look(row)
        when = local_time(header.updated_at)
        marks = self._marks(row, look)
        name = mark + "".join(f"[{said.split()[0].rstrip(':')}] " for said in marks) + name_of(row)
        if width < _WIDE:
            return f"{fit(name, width - 11)}{short_age(when):>6}{row.count:>5}"
        title = shown(header.title or "")
        rest = [named(row.session_id)] if title else []
        rest += [f"#{shown(tag)}" for tag in tags_in(header.metadata)]
        folder = folder_of(header)
        rest += [shown(model_of(header)), *([] if self.finder.is_near(row) else [named(folder.rpartition("/")[2])])]
        passage = self._found.get(row.session_id)
        rest.append(f"…{shown(passage)}…" if passage else words_of(look, width // 5))
        told = " · ".join(part for part in rest if part)
        return f"{fit(name, width * 3 // 10)}  {short_age(when):>6}  {row.count:>5}  {told}"

    def about(self, row: SessionInfo) -> Sequence[str]:
        header = row.header
        if header is None:
            return [one_line(row.error)]
        look = self._look(row)
        facts = [
            named(row.session_id),
            f"{row.count} messages",
            age(local_time(header.updated_at)),
            *self._marks(row, look),
        ]
        where = [
            shown(model_of(header)),
            named(folder_of(header)),
            *(f"#{shown(tag)}" for tag in tags_in(header.metadata)),
        ]
        return [" · ".join(facts), " · ".join(part for part in where if part) or "no folder", words_of(look, 60)]

    def detail(self, row: SessionInfo) -> str:
        known = self._details.get(row.session_id)
        if known is None:
            known = self._details[row.session_id] = "…"
            self._begin(self._preview(row))
        return known

    # -- inside

    def _keep(self) -> None:
        """The rows that fit now."""
        rows = self.finder.rows(self._text, everywhere=self.everywhere)
        if self._found:
            shown = {row.session_id for row in rows}
            inside = (session_id for session_id in self._found if session_id not in shown)
            rows += self.finder.named(inside, everywhere=self.everywhere)
        self.rows = rows
        self.redraw()

    @property
    def _searching(self) -> bool:
        return self._search is not None and not self._search.done()

    async def _look_inside(self, text: str) -> None:
        """After a pause: those in which it was said, below those whose headers have it; on as long as there are more to
        look into, and each time fewer."""
        await asyncio.sleep(_PAUSE)
        seconds, last = _SECONDS, math.inf
        with suppress(ScratchyError, OSError):  # a search that fails hides no session
            while self._unread < last:
                last = self._unread or last
                self._found, self._unread = await asyncio.to_thread(self.finder.search, text, seconds)
                self._keep()
                if not self._unread:
                    return
                seconds = _ON
        self._keep()

    def _marks(self, row: SessionInfo, look: Look) -> list[str]:
        marks = ["foreign: its header names another id"] if row.foreign else []
        marks += [f"held by process {look.holder}"] if look.holder else []
        return [*marks, look.kin] if look.kin else marks

    def _look(self, row: SessionInfo) -> Look:
        look = self._looks.get(row.session_id)
        if look is not None:
            return look
        self._wanted[row.session_id] = row
        if not self._looking:
            self._looking = True
            self._begin(self._look_closer())
        return Look()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self) -> None:
        finder = self.finder
        await asyncio.sleep(_HEAD_START)
        try:
            while not finder.whole:
                await asyncio.to_thread(finder.read, _SLICE)
                if self.everywhere and finder.near and not self._touched:
                    self.everywhere = False
                if finder.known % (4 * _SLICE) < _SLICE or finder.whole:
                    self._keep()
        except OSError as error:
            finder.whole = True
            self._failed = f"Not all sessions could be read: {error.strerror or error}"
            self._keep()

    async def _look_closer(self) -> None:
        """What rows on the screen show beside their headers."""
        while self._wanted:
            wanted = [*self._wanted.values()][-40:]  # those that were scrolled away can wait for ever
            self._wanted.clear()
            found = await asyncio.to_thread(self.finder.looks, wanted)
            self._looks |= found
            self.redraw()
        self._looking = False

    async def _preview(self, row: SessionInfo) -> None:
        try:
            said = await asyncio.to_thread(self.finder.said, row)
            text = "\n\n".join(
                f"{_WHO.get(message.get('role', ''), 'Tool')}: {shown_of(message, brief=True)[-_PREVIEW:].strip()}"
                for message in said
            )
        except (ScratchyError, ValueError, OSError) as error:
            text = str(error)
        self._details[row.session_id] = straight(text) or "No messages."
        self.redraw()


_WHO = {"user": "You", "assistant": "Assistant", "system": "System"}


def name_of(row: SessionInfo) -> str:
    """The title, else the id."""
    return (shown(row.header.title or "") if row.header is not None else "") or named(row.session_id)


def words_of(look: Look, most: int) -> str:
    """`“first” … “last”`, the first in `most` cells."""
    first, last = clip(shown(look.first), most), shown(look.last)
    if not first or not last:
        return f"“{first or last}”" if first or last else ""
    return f"“{first}” … “{last}”"


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells."""
    text = clip(text, width)
    return text + " " * (width - get_cwidth(text))
