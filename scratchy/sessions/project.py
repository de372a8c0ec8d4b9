"""Which project a folder is: by its path, and by what stays when it is moved or renamed; where a session works.

On the way to the prompt only paths are compared; git is asked in the background. No file is written into a project.
"""

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from scratchy import compose
from scratchy.core.stored import SessionInfo
from scratchy.core.text import reveal

_GIT_SECONDS = 2.0
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")
_EACH_PROCESS = ("/proc/", "/dev/fd/")  # /proc/self/cwd is wherever one stands
_ROOT = ("rev-list", "--max-parents=0", "HEAD")


def identity(folder: Path, known: Any = None) -> dict[str, Any]:
    """`{device, inode, born?, root?}`: the folder's own numbers, when it was made (nanoseconds, where the file system
    tells), and, where it is the top of a repository, the first commit. Blocks for git, two seconds at most; not where
    `known`, an earlier answer, is of this folder and has it."""
    try:
        there = os.stat(folder)
        found: dict[str, Any] = {"device": there.st_dev, "inode": there.st_ino}
        if born := compose.birth_time(folder):
            found["born"] = born
    except OSError:
        return {}
    before = cast("dict[str, Any]", known) if isinstance(known, dict) else {}
    root: Any = before.get("root") if is_same_inode(before, found) else None
    root = root or _root_commit(folder)
    return {**found, "root": root} if root else found


def _root_commit(folder: Path) -> str:
    """Empty without a repository of its own: a worktree and a folder inside one share the commit with others."""
    if not (folder / ".git").is_dir():
        return ""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*_GIT, *_ROOT], cwd=folder, env=environ | {"GIT_NO_LAZY_FETCH": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_GIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    commits = done.stdout.decode("ascii", "replace").split()
    return commits[-1] if commits and done.returncode == 0 else ""


def is_same(stored: Mapping[str, Any], today: Mapping[str, Any]) -> bool:
    """Whether these are one folder that was moved or renamed. A copy is not, such as a clone; nor what was moved to
    another disk, which nothing tells from one."""
    if not stored or not today:
        return False
    roots = stored.get("root"), today.get("root")
    if all(roots) and roots[0] != roots[1]:  # another repository under a number that was given away again
        return False
    return is_same_inode(stored, today)


def is_same_inode(stored: Mapping[str, Any], today: Mapping[str, Any]) -> bool:
    if stored.get("inode") != today.get("inode"):
        return False
    born = stored.get("born"), today.get("born")
    return born[0] == born[1] if all(born) else stored.get("device") == today.get("device")


def folder_in(metadata: Mapping[str, Any]) -> str:
    """The path that a header's `folder` tells; "" for one that would be another in each process, and for no path."""
    path = metadata.get("folder")
    if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
        return ""
    return "" if path.startswith(_EACH_PROCESS) else path


def project_in(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a header tells of `identity`; empty where it does not."""
    project = metadata.get("project")
    return cast("dict[str, Any]", project) if isinstance(project, dict) else {}


def is_here(stored: str, here: str) -> bool:
    """Whether a path of `folder_in` is this folder; `here` is resolved."""
    return bool(stored) and (stored == here or os.path.realpath(stored) == here)


def last_of(infos: Iterable[SessionInfo], folder: Path, machine: Callable[[], str]) -> tuple[SessionInfo | None, str]:
    """The newest of this folder's sessions (`infos` come newest first), and what to say about it.

    Those held in this path; only if there are none, one of this machine whose path is gone and whose folder was this.
    """
    here = os.path.realpath(folder)
    resolved: dict[str, bool] = {}
    others: list[tuple[SessionInfo, Mapping[str, Any]]] = []
    for info in infos:
        if info.header is None or info.foreign:
            continue
        path = folder_in(info.header.metadata)
        if not path:
            continue
        if path not in resolved:
            resolved[path] = is_here(path, here)
        if resolved[path]:
            return info, ""
        others.append((info, info.header.metadata))
    found = _moved(others, folder, machine)
    if found is None:
        return None, ""
    info, before = found
    return info, f"Session '{reveal(info.session_id)}' was held in {reveal(before)}, which is this folder now."


def _moved(
    others: Iterable[tuple[SessionInfo, Mapping[str, Any]]], folder: Path, machine: Callable[[], str]
) -> tuple[SessionInfo, str] | None:
    gone: dict[str, bool] = {}
    today: dict[str, Any] | None = None
    for info, metadata in others:
        path, project = folder_in(metadata), project_in(metadata)
        if not project:
            continue
        if path not in gone:
            gone[path] = not os.path.lexists(path)
        if not gone[path] or not metadata.get("machine") or metadata["machine"] != machine():
            continue
        today = identity(folder) if today is None else today
        if is_same(project, today):
            return info, path
    return None


def is_away(metadata: Mapping[str, Any], machine: str) -> bool:
    """Whether the folder of a session of this machine is not there just now: moved, removed, on a disk that is not
    mounted."""
    stored = folder_in(metadata)
    return bool(stored and machine) and metadata.get("machine") == machine and not os.path.isdir(stored)


def working_folder(metadata: Mapping[str, Any], here: Path, machine: str, *, adopt: bool = False) -> tuple[Path, str]:
    """Where a resumed session works, and what to say: in its own folder, if this machine wrote it and the folder is
    there; else, or to `adopt` it, in today's."""
    stored = folder_in(metadata)
    if not stored or is_here(stored, os.path.realpath(here)):
        return here, ""
    ours = bool(machine) and metadata.get("machine") == machine
    if adopt or not ours:
        return here, f"Working in {here}. Before, this session worked in {reveal(stored)}."
    if is_away(metadata, machine):
        return here, (
            f"Working in {here}: the folder that this session worked in is gone, {reveal(stored)}. It still belongs "
            "there; `--cwd .` takes the folder you start in for good."
        )
    return Path(stored), f"Working in {reveal(stored)}, as this session did. `--cwd .` takes the folder you start in."
