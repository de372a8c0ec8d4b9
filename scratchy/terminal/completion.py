"""Tab: names of commands, then what a command takes: session ids, models. Completing never runs anything."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from scratchy.core.errors import ScratchyError
from scratchy.core.text import reveal

Names = Callable[[], Sequence[str]]

_TAKE_SESSIONS = frozenset({"/resume", "/continue", "/switch", "/delete", "/restore"})


class CommandCompleter(Completer):
    """Names come from functions, so that nothing is listed before somebody asks."""

    def __init__(self, commands: Names, sessions: Names, models: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._commands = commands
        self._sessions = sessions
        self._models = models

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
        for name in await self._names(command.lower(), bool(space)):
            if name.casefold().startswith(given.casefold()):
                yield Completion(name, start_position=-len(given), display=reveal(name))

    async def _names(self, command: str, complete: bool) -> Sequence[str]:
        if not complete:
            return sorted(self._commands())
        if command in _TAKE_SESSIONS:
            return await asyncio.to_thread(self._sessions)
        if command == "/model":
            try:
                return await self._models()
            except ScratchyError:
                return ()
        return ()
