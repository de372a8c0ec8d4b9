"""Row 3: proportional memory (PSS) of the process tree at rest, beside a bare prompt_toolkit prompt."""

from collections.abc import Callable, Sequence

from benchmarks.common import FLOORS, PYTHON, ROOT, Home, Row, conversation, interleaved, median
from benchmarks.ptys import Program, pss_mib
from benchmarks.server import Server
from scratchy import SessionManager


def run(*, tiny: bool = False) -> list[Row]:
    rounds, size, wait = (1, 20, 0.5) if tiny else (5, 10_000, 3.0)
    with Home() as home, Server() as server:
        ours = [PYTHON, str(ROOT / "run_agent.py"), *server.flags()]
        long = str(home.path / "long")
        SessionManager(long).save_session("long", conversation(size))
        commands = [
            [PYTHON, str(FLOORS / "bare_prompt.py")],
            [*ours, "--sessions-dir", str(home.path / "empty")],
            [*ours, "--sessions-dir", long, "-s", "long"],
        ]
        taken = interleaved([at_rest(home, command, wait) for command in commands], rounds, warm_up=1)
    floor, empty, resumed = (median(one) for one in taken)
    return [
        Row("3 memory at rest (PSS)", empty, floor, 1.6, "MiB"),
        Row(f"3 {size} messages resumed, beside an empty session", resumed, empty, 1.3, "MiB"),
    ]


def at_rest(home: Home, command: Sequence[str], wait: float) -> Callable[[], float]:
    def once() -> float:
        with Program(command, home.environment, home.work) as program:
            program.echo()
            program.rest(wait)
            return pss_mib(program.pid)

    return once
