"""Row 17: `@` completion in a tree of 100,000 files: when the first results are there and when all of them, with names
that nobody read before and with known ones; and what a key takes on a real terminal while the names are read.

The tree is made here: git tracks nine files of ten, or there is no repository and it is walked."""

import asyncio
import subprocess
import time
from pathlib import Path

from benchmarks.common import PYTHON, ROOT, Home, Row, interleaved, median
from benchmarks.picker import until
from benchmarks.ptys import Echo, Program
from scratchy.sessions.paths import Paths

_PARTS = ("core", "util", "net", "parser", "lexer", "token", "cache", "index", "store", "client", "server", "view")
_TYPED = ("parser_1", "oldprsr", "s")
"""The beginning of names; letters that are scattered in paths; one that is nearly everywhere."""
_FRAME = b"\x1b[?25h"
"""The end of what one redraw writes."""
_GIT = (
    "git",
    "-c",
    "user.name=x",
    "-c",
    "user.email=x@example.com",
    "-c",
    "gc.auto=0",
    "-c",
    "init.defaultBranch=main",
)


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count = (1, 200) if tiny else (7, 100_000)
    with Home() as home:
        walked, tracked = home.path / "walked", home.path / "tracked"
        for folder in (walked, tracked):
            plant(folder, count * 9 // 10, "old")
        for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "x")):
            subprocess.run([*_GIT, *command], cwd=tracked, env=home.environment, check=True)
        for folder in (walked, tracked):
            plant(folder, count // 10, "new")
        rows = [row for folder in (tracked, walked) for row in found(folder, rounds)]
        return [*rows, *on_a_terminal(home, tracked, rounds, 0.3 if tiny else 3.5)]


def plant(folder: Path, count: int, top: str) -> None:
    """So many empty files, 100 in a folder, four folders deep."""
    for number in range(count):
        one, two, three = (_PARTS[(number // step) % len(_PARTS)] for step in (7, 100, 1200))
        place = folder / f"{top}_{number // 14_400}" / three / f"{two}_{number // 100 % 12}"
        if number % 100 == 0:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{one}_{number}.py").touch()


def found(folder: Path, rounds: int) -> list[Row]:
    """Milliseconds to the first results and to the last ones."""

    def cold() -> tuple[float, float]:
        return asyncio.run(asked(Paths(folder), "parser_1"))

    async def warm() -> list[tuple[float, float]]:
        paths = Paths(folder)
        await asked(paths, _TYPED[0])
        return [await asked(paths, typed) for typed in _TYPED]

    colds, warms = interleaved([cold, lambda: asyncio.run(warm())], rounds)
    name = f"17 paths, {folder.name}"
    rows = [
        Row(f"{name}, unknown: first", median([first for first, _ in colds]), None, 50),
        Row(f"{name}, unknown: all", median([whole for _, whole in colds]), None, 300),
    ]
    for at, typed in enumerate(_TYPED):
        rows.append(Row(f"{name}, known, '{typed}': first", median([one[at][0] for one in warms]), None, 50))
        rows.append(Row(f"{name}, known, '{typed}': all", median([one[at][1] for one in warms]), None, 300))
    return rows


async def asked(paths: Paths, typed: str) -> tuple[float, float]:
    started, first = time.perf_counter(), 0.0
    async for _ in paths.find(typed):
        first = first or time.perf_counter()
    if not first:
        raise RuntimeError(f"nothing fits {typed!r}")
    return (first - started) * 1000, (time.perf_counter() - started) * 1000


def on_a_terminal(home: Home, folder: Path, rounds: int, pause: float) -> list[Row]:
    """Keys in a message, and the same keys behind an @ while the names are read, taking turns."""
    flags = ("--provider", "demo", "--no-session", "--cwd", str(folder))
    plain: list[Echo] = []
    behind: list[Echo] = []
    menus: list[Echo] = []
    with Program([PYTHON, str(ROOT / "run_agent.py"), *flags], home.environment, folder) as program:
        program.wait_for(b"Model: demo")
        program.quiet(1.0)
        for _ in range(rounds):
            for start, echoes in ((b"see ", plain), (b"@", behind)):
                program.quiet(pause)  # until the names want reading again
                program.send(start)
                echoes += [until(program, key.encode(), _FRAME) for key in "parser"]
                program.quiet(0.4)
                program.send(b"\x15")
                program.quiet(0.3)
            menus.append(until(program, b"@lexer", b"/lexer"))  # in a row of the menu
            program.send(b"\x15")
            program.quiet(0.3)
    return [
        Row("17 key to echo while names are read", median(wall(behind)), median(wall(plain)), None),
        Row("17 … the slowest of these keys", max(wall(behind)), max(wall(plain)), None),
        Row("17 from `@lexer` to the menu", median(wall(menus)), None, 50),
    ]


def wall(echoes: list[Echo]) -> list[float]:
    return [echo.wall for echo in echoes]
