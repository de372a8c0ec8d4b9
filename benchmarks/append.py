"""Row 7: one message appended and acknowledged, beside two raw writes that are each synced, in the same folder."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.common import Home, Row, conversation, interleaved, median, timed
from scratchy import SessionManager, open_store

MESSAGE = {"role": "user", "content": "What is on disk before the next prompt stands? " * 8}


def run(*, tiny: bool = False) -> list[Row]:
    rounds, sizes = (3, (2, 5, 10)) if tiny else (200, (100, 1_000, 10_000))
    with Home() as home:
        subjects: list[Callable[[], tuple[float, float]]] = []
        for size in sizes:
            SessionManager(home.sessions).save_session(f"m{size}", conversation(size))
            subjects.append(two_synced_writes(home.path / f"raw{size}", home.sessions / f"m{size}_chat.toon"))
        store = open_store(home.sessions.as_uri())
        writers = [store.open(f"m{size}") for size in sizes]
        subjects += [lambda writer=writer: timed(lambda: writer.append([MESSAGE])) for writer in writers]
        subjects += append_by_id(home, sizes)
        taken = interleaved(subjects, rounds, warm_up=3)
        for writer in writers:
            writer.close()
    walls = [median([wall for wall, _ in one]) for one in taken]
    raw, ours, by_id = (walls[at : at + len(sizes)] for at in range(0, len(walls), len(sizes)))
    rows = [Row(f"7 append at {size} messages", ours[at], raw[at], 2) for at, size in enumerate(sizes)]
    rows.append(Row(f"7 append at {sizes[-1]} beside at {sizes[0]}", ours[-1], ours[0], 1.3))
    rows += [Row(f"7 append_message(id) at {size}", by_id[at], raw[at], 2) for at, size in enumerate(sizes)]
    return [*rows, Row(f"7 append_message at {sizes[-1]} beside at {sizes[0]}", by_id[-1], by_id[0], 1.3)]


def append_by_id(home: Home, sizes: tuple[int, ...]) -> list[Callable[[], tuple[float, float]]]:
    """The same through the API, which opens and locks the session for each call."""
    manager = SessionManager(home.sessions)
    for size in sizes:
        manager.save_session(f"id{size}", conversation(size))
    return [lambda size=size: timed(lambda: manager.append_message(f"id{size}", MESSAGE)) for size in sizes]


def two_synced_writes(path: Path, like: Path) -> Callable[[], tuple[float, float]]:
    """At the end of a copy of `like`, then in its header: what an append cannot do without."""
    path.write_bytes(like.read_bytes())
    sync = getattr(os, "fdatasync", os.fsync)
    item = b"  - role: user\n    content: " + str(MESSAGE["content"]).encode() + b"\n"

    def write() -> None:
        end = os.fstat(handle).st_size
        os.pwrite(handle, item, end)
        sync(handle)
        os.pwrite(handle, b"x" * 64, 128)
        sync(handle)

    handle = os.open(path, os.O_RDWR)
    with suppress(OSError):
        sync(handle)
    return lambda: timed(write)
