"""What differs between Linux, macOS and Windows: all three are written here, and nowhere else."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WINDOWS = sys.platform == "win32"


# --- Private folders and whole files ---------------------------------------------------------------------------------


def make_private_folder(path: Path) -> None:
    """The folder and its missing parents; itself 0700 whatever the umask, and synced into its parent."""
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    sync_names(path.parent)


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """The whole file anew, or not at all: a temporary neighbour, synced, renamed over `path`, the name synced.

    Raises: OSError; then `path` is as it was and nothing is left beside it.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.chmod(name, mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_names(path.parent)


def sync_names(folder: Path) -> None:
    """New and changed names in `folder` survive a power cut. Windows cannot do this for a folder, and journals names."""
    if WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- Process groups --------------------------------------------------------------------------------------------------


def start_group_kwargs() -> dict[str, Any]:
    """Keywords for subprocess that put a child at the head of its own group, away from the terminal's Ctrl-C."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def group_alive(pid: int) -> bool:
    """Is anything left of the group that `pid` heads? Always False on Windows, which does not tell."""
    if sys.platform == "win32":
        return False
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def kill_group(pid: int, *, gently: bool = False) -> None:
    """End every process of the group that `pid` heads; `gently` asks (SIGTERM), else it is not asked (SIGKILL).

    A group that is gone already is no error. Windows knows only the second way, for the tree of children.
    """
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM if gently else signal.SIGKILL)
