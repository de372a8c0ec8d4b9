"""Resuming 10,000 messages until it can be used, beside `llm chat -c` where an `llm` is on the PATH.

llm leaves the keys to the terminal, so its prompt counts; ours counts when a typed key shows.
"""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence

from benchmarks.common import Home, Row, conversation, interleaved, median
from benchmarks.ptys import Echo, Program, cpu_ms, pss_mib
from benchmarks.server import Server
from scratchy import SessionManager

PAIRS = 5_000


def rows(home: Home, server: Server, ours: Sequence[str], rounds: int = 5) -> list[Row]:
    """Empty where there is no llm."""
    llm = shutil.which("llm")
    if llm is None:
        return []
    environment = _filled(home, server, llm)
    folder = str(home.path / "ten-thousand")
    SessionManager(folder).save_session("long", conversation(2 * PAIRS))
    commands = [[*ours, "--sessions-dir", folder, "-s", "long"], [llm, "chat", "-m", "bench", "-c"]]
    taken = interleaved([_usable(home, commands[0], None), _usable(home, commands[1], environment)], rounds)
    (cpu, wall, memory), (peer_cpu, peer_wall, peer_memory) = (
        [median([one[part] for one in some]) for part in range(3)] for some in taken
    )
    return [
        Row("resuming 10,000 messages beside llm, CPU", cpu, peer_cpu, 1.0),
        Row("resuming 10,000 messages beside llm, wall", wall, peer_wall, 1.0),
        Row("resuming 10,000 messages beside llm, PSS", memory, peer_memory, 1.0, "MiB"),
    ]


def _filled(home: Home, server: Server, llm: str) -> dict[str, str]:
    """A home of llm's whose last conversation holds as many messages; its own first answer makes the tables."""
    user = home.path / "llm"
    user.mkdir()
    model = f'- model_id: bench\n  model_name: bench\n  api_base: "{server.url}"\n'
    (user / "extra-openai-models.yaml").write_text(model)
    environment = {**home.environment, "LLM_USER_PATH": str(user), "OPENAI_API_KEY": "x"}
    del environment["PYTHONPATH"]
    subprocess.run([llm, "-m", "bench", "hi"], env=environment, check=True, stdout=subprocess.DEVNULL)
    said = [message["content"] for message in conversation(2 * PAIRS + 1)[1:]]
    with sqlite3.connect(user / "logs.db") as database:
        known = database.execute("select conversation_id from responses").fetchone()
        if known is None:
            raise RuntimeError("this llm keeps conversations in other tables: pip install 'llm==0.27.1'")
        database.executemany(
            "insert into responses (id, model, prompt, options_json, response, response_json, conversation_id, "
            "duration_ms, datetime_utc) values (?, 'bench', ?, '{}', ?, '{}', ?, 1, '2026-11-20T00:00:00')",
            ((f"00{at:024d}", said[2 * at], said[2 * at + 1], known[0]) for at in range(PAIRS)),
        )
    database.close()
    return environment


def _usable(
    home: Home, command: Sequence[str], environment: dict[str, str] | None
) -> Callable[[], tuple[float, float, float]]:
    """CPU, wall, PSS when it can be used; `environment`: llm's."""

    def once() -> tuple[float, float, float]:
        with Program(command, environment or home.environment, home.work) as program:
            echo = program.echo() if environment is None else _prompted(program)
            program.rest(1.0)
            return echo.cpu, echo.wall, pss_mib(program.pid)

    return once


def _prompted(program: Program) -> Echo:
    while not program.seen.endswith(b"> "):
        program.read(0.005)
    return Echo((time.perf_counter() - program.started) * 1000, cpu_ms(program.pid))
