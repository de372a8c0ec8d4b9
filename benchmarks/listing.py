"""Row 10: `list_sessions` beside opening each file of the folder and reading its first 4 KiB."""

import os
from pathlib import Path

from benchmarks.common import Home, Row, interleaved, median, timed
from benchmarks.start import crowded
from scratchy import SessionManager


def run(*, tiny: bool = False) -> list[Row]:
    rounds, count = (1, 20) if tiny else (7, 10_000)
    with Home() as home:
        crowded(str(home.sessions), count)
        manager = SessionManager(home.sessions)
        assert len(manager.list_sessions()) == count
        subjects = [lambda: timed(lambda: read_heads(home.sessions)), lambda: timed(manager.list_sessions)]
        floor, ours = interleaved(subjects, rounds)
    return [
        Row(f"10 list_sessions of {count}, {kind}", median([o[at] for o in ours]), median([f[at] for f in floor]), 3)
        for at, kind in enumerate(("wall", "cpu"))
    ]


def read_heads(folder: Path) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith("_chat.toon"):
                handle = os.open(entry.path, os.O_RDONLY)
                os.read(handle, 4096)
                os.close(handle)
