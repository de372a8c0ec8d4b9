"""What tests of sessions share: stores that fail when told to, toolsets of one line, turns driven to their end."""

import asyncio
import errno
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

from scratchy import compose
from scratchy.config import Config
from scratchy.core.events import Event
from scratchy.providers.scripted import ScriptedProvider
from scratchy.sessions.conversation import Conversation, Engine
from scratchy.sessions.desk import Desk
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.opening import open_session
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore
from scratchy.tools.functions import tool_from_function
from scratchy.tools.toolset import Tools

SYSTEM = {"role": "system", "content": "Be brief."}


class FullDisk(Disk):
    """A disk that takes no byte while `full`."""

    def __init__(self) -> None:
        self.full = False
        self.error = errno.ENOSPC

    def write(self, handle: int, data: bytes, offset: int) -> int:
        if self.full:
            raise OSError(self.error, "the disk says no")
        return super().write(handle, data, offset)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def calling(name: str, arguments: dict[str, Any] | str, call_id: str = "c1") -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def toolset(*functions: Any, folder: Path = Path(".")) -> Tools:
    from scratchy.permissions import Permissions

    permissions = Permissions(folder, mode=lambda: "yolo")
    return Tools([tool_from_function(f) for f in functions], permissions=permissions, scratchpad=None)


def converse(store: Any, provider: Any, *functions: Any, session_id: str = "s", **engine: Any) -> Conversation:
    """A conversation over `store`, as a terminal opens one."""
    opened = open_session(store, session_id)
    if not opened.resumed:
        opened.session.messages.append(dict(SYSTEM))

    async def ready() -> Any:
        if isinstance(provider, Exception):
            raise provider
        return provider

    return Conversation(
        store,
        opened.session,
        Engine(ready, toolset(*functions), **engine),
        writer=opened.writer,
        first=opened.first,
        stored=len(opened.session.messages) if opened.resumed else 0,
    )


async def take(conversation: Conversation, line: str) -> list[Event]:
    events: list[Event] = []
    async with aclosing(conversation.turn(line)) as turn:
        async for event in turn:
            events.append(event)
    return events


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def texts(messages: Any) -> list[Any]:
    return [message.get("content") for message in messages]


def desk_in(folder: Path, session_id: str = "default", store: Any = None, **config: Any) -> tuple[Desk, list[str]]:
    """A desk and what it says. Its provider is `scripted` from a file unless the config names another."""
    said: list[str] = []
    store = store or compose.open_folder(folder / "sessions")
    settings = Config(folder=folder, sessions_dir=folder / "sessions", **config)
    desk = Desk(SessionManager(store=store), settings, open_session(store, session_id), machine="m1", say=said.append)
    return desk, said


def script(folder: Path, *answers: Any) -> dict[str, Any]:
    """The settings that make the `scripted` provider give these answers."""
    path = folder / "answers.json"
    path.write_text(json.dumps(list(answers)))
    return {"provider": "scripted", "model": str(path), "sources": {"provider": "flag", "model": "flag"}}


def files(folder: Path, disk: Disk | None = None) -> FileStore:
    return FileStore(folder, disk=disk or Disk())


def scripted(*answers: Any, **more: Any) -> ScriptedProvider:
    return ScriptedProvider(answers, **more)
