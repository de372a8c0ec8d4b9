"""One session in an editor: its desk, the prompt that runs in it, what the editor is told meanwhile.

Not here: requests and their parameters (agent.py), how an event looks (updates.py).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from acp import Client
from acp.helpers import update_available_commands, update_current_mode
from acp.schema import Cost, SessionInfoUpdate, SessionMode, SessionModeState, StopReason, UsageUpdate

from scratchy.acp import commands, prompts
from scratchy.acp.asking import ask
from scratchy.acp.buffers import Buffers
from scratchy.acp.failures import failed_turn, not_saved, untimely, wrong
from scratchy.acp.replay import Replay
from scratchy.acp.updates import Ids, Telling, Update, note
from scratchy.config import Config, machine_id
from scratchy.core.events import ApprovalRequested, TurnFinished
from scratchy.core.images import line_of, mark
from scratchy.core.messages import usage_of
from scratchy.core.modes import MODES
from scratchy.core.ports import Approval
from scratchy.core.text import clean
from scratchy.sessions.changed import changed_texts
from scratchy.sessions.conversation import Attached
from scratchy.sessions.desk import Desk
from scratchy.sessions.images import image_part
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.opening import made_id, open_session
from scratchy.sessions.times import utc_stamp

_STOPS: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "steps": "max_turn_requests",
    "budget": "max_turn_requests",
}
_SLICE = 200  # messages that a replay reads at once


class Editor:
    """The other side: the SDK's `client`, and whether it reads and writes files for us."""

    def __init__(self, client: Client, *, reads: bool, writes: bool) -> None:
        self.client = client
        self.reads = reads
        self.writes = writes


async def open_window(
    editor: Editor, config: Config, session_id: str | None, configure: Callable[[Path], Config]
) -> "Window":
    """A stored session, or with None a new one, at work in the folder of `config`. Raises: what opening raises."""
    manager = SessionManager(config.sessions_dir)
    new = session_id is None
    opened = await asyncio.to_thread(open_session, manager.store, session_id or made_id(manager.store), create=new)
    opened.adopts = True  # the editor says where it works
    name = opened.session.session_id
    said: list[str] = [*config.notices]
    if opened.read_only is not None:
        why = opened.read_only.strerror
        said.append(f"Nothing can be saved in {config.sessions_dir} ({why}): a prompt will not be answered.")
    try:
        desk = Desk(
            manager,
            config,
            opened,
            machine=machine_id(),
            say=said.append,
            configure=configure,
            editor=Buffers(editor.client, name, reads=editor.reads, writes=editor.writes),
        )
        await desk.settle()
    except BaseException:
        if opened.writer is not None:
            opened.writer.close()
        raise
    return Window(editor.client, desk, said)


