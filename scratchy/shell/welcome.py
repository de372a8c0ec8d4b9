"""What somebody sees who starts Scratchy for the first time: one calm screen above the prompt, never again.

Not here: the line that says which model answers (the desk finds it), when this is shown (starting.py).
"""

import os
from pathlib import Path

from scratchy.config import Config, user_dir


def welcome(config: Config) -> list[str]:
    """Empty where nothing can be kept that would tell the next start that this was not the first."""
    there = _nearest(user_dir("state"))
    if not (there.is_dir() and os.access(there, os.W_OK)):
        return []
    return [
        "Welcome to Scratchy, an agent for the terminal that never loses a conversation.",
        "",
        "Type a message and press Enter; Esc interrupts, Ctrl-D leaves.",
        "It reads in this folder unasked. What writes, runs or fetches asks you first.",
        f"All that is said is kept in {_short(config.sessions_dir)}.",
        "The line below says which model answers, and why. To connect another one:",
        "a key (`scratchy config set keys.OPENAI_API_KEY`), or `ollama pull qwen3`.",
        "/help shows what else there is, `/help models` more of models.",
        "",
    ]


def _nearest(folder: Path) -> Path:
    """The folder, or the first of its parents that is there."""
    return folder if folder.exists() or folder.parent == folder else _nearest(folder.parent)


def _short(folder: Path) -> str:
    home = str(Path.home())
    return f"~{str(folder)[len(home) :]}" if str(folder).startswith(home + os.sep) else str(folder)
