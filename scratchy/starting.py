"""From flags to an open session: which one, locked and its end read; and the desk over it. On the way to the prompt.

Not here: parsing flags (cli.py), drawing (terminal). Only what the first prompt needs is imported at the top.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchy import compose
from scratchy.config import Config, load, machine_id, passwords_in, project_file, table_of, user_dir, user_file
from scratchy.core.errors import ConfigError, SessionCorruptedError, SessionLockedError, SessionNotFoundError
from scratchy.session_cli import here
from scratchy.sessions.opening import Opened, made_id, open_session
from scratchy.sessions.project import last_of, working_folder
from scratchy.terminal.boot import Boot

if TYPE_CHECKING:
    from scratchy.core.ports import Store
    from scratchy.sessions.desk import Desk

DEFAULT = "default"


def load_config(flags: dict[str, Any], of: Path | None = None, *, ask: bool = True) -> Config:
    """The configuration of a folder (None: this one); a project's file that wants more than is free is shown and asked
    about once, unless nothing may be asked any more."""
    folder = of or here()
    if not project_file(folder).exists():
        return load(flags, folder=folder)
    trust = import_module("scratchy.permissions").Trust(user_dir("state"))
    path = project_file(folder)
    shown = table_of(path)[1]  # what is trusted is what was shown, whatever comes into the file meanwhile
    loaded = load(flags, folder=folder, trusted=trust.trusted)
    if not (loaded.untrusted and ask):
        return loaded
    printing = import_module("scratchy.shell.printing")
    if out := printing.asking():
        wanted = (f"  {key} = {value!r}" for key, value in loaded.untrusted.items())
        print(f"{path} wants to set:", *wanted, sep="\n", file=out)
        if printing.agreed("Trust this file? It is asked once for this content.", out):
            trust.trust(path, shown)
            return load(flags, folder=folder, trusted=trust.trusted)
    else:
        print(f"Not trusted, so not used: {', '.join(loaded.untrusted)} in {path}", file=sys.stderr)
    return loaded


class Start:
    """What the flags ask for. `session`: open or create; `resume`: open; `proceed`: this folder's last; `fork`: a copy
    of that one, empty: of the one that another flag names; `title`: the session's from now on. `load` makes the
    configuration of a folder; its second argument: whether it may ask."""

    def __init__(
        self,
        config: Config,
        *,
        load: Callable[[Path, bool], Config],
        session: str | None,
        resume: str | None,
        proceed: bool,
        no_session: bool,
        fork: str | None = None,
        title: str | None = None,
    ) -> None:
        self.config = config
        self.fork = fork
        self.title = title
        self._load = load
        self._configs: dict[Path, Config] = {}
        self.session = session
        self.resume = resume
        self.proceed = proceed
        self.store: Store = compose.open_store("memory://") if no_session else compose.open_folder(config.sessions_dir)
        if compose.transcript_wanted():
            self.store = import_module("scratchy.sessions.transcripts").transcribed(self.store)
        self.no_session = no_session
        if not no_session and config.sessions_dir.exists() and not config.sessions_dir.is_dir():
            raise ConfigError(f"{config.sessions_dir} is a file, so it cannot hold sessions. Name a folder.")

    def open(self, *, once: bool = False) -> tuple[Opened, list[str]]:
        """The session, and what to say about it. A named one that is held or damaged raises; else a new one is made.
        `once`: for one answer, in a new session unless one is named; that of `--continue` is not replaced then."""
        said = [*self.config.notices]
        if self.fork is not None:
            return self._forked(self.fork), said
        if self.resume is not None:
            return self._resumed(self.resume), said
        if self.session is not None:
            return open_session(self.store, self.session), said
        wanted, moved = made_id(self.store) if once or self.proceed else DEFAULT, ""
        if self.proceed:
            last, moved = last_of(self.store.list(), self.config.folder, machine_id)
            said += [moved] if moved else [] if last else ["No session of this folder yet: a new one."]
            wanted = last.session_id if last else wanted
        try:
            opened = open_session(self.store, wanted)
            opened.adopts = wanted == DEFAULT  # nobody named it: it works where the program is started
            if moved:
                opened.session.metadata["folder"] = str(self.config.folder)
            return opened, said
        except (SessionLockedError, SessionCorruptedError, PermissionError) as error:
            if once:
                raise
            said.append(f"{_sentence(error)} A new session is used instead.")
            return open_session(self.store, made_id(self.store)), said

    def _resumed(self, session_id: str) -> Opened:
        try:
            return open_session(self.store, session_id, create=False)
        except SessionNotFoundError as error:
            near_ones = import_module("scratchy.sessions.finding").near_ones
            near = near_ones(session_id, self.store.list(), "`scratchy --resume={}`")
            raise SessionNotFoundError(session_id, f"{error} {near}".strip()) from None

    def _forked(self, source: str) -> Opened:
        """Opens a copy; what it is a copy of is only read, whoever holds it. Beside an id --session names the copy."""
        new_id = self.session if source else None
        source = source or self.resume or self.session or ""
        if not source:
            last, _ = last_of(self.store.list(), self.config.folder, machine_id)
            if last is None:
                raise ConfigError("No session of this folder to fork. Name one: --fork ID.")
            source = last.session_id
        branches = import_module("scratchy.sessions.branches")
        return open_session(self.store, branches.fork_session(self.store, source, new_id), create=False)

    def boot(self, *, once: bool = False, announce: bool = False) -> Boot:
        """What the terminal starts with. `once`: for one answer. `announce`: look for the model in the background and
        say which it is."""
        first = not once and self._is_first()
        opened, said = self.open(once=once)
        folder = self._ask_for(opened)
        said[:0] = import_module("scratchy.shell.welcome").welcome(self.config) if first and not opened.resumed else []
        session_id = opened.session.session_id
        if self.fork is not None:
            parent = opened.session.metadata["parent"]["id"]
            said.append(f"Forked session: '{session_id}' ({opened.count} messages) from '{parent}'")
        elif opened.resumed:
            said.append(f"Resuming session: '{session_id}' ({opened.count} messages)")
        elif not once:
            said.append(f"Started new session: '{session_id}'")
        if opened.writer is not None:
            said += opened.writer.notices
            opened.writer.notices.clear()
        if opened.read_only is not None:
            why = opened.read_only.strerror
            said.append(f"Nothing can be saved in {self.config.sessions_dir} ({why}): a message will not be sent.")
        if self.no_session:
            said.append("Nothing of this session is kept on disk (--no-session).")

        async def make_desk(say: Callable[[str], None]) -> "Desk":
            desk = await self.desk(opened, say, once=once)
            if announce:
                desk.announce_in_background()
            return desk

        return Boot(
            session_id=session_id,
            make_desk=make_desk,
            greeting=said,
            history_file=None if self.no_session else str(user_dir("state") / "history"),
            mode=self.config.mode,
            edit_mode=self.config.edit_mode,
            folder=str(folder),
            theme=self.config.theme,
            notify=self.config.notify,
            resume_line=self.resume_line,
        )

    def _is_first(self) -> bool:
        """Whether somebody looks who never started it here: the state folder is made by every start with a screen."""
        if self.no_session or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return False
        return not os.path.exists(user_dir("state")) and not os.path.exists(user_file())

    async def desk(self, opened: Opened, say: Callable[[str], None], *, once: bool = False) -> "Desk":
        """The desk over an open session; its rooms are loaded now, when the prompt stands."""
        desk = import_module("scratchy.sessions.desk")
        sessions = import_module("scratchy.sessions.manager").SessionManager(store=self.store)
        made = desk.Desk(
            sessions,
            _titled_by_words(self.config) if once or not sys.stdin.isatty() else self.config,
            opened,
            machine=machine_id(),
            say=say,
            configure=self._config_of,
        )
        await made.settle(self.title)
        return made

    def _config_of(self, folder: Path) -> Config:
        return self._configs.get(folder) or self._load(folder, False)

    def _ask_for(self, opened: Opened) -> Path:
        """Where the session works. Another folder has another configuration: what it needs is asked for now."""
        if opened.resumed and opened.session.metadata.get("folder") not in (None, str(self.config.folder)):
            adopt = opened.adopts or self.config.stays
            folder, _ = working_folder(opened.session.metadata, self.config.folder, machine_id(), adopt=adopt)
            if folder != self.config.folder:
                self._configs[folder] = self._load(folder, True)
            return folder
        return self.config.folder

    def _is_kept(self, session_id: str) -> bool:
        try:
            return self.store.exists(session_id) or bool(self.store.draft(session_id))
        except (OSError, SessionCorruptedError):  # no draft of ours
            return False

    def resume_line(self, session_id: str) -> str:
        """The shell line that goes on with this session; empty when nothing of it is kept."""
        if self.no_session or not self._is_kept(session_id):
            return ""
        words = _program()
        for key in ("sessions_dir", "provider", "base_url", "model"):
            secret = key == "base_url" and bool(passwords_in(self.config.base_url or ""))
            if self.config.by_flag(key) and not secret:
                words += [f"--{key.replace('_', '-')}", str(getattr(self.config, key))]
        return shlex.join([*words, f"--session={session_id}"])


def _titled_by_words(config: Config) -> Config:
    """For one answer, and where no person talks: the model is asked for nothing else."""
    return config._replace(titles="words") if config.titles == "model" else config


def _program() -> list[str]:
    """The words that started this program, so that they start it again from the same folder."""
    called = sys.argv[0]
    if not called.endswith(".py"):
        return [called if os.sep in called and not shutil.which(os.path.basename(called)) else os.path.basename(called)]
    found = shutil.which("python")
    python = "python" if found and os.path.abspath(found) == os.path.abspath(sys.executable) else sys.executable
    inside = os.path.relpath(python)
    python = inside if python != "python" and not inside.startswith("..") else python
    return [python, "-m", "scratchy"] if called.endswith("__main__.py") else [python, called]


def _sentence(error: Exception) -> str:
    return f"{error.strerror}: {error.filename}." if isinstance(error, OSError) else str(error)
