"""Row 13: from Enter on `/resume`, and from a key of its filter, until the first page of the picker shows; on a real
pseudo-terminal. Beside it the rows alone, and what the picker takes at rest."""

import time
from pathlib import Path

from benchmarks.common import PYTHON, ROOT, Home, Row, interleaved, median, timed
from benchmarks.ptys import Echo, Program, cpu_ms, cpu_ticks_ms
from benchmarks.start import crowded
from scratchy import SessionManager
from scratchy.sessions.finding import Finder

_KINDS = ("wall", "cpu")
_PAGE = 64
_QUIET = 0.4  # seconds after which contents have been searched, too
_FRAME = b"\x1b[?25h"
"""The end of what one redraw writes."""


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count = (1, 20) if tiny else (7, 10_000)
    with Home() as home:
        folder = str(home.path / "crowd")
        crowded(folder, count)
        store = SessionManager(folder).store

        def first_page() -> tuple[float, float]:
            return timed(lambda: Finder(store, "/").read(_PAGE))

        finder = Finder(store, "/")
        while not finder.whole:
            finder.read(count)
        pages, filters = interleaved(
            [first_page, lambda: timed(lambda: finder.rows(f"s {count - 7}", everywhere=True))], rounds
        )
        opened, keys, rest = on_a_terminal(home, folder, rounds, count, 1 if tiny else 10)
    name = f"of {count}"
    return [
        *(
            Row(f"13 picker {name}, Enter to first page, {kind}", median(of(opened, kind)), None, 100)
            for kind in _KINDS
        ),
        *(Row(f"13 … a key of its filter, {name}, {kind}", median(of(keys, kind)), None, 100) for kind in _KINDS),
        Row(f"13 … the slowest of these keys, {name}, wall", max(of(keys, "wall")), None, 100),
        Row("13 … CPU at rest while it is open", rest, None, 20),
        Row(f"13 the first {_PAGE} rows alone, {name}", median([wall for wall, _ in pages]), None, None),
        Row(f"13 the filter alone, {name}", median([wall for wall, _ in filters]), None, None),
    ]


def on_a_terminal(
    home: Home, folder: str, rounds: int, count: int, seconds: float
) -> tuple[list[Echo], list[Echo], float]:
    """What each opening and each key took, and CPU at rest."""
    command = [PYTHON, str(ROOT / "run_agent.py"), "--provider", "demo", "--sessions-dir", folder, "-s", "none"]
    opened: list[Echo] = []
    keys: list[Echo] = []
    with Program(command, home.environment, Path(home.work)) as program:
        program.wait_for(b"Model: demo")
        program.quiet(1.0)
        for number in range(rounds):
            newest = f"s{count - 1:05}".encode()
            opened.append(until(program, b"/resume\r", newest))
            program.quiet(0.6)  # the rest is read, too
            for key in f"{count - 2 - number:05}":
                keys.append(until(program, key.encode(), _FRAME))
                program.quiet(_QUIET)
            program.send(b"\x1b")
            program.quiet(_QUIET)
        program.send(b"/resume\r")
        program.quiet(2.0)
        before = cpu_ticks_ms(program.pid)
        program.rest(seconds)
        return opened, keys, cpu_ticks_ms(program.pid) - before


def until(program: Program, keys: bytes, shown: bytes, patience: float = 10.0) -> Echo:
    """From sending `keys` until `shown` comes."""
    program.seen.clear()
    begun, used = time.perf_counter(), cpu_ms(program.pid)
    program.send(keys)
    while shown not in program.seen:
        program.read(0.05)
        if time.perf_counter() - begun > patience:
            raise RuntimeError(f"waited in vain for {shown!r}:\n{program.seen.decode(errors='replace')}")
    wall = (time.perf_counter() - begun) * 1000
    return Echo(wall, cpu_ms(program.pid) - used)


def of(echoes: list[Echo], kind: str) -> list[float]:
    return [getattr(echo, kind) for echo in echoes]
