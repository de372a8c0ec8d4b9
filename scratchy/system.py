"""What differs between Linux, macOS and Windows: all three are written here, and nowhere else."""

import contextlib
import errno
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
    import termios
    import tty

WINDOWS = sys.platform == "win32"


# --- Private folders and whole files ---------------------------------------------------------------------------------


def make_private_folder(path: Path) -> None:
    """The folder and its missing parents: what is made is 0700 whatever the umask, and synced into its parent."""
    if path.is_dir():
        return
    if path.parent != path:
        make_private_folder(path.parent)
    try:
        path.mkdir(mode=0o700)
        path.chmod(0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
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
    """New and changed names in `folder` survive a power cut. Windows cannot sync a folder; it journals names."""
    if WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- Locks and descriptors -------------------------------------------------------------------------------------------

SAFE_OPEN = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
"""Flags for open(2): never through a link, never waiting for a FIFO's other end, never inherited, bytes as they are."""


def first_bytes(path: str, most: int) -> bytes:
    """The beginning of a regular file; empty for a link, a FIFO, a device, and for what is not there."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # opening some devices does things
            return b""
        handle = os.open(path, os.O_RDONLY | SAFE_OPEN)
    except (OSError, ValueError):
        return b""
    with open(handle, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(handle).st_mode) else b""


def whole_file(path: Path, most: int) -> bytes:
    """All of a regular file, links followed. Raises: OSError; also for a FIFO or a device, which is not waited for, and
    for more than `most` bytes."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
        return file.read()


def open_beneath(top: Path, path: Path) -> int:
    """A descriptor of the folder or regular file `path`, for reading: `top` or below it, reached through no link. What
    else stands there (a link that came in between, a FIFO, a device) is not opened. Raises: OSError."""
    parts = path.relative_to(top).parts
    if WINDOWS:
        return os.open(path, os.O_RDONLY | SAFE_OPEN)
    handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY | SAFE_OPEN)
    for part in parts:
        above = handle
        try:
            mode = os.stat(part, dir_fd=above, follow_symlinks=False).st_mode
            if not (stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and part is parts[-1])):
                raise OSError(errno.ELOOP, "Not a regular file", str(path))
            handle = os.open(part, os.O_RDONLY | SAFE_OPEN, dir_fd=above)
        finally:
            os.close(above)
    return handle


_HERE, _BIRTH = -100, 0x800  # of Linux's statx: AT_FDCWD, STATX_BTIME
_FAR = 1 << 30  # Windows' locks are mandatory: the byte that is locked lies where nobody reads


def try_lock(handle: int) -> bool:
    """Lock the file behind `handle` for this process; False when another process has it.

    The lock dies with the process and forked children do not have it. On POSIX closing ANY descriptor of that file in
    this process gives it up, so a process keeps one descriptor a file.
    """
    try:
        if sys.platform == "win32":
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def lock_holder(handle: int) -> int | None:
    """The pid that the kernel names as the lock's holder; None where it cannot tell, or nobody else holds it."""
    if sys.platform == "win32":
        return None
    try:
        if sys.platform == "darwin":
            answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, 0))
            _, _, pid, kind, _ = struct.unpack("qqihh", answer)
        else:
            answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
            kind, _, _, _, pid = struct.unpack("hhqqi", answer)
    except OSError:
        return None
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None


def is_stopped(pid: int) -> bool:
    """Whether the process of this machine stands still (SIGSTOP, Ctrl-Z), where /proc tells."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def make_private(handle: int) -> None:
    """0600, whatever the umask."""
    if sys.platform != "win32":
        os.fchmod(handle, 0o600)


def sync_data(handle: int) -> None:
    """The file's bytes and its size are on the disk. macOS has a call of its own that empties the drive's cache too."""
    if sys.platform == "darwin":
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    elif sys.platform == "win32":
        os.fsync(handle)
    else:
        os.fdatasync(handle)


def read_at(handle: int, size: int, offset: int) -> bytes:
    if sys.platform == "win32":  # no pread: the position moves, and nobody else relies on it
        os.lseek(handle, offset, os.SEEK_SET)
        return os.read(handle, size)
    return os.pread(handle, size, offset)


def write_at(handle: int, data: bytes, offset: int) -> int:
    if sys.platform == "win32":
        os.lseek(handle, offset, os.SEEK_SET)
        return os.write(handle, data)
    return os.pwrite(handle, data, offset)


def birth_time(path: Path) -> int:
    """When a file or folder was made, in nanoseconds; 0 where that is not told. A rename does not change it."""
    there = os.stat(path)
    if sys.platform != "linux":
        return round(1e9 * getattr(there, "st_birthtime", there.st_ctime if WINDOWS else 0))
    ctypes = import_module("ctypes")  # os.stat does not ask Linux for it
    found = ctypes.create_string_buffer(256)
    try:
        failed = ctypes.CDLL(None).statx(_HERE, os.fsencode(path), 0, _BIRTH, found)
    except AttributeError:  # a C library without statx
        return 0
    told, seconds, nanoseconds = *struct.unpack_from("I", found, 0), *struct.unpack_from("qI", found, 80)
    return seconds * 1_000_000_000 + nanoseconds if not failed and told & _BIRTH else 0


def file_system(folder: str) -> str:
    """The kind of the file system that a folder lies on, as /proc tells it; empty elsewhere."""
    best, kind = "", ""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                _, where, what, *_ = line.split(" ")
                top = where.replace("\\040", " ").rstrip("/") + "/"
                if os.path.join(os.path.realpath(folder), "").startswith(top) and len(top) >= len(best):
                    best, kind = top, what
    except (OSError, ValueError):
        return ""
    return kind


def host_name() -> str:
    return os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename


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


# --- The console ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def single_keys(descriptor: int) -> Generator[None]:
    """While this lasts a terminal gives each key at once, without waiting for its line. Elsewhere: nothing changes."""
    if sys.platform == "win32" or not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def terminal_settings(descriptor: int) -> Any:
    """What `as_found` takes; None where there is no terminal."""
    return None if sys.platform == "win32" or not os.isatty(descriptor) else termios.tcgetattr(descriptor)


@contextlib.contextmanager
def as_found(descriptor: int, found: Any) -> Generator[None]:
    """While this lasts the terminal has the settings that were `found` once."""
    if sys.platform == "win32" or found is None:
        yield
        return
    ours = termios.tcgetattr(descriptor)
    termios.tcsetattr(descriptor, termios.TCSADRAIN, found)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, ours)


def can_write(descriptor: int) -> bool:
    """Whether a few thousand bytes can be written now without waiting. Windows cannot tell of a pipe: True there."""
    return WINDOWS or bool(select.select([], [descriptor], [], 0)[1])


def drop_typed(descriptor: int) -> None:
    """What was typed and not read yet is forgotten."""
    if sys.platform == "win32":
        while msvcrt.kbhit():
            msvcrt.getwch()
    elif os.isatty(descriptor):
        termios.tcflush(descriptor, termios.TCIFLUSH)
