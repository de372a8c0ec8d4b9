"""Row 15: a session of 200 MB beside an empty one: until a typed key shows, memory at rest, and the first answer."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import peer_llm
from benchmarks.common import PYTHON, ROOT, Home, Row, conversation, interleaved, median
from benchmarks.ptys import Program, cpu_ticks_ms, pss_mib
from benchmarks.server import Server
from benchmarks.start import started
from scratchy import SessionManager
from scratchy.store.toonfile import encode_patch, parse_head

_ANSWER = b"Hello!"


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count, wait = (1, 20, 0.5) if tiny else (7, 100_000, 3.0)
    with Home() as home, Server() as server:
        ours = [PYTHON, str(ROOT / "run_agent.py"), *server.flags()]
        big = home.path / "big"
        size = long_session(big, count)
        empty = [*ours, "--sessions-dir", str(home.path / "empty")]
        resumed = [*ours, "--sessions-dir", str(big), "-s", "long"]
        echoes = interleaved([started(home, command) for command in (empty, resumed)], rounds)
        rest = interleaved([at_rest(home, command, wait) for command in (empty, resumed)], min(rounds, 3), warm_up=1)
        answers = interleaved([answered(home, command) for command in (empty, resumed)], min(rounds, 3), warm_up=1)
        beside = [] if tiny else peer_llm.rows(home, server, ours)
    name = f"a session of {size / 1e6:.0f} MB"
    ours_cpu, ours_wall = (median([getattr(echo, kind) for echo in echoes[1]]) for kind in ("cpu", "wall"))
    cpu, wall = (median([getattr(echo, kind) for echo in echoes[0]]) for kind in ("cpu", "wall"))
    return [
        Row(f"15 start to usable prompt, {name}, CPU", ours_cpu, cpu, 1.2),
        Row(f"15 start to usable prompt, {name}, wall", ours_wall, wall, 1.2),
        Row(f"15 memory at rest, {name} (PSS)", median(rest[1]), median(rest[0]), 1.5, "MiB"),
        Row("15 … its first answer, CPU from exec", *(median([one[0] for one in two]) for two in answers[::-1]), None),
        Row("15 … memory then (PSS)", *(median([one[1] for one in two]) for two in answers[::-1]), None, "MiB"),
        *beside,
    ]


def long_session(folder: Path, count: int) -> int:
    """`count` messages of 2 kB under the id `long`; the file's size. Some are encoded, and repeated as bytes."""
    some = min(count, 1000)
    SessionManager(folder).save_session("long", conversation(some))
    path = folder / "long_chat.toon"
    data = path.read_bytes()
    head = parse_head(data)
    assert head is not None
    times = count // some
    whole = data[: head.patch] + encode_patch(head.header.updated_at, some * times) + data[head.body :] * times
    path.write_bytes(whole)
    SessionManager(folder).append_message("long", {"role": "assistant", "content": "The last one, appended as always."})
    return len(whole)


def at_rest(home: Home, command: Sequence[str], wait: float) -> Callable[[], float]:
    def once() -> float:
        with Program(command, home.environment, home.work) as program:
            program.echo()
            program.rest(wait)
            return pss_mib(program.pid)

    return once


def answered(home: Home, command: Sequence[str]) -> Callable[[], tuple[float, float]]:
    """CPU and memory when the first answer stands."""

    def once() -> tuple[float, float]:
        with Program(command, home.environment, home.work) as program:
            program.wait_for(b"Model:")
            program.send(b"hi\r")
            program.wait_for(_ANSWER)
            program.quiet(0.5)
            return cpu_ticks_ms(program.pid), pss_mib(program.pid)

    return once
