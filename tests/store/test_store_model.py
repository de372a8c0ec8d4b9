"""Any sequence of append, edit, cut, fork, rename, delete, restore, purge, draft and crash equals a simple model, on
every store. A crash is a disk that stops at any call; the next process finds it before or after, nothing lost."""

import copy
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_kit import FaultyDisk, Killed, new, opened_and_strict

from scratchy.core.errors import SessionExistsError, SessionNotFoundError
from scratchy.store.files import FileStore
from scratchy.store.memory import MemoryStore

LONG = bool(os.environ.get("CI_LONG"))
SETTINGS = settings(
    max_examples=400 if LONG else 30,
    stateful_step_count=40 if LONG else 15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not LONG,
)
IDS = ("a", "B", "c d")
TEXTS = ("", "Hello", "two\nlines: 1", "  - role: user\n    content: x", "messages[3]:", "é🤖\u2028\0", "z" * 9000)

ids = st.sampled_from(IDS)
texts = st.sampled_from(TEXTS)
kills = st.one_of(st.none(), st.integers(1, 30))


@dataclass
class Session:
    messages: list[dict[str, Any]]
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    draft: str = ""


@dataclass
class Entry:
    name: str
    session_id: str
    reason: str
    session: Session
    note: dict[str, str] = field(default_factory=dict)


@dataclass
class Model:
    """`trash` newest first."""

    sessions: dict[str, Session] = field(default_factory=dict)
    trash: list[Entry] = field(default_factory=list)

    def throw(self, name: str, session_id: str, reason: str, session: Session, **note: str) -> None:
        self.trash.insert(0, Entry(name, session_id, reason, copy.deepcopy(session), note))

    def contents(self) -> list[list[dict[str, Any]]]:
        return [session.messages for session in (*self.sessions.values(), *(entry.session for entry in self.trash))]


def now_of(clock: list[datetime]) -> datetime:
    clock[0] += timedelta(seconds=1)
    return clock[0]


