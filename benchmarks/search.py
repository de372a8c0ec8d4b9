"""Row 14: search over 1 GB of sessions with a warm index; building it beside a bare FTS5 insert of the same text; and
what one message more costs, in a long session and in a short one."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from benchmarks.common import Home, Row, interleaved, median, timed
from scratchy import SessionManager
from scratchy.store.index import Index

LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
VOCABULARY = 60_000
WORDS = 330  # a message of about 2 kB


def run(*, tiny: bool = False) -> list[Row]:
    sessions, messages, searches = (4, 10, 5) if tiny else (2000, 250, 300)
    with Home() as home:
        texts = Texts(50 if tiny else 5000)
        manager = SessionManager(home.sessions)
        for number in range(sessions):
            manager.save_session(f"s{number}", texts.session(messages))
        size = sum(path.stat().st_size for path in home.sessions.glob("*_chat.toon")) / 1e9
        index = Index(manager.store)
        built = timed(lambda: build(index))
        bare = timed(lambda: insert(home.path / "bare.sqlite", texts.again()))
        taken = [timed(lambda query=query: find(index, query)) for query in texts.queries(searches)]
        rows = [
            Row(f"14 building the index of {size:.2f} GB, {kind}, beside bare FTS5", ours / 1000, floor / 1000, 2, "s")
            for ours, floor, kind in zip(built, bare, ("wall", "cpu"), strict=True)
        ]
        for at, kind in enumerate(("wall", "cpu")):
            times = sorted(one[at] for one in taken)
            name = f"14 search over {size:.2f} GB, {kind}"
            rows.append(Row(f"{name}, p95 (budget in ms)", times[int(len(times) * 0.95)], None, 50))
            rows.append(Row(f"{name}, median (budget in ms)", median(times), None, 50))
        return [*rows, one_more(home, tiny)]


def build(index: Index) -> None:
    while index.update(0.2):
        pass


def find(index: Index, query: str) -> None:
    found = index.search(query)
    assert not found.pending


def insert(path: Path, texts: Iterator[str]) -> None:
    """The same text into a table of words and nothing else, committed as often as a slice does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE VIRTUAL TABLE words USING fts5(text, content='')")
        while batch := [(text,) for text in islice(texts, 1000)]:
            database.execute("BEGIN")
            database.executemany("INSERT INTO words(text) VALUES(?)", batch)
            database.execute("COMMIT")


def one_more(home: Home, tiny: bool) -> Row:
    """Indexing one message of a long session beside one of a short one."""
    long, rounds = (50, 1) if tiny else (20_000, 15)
    subjects: list[Any] = []
    for count in (10, long):
        folder = home.path / f"one{count}"
        manager, texts = SessionManager(folder), Texts(20)
        manager.save_session("s", texts.session(count))
        index = Index(manager.store)
        build(index)
        subjects.append(lambda manager=manager, index=index, texts=texts: appended(manager, index, texts))
    short, big = interleaved(subjects, rounds)
    return Row(f"14 one message indexed, of {long} beside of 10, cpu", median(big), median(short), 1.3)


def appended(manager: SessionManager, index: Index, texts: "Texts") -> float:
    manager.append_message("s", {"role": "user", "content": texts.text()})
    return timed(lambda: build(index))[1]


class Texts:
    """Made-up words as often as in real text, the n-th a n-th as often as the first; always the same."""

    def __init__(self, kinds: int) -> None:
        self._chance = random.Random(1)
        choose = self._chance.choices
        self._words = ["".join(choose(LETTERS, k=choose((3, 5, 6, 8))[0])) for _ in range(VOCABULARY)]
        cumulated = list(accumulate(1 / (rank + 2) for rank in range(VOCABULARY)))
        self._kinds = [" ".join(choose(self._words, cum_weights=cumulated, k=WORDS)) for _ in range(kinds)]
        self._given: list[int] = []

    def text(self) -> str:
        self._given.append(self._chance.randrange(len(self._kinds)))
        return self._text(len(self._given) - 1)

    def again(self) -> Iterator[str]:
        """All texts that were given."""
        return map(self._text, range(len(self._given)))

    def _text(self, at: int) -> str:
        return f"{at}: {self._kinds[self._given[at]]}"

    def session(self, count: int) -> list[dict[str, Any]]:
        return [{"role": ("user", "assistant")[at % 2], "content": self.text()} for at in range(count)]

    def queries(self, count: int) -> list[str]:
        """One common word, one rare one, two words, a beginning, a phrase; in turns."""
        words, chance = self._words, self._chance
        common, rare = lambda: words[chance.randrange(50)], lambda: words[chance.randrange(1000, VOCABULARY)]
        makers = (
            common,
            rare,
            lambda: f"{common()} {common()}",
            lambda: f"{rare()} {common()}",
            lambda: f"{rare()[:5]}",
            lambda: '"{}"'.format(" ".join(chance.choice(self._kinds).split()[5:8])),
        )
        return [makers[at % len(makers)]() for at in range(count)]
