"""Row 11 beside other agents, those of pi, llm and aider that are on the PATH: the same answer over HTTP into a
terminal of 100 × 30, and what each takes until a typed key shows. Each has a home of its own that names our server.

CPU is that of the process and its children, from the question until the end of the answer stands on the screen.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.answers import end_of, tokens
from benchmarks.common import PYTHON, ROOT, Home, Row, interleaved, median
from benchmarks.ptys import KEY, Echo, Program, cpu_ticks_ms, family, pss_mib
from benchmarks.server import Server

BUDGETS = {"pi": 0.5}  # the others are told
PATIENCE = 60.0


class Peer(NamedTuple):
    """`command` starts it in `environment`. `prompt`: what ends in its prompt, where the terminal echoes and not it."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    prompt: bytes = b""


class Taken(NamedTuple):
    """Until a typed key shows: wall and CPU in ms. CPU a token in µs. Memory at rest in MiB."""

    wall: float
    cpu: float
    token: float
    memory: float


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count = (1, 100) if tiny else (3, 5_000)
    with Home() as home, Server() as server:
        ours = Peer("ours", [PYTHON, str(ROOT / "run_agent.py"), *server.flags(), "--no-session"], home.environment)
        peers = [] if tiny else found(home, server.url)
        taken = interleaved([_subject(peer, count, home.work) for peer in (ours, *peers)], rounds, 0 if tiny else 1)
    middle = [Taken(*(median([getattr(one, field) for one in some]) for field in Taken._fields)) for some in taken]
    rows = [Row(f"11 streaming {count} tokens, CPU a token", middle[0].token, None, None, "µs")]
    for peer, its in zip(peers, middle[1:], strict=True):
        rows += [
            Row(
                f"11 streaming beside {peer.name}, CPU a token",
                middle[0].token,
                its.token,
                BUDGETS.get(peer.name),
                "µs",
            ),
            Row(f"start beside {peer.name}, CPU", middle[0].cpu, its.cpu, None),
            Row(f"start beside {peer.name}, wall", middle[0].wall, its.wall, None),
            Row(f"memory after an answer beside {peer.name}, PSS", middle[0].memory, its.memory, None, "MiB"),
        ]
    return rows


def found(home: Home, url: str) -> list[Peer]:
    """Each known peer that is installed, set up to ask our server."""
    makers = {"pi": _pi, "llm": _llm, "aider": _aider}
    made: list[Peer] = []
    for name, maker in makers.items():
        program = shutil.which(name)
        if program is not None:
            folder = home.path / f"home-{name}"
            folder.mkdir()
            clean = {key: value for key, value in home.environment.items() if not key.startswith("PYTHON")}
            ours = {"HOME": str(folder), "OPENAI_API_KEY": "x", "OPENAI_BASE_URL": url, "OPENAI_API_BASE": url}
            more = {"LLM_USER_PATH": str(folder), "PI_OFFLINE": "1", "PI_SKIP_VERSION_CHECK": "1"}
            prompt = b"> " if name == "llm" else b""
            made.append(Peer(name, maker(program, folder, url), clean | ours | more, prompt))
    return made


def _pi(program: str, folder: Path, url: str) -> list[str]:
    settings = folder / ".pi" / "agent"
    settings.mkdir(parents=True)
    models = [{"id": "bench"}]
    provider = {"baseUrl": url, "api": "openai-completions", "apiKey": "x", "models": models}
    (settings / "models.json").write_text(json.dumps({"providers": {"bench": provider}}))
    return [program, "--provider", "bench", "--model", "bench", "--no-session"]


def _llm(program: str, folder: Path, url: str) -> list[str]:
    model = f'- model_id: bench\n  model_name: bench\n  api_base: "{url}"\n'
    (folder / "extra-openai-models.yaml").write_text(model)
    return [program, "chat", "-m", "bench"]


def _aider(program: str, folder: Path, url: str) -> list[str]:
    off = [
        "--no-git",
        "--no-show-model-warnings",
        "--no-check-update",
        "--analytics-disable",
        "--no-show-release-notes",
    ]
    return [program, "--model", "openai/bench", *off, "--no-auto-commits", "--map-tokens", "0"]


def _subject(peer: Peer, count: int, work: Path) -> Callable[[], Taken]:
    return lambda: taken(peer, count, work)


def taken(peer: Peer, count: int, work: Path) -> Taken:
    """A start, a short answer that loads what loads late, then the long one."""
    with Program(peer.command, peer.environment, work) as program:
        echo = _prompted(program, peer.prompt) if peer.prompt else program.echo(60)
        program.quiet(1)
        if not peer.prompt:
            _erase(program)
        program.send(b"long 100")
        program.quiet(0.3)
        program.send(b"\r")
        program.wait_for(end_of(100).encode(), patience=PATIENCE)
        program.quiet(1.5)
        program.seen.clear()
        question = f"long {count}".encode()
        program.send(question)
        program.quiet(0.3)
        before = _cpu(program.pid)
        program.send(b"\r")
        program.wait_for(end_of(count).encode(), patience=PATIENCE)
        program.quiet(1)
        used = _cpu(program.pid) - before
        time.sleep(0.2)
        return Taken(echo.wall, echo.cpu, used * 1000 / len(tokens(count)), pss_mib(program.pid))


def _prompted(program: Program, prompt: bytes) -> Echo:
    until = time.perf_counter() + PATIENCE
    while not program.seen.endswith(prompt) and time.perf_counter() < until:
        program.read(0.005)
    return Echo((time.perf_counter() - program.started) * 1000, _cpu(program.pid))


def _erase(program: Program) -> None:
    typed = program.seen.count(KEY)
    program.send(b"\x7f" * (typed + 200))
    program.quiet(0.5)


def _cpu(pid: int) -> float:
    return sum(cpu_ticks_ms(one) for one in family(pid))
