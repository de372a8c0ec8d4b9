"""Completing behind an @, as one types and with Tab: paths, and ids of other conversations; paths of commands, too.

Never waits where keys wait. Not here: names of commands and what they take (completion.py), which paths fit
(sessions/paths.py), what a mention sends (sessions/mentions.py).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from itertools import islice
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, has_focus, is_searching
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.utils import get_cwidth

from scratchy.core.mentions import LONGEST, begun, written
from scratchy.core.text import reveal
from scratchy.terminal.entry import Entry
from scratchy.terminal.screen import Screen

if TYPE_CHECKING:
    from scratchy.core.ports import Store
    from scratchy.sessions.desk import Desk

_TAKE_PATHS = ("/export ", "/import ")
_EDGE = 6  # columns beside a row of the menu
_FRESH = 3.0  # seconds in which sessions are not listed again
_SESSIONS = 100  # offered
_LOOKED_AT = 2000  # sessions, the newest, in which a word is looked for


class Mention(Completion):
    """What may stand behind an @."""

    @property
    def goes_on(self) -> bool:
        """A folder: one types on in it."""
        return self.text.endswith("/")


class MentionCompleter(Completer):
    """Completes mentions and paths of what `desk` gives, and has `commands` complete the rest of a slash line."""

    def __init__(self, commands: Completer, desk: "Callable[[], Desk]") -> None:
        self._commands = commands
        self._desk = desk
        self._listed: list[tuple[str, str]] = []
        self._listed_at = float("-inf")

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        return ()  # the prompt asks for the asynchronous ones

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        async with aclosing(self._offers(document, complete_event)) as offers:
            async for offer in offers:
                yield offer

    def _offers(self, document: Document, event: CompleteEvent) -> AsyncGenerator[Completion, None]:
        line, desk = document.text_before_cursor, self._desk()
        if line.startswith("/"):
            command, space, argument = line.partition(" ")
            if command.lower() + space in _TAKE_PATHS and "\n" not in argument:
                return self._paths(desk, argument.lstrip())
            return self._commands.get_completions_async(document, event)
        mention = begun(line)
        if mention is None:
            return _nothing()
        if mention.session:
            return self._sessions(desk, mention.text, mention.length)
        return self._mentions(desk, mention.text, mention.length)

    async def _mentions(self, desk: "Desk", typed: str, length: int) -> AsyncGenerator[Completion, None]:
        async with aclosing(desk.paths.find(typed)) as found:
            async for paths in found:
                for path in paths:
                    yield Mention(written(path), -length, _shown(path))
                get_app().invalidate()  # else the first are seen with the last

    async def _paths(self, desk: "Desk", typed: str) -> AsyncGenerator[Completion, None]:
        for path in await asyncio.to_thread(desk.paths.listed, typed):
            yield Mention(path, -len(typed), _shown(path))

    async def _sessions(self, desk: "Desk", typed: str, length: int) -> AsyncGenerator[Completion, None]:
        if time.monotonic() - self._listed_at > _FRESH:
            with suppress(OSError):  # a folder that cannot be read: there is nothing to offer
                self._listed = await asyncio.to_thread(_newest, desk.manager.store)
            self._listed_at = time.monotonic()
        others = [row for row in self._listed if row[0] != desk.conversation.session_id]
        for session_id, title in _fitting(others, typed.casefold()):
            shown = _shown(session_id) + (f"  {_shown(title)}" if title else "")
            yield Mention(written(session_id, session=True), -length, shown)


async def _nothing() -> AsyncGenerator[Completion, None]:
    for nothing in ():
        yield nothing


def _newest(store: "Store") -> list[tuple[str, str]]:
    """Ids and titles. Raises: OSError."""
    rows = (info for info in islice(store.recent(), _LOOKED_AT) if not info.foreign)
    return [(info.session_id, info.header.title or "" if info.header is not None else "") for info in rows]


def _fitting(rows: list[tuple[str, str]], typed: str) -> list[tuple[str, str]]:
    """Those in whose id or title it stands; those whose id begins so come first."""
    found = [row for row in rows if typed in row[0].casefold() or typed in row[1].casefold()]
    return sorted(found, key=lambda row: not row[0].casefold().startswith(typed))[:_SESSIONS]


def _shown(text: str) -> str:
    """On one line; all that hides or reorders is escaped. Of a path that is too wide the end: its name is there."""
    line = reveal(text).replace("\n", "\\n").replace("\t", "\\t")
    room = get_app().output.get_size().columns - _EDGE
    if "/" not in line or get_cwidth(line) <= room:
        return line
    while get_cwidth(line) >= room and "/" in line[:-1]:
        line = line.partition("/")[2]
    return f"…/{line}"


def complete_mentions(screen: Screen, desk: "Callable[[], Desk]", busy: Callable[[], bool]) -> None:
    """What is typed behind an @ is completed at once, from now on. While its menu is open Enter takes the marked entry
    and sends nothing, Tab goes on in a folder that is the only one, Esc closes it unless something runs. A word that is
    typed right behind a completed one is parted from it by a blank."""
    buffer, keys = screen.buffer, screen.keys
    buffer.completer = MentionCompleter(buffer.completer, desk)
    buffer.complete_while_typing = Condition(lambda: _is_typed(buffer))
    typing = has_focus(buffer) & ~is_searching
    open_menu = typing & Condition(lambda: _completions(buffer) is not None)
    taken = [""]  # what stood before the cursor when an entry was taken

    def go_on() -> None:
        goes_on, whole = _goes_on(buffer), _is_whole(buffer)
        buffer.complete_state = None
        taken[0] = buffer.document.text_before_cursor if whole else ""
        if goes_on:
            buffer.start_completion()

    def parted() -> bool:
        before, taken[0] = taken[0], ""
        return _is_whole(buffer) or (before != "" and before == buffer.document.text_before_cursor)

    buffer.parted = parted

    @keys.add("tab", filter=typing & Condition(lambda: buffer.complete_state is None and _is_typed(buffer)))
    def _(event: KeyPressEvent) -> None:
        buffer.start_completion(select_first=True)

    @keys.add("enter", filter=open_menu & Condition(lambda: _marked(buffer) is not None))
    def _(event: KeyPressEvent) -> None:
        go_on()

    @keys.add("tab", filter=open_menu & Condition(lambda: _goes_on(buffer) and len(_completions(buffer) or ()) == 1))
    def _(event: KeyPressEvent) -> None:
        go_on()

    @keys.add("escape", filter=open_menu & ~Condition(busy))
    def _(event: KeyPressEvent) -> None:
        buffer.cancel_completion()


def _is_typed(buffer: Entry) -> bool:
    if buffer.is_shell or "@" not in buffer.text[max(buffer.cursor_position - LONGEST, 0) : buffer.cursor_position]:
        return False
    before = buffer.document.text_before_cursor
    return not before.startswith("/") and begun(before) is not None


def _completions(buffer: Buffer) -> list[Completion] | None:
    """The mentions that the menu shows; None where it shows none."""
    state = buffer.complete_state
    return state.completions if state and state.completions and isinstance(state.completions[0], Mention) else None


def _marked(buffer: Buffer) -> Completion | None:
    state = buffer.complete_state
    return state.current_completion if state and _completions(buffer) else None


def _is_whole(buffer: Buffer) -> bool:
    """Whether the marked entry stands there as a mention that nothing can be added to."""
    marked = _marked(buffer)
    return isinstance(marked, Mention) and marked.text.startswith("@") and not marked.goes_on


def _goes_on(buffer: Buffer) -> bool:
    marked = _marked(buffer)
    return isinstance(marked, Mention) and marked.goes_on
