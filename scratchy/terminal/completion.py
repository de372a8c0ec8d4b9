"""Tab: names of commands, then what a command takes: session ids, models. Completing never runs anything."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from scratchy.core.errors import ScratchyError
from scratchy.core.text import reveal

Names = Callable[[], Sequence[str]]

_FRESH = 2.0  # seconds in which sessions are not listed again: each key asks anew while the names are shown
_OFFERED = 200
_TAKE_SESSIONS = frozenset({"/resume", "/continue", "/switch", "/delete"})
_TAKE_TRASHED = frozenset({"/restore"})


class CommandCompleter(Completer):
    """Names come from functions, so that nothing is listed before somebody asks."""

    def __init__(
        self, commands: Names, sessions: Names, trashed: Names, models: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        self._commands = commands
        self._sessions = sessions
        self._trashed = trashed
        self._models = models
        self._listed: dict[Names, tuple[float, Sequence[str]]] = {}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        return ()  # the prompt asks for the asynchronous ones

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        line = document.text_before_cursor
        if not line.startswith("/") or "\n" in line:
            return
        command, space, argument = line.partition(" ")
        given = argument.lstrip() if space else command
        names = await self._names(command.lower(), bool(space))
        fits = (name for name in names if name.casefold().startswith(given.casefold()))
        for name in islice(fits, _OFFERED):
            yield Completion(name, start_position=-len(given), display=reveal(name))

    async def _names(self, command: str, complete: bool) -> Sequence[str]:
        if not complete:
            return sorted(self._commands())
        if command in _TAKE_SESSIONS:
            return await self._lately(self._sessions)
        if command in _TAKE_TRASHED:
            return await self._lately(self._trashed)
        if command == "/model":
            try:
                return await self._models()
            except ScratchyError:
                return ()
        return ()

    async def _lately(self, names: Names) -> Sequence[str]:
        at, listed = self._listed.get(names, (float("-inf"), ()))
        if time.monotonic() - at > _FRESH:
            with suppress(OSError):  # a folder that cannot be read: there is nothing to offer
                listed = await asyncio.to_thread(names)
            self._listed[names] = time.monotonic(), listed
        return listed
