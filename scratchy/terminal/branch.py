"""Which git branch a folder is on, read from the repository's HEAD. No git runs.

Not here: showing it (status).
"""

import os
import stat
from pathlib import Path

_LARGEST = 4096  # bytes of HEAD, and of a `.git` that is a file
_SHORT = 7  # digits of a commit's hash


def branch_of(folder: Path) -> str:
    """`branch main`, `commit 1a2b3c4` where no branch is checked out, "" outside a repository and where nothing can be
    told. The names are as they are on disk."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        if git.is_dir():
            return _named(_line(git / "HEAD"))
        pointer = _line(git)
        if pointer.startswith("gitdir:"):  # a worktree or a submodule
            return _named(_line(above / pointer.removeprefix("gitdir:").strip() / "HEAD"))
    return ""


def _named(head: str) -> str:
    if head.startswith("ref:"):
        name = head.removeprefix("ref:").strip()
        branch = name.removeprefix("refs/heads/")
        return f"branch {branch}" if branch not in ("", ".invalid") else ""  # so the reftable format has it
    is_hash = len(head) in (40, 64) and all(digit in "0123456789abcdef" for digit in head)
    return f"commit {head[:_SHORT]}" if is_hash else ""


def _line(path: Path) -> str:
    """The first line of a small file; "" for all that is none."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a FIFO would be waited for
    except (OSError, ValueError):
        return ""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return ""
        return os.read(handle, _LARGEST).decode("utf-8", "replace").partition("\n")[0].rstrip("\r")
    except OSError:
        return ""
    finally:
        os.close(handle)