class Machine(RuleBasedStateMachine):
    """`make` opens the store anew, as the next process does."""

    make: Callable[[], Any]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.clock = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
        self.disk: FaultyDisk | None = None
        self.store: Any = None
        self.begin()

    def begin(self) -> None:
        raise NotImplementedError

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def do(self, kill: int | None, call: Callable[[], Any], change: Callable[[Model, Any], None]) -> None:
        """`call` on the store, `change` on the model with what the call gave; or a crash in the middle of it."""
        if self.disk is not None and kill is not None:
            self.disk.arm(kill, 0)
        killed, result = False, None
        try:
            result = call()
        except Killed:
            killed = True
        if self.disk is not None:
            self.disk.disarm()
        if killed:
            after = copy.deepcopy(self.model)
            change(after, None)
            self.crashed(after)
        else:
            change(self.model, result)

    def crashed(self, after: Model) -> None:
        """The next process: each session is as before or as after; all that was there is somewhere."""
        self.begin()
        before, found = self.model, Model()
        for session_id in {*IDS, *before.sessions, *after.sessions}:
            if not self.store.exists(session_id):
                self.store.open(session_id, create=new(session_id)).close()  # strays follow what was deleted
                assert session_id not in before.sessions or session_id not in after.sessions
                continue
            self.store.open(session_id).close()
            header, messages = self.store.load(session_id)
            sides = [side.sessions[session_id] for side in (before, after) if session_id in side.sessions]
            assert messages in [side.messages for side in sides]
            assert header.title in [side.title for side in sides]
            found.sessions[session_id] = Session(
                messages, header.title, dict(header.metadata), self.store.draft(session_id)
            )
        for entry in self.store.trash():
            header, messages = self.store.trashed(entry.name)
            kept = Session(messages, header.title, dict(header.metadata), self.draft_in(entry.name))
            found.trash.append(Entry(entry.name, entry.session_id, entry.reason, kept, dict(entry.note)))
        there = found.contents()
        assert all(messages in there for messages in before.contents() if messages in after.contents())
        self.model = found

    def draft_in(self, name: str) -> str:
        drafts = list((self.folder / ".trash" / name).glob(".*.draft"))
        return drafts[0].read_text() if drafts else ""

    def written(self, session_id: str, change: Callable[[Any], Any]) -> Callable[[], Any]:
        def call() -> Any:
            writer = self.store.open(session_id, create=new(session_id))
            try:
                return change(writer)
            finally:
                writer.close()

        return call

    # -- what is done

    @rule(session_id=ids, contents=st.lists(texts, max_size=3), kill=kills)
    def append(self, session_id: str, contents: list[str], kill: int | None) -> None:
        added = [{"role": "user", "content": text} for text in contents]

        def change(model: Model, _: Any) -> None:
            model.sessions.setdefault(session_id, Session([])).messages += copy.deepcopy(added)

        self.do(kill, self.written(session_id, lambda writer: writer.append(added)), change)

    def some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model.sessions)))

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), title=texts, own=texts, kill=kills)
    def edit(self, data: st.DataObject, title: str, own: str, kill: int | None) -> None:
        session_id = self.some(data)

        def change(model: Model, _: Any) -> None:
            session = model.sessions[session_id]
            session.title, session.metadata = title, {**session.metadata, "own": own}

        def edit(writer: Any) -> None:
            writer.edit(title=title, metadata={**writer.header.metadata, "own": own})

        self.do(kill, self.written(session_id, edit), change)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), reason=st.sampled_from(("rewound", "cleared")), kill=kills)
    def cut(self, data: st.DataObject, reason: str, kill: int | None) -> None:
        session_id = self.some(data)
        count = data.draw(st.integers(0, len(self.model.sessions[session_id].messages)))

        def change(model: Model, entry: str) -> None:
            session = model.sessions[session_id]
            model.throw(entry, session_id, reason, Session(session.messages, session.title, session.metadata))
            del session.messages[count:]
            session.metadata.pop("rewind", None)
            if reason == "rewound":
                session.metadata["rewind"] = {"entry": entry, "at": count}

        self.do(kill, self.written(session_id, lambda writer: writer.cut(count, reason=reason)), change)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), text=texts, kill=kills)
    def draft(self, data: st.DataObject, text: str, kill: int | None) -> None:
        session_id = self.some(data)

        def change(model: Model, _: Any) -> None:
            model.sessions[session_id].draft = text

        self.do(kill, self.written(session_id, lambda writer: writer.keep_draft(text)), change)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), new_id=ids, kill=kills)
    def fork(self, data: st.DataObject, new_id: str, kill: int | None) -> None:
        session_id = self.some(data)
        count = data.draw(st.integers(0, len(self.model.sessions[session_id].messages)))
        header = new(new_id, title="fork", metadata={"parent": {"id": session_id, "at": count}})

        def change(model: Model, _: Any) -> None:
            kept = copy.deepcopy(model.sessions[session_id].messages[:count])
            model.sessions[new_id] = Session(kept, "fork", dict(header.metadata))

        if new_id in self.model.sessions:
            self.refused(SessionExistsError, lambda: self.store.fork(session_id, header, count))
        else:
            self.do(kill, lambda: self.store.fork(session_id, header, count), change)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), new_id=ids, kill=kills)
    def rename(self, data: st.DataObject, new_id: str, kill: int | None) -> None:
        session_id = self.some(data)

        def change(model: Model, _: Any) -> None:
            session = model.sessions.pop(session_id)
            name = newest(self.store)
            model.throw(
                name, session_id, "renamed", Session(session.messages, session.title, session.metadata), to=new_id
            )
            former = [known for known in session.metadata.get("formerly", []) if known not in (session_id, new_id)]
            session.metadata["formerly"] = [*former, session_id][-10:]
            model.sessions[new_id] = session

        if new_id in self.model.sessions:
            self.refused(SessionExistsError, lambda: self.store.rename(session_id, new_id))
        else:
            self.do(kill, lambda: self.store.rename(session_id, new_id), change)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), by=st.sampled_from(("", "a")), kill=kills)
    def delete(self, data: st.DataObject, by: str, kill: int | None) -> None:
        session_id = self.some(data)

        def change(model: Model, entry: Any) -> None:
            note = {"by": by} if by else {}
            model.throw(entry.name if entry else "", session_id, "deleted", model.sessions.pop(session_id), **note)

        self.do(kill, lambda: self.store.delete(session_id, by), change)

    @precondition(lambda self: self.model.trash)
    @rule(data=st.data(), new_id=st.one_of(st.none(), ids), kill=kills)
    def restore(self, data: st.DataObject, new_id: str | None, kill: int | None) -> None:
        entry = data.draw(st.sampled_from(self.model.trash))
        session_id = entry.session_id if new_id is None else new_id

        def change(model: Model, _: Any) -> None:
            kept = next(one for one in model.trash if one.name == entry.name)
            model.trash.remove(kept)
            there = model.sessions.get(session_id)
            if there is not None:
                draft, there.draft = there.draft, there.draft if kept.session.draft else ""
                kept.session.draft = kept.session.draft or draft
                model.throw(newest(self.store), session_id, "displaced", there)
            model.sessions[session_id] = kept.session

        self.do(kill, lambda: self.store.restore(entry.name, new_id=new_id), change)

    @precondition(lambda self: self.model.trash)
    @rule(data=st.data(), kill=kills)
    def purge(self, data: st.DataObject, kill: int | None) -> None:
        entry = data.draw(st.sampled_from(self.model.trash))

        def change(model: Model, _: Any) -> None:
            model.trash = [one for one in model.trash if one.name != entry.name]

        self.do(kill, lambda: self.store.purge(entry.name), change)

    @rule(session_id=ids)
    def what_is_not_there(self, session_id: str) -> None:
        if session_id not in self.model.sessions:
            for call in (lambda: self.store.load(session_id), lambda: self.store.rename(session_id, "new")):
                self.refused(SessionNotFoundError, call)
            assert self.store.delete(session_id) is None
        self.refused(SessionNotFoundError, lambda: self.store.restore("no entry"))

    def refused(self, error: type[Exception], call: Callable[[], Any]) -> None:
        try:
            call()
        except error:
            return
        raise AssertionError(f"no {error.__name__}")

    # -- what must hold

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        assert {row.session_id for row in self.store.list()} == set(self.model.sessions)
        for session_id, session in self.model.sessions.items():
            header, messages = self.store.load(session_id)
            assert messages == session.messages == list(self.store.items(session_id))
            assert (header.title, dict(header.metadata)) == (session.title, session.metadata)
            assert self.store.draft(session_id) == session.draft
            middle = len(messages) // 2
            assert self.store.tail(session_id, 2, before=middle)[1] == messages[max(0, middle - 2) : middle]
        entries = self.store.trash()
        told = [(entry.name, entry.session_id, entry.reason, entry.count, dict(entry.note)) for entry in entries]
        assert told == [
            (entry.name, entry.session_id, entry.reason, len(entry.session.messages), entry.note)
            for entry in self.model.trash
        ]
        for entry in self.model.trash:
            assert self.store.trashed(entry.name)[1] == entry.session.messages


def newest(store: Any) -> str:
    entries = store.trash()
    return entries[0].name if entries else ""


class FilesMachine(Machine):
    def begin(self) -> None:
        self.disk = FaultyDisk()
        self.store = FileStore(self.folder, now=lambda: now_of(self.clock), disk=self.disk)

    @rule()
    def reopen(self) -> None:
        """The next process: what it finds is whole for every decoder."""
        self.begin()
        for session_id in self.model.sessions:
            if session_id == "a":  # its file is named as it is
                assert opened_and_strict(self.folder, session_id) == self.model.sessions[session_id].messages


class MemoryMachine(Machine):
    def begin(self) -> None:
        self.store = MemoryStore(now=lambda: now_of(self.clock))


FilesMachine.TestCase.settings = SETTINGS
MemoryMachine.TestCase.settings = SETTINGS


@pytest.mark.timeout(1200)
class TestFiles(FilesMachine.TestCase):
    pass


@pytest.mark.timeout(600)
class TestMemory(MemoryMachine.TestCase):
    pass
