"""Row 6: one question, one answer, from exec to exit, beside a program of typer, httpx and rich."""

from benchmarks.common import FLOORS, PYTHON, ROOT, Home, Row, interleaved, median, process
from benchmarks.server import Server


def run(*, tiny: bool = False) -> list[Row]:
    rounds = 1 if tiny else 15
    with Home() as home, Server() as server:
        commands = [
            [PYTHON, str(FLOORS / "oneshot.py"), "-p", "hi", "--base-url", server.url],
            [PYTHON, str(ROOT / "run_agent.py"), *server.flags(), "--sessions-dir", str(home.sessions), "-p", "hi"],
        ]
        taken = interleaved([lambda command=command: process(command, home) for command in commands], rounds)
        sent = server.request_sizes()
    rows: list[Row] = []
    for at, kind in enumerate(("wall", "cpu")):
        floor, ours = (median([one[at] for one in runs]) for runs in taken)
        rows.append(Row(f"6 one-shot beside typer + httpx + rich, {kind}", ours, floor, 1.0))
    return [*rows, Row("6 bytes of that request (budget in bytes)", max(sent), None, 6000, "B")]
