"""Serving an editor on stdin and stdout until it goes away. Nothing but the protocol is ever written to stdout.

Not here: flags (cli.py), what is answered (agent.py).
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from acp import run_agent

from scratchy.acp.agent import Agent
from scratchy.acp.wire import Wire
from scratchy.config import Config


def serve(configure: Callable[[Path], Config]) -> int:
    """The exit code: 0 when the editor closed its end. `configure` makes the configuration of a folder."""
    if sys.stdin.isatty():
        print("Waiting for an editor: this speaks the Agent Client Protocol. Ctrl-C ends it.", file=sys.stderr)
    source, sink = _take_streams()
    _log_to_stderr()
    return asyncio.run(_serve(configure, source, sink))


async def _serve(configure: Callable[[Path], Config], source: int, sink: int) -> int:
    agent, wire = Agent(configure), Wire(source, sink)
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _watch_signals(stopped)
    # Closing and resuming are stable in the protocol's schema; the SDK still counts them among the rest.
    serving = asyncio.ensure_future(run_agent(cast(Any, agent), wire, use_unstable_protocol=True))
    ended = asyncio.ensure_future(wire.ended.wait())
    try:
        await asyncio.wait([serving, ended, stopped], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        await agent.end_turns()
        await wire.finish()
        with suppress(ConnectionError):
            await serving
    finally:
        await agent.close()
    return stopped.result() if stopped.done() else 0


def _take_streams() -> tuple[int, int]:
    """stdin and stdout, for the protocol alone: whatever else prints goes to stderr, whatever reads finds the end."""
    source, sink = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return source, sink


def _watch_signals(stopped: "asyncio.Future[int]") -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, lambda number=number: stopped.done() or stopped.set_result(128 + number))


class _OneLine(logging.Formatter):
    """What went wrong in one line: editors show stderr to people. The whole of ours is in the log of --verbose."""

    def formatException(self, ei: Any) -> str:
        return f"{ei[0].__name__}: {ei[1]}" if ei[0] is not None else ""


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("scratchy: %(message)s"))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
