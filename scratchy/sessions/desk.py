"""Desk: one person's window. The current conversation, the way to another one, and the provider that answers.

Not here: slash commands and their texts (commands), drawing (the faces).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scratchy import compose
from scratchy.compose import Choice, Config
from scratchy.compose.prices import price_of, window_of
from scratchy.core.errors import (
    ConfigError,
    ProviderError,
    SessionCorruptedError,
    SessionError,
    SessionExistsError,
    save_problem,
)
from scratchy.core.messages import text_of
from scratchy.core.ports import Approve, Editor, Provider
from scratchy.core.prices import Price
from scratchy.core.session import AgentSession, system_part
from scratchy.core.stored import TrashEntry
from scratchy.core.text import reveal_line
from scratchy.scratchpad import Scratchpad
from scratchy.sessions.answering import Answering
from scratchy.sessions.conversation import Conversation, Engine
from scratchy.sessions.exchange import Exported, Imported, import_session
from scratchy.sessions.exporting import export_conversation
from scratchy.sessions.looking import Look
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.mentions import Mentions, recent_mentions
from scratchy.sessions.opening import Opened, made_id, open_session
from scratchy.sessions.paths import Paths
from scratchy.sessions.project import is_away, is_same, project_in, working_folder
from scratchy.sessions.quoting import Quotes
from scratchy.sessions.searching import ProjectRecall, Searching
from scratchy.sessions.spending import Spending
from scratchy.sessions.titles import Titler
from scratchy.sessions.wording import one_line, words_title
from scratchy.sessions.worker import finished

_PROJECT_SECONDS = 0.3  # that a turn waits for the project's name; a later one stores it then


class Desk:
    """`say` shows one sentence to the person at any time. Sessions that were opened here and hold no message yet can be
    come back to; on disk they are from their first message on. `config` is that of the current session's folder, which
    `configure` makes; new sessions begin in the folder that the program was started in. `mode` tells what runs unasked
    (one of `modes`, which the person goes through); like `theme` it belongs to the window, not to a session. `editor`:
    one that the window stands in."""

    def __init__(
        self,
        manager: SessionManager,
        config: Config,
        opened: Opened,
        *,
        machine: str,
        say: Callable[[str], None] = print,
        configure: Callable[[Path], Config] | None = None,
        editor: Editor | None = None,
    ) -> None:
        self.manager = manager
        self.config = self._started_with = config
        self._configure: Callable[[Path], Config] = configure or (lambda folder: config._replace(folder=folder))
        self._said_of_folder: str = ""
        self.modes = compose.modes(config)
        self.mode = config.mode
        self.theme = config.theme
        self.titler = Titler()
        self.spending = Spending(config.max_budget_usd, self._price)
        self._projects: dict[Path, Look] = {}
        self.say = say
        self.scratchpad: Scratchpad = compose.open_scratchpad(manager.store)
        self.searching = Searching(manager.store)
        self._machine = machine
        self._editor = editor
        self._answering = Answering(machine, say)
        self._announcing: asyncio.Task[None] | None = None
        self._approve: Approve | None = None
        self._empty: dict[str, AgentSession] = {}  # opened here, nothing stored yet
        self.conversation = self._converse(opened)

    @property
    def approve(self) -> Approve | None:
        return self._approve

    @approve.setter
    def approve(self, approve: Approve | None) -> None:
        self._approve = self.conversation.approve = approve

    @property
    def provider(self) -> Provider | None:
        """The provider in use, None while none is chosen."""
        return self._answering.current.provider if self._answering.current else None

    @property
    def keeps(self) -> bool:
        """Whether anything outlives this process."""
        return hasattr(self.manager.store, "folder")

    @property
    def place(self) -> str:
        """Where sessions are kept, for the person."""
        return str(getattr(self.manager.store, "folder", "memory (nothing is written)"))

    async def model_names(self) -> list[str]:
        """What the provider in use offers, by name. Raises: ProviderError."""
        return [info.name for info in await compose.list_models((await self.choice()).provider)]

    def session_ids(self) -> list[str]:
        return list(dict.fromkeys([*self._empty, *(info.session_id for info in self.manager.infos())]))

    async def settle(self, title: str | None = None) -> None:
        """Before the first turn: a title that was given is set; a system message that was given explicitly replaces the
        stored one, said."""
        if title:
            try:
                await self.conversation.edit(title=one_line(title))
            except (OSError, SessionError) as error:
                self.say(f"The title could not be set: {save_problem(error)}.")
        wanted = self.config.system if self.config.by_flag("system") else None
        if wanted is None or not self.manager.session_exists(self.conversation.session_id):
            return
        try:
            _, stored = await self.conversation.page(1, before=1)
            if [text_of(message) for message in system_part(stored)] == [wanted]:
                return
            await self.conversation.set_system(wanted)
        except (OSError, SessionError) as error:
            self.say(f"The system message stays as it was: {save_problem(error)}.")
            return
        self.say("The system message was replaced by the one given; the old version is in the trash.")

    async def announce(self) -> None:
        """Find the model and make it ready; say which one answers and why, or what to do. Never raises."""
        try:
            choice = await self._prepared()
        except (ProviderError, ConfigError) as error:
            self.say(str(error))
            return
        tools = "" if choice.provider.supports_tools else "; it is offered no tools"
        self.say(reveal_line(f"Model: {choice.provider.name} · {choice.provider.model} ({choice.why}{tools})"))

    def announce_in_background(self) -> None:
        self.look_at_project()
        self.searching.warm()
        self._announcing = asyncio.ensure_future(self.announce())

    async def choice(self) -> Choice:
        """The provider for the current session. A failure is not kept: the next turn looks again."""
        return await self._answering.choice(self.config, self.conversation.session.metadata)

    async def _prepared(self) -> Choice:
        choice = await self._answering.prepared(self.config, self.conversation.session.metadata)
        self.spending.check(choice.provider.model)
        return choice

    async def use_model(self, spec: str) -> Choice:
        """The person chose: `model`, `provider` or `provider/model`. Raises: ConfigError, ProviderError, ValueError."""
        await self.titler.stop()
        return await self._answering.use(spec, self.config, self.conversation.session.metadata)

    # -- moving between sessions: the new one is open before the current one is let go, and the current one stays where
    # what is not saved yet cannot be saved (OSError or SessionError)

    async def stands(self) -> None:
        """What the current session has on disk is still there; written anew where only its file is gone. Raises:
        OSError when the whole folder is, so that no command takes it for a session that was never stored."""
        conversation, store = self.conversation, self.manager.store
        writer = conversation.writer
        if writer is not None and writer.count and not store.exists(conversation.session_id):
            await finished(asyncio.to_thread(lambda: writer.append([])))
            conversation.restamp()
            while writer.notices:
                self.say(writer.notices.pop(0))

    async def new(self, session_id: str | None) -> None:
        """Raises: SessionExistsError when it is stored already."""
        session_id = session_id or made_id(self.manager.store)
        if session_id == self.conversation.session_id or self.manager.session_exists(session_id):
            raise SessionExistsError(
                session_id, f"Session '{session_id}' exists already. `/resume {session_id}` opens it."
            )
        await self.conversation.settle()
        await self.move_to(open_session(self.manager.store, session_id))

    async def resume(self, session_id: str) -> None:
        """Raises: SessionNotFoundError, and what opening raises; the current session stays current then."""
        if session_id == self.conversation.session_id:
            return
        await self.conversation.settle()
        await self.move_to(open_session(self.manager.store, session_id, create=session_id in self._empty))

    async def rename(self, new_id: str) -> None:
        """The current session under another id. Raises: SessionExistsError when that is taken."""
        old = self.conversation
        if new_id == old.session_id:
            return
        if self.manager.session_exists(new_id):
            raise SessionExistsError(new_id, f"Session '{new_id}' exists already; nothing was renamed.")
        if not self.manager.session_exists(old.session_id):
            await self.new(new_id)
            self._empty.pop(old.session_id, None)
            return
        await self.change(new_id, lambda: self.manager.rename(old.session_id, new_id))

    async def delete(self, session_id: str) -> bool:
        """Into the trash. The current one: a new made session becomes current. False when there was none."""
        if session_id == self.conversation.session_id:
            old, opened = self.conversation, open_session(self.manager.store, made_id(self.manager.store))
            await old.drafts.part()
            try:
                self.manager.delete_session(session_id, by=opened.session.session_id)
            except BaseException:
                if opened.writer is not None:
                    opened.writer.close()
                raise
            self._take(opened)
            await old.close(flush=False)
            return True
        by = self.conversation.session_id
        return self.manager.delete_session(session_id, by=by) or self._empty.pop(session_id, None) is not None

    async def restore(self, named: str) -> TrashEntry:
        """A trash entry, by name or a session's newest, is that session again; what stands there goes to the trash. The
        current one stays current, unless nothing was said in it."""
        entry = self.manager.in_trash(named)
        if self.conversation.session_id == entry.session_id:
            await self.change(entry.session_id, lambda: self.manager.restore(entry.name))
            return entry
        self.manager.restore(entry.name)
        if not self.manager.session_exists(self.conversation.session_id):
            await self.resume(entry.session_id)
        return entry

    async def change(self, session_id: str, call: Callable[[], object]) -> None:
        """Have the store change the current session's file, then go on with `session_id`. The lock is held throughout.
        When it fails the current session stays, and is opened again should the store have got half way."""
        old, store = self.conversation, self.manager.store
        await old.settle()
        await old.drafts.part()
        before = store.stamp(old.session_id)
        try:
            await finished(asyncio.to_thread(call))
        except BaseException:
            if store.stamp(old.session_id) != before:
                self._take(self._reopened(old.session_id))
                await old.close(flush=False)
            raise
        self._take(self._reopened(session_id))
        await old.close(flush=False)

    def _reopened(self, session_id: str) -> Opened:
        """The current session after its file changed; one that cannot be read gives way to a new one."""
        try:
            return open_session(self.manager.store, session_id)
        except SessionCorruptedError:
            return open_session(self.manager.store, made_id(self.manager.store))

    async def export(self, path: Path, *, full: bool = False) -> Exported:
        """The whole session in a new file, its format by the suffix. Raises: FormatError, FileExistsError, OSError."""
        return await export_conversation(self.manager.store, self.conversation, path, self.scratchpad, full=full)

    async def import_(self, path: Path) -> Imported:
        """The sessions of a file, stored; the current one stays current. Raises: FormatError, OSError."""
        reserved = {self.conversation.session_id, *self._empty}
        return await asyncio.to_thread(
            lambda: import_session(self.manager.store, path, pad=self.scratchpad, reserved=reserved)
        )

    async def close(self) -> None:
        await self.titler.stop()
        if self._announcing is not None:
            self._announcing.cancel()
            await asyncio.wait([self._announcing])
        await self.searching.close()
        await self.conversation.close()
        await self._answering.close()

    # -- inside

    async def move_to(self, opened: Opened) -> None:
        old = self.conversation
        if old.writer is None or not old.writer.count:
            self._empty[old.session_id] = old.session
        self._take(opened)
        await old.close()

    def _take(self, opened: Opened) -> None:
        same = self.conversation.session_id == opened.session.session_id
        self.conversation = self._converse(opened)
        if not same:  # else its file changed, its model did not
            self._answering.leave(new=not opened.resumed)

    def _converse(self, opened: Opened) -> Conversation:
        session = opened.session
        self._enter_folder(opened)
        if not opened.resumed:
            session = self._empty.pop(session.session_id, session)
            if not session.messages:
                session.messages.append({"role": "system", "content": compose.system_message(self.config)})
        folder = self.config.folder
        tools = compose.open_tools(
            folder,
            self.scratchpad,
            mode=lambda: self.mode,
            mentioned=lambda entry: any(entry in text_of(message) for message in session.messages),
            recall=ProjectRecall(self.manager.store, session.session_id, self._facts),
            editor=self._editor,
            config=self.config,
        )
        quotes = Quotes(self.manager.store, session.session_id, self._facts)
        self.paths = Paths(folder, self.config.add_dirs, lambda: recent_mentions(session.messages))
        engine = Engine(
            self._provider_for_turn,
            tools,
            system_prompt=compose.system_message(self.config),
            max_steps=self.config.max_steps,
            facts=self._facts,
            context=lambda: compose.message_context(folder, self.mode),
            title_of=None if self.config.titles == "off" else words_title,
            answered=self._entitle,
            attach=Mentions(folder, self.config.add_dirs, self.scratchpad, quotes.quote, self.config.secrets).attach,
            affordable=self.spending.affordable,
            spent=self.spending.count,
            blob=self.scratchpad.content,
        )
        stored = len(session.messages) if opened.resumed else 0
        conversation = Conversation(
            self.manager.store, session, engine, writer=opened.writer, first=opened.first, stored=stored
        )
        conversation.approve = self._approve
        return conversation

    def _enter_folder(self, opened: Opened) -> None:
        """The folder that the session works in, with that folder's configuration."""
        config, said, self._is_guest = self._started_with, "", False
        if opened.resumed:
            adopt = opened.adopts or config.stays
            self._is_guest = not adopt and is_away(opened.session.metadata, self._machine)
            folder, said = working_folder(opened.session.metadata, config.folder, self._machine, adopt=adopt)
            if folder != config.folder:
                config = self._configure(folder)
                if config.untrusted:
                    self.say(f"Not trusted, so not used: {', '.join(config.untrusted)} in {folder}'s configuration.")
        if said and said != self._said_of_folder:
            self.say(said)
        self._said_of_folder, self.config = said, config

    async def _provider_for_turn(self) -> Provider:
        await self.titler.stop()
        looking = self.look_at_project()
        choice = await self._prepared()
        await looking.wait(_PROJECT_SECONDS)
        return choice.provider

    def look_at_project(self) -> Look:
        """What the working folder is known by, looked up beside everything else, once."""
        folder = self.config.folder
        if folder not in self._projects:
            self._projects[folder] = Look(folder, self.conversation.session.metadata.get("project"))
        return self._projects[folder]

    @property
    def window(self) -> int | None:
        """Context length in tokens of the model in use, where known."""
        provider = self.provider
        return (window_of(self.config, provider.model) or provider.window) if provider else None

    def _price(self) -> Price | None:
        choice = self._answering.current
        if choice is None:
            return None
        return price_of(self.config, choice.provider.name, choice.endpoint, choice.provider.model)

    def _entitle(self) -> None:
        """After a turn; the prompt does not wait for it."""
        wanted = self.config.titles == "model" and self.spending.affordable([], [])
        if wanted and self.provider is not None:
            self.titler.begin(self.conversation, self.provider)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"machine": self._machine or None}
        looked = self._projects.get(self.config.folder)
        project = (looked.found if looked is not None else None) or {}
        if not self._is_guest or is_same(project_in(self.conversation.session.metadata), project):
            facts["folder"] = str(self.config.folder)
            facts |= {"project": project} if project else {}
        choice = self._answering.current
        if choice is not None:
            provider = choice.provider
            facts |= {"provider": provider.name, "model": provider.model or None, "endpoint": choice.endpoint}
            facts["found"] = choice.found or None
        return facts
