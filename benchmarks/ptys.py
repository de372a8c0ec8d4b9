"""A program on a real pseudo-terminal: seconds until a typed key shows, and what it takes at rest. Linux (/proc)."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

KEY = b"Q"
"""Typed again and again until it shows; nothing that a program says at its start holds this letter."""


class Echo(NamedTuple):
    """Milliseconds from exec until the key shows: wall, and CPU of the process so far."""

    wall: float
    cpu: float


class Program:
    """Started on a terminal of 100 × 30 that echoes nothing by itself."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        mode = termios.tcgetattr(slave)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        self._terminal = master
        self.started = time.perf_counter()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.chdir(folder)
                os.login_tty(slave)
                os.execve(command[0], list(command), dict(environment))
            finally:
                os._exit(127)
        os.close(slave)
        self.seen = bytearray()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def read(self, seconds: float) -> bytes:
        """What comes within so long, as soon as it comes."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            raise RuntimeError(f"the program ended:\n{self.seen.decode(errors='replace')}") from None
        self.seen += data
        return data

    def send(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def echo(self, patience: float = 30.0) -> Echo:
        """Type the key every 20 ms until it shows."""
        until = self.started + patience
        typed = 0.0
        while time.perf_counter() < until:
            now = time.perf_counter()
            if now - typed >= 0.02:
                self.send(KEY)
                typed = now
            if KEY in self.read(0.005):
                return Echo((time.perf_counter() - self.started) * 1000, cpu_ms(self.pid))
        raise RuntimeError(f"no echo in {patience} s:\n{self.seen.decode(errors='replace')}")

    def wait_for(self, text: bytes, patience: float = 30.0) -> None:
        until = time.perf_counter() + patience
        while text not in self.seen:
            if time.perf_counter() > until:
                raise RuntimeError(f"waited in vain for {text!r}:\n{self.seen.decode(errors='replace')}")
            self.read(0.05)

    def quiet(self, seconds: float) -> None:
        """Read until nothing has come for so long."""
        while self.read(seconds):
            pass

    def rest(self, seconds: float) -> None:
        """Let it be for so long; what it writes is read."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self.read(left)


def cpu_ms(pid: int) -> float:
    """CPU of all threads that live, in milliseconds, to the nanosecond where the kernel tells it."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6
    except FileNotFoundError:
        return cpu_ticks_ms(pid)


def cpu_ticks_ms(pid: int) -> float:
    """CPU of the process, ended threads too, in milliseconds, to the kernel's tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and its children, at every depth."""
    found = [pid]
    for one in found:
        for thread in Path(f"/proc/{one}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def pss_mib(pid: int) -> float:
    """Proportional memory of the process and its children, in MiB."""
    total = 0
    for one in family(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
