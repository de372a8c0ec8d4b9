"""Row 8: `save_session` with one message more than is stored, beside an append; from the second save in a process."""

from benchmarks.append import MESSAGE
from benchmarks.common import Home, Row, conversation, interleaved, median, timed
from scratchy import SessionManager, open_store


def run(*, tiny: bool = False) -> list[Row]:
    rounds, size = (3, 20) if tiny else (60, 10_000)
    with Home() as home:
        manager = SessionManager(home.sessions)
        messages = conversation(size)
        for name in ("saved", "appended"):
            manager.save_session(name, messages)
        manager.save_session("saved", [*messages, MESSAGE])
        grown = [*messages, MESSAGE]

        def save() -> None:
            grown.append(dict(MESSAGE))
            manager.save_session("saved", grown)

        def save_loaded() -> None:
            fresh.append(dict(MESSAGE))
            manager.save_session("saved", fresh)

        writer = open_store(home.sessions.as_uri()).open("appended")
        subjects = [lambda: timed(lambda: writer.append([MESSAGE])), lambda: timed(save)]
        appends, saves = interleaved(subjects, rounds, warm_up=3)
        fresh = manager.load_session("saved") or []
        loaded = [timed(save_loaded) for _ in range(rounds)][1:]
        writer.close()
    append = median([wall for wall, _ in appends])
    return [
        Row(f"8 save_session, one more than {size}", median([wall for wall, _ in saves]), append, 10),
        Row(f"8 … the list being load_session's ({size})", median([wall for wall, _ in loaded]), append, 10),
    ]
