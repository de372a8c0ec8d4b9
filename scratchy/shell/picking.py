"""`scratchy -r` without an id: which session? On the screen a picker, in linear mode a list and a question.

Not here: the picker itself (terminal/picker.py), opening what was picked (starting.py).
"""

import asyncio
import sys
from collections.abc import Callable
from importlib import import_module

from scratchy import compose
from scratchy.commands.listing import newest, numbered
from scratchy.config import Config
from scratchy.core.errors import ConfigError
from scratchy.core.stored import SessionInfo
from scratchy.core.text import clean
from scratchy.sessions.manager import SessionManager

_NAME_ONE = "--resume needs an id here: `scratchy -r ID`. `scratchy session list` shows them."


def pick(config: Config, *, linear: bool, ask: bool) -> str | None:
    """The session's id; None when the person left, or there is none (said). `ask`: somebody is there to be asked.

    Raises: ConfigError after the list when nobody is; OSError when the folder cannot be read.
    """
    manager = SessionManager(store=compose.open_folder(config.sessions_dir))
    if not linear:
        if next(manager.store.recent(), None) is None:
            print(f"No sessions in {config.sessions_dir} yet.")
            return None
        picker = import_module("scratchy.terminal.picker")
        return asyncio.run(picker.picked(manager, str(config.folder)))
    infos = newest(manager)
    out = sys.stdout if ask else sys.stderr
    for line in numbered(infos, str(config.folder)) or [f"No sessions in {config.sessions_dir} yet."]:
        print(clean(line), file=out)
    if not ask:
        raise ConfigError(_NAME_ONE)
    return _asked(infos, input) if infos else None


def _asked(infos: list[SessionInfo], read: Callable[[str], str]) -> str | None:
    try:
        said = read("Number or id (Enter: none): ").strip()
    except EOFError:
        return None
    ids = [info.session_id for info in infos]
    if said in ids or not (said.isdecimal() and 0 < int(said) <= len(ids)):
        return said or None
    return ids[int(said) - 1]
