"""The protocol's methods: what an editor asks for, checked and handed to the session that it means.

Names and parameters are the SDK's. Not here: the wire (wire.py), a session at work (window.py).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, Client, InitializeResponse, LoadSessionResponse, NewSessionResponse, PromptResponse
from acp.schema import (
    AgentCapabilities,
    ClientCapabilities,
    CloseSessionResponse,
    FileSystemCapabilities,
    Implementation,
    ListSessionsResponse,
    PromptCapabilities,
    ResumeSessionResponse,
    SessionAdditionalDirectoriesCapabilities,
    SessionCapabilities,
    SessionCloseCapabilities,
    SessionInfo,
    SessionListCapabilities,
    SessionResumeCapabilities,
    SetSessionModeResponse,
)

from scratchy import __version__
from scratchy.acp.failures import told, untimely, wrong
from scratchy.acp.prompts import Block
from scratchy.acp.window import Editor, Window, open_window
from scratchy.config import Config
from scratchy.core.stored import SessionInfo as Stored
from scratchy.core.text import clean
from scratchy.sessions.finding import folder_of
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.project import is_here

_PAGE = 100  # sessions of one listing

log = logging.getLogger("scratchy.acp")


class Agent:
    """`configure` makes the configuration of a folder; a session's own decides where it is stored."""

    def __init__(self, configure: Callable[[Path], Config]) -> None:
        self._configure = configure
        self._client: Client | None = None
        self._files = FileSystemCapabilities()
        self._windows: dict[str, Window] = {}

    def on_connect(self, conn: Client) -> None:
        self._client = conn

    async def end_turns(self) -> None:
        """Interrupt what runs; what had come is stored then."""
        await asyncio.gather(*(window.cancel() for window in self._windows.values()))

    async def close(self) -> None:
        """Every session stored and let go."""
        windows, self._windows = list(self._windows.values()), {}
        for ended in await asyncio.gather(*(window.close() for window in windows), return_exceptions=True):
            if isinstance(ended, BaseException):
                log.error("a session was not closed", exc_info=ended)

    # -- the connection

    @told
    async def initialize(
        self,
        protocol_version: int,
        client_capabilities: ClientCapabilities | None = None,
        client_info: Implementation | None = None,
        **kwargs: Any,
    ) -> InitializeResponse:
        told = client_capabilities.fs if isinstance(client_capabilities, ClientCapabilities) else None
        self._files = told if isinstance(told, FileSystemCapabilities) else FileSystemCapabilities()  # or nonsense
        sessions = SessionCapabilities(
            list=SessionListCapabilities(),
            resume=SessionResumeCapabilities(),
            close=SessionCloseCapabilities(),
            additional_directories=SessionAdditionalDirectoriesCapabilities(),
        )
        return InitializeResponse(
            protocol_version=PROTOCOL_VERSION,
            agent_capabilities=AgentCapabilities(
                load_session=True,
                prompt_capabilities=PromptCapabilities(image=True, audio=False, embedded_context=True),
                session_capabilities=sessions,
            ),
            agent_info=Implementation(name="scratchy", title="Scratchy", version=__version__),
            auth_methods=[],
        )

    @told
    async def authenticate(self, method_id: str, **kwargs: Any) -> None:
        raise wrong("There is nothing to sign in to. Keys come from the environment or the user's config.")

    # -- sessions

    @told
    async def new_session(
        self,
        cwd: str,
        additional_directories: list[str] | None = None,
        mcp_servers: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> NewSessionResponse:
        window = await self._open(None, cwd, additional_directories, mcp_servers)
        response = NewSessionResponse(session_id=window.session_id, modes=window.modes())
        self._soon(window)
        return response

    @told
    async def load_session(
        self,
        cwd: str,
        session_id: str,
        mcp_servers: Sequence[Any] | None = None,
        additional_directories: list[str] | None = None,
        **kwargs: Any,
    ) -> LoadSessionResponse:
        window = await self._open(session_id, cwd, additional_directories, mcp_servers)
        try:
            await window.replay()
        except BaseException:  # its end could be read, the rest cannot: it is not open
            del self._windows[window.session_id]
            await window.close()
            raise
        response = LoadSessionResponse(modes=window.modes())
        self._soon(window)
        return response

    @told
    async def resume_session(
        self,
        session_id: str,
        cwd: str,
        additional_directories: list[str] | None = None,
        mcp_servers: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> ResumeSessionResponse:
        """As loading, without the replay."""
        window = await self._open(session_id, cwd, additional_directories, mcp_servers)
        response = ResumeSessionResponse(modes=window.modes())
        self._soon(window)
        return response

    @told
    async def close_session(self, session_id: str, **kwargs: Any) -> CloseSessionResponse:
        window = self._window(session_id)
        del self._windows[session_id]
        await window.close()
        return CloseSessionResponse()

    @told
    async def list_sessions(
        self, cwd: str | None = None, cursor: str | None = None, **kwargs: Any
    ) -> ListSessionsResponse:
        folder = None if cwd is None else _folder(cwd)
        config = await asyncio.to_thread(self._configure, folder or Path.cwd())
        infos = await asyncio.to_thread(SessionManager(config.sessions_dir).infos)
        rows = [row for info in infos if (row := _row(info, folder)) is not None]
        start = _offset(cursor)
        following = str(start + _PAGE) if start + _PAGE < len(rows) else None
        return ListSessionsResponse(sessions=rows[start : start + _PAGE], next_cursor=following)

    @told
    async def set_session_mode(self, session_id: str, mode_id: str, **kwargs: Any) -> SetSessionModeResponse:
        await self._window(session_id).set_mode(mode_id)
        return SetSessionModeResponse()

    # -- prompts

    @told
    async def prompt(self, session_id: str, prompt: list[Block], **kwargs: Any) -> PromptResponse:
        return PromptResponse(stop_reason=await self._window(session_id).prompt(prompt))

    @told
    async def cancel(self, session_id: str, **kwargs: Any) -> None:
        window = self._windows.get(session_id)
        if window is not None:
            await window.cancel()

    # -- inside

    def _window(self, session_id: str) -> Window:
        if session_id not in self._windows:
            raise wrong(f"Session '{session_id}' is not open here. `session/load` opens a stored one.")
        return self._windows[session_id]

    async def _open(
        self, session_id: str | None, cwd: str, more: list[str] | None, servers: Sequence[Any] | None
    ) -> Window:
        if self._client is None:
            raise untimely("There is no connection.")
        folder, added = _folder(cwd), tuple(_folder(one) for one in more or ())
        config = await asyncio.to_thread(self._configure, folder)
        titles = "words" if config.titles == "model" else config.titles  # the model is asked for nothing else
        config = config._replace(titles=titles, add_dirs=(*config.add_dirs, *added))
        reads, writes = bool(self._files.read_text_file), bool(self._files.write_text_file)
        editor = Editor(self._client, reads=reads, writes=writes)
        known = self._windows.get(session_id) if session_id is not None else None
        if known is not None:  # opened anew: the editor shows it from the start
            if known.busy:
                raise untimely(f"A prompt is running in session '{session_id}'. Wait for its end, or cancel it.")
            del self._windows[known.session_id]
            await known.close()
        window = await open_window(editor, config, session_id, self._configure)
        self._windows[window.session_id] = window
        self._tell_at_start(window, config, servers)
        return window

    def _tell_at_start(self, window: Window, config: Config, servers: Sequence[Any] | None) -> None:
        if config.untrusted:
            window.said.append(
                f"Not trusted, so not used: {', '.join(config.untrusted)} in the configuration of {config.folder}. "
                "Start Scratchy in a terminal there once to see and trust it."
            )
        if servers:
            names = ", ".join(str(server.name) for server in servers)
            window.said.append(f"The editor's MCP servers are not used, this version knows none: {names}.")
        for text in window.said:
            log.info("%s: %s", window.session_id, text)

    def _soon(self, window: Window) -> None:
        """After the answer to the request that opened it: before, an editor may not know the session."""
        task = asyncio.ensure_future(window.tell_commands())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _folder(cwd: str) -> Path:
    """Raises: RequestError when it is no absolute path to a folder."""
    path = Path(cwd)
    if not path.is_absolute() or "\0" in cwd:
        raise wrong(f"The folder '{cwd}' is no absolute path.")
    if not path.is_dir():
        raise wrong(f"There is no folder {cwd}.")
    return path


def _row(info: Stored, folder: Path | None) -> SessionInfo | None:
    """A session of that folder (None: of any); None for one that cannot be read or tells no folder."""
    held_in = folder_of(info.header)
    if info.header is None or info.foreign or not held_in:
        return None
    if folder is not None and not is_here(held_in, str(folder.resolve())):
        return None
    title = clean(info.header.title) if info.header.title else None
    return SessionInfo(session_id=info.session_id, cwd=held_in, title=title, updated_at=info.header.updated_at)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise wrong(f"'{cursor}' is no cursor of this listing.")
    return int(cursor)