class Window:
    """`said` is what the person is to be told when the next prompt runs."""

    def __init__(self, client: Client, desk: Desk, said: list[str]) -> None:
        self.desk = desk
        self.said = said
        self._client = client
        self._ids = Ids()
        self._telling: Telling | None = None
        self._task: asyncio.Task[StopReason] | None = None
        self._prompt = prompts.Said("", [], "")  # that runs
        self._title = desk.conversation.session.title
        engine = desk.conversation.engine
        self._mentioned = engine.attach
        desk.conversation.engine = replace(engine, attach=self._attach)
        desk.approve = self._approve

    @property
    def session_id(self) -> str:
        return self.desk.conversation.session_id

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def folder(self) -> Path:
        return self.desk.config.folder

    # -- modes and commands

    def modes(self) -> SessionModeState:
        told = [SessionMode(id=mode, name=mode.capitalize(), description=MODES[mode]) for mode in self.desk.modes]
        return SessionModeState(current_mode_id=self.desk.mode, available_modes=told)

    async def set_mode(self, mode: str) -> None:
        if mode not in self.desk.modes:
            raise wrong(f"There is no mode '{mode}' here. The modes are: {', '.join(self.desk.modes)}.")
        self.desk.mode = mode
        await self._send([update_current_mode(mode)])

    async def tell_commands(self) -> None:
        with suppress(ConnectionError):
            await self._send([update_available_commands(commands.offered())])

    # -- what is stored

    async def replay(self) -> None:
        """The whole transcript as updates."""
        telling, store = Replay(self.folder, self._ids), self.desk.manager.store
        items = store.items(self.session_id) if store.exists(self.session_id) else iter(())
        while part := await asyncio.to_thread(lambda: list(islice(items, _SLICE))):
            await self._send(telling.told(part))
        await self._send(telling.unanswered())

    # -- a prompt

    async def prompt(self, blocks: Sequence[prompts.Block]) -> StopReason:
        """Until it is answered or cancelled. Raises: RequestError."""
        if self._task is not None:
            raise untimely(f"A prompt is running in session '{self.session_id}'. Wait for its end, or cancel it.")
        self._task = asyncio.ensure_future(self._answer(blocks))
        try:
            return await self._task
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return "cancelled"
        finally:
            self._task = None

    async def cancel(self) -> None:
        """What had come is stored when this returns."""
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        await self.cancel()
        await self.desk.close()

    async def _answer(self, blocks: Sequence[prompts.Block]) -> StopReason:
        self._prompt = said = await asyncio.to_thread(prompts.read, blocks, self.folder, self._keep_image)
        if commands.is_command(said.line):
            answer = commands.answered(await commands.run(self.desk, said.line))
            await self._send([*self._notes(), answer, *self._afterwards()])
            return "end_turn"
        reason = await self._turn(said.line)
        await self._send([*self._notes(), *self._afterwards()])
        if reason not in _STOPS:
            raise not_saved(self.desk.conversation.unsaved)
        return _STOPS[reason]

    async def _turn(self, line: str) -> str:
        """How it ended; "error" when an answer could not be stored. Raises: RequestError."""
        desk, reason = self.desk, "error"
        self._telling = telling = Telling(self.folder, lambda change: changed_texts(change, desk.scratchpad), self._ids)
        try:
            async with aclosing(desk.conversation.turn(line)) as events:
                async for event in events:
                    await self._send([*self._notes(), *await telling.told(event)])
                    if isinstance(event, TurnFinished):
                        reason = event.reason
        except Exception as error:
            raise failed_turn(error, kept=self._is_kept(line)) from None
        finally:
            with suppress(ConnectionError):  # the editor may be gone, which is why the turn ended
                await self._send([*self._notes(), *telling.cut_off()])
        return reason

    def _is_kept(self, line: str) -> bool:
        last = [message for message in self.desk.conversation.recent(2) if message.get("role") == "user"]
        return any(line_of(message) == line for message in last)

    async def _attach(self, line: str) -> Attached:
        """What the editor sent along, and what else the line mentions."""
        found = await self._mentioned(self._prompt.own)
        return Attached([*self._prompt.texts, *found.texts], found.parts, found.notices)

    def _keep_image(self, data: bytes, name: str) -> str:
        return mark(image_part(self.desk.scratchpad, data, name))

    async def _approve(self, request: ApprovalRequested) -> Approval:
        shown_id = self._telling.shown_id(request.call) if self._telling is not None else request.call["id"]
        return await ask(self._client, self.session_id, shown_id, request, self.folder)

    def _notes(self) -> list[Update]:
        told: list[Update] = [note(text) for text in self.said]
        self.said.clear()
        return told

    def _afterwards(self) -> list[Update]:
        """The title, when it is new; how full the context is and what this run cost, where that is known."""
        session, usd = self.desk.conversation.session, self.desk.spending.usd
        updates: list[Update] = []
        if session.title and session.title != self._title:
            self._title = session.title
            title = clean(session.title)
            updates.append(SessionInfoUpdate(session_update="session_info_update", title=title, updated_at=utc_stamp()))
        used = sum(usage_of(message).get("total_tokens", 0) for message in session.messages[-1:])
        window = self.desk.window
        if used and window:
            cost = Cost(amount=usd, currency="USD") if usd is not None else None
            updates.append(UsageUpdate(session_update="usage_update", used=used, size=window, cost=cost))
        return updates

    async def _send(self, updates: Iterable[Update]) -> None:
        for update in updates:
            await self._client.session_update(session_id=self.session_id, update=update)
