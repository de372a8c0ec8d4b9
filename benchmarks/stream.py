"""Row 11: a Markdown answer streamed over HTTP into a terminal of 100 × 30, beside rich rendering the same answer once.

CPU is the whole program's, from the question until all of the answer stands: HTTP, JSON, storing and drawing.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.answers import answer, end_of, tokens
from benchmarks.common import FLOORS, PYTHON, ROOT, Home, Row, interleaved, median, said_by
from benchmarks.ptys import Program, cpu_ms
from benchmarks.server import Server

ERASE_LINE = b"\x15"  # readline's Ctrl-U


class Streamed(NamedTuple):
    """CPU in µs a token, the share of a core, and bytes written for a byte of answer."""

    cpu: float
    share: float
    bytes: float


def run(*, tiny: bool = False) -> list[Row]:
    rounds, short, long, slow = (1, 100, 200, 40) if tiny else (5, 5_000, 20_000, 2_000)
    with Home() as home, Server() as server:
        command = [PYTHON, str(ROOT / "run_agent.py"), *server.flags(), "--sessions-dir", str(home.sessions)]
        subjects = [
            lambda: rendered_once(home, short),
            lambda: streamed(home, command, f"long {short}"),
            lambda: rendered_once(home, long),
            lambda: streamed(home, command, f"long {long}"),
        ]
        taken = interleaved(subjects, rounds, warm_up=0 if tiny else 1)
        slowly = interleaved([lambda: streamed(home, command, f"slow {slow}")], min(rounds, 3), warm_up=0)[0]
    once, first, once_long, later = ([median(column) for column in zip(*one, strict=True)] for one in taken)
    return [
        Row(f"11 streaming {short} tokens, CPU a token", first[0], once[0], 2, "µs"),
        Row(f"11 streaming {long} tokens, CPU a token", later[0], once_long[0], 2, "µs"),
        Row(f"11 a token at {long} beside at {short}", later[0], first[0], 1.1, "µs"),
        Row("11 at 200 tokens/s, % of a core (budget in %)", median([one.share for one in slowly]) * 100, None, 6, "%"),
        Row("  … CPU a token", median([one.cpu for one in slowly]), None, None, "µs"),
        Row(f"11 bytes for a byte of answer, {short} tokens", first[2], once[2], 2.5, "B"),
        Row("11 bytes at 200 tokens/s", median([one.bytes for one in slowly]), once[2], 2.5, "B"),
    ]


def streamed(home: Home, command: Sequence[str], question: str) -> Streamed:
    """One answer in a new session, after a short one that has loaded all that loads late."""
    count = int(question.split()[1])
    with Program([*command, "-s", f"stream-{time.time_ns()}"], home.environment, home.work) as program:
        program.echo()
        program.send(ERASE_LINE + b"long 100\r")
        program.wait_for(end_of(100).encode())
        program.quiet(1)
        program.seen.clear()
        cpu, started = cpu_ms(program.pid), time.perf_counter()
        program.send(question.encode() + b"\r")
        program.wait_for(end_of(count).encode(), patience=120)
        lasted = time.perf_counter() - started
        program.quiet(0.5)
        used = cpu_ms(program.pid) - cpu
    size = len(answer(count).encode())
    return Streamed(used * 1000 / len(tokens(count)), used / 1000 / lasted, len(program.seen) / size)


def rendered_once(home: Home, count: int) -> Streamed:
    used, size = said_by([PYTHON, str(FLOORS / "rich_once.py"), str(count)], home).split()
    answered = answer(count)
    return Streamed(float(used) / len(tokens(count)), 0.0, float(size) / len(answered.encode()))
