"""Any sequence of turns, /rewind, /redo, /undo, /fork, /rename, /delete, /restore, /clear, moves, restarts and kills
equals a simple model of sessions and a trash."""

import copy
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sessionbench import desk_in, run, script, take, texts

from scratchy.commands.dispatch import dispatch
from scratchy.store.files import FileStore
from scratchy.store.memory import MemoryStore

LONG = bool(os.environ.get("CI_LONG"))
SETTINGS = settings(
    max_examples=150 if LONG else 12,
    stateful_step_count=40 if LONG else 20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not LONG,
)
ids = st.sampled_from(("a", "b", "C d"))


@dataclass
class Session:
    """A turn is a line. `rewind`: the number of the entry, and the turns that were left."""

    turns: list[str] = field(default_factory=list)
    rewind: tuple[int, int] | None = None
    former: list[str] = field(default_factory=list)


@dataclass
class Entry:
    number: int
    session_id: str
    reason: str
    session: Session
    to: str = ""
    by: str = ""


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="branches-"))
        self.clock = datetime(2026, 11, 21, 12, tzinfo=UTC)
        self.config = script(self.folder, *["yes"] * 200) | {"titles": "off"}
        self.sessions: dict[str, Session] = {}
        self.trash: list[Entry] = []  # newest first
        self.current, self.lines, self.entries = "a", 0, 0
        self.store = self.made()
        self.open()

    def now(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    def made(self):
        raise NotImplementedError

    def open(self) -> None:
        self.desk, _ = desk_in(self.folder, self.current, self.store, **self.config)

    def teardown(self) -> None:
        run(self.desk.close())
        shutil.rmtree(self.folder)

    def type(self, line: str, *, works: bool) -> None:
        told = run(dispatch(self.desk, line)).text
        refused = any(word in told for word in ("nothing", "exists already", "went on", "not in the trash any more"))
        assert works != refused, f"{line}: {told}"

    def throw(self, session_id: str, reason: str, session: Session, to: str = "", by: str = "") -> int:
        self.entries += 1
        self.trash.insert(0, Entry(self.entries, session_id, reason, copy.deepcopy(session), to, by))
        return self.entries

    @property
    def here(self) -> Session | None:
        return self.sessions.get(self.current)

    # -- what is done

    @rule()
    def say(self) -> None:
        self.lines += 1
        run(take(self.desk.conversation, f"line {self.lines}"))
        self.sessions.setdefault(self.current, Session()).turns.append(f"line {self.lines}")

    @precondition(lambda self: self.here and self.here.turns)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        here = self.sessions[self.current]
        back = data.draw(st.integers(1, len(here.turns)))
        self.type(f"/rewind {back}", works=True)
        number = self.throw(self.current, "rewound", here)
        del here.turns[-back:]
        here.rewind = number, len(here.turns)

    @rule()
    def redo(self) -> None:
        here = self.here
        entry = self.rewound()
        works = here is not None and entry is not None and here.rewind[1] == len(here.turns)
        self.type("/redo", works=works)
        if works:
            self.trash.remove(entry)
            self.throw(self.current, "displaced", here)
            entry.session.former = here.former
            self.sessions[self.current] = entry.session

    @precondition(lambda self: self.rewound())
    @rule(new_id=ids)
    def redo_as(self, new_id: str) -> None:
        entry = self.rewound()
        self.type(f"/redo {new_id}", works=new_id not in self.sessions)
        if new_id not in self.sessions:
            self.trash.remove(entry)
            self.sessions[new_id] = Session(entry.session.turns)
            self.current = new_id

    def rewound(self) -> Entry | None:
        here = self.here
        wanted = here.rewind[0] if here is not None and here.rewind is not None else 0
        return next((entry for entry in self.trash if entry.number == wanted), None)

    @rule()
    def undo(self) -> None:
        entry = self.undoable()
        taken = entry is not None and entry.reason in ("renamed", "deleted") and entry.session_id in self.sessions
        self.type("/undo", works=entry is not None and not taken)
        if entry is None or taken:
            return
        self.trash.remove(entry)
        if entry.reason == "renamed":
            self.moved(entry.session_id, "undone")
        elif entry.reason == "deleted":
            self.sessions[entry.session_id] = entry.session
            self.current = self.current if self.here is not None else entry.session_id
        else:
            self.throw(self.current, "undone", self.sessions[self.current])
            self.sessions[self.current] = entry.session

    def undoable(self) -> Entry | None:
        former = self.here.former if self.here is not None else []
        for entry in self.trash:
            if entry.reason == "deleted" and entry.by in (self.current, *former):
                return entry
            if entry.reason == "renamed" and entry.to == self.current and entry.session_id in former:
                return entry
            if entry.session_id == self.current and entry.reason in ("rewound", "cleared", "displaced"):
                return entry
            if entry.session_id == self.current and entry.reason in ("deleted", "renamed"):
                return None
        return None

    @precondition(lambda self: self.here)
    @rule(new_id=ids)
    def fork(self, new_id: str) -> None:
        self.type(f"/fork {new_id}", works=new_id not in self.sessions)
        if new_id not in self.sessions:
            self.sessions[new_id] = Session(list(self.sessions[self.current].turns))
            self.current = new_id

    @precondition(lambda self: self.here)
    @rule(new_id=ids)
    def rename(self, new_id: str) -> None:
        if new_id != self.current:
            self.type(f"/rename {new_id}", works=new_id not in self.sessions)
            if new_id not in self.sessions:
                self.moved(new_id, "renamed")

    def moved(self, new_id: str, reason: str) -> None:
        here, old = self.sessions.pop(self.current), self.current
        self.throw(old, reason, here, to=new_id)
        here.former = [*(name for name in here.former if name not in (old, new_id)), old][-10:]
        self.sessions[new_id], self.current = here, new_id

    @precondition(lambda self: self.here)
    @rule(session_id=ids)
    def delete(self, session_id: str) -> None:
        if session_id in self.sessions:
            self.type(f"/delete {session_id}", works=True)
            by = self.desk.conversation.session_id  # of the current one: the new one that is current now
            self.throw(session_id, "deleted", self.sessions.pop(session_id), by=by)
            self.current = by

    @precondition(lambda self: self.trash)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.trash))
        name = self.desk.manager.trash()[self.trash.index(entry)].name
        self.type(f"/restore {name}", works=True)
        self.trash.remove(entry)
        if entry.session_id in self.sessions:
            self.throw(entry.session_id, "displaced", self.sessions[entry.session_id])
        if self.current not in self.sessions:
            self.current = entry.session_id
        self.sessions[entry.session_id] = entry.session

    @precondition(lambda self: self.here)
    @rule()
    def clear(self) -> None:
        here = self.sessions[self.current]
        run(dispatch(self.desk, "/clear"))
        if here.turns:
            self.throw(self.current, "cleared", here)
            here.turns, here.rewind = [], None

    @rule(session_id=ids)
    def resume_or_begin(self, session_id: str) -> None:
        if session_id != self.current:
            run(dispatch(self.desk, f"/{'resume' if session_id in self.sessions else 'new'} {session_id}"))
            self.current = session_id

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        """The program ends, well or by a kill: then nobody says goodbye, and the system gives up the lock."""
        if not killed:
            run(self.desk.close())
        elif self.desk.conversation.writer is not None:
            self.desk.conversation.writer.close()
        self.store = self.made()
        self.open()

    # -- what must hold

    @invariant()
    def all_is_as_the_model_has_it(self) -> None:
        conversation = self.desk.conversation
        assert conversation.session_id == self.current
        assert {row.session_id for row in self.store.list()} == set(self.sessions)
        for session_id, session in self.sessions.items():
            header, messages = self.store.load(session_id)
            assert texts(message for message in messages if message["role"] == "user") == session.turns
            assert len(messages) == 1 + 2 * len(session.turns)
            assert header.metadata.get("formerly", []) == session.former
            assert ("rewind" in header.metadata) == (session.rewind is not None)
        turns = self.sessions[self.current].turns if self.here is not None else []
        assert texts(m for m in conversation.session.messages if m["role"] == "user") == turns
        told = [(entry.session_id, entry.reason, entry.count) for entry in self.store.trash()]
        assert told == [(entry.session_id, entry.reason, 1 + 2 * len(entry.session.turns)) for entry in self.trash]


class FilesMachine(Machine):
    def made(self):
        return FileStore(self.folder / "sessions", now=self.now)


class MemoryMachine(Machine):
    def made(self):
        return getattr(self, "store", None) or MemoryStore(now=self.now)


FilesMachine.TestCase.settings = SETTINGS
MemoryMachine.TestCase.settings = SETTINGS


@pytest.mark.timeout(1200)
class TestFiles(FilesMachine.TestCase):
    pass


@pytest.mark.timeout(1200)
class TestMemory(MemoryMachine.TestCase):
    pass
