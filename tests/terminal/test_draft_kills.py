"""SIGKILL at random moments while a person types, queues and is answered: what was once on the disk is lost by no kill,
and no line is sent twice. What was on the disk is looked at from outside, all the time."""

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest
from draftbench import Home, drafted, serving
from sessionbench import converse

from scratchy.providers.scripted import ScriptedProvider
from scratchy.sessions.drafts import Draft

ROUNDS = 200 if os.environ.get("CI_LONG") else 20


class Watcher:
    """The person's whole lines that were seen on the disk, stored or waiting."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.seen: set[str] = set()

    def look(self) -> None:
        self.seen |= set(self.home.draft()["queue"]) | set(self.home.said())


def one_run(home: Home, watcher: Watcher, moment: random.Random, number: int) -> None:
    """Start, send what was left, type some lines and half of one, die."""
    with home.open() as terminal:
        terminal.wait_for("Model: ")
        terminal.send("\r")  # a draft of last time …
        terminal.send("\r")  # … and what waits from last time
        dies = time.monotonic() + moment.uniform(0, 1.8)
        if moment.random() < 0.5:
            home.model.free.clear()
        for line in range(moment.randrange(1, 4)):
            terminal.send(f"line {number}.{line}\r")
        terminal.send(f"half {number}")
        while time.monotonic() < dies:
            terminal.read(0.02)
            watcher.look()
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.exit_code()
    home.model.free.set()


def unsent(home: Home) -> Draft:
    """What the next opening will show."""

    async def load() -> Draft:
        conversation = converse(home.store, ScriptedProvider([]), session_id="default")
        draft = await conversation.drafts.load()
        await conversation.close()
        return draft

    return asyncio.run(load())


@pytest.mark.timeout(900)
def test_no_kill_loses_a_line_that_waited_and_none_is_sent_twice(tmp_path: Path) -> None:
    moment = random.Random(9)
    with serving() as model:
        home = Home(tmp_path, model)
        home.leave(drafted(), "default", "Hello")
        watcher = Watcher(home)
        for number in range(ROUNDS):
            one_run(home, watcher, moment, number)
            said, left = home.said(), unsent(home)
            there = {*said, *left.queue, *left.text.split("\n")}
            assert not watcher.seen - there, (watcher.seen - there, left)
            lines = [line for text in said for line in text.split("\n") if line.startswith("line")]
            assert len(lines) == len(set(lines)), sorted(lines)
            assert not {line for line in left.queue if line.startswith("line")} & set(lines), (left, lines)
        assert sum(line.startswith("line") for line in watcher.seen) > ROUNDS
