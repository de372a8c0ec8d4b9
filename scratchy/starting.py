"""From flags to an open session: which one, locked and its end read; and the desk over it. On the way to the prompt.

Not here: parsing flags (cli.py), drawing (terminal). Only what the first prompt needs is imported at the top.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from scratchy import compose
from scratchy.config import Config, machine_id, user_dir
from scratchy.core.errors import ConfigError, SessionCorruptedError, SessionLockedError
from scratchy.sessions.opening import Opened, made_id, open_session
from scratchy.terminal.boot import Boot

if TYPE_CHECKING:
    from scratchy.core.ports import Store
    from scratchy.sessions.desk import Desk

DEFAULT = "default"


class Start:
    """What the flags ask for. `session`: open or create; `resume`: open; `proceed`: this folder's last."""

    def __init__(
        self, config: Config, *, session: str | None, resume: str | None, proceed: bool, no_session: bool
    ) -> None:
        self.config = config
        self.session = session
        self.resume = resume
        self.proceed = proceed
        self.store: Store = compose.open_store("memory://") if no_session else compose.open_folder(config.sessions_dir)
        self.no_session = no_session
        if not no_session and config.sessions_dir.exists() and not config.sessions_dir.is_dir():
            raise ConfigError(f"{config.sessions_dir} is a file, so it cannot hold sessions. Name a folder.")

    def open(self, *, once: bool = False) -> tuple[Opened, list[str]]:
        """The session, and what to say about it. A named one that is held or damaged raises; else a new one is made.
        `once`: for one answer, in a new session unless one is named; that of `--continue` is not replaced then."""
        said = [*self.config.notices]
        if self.resume is not None:
            return open_session(self.store, self.resume, create=False), said
        if self.session is not None:
            return open_session(self.store, self.session), said
        wanted = made_id(self.store) if once or self.proceed else DEFAULT
        if self.proceed:
            last = self._last_of_this_folder()
            if last is None:
                said.append("No session of this folder yet: a new one.")
            wanted = last or wanted
        try:
            return open_session(self.store, wanted), said
        except (SessionLockedError, SessionCorruptedError, PermissionError) as error:
            if once:
                raise
            said.append(f"{_sentence(error)} A new session is used instead.")
            return open_session(self.store, made_id(self.store)), said

    def boot(self, *, once: bool = False, announce: bool = False) -> Boot:
        """What the terminal starts with. `once`: for one answer. `announce`: look for the model in the background and
        say which it is."""
        opened, said = self.open(once=once)
        session_id = opened.session.session_id
        if opened.resumed:
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
            desk = await self.desk(opened, say)
            if announce:
                desk.announce_in_background()
            return desk

        return Boot(
            session_id=session_id,
            make_desk=make_desk,
            greeting=said,
            history_file=str(user_dir("state") / "history"),
            marks="yolo" if self.config.yolo else "",
            resume_line=self.resume_line,
        )

    async def desk(self, opened: Opened, say: Callable[[str], None]) -> "Desk":
        """The desk over an open session; its rooms are loaded now, when the prompt stands."""
        desk = import_module("scratchy.sessions.desk")
        manager = import_module("scratchy.sessions.manager")
        made = desk.Desk(manager.SessionManager(store=self.store), self.config, opened, machine=machine_id(), say=say)
        await made.settle()
        return made

    def resume_line(self, session_id: str) -> str:
        """The shell line that goes on with this session; empty when nothing of it is kept."""
        if self.no_session or not (self.store.exists(session_id) or self.store.draft(session_id)):
            return ""
        words = _program()
        for key in ("sessions_dir", "provider", "base_url", "model"):
            if self.config.by_flag(key):
                words += [f"--{key.replace('_', '-')}", str(getattr(self.config, key))]
        return shlex.join([*words, f"--session={session_id}"])

    def _last_of_this_folder(self) -> str | None:
        here = str(self.config.folder)
        infos = (info for info in self.store.list() if info.header is not None and not info.foreign)
        return next((i.session_id for i in infos if i.header and i.header.metadata.get("folder") == here), None)


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
