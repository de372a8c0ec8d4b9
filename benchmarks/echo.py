"""Row 16: from a key until it shows, while an answer streams at 200 tokens a second, beside the bare prompt's at rest.

Each key is a letter that nothing else on the screen holds. On a real pseudo-terminal of 100 × 30."""

import time

from benchmarks.answers import end_of
from benchmarks.common import FLOORS, PYTHON, ROOT, Home, Row
from benchmarks.ptys import Program
from benchmarks.server import RATE, Server

LETTERS = [chr(code) for code in range(0x0430, 0x0450)] + [chr(code) for code in range(0x03B1, 0x03C2)]
ERASE_LINE = b"\x15"  # readline's Ctrl-U
_PAUSE = 0.07  # seconds between two keys: of a fast typist, and no multiple of a frame


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count = (1, 4) if tiny else (6, len(LETTERS))
    ours: list[float] = []
    bare: list[float] = []
    with Home() as home, Server() as server:
        command = [PYTHON, str(ROOT / "run_agent.py"), *server.flags(), "--sessions-dir", str(home.sessions)]
        floor = [PYTHON, str(FLOORS / "bare_prompt.py")]
        for number in range(rounds):
            with Program([*command, "-s", f"echo-{number}"], home.environment, home.work) as program:
                program.echo()
                tokens = int(RATE * (_PAUSE + 0.05) * count) + 4 * RATE  # it streams until the last key
                program.send(ERASE_LINE + b"long 100\r")  # all that loads late is there after it
                program.wait_for(end_of(100).encode())
                program.quiet(0.5)
                program.seen.clear()
                program.send(f"slow {tokens}\r".encode())
                program.wait_for(b"Part 1")
                ours += typed(program, count)
            with Program(floor, home.environment, home.work) as program:
                program.echo()
                program.send(ERASE_LINE)
                program.quiet(0.3)
                bare += typed(program, count)
    middle, late = (percentile(ours, part) - percentile(bare, part) for part in (50, 99))
    return [
        Row("16 key to echo at 200 tokens/s, median above bare", max(middle, 0.0), None, 3),
        Row("16 … p99 above the bare prompt's", max(late, 0.0), None, 20),
        Row("  … median", percentile(ours, 50), percentile(bare, 50), None),
        Row("  … p99", percentile(ours, 99), percentile(bare, 99), None),
    ]


def typed(program: Program, count: int) -> list[float]:
    """Milliseconds from each key to its echo."""
    taken: list[float] = []
    for letter in LETTERS[:count]:
        program.rest(_PAUSE)
        program.seen.clear()
        began = time.perf_counter()
        program.send(letter.encode())
        while letter.encode() not in program.seen:
            program.read(0.05)
            if time.perf_counter() - began > 10:
                raise RuntimeError(f"no echo of {letter} in 10 s:\n{program.seen.decode(errors='replace')}")
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def percentile(values: list[float], part: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * part // 100, len(ordered) - 1)]
