"""The session picker: what its keys do to a session, and the two ways to show it.

Not here: its rows (session_rows.py), the menu (menu.py), the list of the linear face (plain.py).
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.layout import Layout

from scratchy.commands.outcome import Outcome
from scratchy.core.errors import ScratchyError
from scratchy.core.stored import SessionInfo
from scratchy.core.text import reveal
from scratchy.sessions.desk import Desk
from scratchy.sessions.finding import Finder
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.naming import change_tags, changed_tags, tags_in, with_tags
from scratchy.terminal.frames import open_input, open_output, style
from scratchy.terminal.lines import error, notice
from scratchy.terminal.menu import Menu, choose, shown
from scratchy.terminal.pasting import watch_pastes
from scratchy.terminal.screen import Screen, quick_escape
from scratchy.terminal.session_rows import SessionRows


async def chosen(screen: Screen, desk: Desk, outcome: Outcome) -> str:
    """The slash line of what the person chose out of what a command offers; empty for nothing."""
    if outcome.choose is not None:
        return await choose(screen, outcome.choose)
    rows = SessionRows(Finder(desk.manager.store, str(desk.config.folder)), desk.conversation.session_id)
    try:
        await rows.start()
    except OSError as failure:
        screen.write(error(f"The sessions cannot be listed: {failure.strerror or failure}: {failure.filename}"))
        return ""
    try:
        menu = Menu(rows, screen.space, screen.app.invalidate)
        deeds = Deeds(menu, rows, desk.manager, desk)
        info: SessionInfo | None = await shown(screen, menu)
        await deeds.end()
    finally:
        await rows.stop()
    for text in deeds.said:
        screen.write(notice(text))
    return f"/resume {info.session_id}" if info is not None else ""


async def picked(manager: SessionManager, folder: str) -> str | None:
    """The id of the session that the person picks, before one is open; None for none. Raises: OSError."""
    rows = SessionRows(Finder(manager.store, folder), None)
    output = open_output()

    def space() -> tuple[int, int]:
        size = output.get_size()
        return max(size.columns - 1, 8), max(size.rows, 3)

    app: Application[None]
    menu = Menu(rows, space, lambda: app.invalidate())
    layout = Layout(menu.container, menu.focus)
    app = Application(layout=layout, style=style(), input=open_input(), output=output, erase_when_done=True)
    quick_escape(app)
    watch_pastes(app)
    deeds = Deeds(menu, rows, manager, None)
    menu.answer.add_done_callback(lambda _: app.exit() if app.is_running and not app.is_done else None)
    signals: list[int] = []
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, _end, menu, signals, number)
    try:
        await rows.start()
        with suppress(EOFError):  # the terminal went away
            await app.run_async(set_exception_handler=False, handle_sigint=False)
        await deeds.end()
    finally:
        await rows.stop()
    for number in signals:  # the terminal is as it was found: now it may end us
        loop.remove_signal_handler(number)
        os.kill(os.getpid(), number)
    info: SessionInfo | None = menu.answer.result() if menu.answer.done() else None
    return info.session_id if info is not None else None


def _end(menu: Menu, signals: list[int], number: int) -> None:
    signals.append(number)
    menu.leave()


class Deeds:
    """The keys that change the marked session. `desk` None: none is open yet. A failure is a line in the menu; `said`
    what happened to the open session meanwhile."""

    def __init__(self, menu: Menu, rows: SessionRows, manager: SessionManager, desk: Desk | None) -> None:
        rows.redraw = menu.redraw
        self.said: list[str] = []
        self._menu = menu
        self._rows = rows
        self._manager = manager
        self._desk = desk
        self._doing: asyncio.Task[None] | None = None
        for key, deed in (("c-r", self._rename), ("c-x", self._delete), ("c-t", self._tag)):
            self._bind(key, deed)

        @menu.keys.add("c-a", eager=True)
        def _(event: KeyPressEvent) -> None:
            rows.toggle_folders()

    async def end(self) -> None:
        """What was begun is done when it returns."""
        if self._doing is not None:
            await asyncio.wait([self._doing])

    def _bind(self, key: str, deed: Callable[[SessionInfo], None]) -> None:
        @self._menu.keys.add(key, eager=True)
        def _(event: KeyPressEvent) -> None:
            info: SessionInfo | None = self._menu.row
            if info is not None and self._doing is None:
                deed(info)

    def _enter(self, prompt: str, text: str, work: Callable[[str], Coroutine[Any, Any, str]]) -> None:
        """Read a line for `work`; one that it refuses is there again."""

        def then(given: str) -> None:
            self._do(work(given), lambda: self._enter(prompt, given, work))

        self._menu.enter(prompt, text, then)

    def _do(self, work: Coroutine[Any, Any, str], again: Callable[[], None] = lambda: None) -> None:
        async def do() -> None:
            try:
                self._menu.say(await work)
            except (ScratchyError, ValueError) as error:
                self._refuse(str(error), again)
            except OSError as error:
                self._refuse(f"{error.strerror or error}: {error.filename}", again)
            finally:
                self._doing = None

        self._doing = asyncio.get_running_loop().create_task(do())

    def _refuse(self, reason: str, again: Callable[[], None]) -> None:
        if not self._menu.answer.done():
            again()
            self._menu.say(reason)

    def _is_open(self, session_id: str) -> bool:
        return self._desk is not None and self._desk.conversation.session_id == session_id

    def _rename(self, info: SessionInfo) -> None:
        old = info.session_id

        async def rename(new: str) -> str:
            if new == old:
                return ""
            if self._desk is not None and self._is_open(old):
                await self._desk.rename(new)
                self._rows.current = new
                self.said.append(f"Renamed session: '{old}' is now '{new}'")
            else:
                await asyncio.to_thread(self._manager.rename, old, new)
            self._rows.renew(old, new)
            return f"'{reveal(old)}' is now '{reveal(new)}'."

        self._enter("New id: ", old, rename)

    def _delete(self, info: SessionInfo) -> None:
        session_id = info.session_id

        async def delete() -> str:
            if self._desk is not None and self._is_open(session_id):
                await self._desk.delete(session_id)
                self._rows.current = self._desk.conversation.session_id
                self.said.append(f"Deleted session: '{session_id}' (it is in the trash)")
                self.said.append(f"Created new session: '{self._rows.current}'")
            else:
                by = self._desk.conversation.session_id if self._desk is not None else ""
                await asyncio.to_thread(self._manager.delete_session, session_id, by=by)
            self._rows.renew(session_id)
            return f"'{reveal(session_id)}' is in the trash; `/restore {reveal(session_id)}` brings it back."

        messages = f" ({info.count} messages)" if info.header is not None else ""
        question = f"To the trash (y/n): '{reveal(session_id)}'{messages} "
        self._menu.confirm(question, lambda _: self._do(delete()))

    def _tag(self, info: SessionInfo) -> None:
        session_id = info.session_id

        async def tag(words: str) -> str:
            if self._desk is not None and self._is_open(session_id):
                conversation = self._desk.conversation
                metadata = conversation.session.metadata
                tags = changed_tags(tags_in(metadata), words.split())
                await conversation.edit(metadata=with_tags(metadata, tags))
            else:
                tags = await asyncio.to_thread(change_tags, self._manager, session_id, words.split())
            self._rows.renew(session_id)
            return f"Tags of '{reveal(session_id)}': {', '.join(tags) or 'none'}"

        self._enter("Tags (+x -y): ", "", tag)
