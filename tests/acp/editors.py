"""An editor for tests: the SDK's own client, over pipes, with the real program as its child."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError, spawn_agent_process, text_block
from acp.schema import (
    AllowedOutcome,
    ClientCapabilities,
    DeniedOutcome,
    FileSystemCapabilities,
    Implementation,
    PermissionOption,
    ReadTextFileResponse,
    RequestPermissionResponse,
    ToolCallUpdate,
    WriteTextFileResponse,
)
from programs import Home

PATIENCE = 50.0


class Client:
    """What the program tells and asks. `answers`: an option's id for each question, "" leaves it open; `buffers`: what
    stands unsaved in the editor, by path; `refuses`: paths that it neither reads nor writes."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, ToolCallUpdate, list[PermissionOption]]] = []
        self.answers: list[str] = []
        self.buffers: dict[str, str] = {}
        self.saves = True
        self.formats: Callable[[str], str] = lambda text: text
        self.refuses: set[str] = set()
        self.read: list[str] = []
        self.written: list[str] = []
        self.news = asyncio.Condition()

    def on_connect(self, conn: Any) -> None:
        pass

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None:
        self.told.append((session_id, update))
        async with self.news:
            self.news.notify_all()

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: list[PermissionOption], **kwargs: Any
    ) -> RequestPermissionResponse:
        self.asked.append((session_id, tool_call, options))
        async with self.news:
            self.news.notify_all()
        answer = self.answers.pop(0)
        if not answer:
            await asyncio.Event().wait()
        if answer == "cancelled":
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=answer))

    async def read_text_file(
        self, session_id: str, path: str, line: int | None = None, limit: int | None = None, **kwargs: Any
    ) -> ReadTextFileResponse:
        self.read.append(path)
        if path in self.refuses:
            raise RequestError(-32603, "not in this project")
        return ReadTextFileResponse(content=self.buffers.get(path) or Path(path).read_text(encoding="utf-8"))

    async def write_text_file(self, session_id: str, path: str, content: str, **kwargs: Any) -> WriteTextFileResponse:
        self.written.append(path)
        if path in self.refuses:
            raise RequestError(-32603, "not in this project")
        if self.saves:
            Path(path).write_text(self.formats(content), encoding="utf-8")
            self.buffers.pop(path, None)
        else:
            self.buffers[path] = content
        return WriteTextFileResponse()

    # -- what came

    def kinds(self, session_id: str) -> list[str]:
        return [update.session_update for told, update in self.told if told == session_id]

    def updates(self, session_id: str, *kinds: str) -> list[Any]:
        return [update for told, update in self.told if told == session_id and update.session_update in kinds]

    def said(self, session_id: str, kind: str = "agent_message_chunk") -> str:
        return "".join(update.content.text for update in self.updates(session_id, kind))

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(lambda: bool(true()))


class Editor:
    """`program`: the connection, which has the program's methods; `client`: this side; `child`: the process."""

    def __init__(self, home: Home, client: Client, program: Any, child: asyncio.subprocess.Process) -> None:
        self.home = home
        self.client = client
        self.program = program
        self.child = child

    async def new(self, folder: Path | None = None, **more: Any) -> str:
        return (await self.program.new_session(cwd=str(folder or self.home.work), **more)).session_id

    async def load(self, session_id: str, folder: Path | None = None) -> Any:
        return await self.program.load_session(cwd=str(folder or self.home.work), session_id=session_id)

    async def say(self, session_id: str, *texts: Any) -> str:
        """The stop reason."""
        blocks = [text_block(one) if isinstance(one, str) else one for one in texts]
        async with asyncio.timeout(PATIENCE):
            return (await self.program.prompt(session_id=session_id, prompt=blocks)).stop_reason


@asynccontextmanager
async def editing(
    home: Home, *arguments: str, files: bool = False, env: Mapping[str, str] | None = None, client: Client | None = None
) -> AsyncIterator[Editor]:
    """The program as an editor starts it, greeted. Its stderr is the test's."""
    client = client or Client()
    command = home.command("acp", *arguments)
    more: dict[str, Any] = {"stderr": None, "shutdown_timeout": PATIENCE, "limit": 1 << 26}
    async with spawn_agent_process(
        client, *command, env=home.env | dict(env or {}), cwd=home.work, transport_kwargs=more,
        use_unstable_protocol=True,
    ) as (program, child):  # fmt: skip
        capabilities = ClientCapabilities(fs=FileSystemCapabilities(read_text_file=files, write_text_file=files))
        await program.initialize(PROTOCOL_VERSION, capabilities, Implementation(name="tests", version="1"))
        yield Editor(home, client, program, child)
    assert child.returncode == 0


def call(call_id: str, name: str, **arguments: Any) -> dict[str, Any]:
    """A message of the scripted provider that asks for one tool."""
    import json

    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": "", "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


def texts_of(contents: Sequence[Any]) -> str:
    return "".join(one.content.text for one in contents if one.type == "content")
