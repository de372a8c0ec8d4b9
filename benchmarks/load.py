"""Row 9: `load_session` beside the library's own decoding of the same bytes. CPU, which both are made of."""

import toons

from benchmarks.common import Home, Row, conversation, interleaved, median, timed
from scratchy import SessionManager


def run(*, tiny: bool = False) -> list[Row]:
    rounds, size = (1, 20) if tiny else (9, 10_000)
    with Home() as home:
        manager = SessionManager(home.sessions)
        manager.save_session("long", conversation(size))
        text = (home.sessions / "long_chat.toon").read_bytes().decode()
        subjects = [lambda: timed(lambda: toons.loads(text)), lambda: timed(lambda: manager.load_session("long"))]
        floor, ours = interleaved(subjects, rounds)
    return [
        Row(f"9 load_session of {size}, {kind}", median([o[at] for o in ours]), median([f[at] for f in floor]), 1.5)
        for at, kind in enumerate(("wall", "cpu"))
    ]
