"""Agent: the Python API over the core. Sessions by name, tools from functions, answers as strings.

Not here: the terminal, the choice of files for sessions (SessionManager), the turn itself (core/loop.py).
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from scratchy import compose, config
from scratchy.core.errors import SessionConflictError
from scratchy.core.events import ApprovalRequested, Event, SaveFailed, ToolFinished, ToolStarted, TurnFinished
from scratchy.core.loop import last_text
from scratchy.core.messages import Message, ToolSpec, text_of
from scratchy.core.ports import Approval, Approve, Provider, SessionWriter, Tool, Toolset
from scratchy.core.session import AgentSession, system_part
from scratchy.scratchpad import Scratchpad
from scratchy.sessions.conversation import Conversation, Engine
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.searching import ProjectRecall
from scratchy.sessions.seen import Seen, copied
from scratchy.sessions.wording import words_title
from scratchy.sessions.worker import Worker

STEPS_REACHED = "Max iterations reached."


class Agent:
    """An agent over stored sessions.

    `llm`: a provider's name (in any case) or an object with `async chat(messages, tools=None)`; None chooses as the
    terminal does. `sessions`: a SessionManager (None: the usual folder). `max_iterations`: steps a turn.
    Raises: ValueError for an unknown provider or role.
    """

    def __init__(
        self,
        llm: Any = None,
        model: str | None = None,
        api_key: str | None = None,
        system_message: str | None = None,
        role: str = "general",
        debug: bool = False,
        max_iterations: int = 20,
        *,
        sessions: SessionManager | None = None,
    ) -> None:
        if isinstance(llm, str) and llm.lower() not in compose.PROVIDERS:
            raise ValueError(f"Unknown provider '{llm}'. The providers are: {', '.join(compose.PROVIDERS)}.")
        self.sessions = sessions or SessionManager()
        self.max_iterations = max_iterations
        self._llm = compose.wrap_provider(llm) if llm is not None and not isinstance(llm, str) else llm
        self._model = model
        self._api_key = api_key
        self._system = compose.role_message(role) if system_message is None else system_message
        self._system_was_given = system_message is not None
        self._scratchpad: Scratchpad = compose.open_scratchpad(self.sessions.store)
        self._with_defaults = False
        self._tools: dict[str, Tool] = {}
        self._callbacks: dict[str, Callable[..., Any]] = {}
        self._open: dict[str, AgentSession] = {}
        self._agreed = Seen()  # what each session here and the disk last agreed on
        self._turns: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Lock]] = {}
        self._choices: dict[str, compose.Choice] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: AsyncGenerator[None] | None = None
        if debug:
            logging.getLogger("scratchy").setLevel(logging.DEBUG)

    # -- talking

    async def chat(self, message: str, session_id: str = "default") -> str:
        """Say one thing and return the answer; both are on disk when it returns.

        Raises: ProviderError when the model could not be asked (the message is kept); SessionConflictError when the
        session changed both here and on disk; SessionLockedError; OSError when something could not be stored.
        """
        session = self.get_session(session_id)
        reason, failure = "stop", None
        async with self._turn_of(session_id), self._opened(session) as conversation:
            async with aclosing(conversation.turn(message)) as events:
                async for event in events:
                    await self._call_back(session_id, event)
                    if isinstance(event, SaveFailed):
                        failure = conversation.save_error
                    if isinstance(event, TurnFinished):
                        reason = event.reason
            failure = failure if reason == "error" else conversation.save_error
            if failure is not None:
                raise failure
        answer = STEPS_REACHED if reason == "steps" else last_text(session.messages)
        await self._callback("on_final_message", session_id, answer)
        return answer

    def get_session(self, session_id: str = "default") -> AgentSession:
        """The session's one object here: loaded when it is stored, else new with its system message."""
        if session_id not in self._open:
            stamp = self.sessions.store.stamp(session_id)
            session = self.sessions.session(session_id)
            if session is None:
                session = AgentSession(session_id, [{"role": "system", "content": self._system}])
                self.sessions.note_seen(session_id, None, session.messages)
            self._agreed.note(session_id, stamp, session.messages)
            if self._system_was_given:
                self._replace_system_message(session)
            self._open[session_id] = session
        return self._open[session_id]

    def clear_session(self, session_id: str) -> None:
        """Forget all but the system message, here and on disk (the old version is in the trash). Unknown: nothing."""
        stored = self.sessions.session_exists(session_id)
        if session_id not in self._open and not stored:
            return
        session = self.get_session(session_id)
        if stored:
            with self.sessions.opened(session_id) as writer:
                self.sessions.refuse_if_changed_elsewhere(session_id)
                self.sessions.write(writer, system_part(session.messages), "cleared")
        session.clear_history()
        self._agreed.note(session_id, self.sessions.store.stamp(session_id), session.messages)

    # -- tools

    def load_default_tools(self) -> None:
        """Offer the built-in tools. Without an approval callback they run unasked."""
        self._with_defaults = True

    def register_tool_from_function(self, func: Callable[..., Any]) -> None:
        """A tool from a function, sync or async; its schema comes from signature, type hints and docstring."""
        self._add(compose.tool_from_function(func))

    def add_custom_tool(self, schema: Mapping[str, Any], executor: Callable[..., Any]) -> None:
        """A tool from a chat-completions function schema; `executor` is called with the arguments by keyword."""
        self._add(compose.tool_from_schema(schema, executor))

    async def get_all_tools(self) -> list[ToolSpec]:
        return self._toolset(AgentSession("")).specs()

    def set_callbacks(
        self,
        on_tool_start: Callable[..., Any] | None = None,
        on_tool_end: Callable[..., Any] | None = None,
        on_tool_approval: Callable[..., Awaitable[bool]] | None = None,
        on_final_message: Callable[..., Any] | None = None,
    ) -> None:
        """`on_tool_start(session_id, name, args)`, `on_tool_end(session_id, name, result)`, `async
        on_tool_approval(session_id, name, args) -> bool`, `on_final_message(session_id, content)`. None leaves one."""
        given = {
            "on_tool_start": on_tool_start,
            "on_tool_end": on_tool_end,
            "on_tool_approval": on_tool_approval,
            "on_final_message": on_final_message,
        }
        self._callbacks |= {name: callback for name, callback in given.items() if callback is not None}

    async def cleanup(self) -> None:
        """Let go of the provider's connections. Sessions need nothing: they are on disk."""
        if self._closing is not None and self._loop is asyncio.get_running_loop():
            await self._closing.aclose()
            self._loop = self._closing = None

    # -- inside

    def _add(self, tool: Tool) -> None:
        self._tools[tool.spec["function"]["name"]] = tool

    def _toolset(self, session: AgentSession) -> Toolset:
        def mentioned(entry: str) -> bool:
            return any(entry in text_of(message) for message in session.messages)

        recall = ProjectRecall(self.sessions.store, session.session_id, partial(self._facts, session.session_id))
        own = config.load({}, folder=Path.cwd()) if self._llm is None or isinstance(self._llm, str) else None
        tools = compose.open_tools(
            Path.cwd(),
            self._scratchpad,
            mentioned=mentioned,
            with_defaults=self._with_defaults,
            recall=recall,
            config=own,
        )
        for tool in self._tools.values():
            tools.add(tool)
        return tools

    async def _chosen(self, session: AgentSession) -> compose.Choice:
        """The session's provider. One that another session here uses in the same way serves both; all of them belong to
        one event loop, since a program may call `asyncio.run(agent.chat(…))` again and again."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._choices = loop, {}
            self._closing = self._close_with_loop(self._choices)
            await anext(self._closing)
        if session.session_id not in self._choices:
            choice = await self._choose(session)
            twin = next((other for other in self._choices.values() if other.same_as(choice)), None)
            if twin is not None and twin.provider is not choice.provider:
                await choice.provider.aclose()
            self._choices[session.session_id] = twin or choice
        return self._choices[session.session_id]

    async def _choose(self, session: AgentSession) -> compose.Choice:
        if self._llm is None:
            chosen = config.load({"model": self._model}, folder=Path.cwd())
            return await compose.choose_provider(
                chosen, session.metadata, config.machine_id(), by_program=True, api_key=self._api_key
            )
        if isinstance(self._llm, str):
            name = self._llm.lower()
            endpoint = compose.endpoint_of(compose.provider_url(name, None))
            environ = compose.with_keys(config.load({}, folder=Path.cwd()))
            provider = compose.open_provider(name, model=self._model, api_key=self._api_key, environ=environ)
            return compose.Choice(provider, "named by the program", endpoint, wanted=self._model)
        return compose.Choice(self._llm, "given by the program", "")

    async def _close_with_loop(self, choices: dict[str, compose.Choice]) -> AsyncGenerator[None]:
        """Closes these providers when it is closed: by `cleanup`, else by the loop, which does that as its last act."""
        try:
            yield
        finally:
            for provider in {id(choice.provider): choice.provider for choice in choices.values()}.values():
                if provider is not self._llm:
                    await provider.aclose()
            choices.clear()

    def _facts(self, session_id: str) -> dict[str, Any]:
        facts: dict[str, Any] = {"folder": str(Path.cwd()), "machine": config.machine_id() or None}
        choice = self._choices.get(session_id)
        if choice is not None and choice.provider is not self._llm:
            facts |= {"provider": choice.provider.name, "model": choice.provider.model or None}
            facts |= {"endpoint": choice.endpoint or None, "found": choice.found or None}
        return facts

    @asynccontextmanager
    async def _turn_of(self, session_id: str) -> AsyncGenerator[None]:
        """Two chats in one session wait for each other."""
        loop = asyncio.get_running_loop()
        if session_id not in self._turns or self._turns[session_id][0] is not loop:
            self._turns[session_id] = (loop, asyncio.Lock())
        async with self._turns[session_id][1]:
            yield

    @asynccontextmanager
    async def _opened(self, session: AgentSession) -> AsyncGenerator[Conversation]:
        """The session locked for a turn, and memory and disk agreed on what it holds."""
        session_id = session.session_id

        async def provider() -> Provider:
            return (await self._chosen(session)).provider

        engine = Engine(
            provider,
            self._toolset(session),
            system_prompt=self._system,
            max_steps=self.max_iterations,
            facts=lambda: self._facts(session_id),
            title_of=None if config.titles_wanted() == "off" else words_title,
            blob=self._scratchpad.content,
        )
        worker, stack = Worker(), ExitStack()
        try:
            writer = await worker.run(lambda: self._lock_and_agree(session, stack))
            conversation = Conversation(self.sessions.store, session, engine, writer=writer)
            conversation.approve = self._approve_for(session_id)
            try:
                yield conversation
            finally:
                if conversation.stamp is not None:
                    stored = session.messages[: writer.count]
                    self.sessions.note_seen(session_id, conversation.stamp, stored)
                    self._agreed.note(session_id, conversation.stamp, stored)
                await conversation.close(flush=False)
        finally:
            stack.close()
            worker.close()

    def _lock_and_agree(self, session: AgentSession, stack: ExitStack) -> SessionWriter:
        writer = stack.enter_context(
            self.sessions.opened(session.session_id, create=True, created_at=session.created_at)
        )
        self._agree(session, writer)
        return writer

    def _agree(self, session: AgentSession, writer: SessionWriter) -> None:
        """Changes in memory are saved, changes on disk are read into the same list; both is a conflict. What changed is
        judged by what this agent last agreed on with the disk: another agent or manager here writes it, too."""
        session_id, agreed = session.session_id, self._agreed
        stamp = self.sessions.store.stamp(session_id)
        changed_here = not agreed.same(session_id, session.messages)
        if stamp != agreed.stamp(session_id) and not self.sessions.moved_here(session_id):
            stored = writer.load()
            if not changed_here:
                session.messages[:] = stored or system_part(session.messages)
                session.metadata = dict(writer.header.metadata)
            elif stored != session.messages and not agreed.same(session_id, stored):
                self._refuse(session_id)
        elif not changed_here and self.sessions.moved_here(session_id):
            session.messages[:] = writer.load() or [{"role": "system", "content": self._system}]
        if changed_here and writer.count:
            self.sessions.write(writer, session.messages)
        agreed.note(session_id, self.sessions.store.stamp(session_id), session.messages)

    def _refuse(self, session_id: str) -> NoReturn:
        pid = self.sessions.store.last_writer(session_id)
        raise SessionConflictError(
            session_id,
            f"Session '{session_id}' was changed both on disk (by process {pid or 'unknown'}) and here. "
            "Nothing was written: load the session again and repeat your change.",
            pid=pid,
        )

    def _replace_system_message(self, session: AgentSession) -> None:
        system: Message = {"role": "system", "content": self._system}
        if system_part(session.messages) != [system]:
            logging.getLogger("scratchy").info(
                "session %s: the given system message replaces its own", session.session_id
            )
            session.messages[: len(system_part(session.messages))] = [system]

    def _approve_for(self, session_id: str) -> Approve | None:
        ask = self._callbacks.get("on_tool_approval")
        if ask is None:
            return None

        async def approve(request: ApprovalRequested) -> Approval:
            answer = ask(session_id, request.name, copied(request.arguments))
            return Approval(bool(await answer if inspect.isawaitable(answer) else answer))

        return approve

    async def _call_back(self, session_id: str, event: Event) -> None:
        match event:
            case ToolStarted(name=name, arguments=arguments):
                await self._callback("on_tool_start", session_id, name, arguments)
            case ToolFinished(name=name, output=output):
                await self._callback("on_tool_end", session_id, name, output)
            case _:
                pass

    async def _callback(self, name: str, *arguments: Any) -> None:
        callback = self._callbacks.get(name)
        if callback is not None and inspect.isawaitable(answer := callback(*arguments)):
            await answer
