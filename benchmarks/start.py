"""Rows 1, 2 and 4: seconds until a typed key shows on the screen, beside a bare prompt_toolkit prompt; CPU at rest."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.common import FLOORS, PYTHON, ROOT, Home, Row, conversation, interleaved, median
from benchmarks.ptys import Echo, Program, cpu_ticks_ms
from benchmarks.server import Server
from scratchy import SessionManager


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count = (1, 20) if tiny else (11, 10_000)
    with Home() as home, Server() as server:
        ours = [PYTHON, str(ROOT / "run_agent.py"), *server.flags()]
        floor = started(home, [PYTHON, str(FLOORS / "bare_prompt.py")])
        typer = started(home, [PYTHON, str(FLOORS / "typer_prompt.py")])
        empty = started(home, [*ours, "--sessions-dir", str(home.path / "empty")])
        crowd = str(home.path / "crowd")
        crowded(crowd, count)
        long = str(home.path / "long")
        SessionManager(long).save_session("long", conversation(count))
        many = started(home, [*ours, "--sessions-dir", crowd, "-s", "new"])
        resumed = started(home, [*ours, "--sessions-dir", long, "-s", "long"])
        echoes = interleaved([floor, typer, empty, many, resumed], rounds)
        at_rest = rest_cpu([*ours, "--sessions-dir", str(home.path / "empty")], home, 1 if tiny else 10)
    return [*_rows(echoes, count), Row("4 CPU at rest, in 10 s" if not tiny else "4 CPU at rest", at_rest, None, 20)]


def _rows(echoes: list[list[Echo]], count: int) -> list[Row]:
    rows: list[Row] = []
    for kind in ("wall", "cpu"):
        floor, typer, empty, many, resumed = (median([getattr(echo, kind) for echo in one]) for one in echoes)
        rows += [
            Row(f"1 start to usable prompt, {kind}", empty, floor, 1.3),
            Row(f"  a typer program around the bare prompt, {kind}", typer, floor, None),
            Row(f"2 {count} sessions in the folder, {kind}", many, empty, 1.1),
            Row(f"2 resuming {count} messages, {kind}", resumed, empty, 1.1),
        ]
    return rows


def started(home: Home, command: Sequence[str]) -> Callable[[], Echo]:
    def once() -> Echo:
        with Program(command, home.environment, home.work) as program:
            return program.echo()

    return once


def crowded(folder: str, count: int) -> None:
    """`count` sessions of three messages: one is written, the others are copies under their own ids."""
    manager = SessionManager(folder)
    manager.save_session("s00000", conversation(3, 300))
    path = Path(folder) / "s00000_chat.toon"
    whole = path.read_bytes()
    for number in range(1, count):
        name = f"s{number:05}".encode()
        path.with_name(path.name.replace("s00000", name.decode())).write_bytes(whole.replace(b"s00000", name, 1))


def rest_cpu(command: Sequence[str], home: Home, seconds: float) -> float:
    """CPU in milliseconds that the program takes in so many seconds, with its model chosen and nothing to do."""
    with Program(command, home.environment, home.work) as program:
        program.echo()
        program.rest(3)
        before = cpu_ticks_ms(program.pid)
        program.rest(seconds)
        return cpu_ticks_ms(program.pid) - before
