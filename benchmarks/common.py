"""What every benchmark shares: the row it prints, medians of interleaved runs, the children's environment, sessions.

Times are compared only within a run: ours and the floor take turns (A B A B), and CPU time stands beside wall time,
because it is the steadier of the two on a busy machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FLOORS = Path(__file__).resolve().parent / "floors"
PYTHON = sys.executable
SENTENCE = "A session is one file that grows by appends, and every finished message is on disk before the next prompt. "


@dataclass(frozen=True)
class Row:
    """One line: ours beside the floor. `budget` is the largest ratio allowed (of `ours`, where there is no floor);
    None: told, not judged."""

    name: str
    ours: float
    floor: float | None
    budget: float | None
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        if self.floor is None:
            return self.ours
        return self.ours / self.floor if self.floor else float("inf")

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return "-"
        return "ok" if self.ratio <= self.budget else "MISSED"


HEAD = f"{'name':<52} {'ours':>12} {'floor':>12} {'ratio':>7} {'budget':>7}  ok/MISSED"


def shown(row: Row) -> str:
    floor = "-" if row.floor is None else f"{row.floor:.2f} {row.unit}"
    budget = "-" if row.budget is None else f"{row.budget:g}"
    return f"{row.name:<52} {f'{row.ours:.2f} {row.unit}':>12} {floor:>12} {row.ratio:>7.2f} {budget:>7}  {row.verdict}"


def interleaved(subjects: Sequence[Callable[[], Any]], rounds: int, warm_up: int = 1) -> list[list[Any]]:
    """What each subject returned in each round, the subjects taking turns; the first rounds are thrown away."""
    kept: list[list[Any]] = [[] for _ in subjects]
    for number in range(rounds + warm_up):
        for index, subject in enumerate(subjects):
            value = subject()
            if number >= warm_up:
                kept[index].append(value)
    return kept


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of wall and of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


class Home:
    """A home for the programs under test: nobody's config, keys or sessions take part, and bytecode is cached."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scratchy-bench-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self.sessions = self.path / "sessions"
        self.work = self.path / "work"
        self.work.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
        self.environment = {
            "LANG": "C.UTF-8",
            **kept,
            "HOME": str(self.path),
            "TERM": "xterm-256color",
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"scratchy-bench-bytecode-{os.getuid()}"),
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }

    def __enter__(self) -> "Home":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def conversation(count: int, size: int = 2000) -> list[dict[str, Any]]:
    """`count` messages of about `size` bytes, users and assistants taking turns, after a system message."""
    text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
    said = [{"role": ("user", "assistant")[at % 2], "content": f"{at}: {text}"} for at in range(count - 1)]
    return [{"role": "system", "content": "You are a helpful assistant."}, *said][:count]


def process(command: Sequence[str], home: Home) -> tuple[float, float]:
    """Milliseconds of wall and CPU of a whole process, its children included. RuntimeError when it fails."""
    started = time.perf_counter()
    child = subprocess.Popen(
        command,
        env=home.environment,
        cwd=home.work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert child.stdout is not None
    said = child.stdout.read()
    child.stdout.close()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}: {said.decode(errors='replace')}")
    return wall * 1000, (used.ru_utime + used.ru_stime) * 1000


def said_by(command: Sequence[str], home: Home) -> str:
    """What a program prints."""
    done = subprocess.run(command, env=home.environment, cwd=home.work, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
