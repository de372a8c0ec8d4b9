"""Whatever happens to the sessions, a search finds what reading all of them finds."""

import re
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scratchy.core.stored import Header
from scratchy.store.files import FileStore
from scratchy.store.index import Index
from scratchy.store.scan import Scan

START = "2026-11-20T09:00:29.483Z"
IDS = ("a", "b", "Case", "ключ #1")
WORDS = ("alpha", "alphabet", "be", "Ärger", "naïve_id", "東京都", "京", "ไทย", "👍", "한국어", "x1y2")
ASKED = ("alpha", "be", "arger", "ARGER", "id", "東京", "京", "ทย", "👍", "국어", "x1", "missing")
MESSAGES = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), min_size=1, max_size=3)


def said(text: str) -> dict:
    return {"role": "user", "content": text}


def naive(store, word: str) -> set[tuple[str, int]]:
    """Read all: a word begins with what was asked (from three letters on), or is it; other scripts contain it."""
    found = set()
    for info in store.list():
        for number, message in enumerate(store.load(info.session_id)[1]):
            text = message["content"].lower().replace("ä", "a").replace("ï", "i")
            asked = word.lower()
            if not asked.isascii():
                hit = asked in text
            elif len(asked) >= 3:
                hit = any(one.startswith(asked) for one in re.findall("[a-z0-9]+", text))
            else:
                hit = asked in re.findall("[a-z0-9]+", text)
            if hit:
                found.add((info.session_id, number))
    return found


class Searched(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = FileStore(self.folder / "sessions")
        self.index = Index(self.store)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def there(self, number: int) -> str:
        ids = sorted(info.session_id for info in self.store.list())
        return ids[number % len(ids)]

    @rule(name=st.sampled_from(IDS), texts=MESSAGES)
    def append(self, name: str, texts: list[str]) -> None:
        writer = self.store.open(name, create=Header(name, START, START))
        writer.append([said(text) for text in texts])
        writer.close()

    @precondition(lambda self: self.store.list())
    @rule(number=st.integers(0, 9), at=st.integers(0, 9), text=st.sampled_from(WORDS))
    def change_one(self, number: int, at: int, text: str) -> None:
        writer = self.store.open(self.there(number))
        messages = writer.load()
        messages[at % len(messages)] = said(text)
        writer.replace(messages, "replaced")
        writer.close()

    @precondition(lambda self: self.store.list())
    @rule(number=st.integers(0, 9), count=st.integers(1, 9))
    def cut(self, number: int, count: int) -> None:
        writer = self.store.open(self.there(number))
        if count < writer.count:
            writer.cut(count)
        writer.close()

    @precondition(lambda self: self.store.list())
    @rule(number=st.integers(0, 9), title=st.text("xyz", max_size=3))
    def entitle(self, number: int, title: str) -> None:
        writer = self.store.open(self.there(number))
        writer.edit(title=title)
        writer.close()

    @precondition(lambda self: self.store.list())
    @rule(number=st.integers(0, 9), name=st.sampled_from(IDS))
    def rename(self, number: int, name: str) -> None:
        if not self.store.exists(name):
            self.store.rename(self.there(number), name)

    @precondition(lambda self: self.store.list())
    @rule(number=st.integers(0, 9), name=st.sampled_from(IDS))
    def fork(self, number: int, name: str) -> None:
        if not self.store.exists(name):
            self.store.fork(self.there(number), Header(name, START, START))

    @precondition(lambda self: self.store.list())
    @rule(number=st.integers(0, 9))
    def delete(self, number: int) -> None:
        self.store.delete(self.there(number))

    @precondition(lambda self: self.store.trash())
    @rule(number=st.integers(0, 99))
    def restore(self, number: int) -> None:
        entries = self.store.trash()
        self.store.restore(entries[number % len(entries)].name)

    @rule()
    def look_again(self) -> None:
        self.index.update(5)

    @rule()
    def forget(self) -> None:
        self.index.forget()

    @rule()
    def another_process(self) -> None:
        self.index = Index(self.store)

    @invariant()
    def finds_what_is_there(self) -> None:
        if not hasattr(self, "index"):
            return
        word = ASKED[len(self.store.trash()) % len(ASKED)]
        self.check(word)

    @rule(word=st.sampled_from(ASKED))
    def check(self, word: str) -> None:
        expected = naive(self.store, word)
        for searcher in (self.index, Scan(self.store)):
            found = searcher.search(word, limit=1000, patience=30, seconds=60)
            assert not found.pending, found
            assert {(hit.session_id, hit.number) for hit in found.hits} == expected, (word, searcher)
            assert len(found.hits) == len(expected)
            assert all(hit.matches for hit in found.hits)


Searched.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSearched = Searched.TestCase
