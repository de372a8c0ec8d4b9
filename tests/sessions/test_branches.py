"""/fork, /rewind, /redo, /undo and /tree on a desk: their words, what is stored, and that a failure changes nothing."""

import json
from pathlib import Path

import pytest
from sessionbench import FullDisk, answer, calling, desk_in, run, script, take, texts, user

from scratchy import MemoryStore, SessionManager
from scratchy.commands.dispatch import dispatch
from scratchy.core.stored import Header
from scratchy.sessions.branches import turns
from scratchy.store.files import FileStore


class Window:
    """A desk that is asked one line after the other."""

    def __init__(self, folder: Path, session_id: str = "default", store=None, **config) -> None:
        self.folder, self.config = folder, config
        self.desk, self.said = desk_in(folder, session_id, store, **config)
        self.store = self.desk.manager.store

    def outcome(self, line: str):
        return run(dispatch(self.desk, line))

    def type(self, line: str) -> str:
        return self.outcome(line).text

    def say(self, *lines: str) -> None:
        for line in lines:
            run(take(self.desk.conversation, line))

    @property
    def id(self) -> str:
        return self.desk.conversation.session_id

    @property
    def shown(self) -> list:
        """In memory, without the system message; the disk must say the same."""
        messages = [message for message in self.desk.conversation.session.messages if message["role"] != "system"]
        stored = self.store.load(self.id)[1] if self.store.exists(self.id) else []
        assert texts(message for message in stored if message["role"] != "system") == texts(messages)
        return texts(messages)

    def restarted(self) -> "Window":
        """The program ends and begins again in the same session."""
        session_id = self.id
        run(self.desk.close())
        return Window(
            self.folder, session_id, self.store if isinstance(self.store, MemoryStore) else None, **self.config
        )


@pytest.fixture(params=["files", "memory"])
def window(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else None
    made = Window(
        tmp_path, store=store, titles="off", **script(tmp_path, *(f"answer {number}" for number in range(1, 20)))
    )
    yield made
    run(made.desk.close())


def reasons(window: Window) -> list[str]:
    return [entry.reason for entry in window.store.trash()]


def test_rewind_and_redo(window):
    window.say("one", "two", "three")
    told = window.type("/rewind 2")
    assert window.shown == ["one", "answer 1"]
    (entry,) = window.store.trash()
    assert "'two'" in told and "4 messages" in told and "/redo" in told and entry.name in told
    assert entry.reason == "rewound" and entry.count == 7
    assert window.desk.conversation.session.metadata["rewind"] == {"entry": entry.name, "at": 3}
    assert "(7 messages)" in window.type("/redo")
    assert window.shown[-2:] == ["three", "answer 3"] and reasons(window) == ["displaced"]
    assert "nothing to redo" in window.type("/redo")


def test_a_redo_takes_no_entry_of_another_session(window):
    window.say("one", "two")
    SessionManager(store=window.store).save_session("other", [{"role": "user", "content": "theirs"}])
    entry = window.store.delete("other")
    conversation = window.desk.conversation
    run(conversation.edit(metadata={**conversation.session.metadata, "rewind": {"entry": entry.name, "at": 5}}))
    for line in ("/redo", "/redo mine"):
        assert "not in the trash" in window.type(line) and window.shown[0] == "one" and window.id == "default"
    assert [row.name for row in window.store.trash()] == [entry.name]


def test_rewinding_twice_is_redone_step_by_step(window):
    window.say("one", "two", "three")
    window.type("/rewind 1")
    window.type("/rewind 1")
    assert window.shown == ["one", "answer 1"]
    window.type("/redo")
    assert window.shown[-1] == "answer 2"
    window.type("/redo")
    assert window.shown[-1] == "answer 3" and len(window.shown) == 6


def test_a_conversation_goes_on_after_a_rewind_and_a_redo_then_offers_a_session_of_its_own(window):
    window.say("one", "two")
    window.type("/rewind 1")
    window.say("other")
    assert window.shown == ["one", "answer 1", "other", "answer 3"]
    refused = window.type("/redo")
    name = window.store.trash()[0].name
    assert "went on" in refused and "`/redo default-2`" in refused and f"/restore {name}" in refused
    assert window.shown[2] == "other"
    assert "'default-2'" in window.type("/redo default-2") and window.id == "default-2"
    assert window.shown == ["one", "answer 1", "two", "answer 2"]
    assert window.store.header("default-2")[0].metadata["parent"] == {"id": "default", "at": 3}
    assert texts(window.store.load("default")[1])[3:] == ["other", "answer 3"]
    window.say("more")
    assert window.shown[-1] == "answer 4"


def test_rewind_alone_offers_the_turns_newest_first(window):
    assert "no turns" in window.type("/rewind")
    window.say("one", "two\nwith a second line", "x" * 200)
    choose = window.outcome("/rewind").choose
    assert [row.line for row in choose.rows] == ["/rewind 1", "/rewind 2", "/rewind 3"]
    assert choose.rows[1].detail == "two\nwith a second line" and "two with a second line" in choose.rows[1].label
    assert len(choose.rows[0].label) < 70 and choose.rows[0].detail == "x" * 200
    assert window.store.trash() == []


@pytest.mark.parametrize("argument", ["0", "-1", "9", "x", "1.5", "²", "9" * 5000])
def test_a_rewind_that_means_nothing_changes_nothing(window, argument):
    window.say("one")
    assert "rewind" in window.type(f"/rewind {argument}") or "nothing that far back" in window.type("/rewind 9")
    assert window.shown == ["one", "answer 1"] and window.store.trash() == []


def test_rewind_wants_its_whole_name(window):
    window.say("one")
    assert "whole name" in window.type("/rew 1") and window.shown == ["one", "answer 1"]


def test_redo_takes_no_other_sessions_entry(window):
    window.say("one", "two")
    window.type("/rewind 1")
    name = window.desk.conversation.session.metadata["rewind"]["entry"]
    writer = window.store.open("liar", create=Header("liar", "", "", metadata={"rewind": {"entry": name, "at": 1}}))
    writer.append([user("x")])
    writer.close()
    window.type("/resume liar")
    assert "not in the trash" in window.type("/redo") and window.shown == ["x"]
    assert "not in the trash" in window.type("/redo other") and name in {entry.name for entry in window.store.trash()}
    window.type("/resume default")
    assert "Brought back" in window.type("/redo")


def test_undo_goes_back_step_by_step(window):
    window.say("one", "two")
    window.type("/rewind 1")
    window.say("other")
    window.type("/clear")
    assert window.shown == []
    assert "Took back the clear" in window.type("/undo")
    assert window.shown == ["one", "answer 1", "other", "answer 3"]
    told = window.type("/undo")
    assert "Took back the rewind" in told and window.shown == ["one", "answer 1", "two", "answer 2"]
    assert "nothing to undo" in window.type("/undo") and reasons(window) == ["undone", "undone"]
    name = window.store.trash()[0].name
    assert name in told
    window.type(f"/restore {name}")
    assert window.shown[-1] == "answer 3"
    assert "Took back the restore" in window.type("/undo") and window.shown[-1] == "answer 2"


def test_undo_of_a_rename_is_no_rename_to_undo(window):
    window.say("one")
    window.type("/rename first")
    window.type("/rename second")
    assert window.desk.conversation.session.metadata["formerly"] == ["default", "first"]
    assert "'first' again" in window.type("/undo") and window.id == "first"
    assert "'default' again" in window.type("/undo") and window.id == "default"
    assert "nothing to undo" in window.type("/undo")
    window.say("two")
    assert window.shown[-1] == "answer 2" and not window.store.exists("first")


def test_undo_of_a_rename_whose_old_id_is_taken_says_so(window):
    window.say("one")
    window.type("/rename first")
    window.store.open("default", create=Header("default", "", "")).append([user("new")])
    assert "default' exists already" in window.type("/undo") and window.id == "first"
    window.say("two")
    assert window.shown[-1] == "answer 2"


def test_undo_of_a_delete(window):
    window.say("one")
    window.type("/new other")
    window.say("two")
    window.type("/delete default")
    assert window.id == "other"
    assert "'default' is there again" in window.type("/undo") and window.id == "other"
    window.type("/delete")
    made = window.id
    assert made not in ("other", "default")
    assert "'other' is there again" in window.type("/undo") and window.id == "other"
    assert window.shown == ["two", "answer 2"]
    assert "nothing to undo" in window.type("/undo")


def test_undo_works_after_a_restart(window):
    window.say("one", "two")
    window.type("/rename renamed")
    window.type("/rewind 1")
    window = window.restarted()
    window.type("/undo")
    assert window.shown == ["one", "answer 1", "two", "answer 2"]
    window = window.restarted()
    window.type("/undo")
    assert window.id == "default"
    run(window.desk.close())


def test_undo_leaves_an_earlier_session_of_that_name_alone(window):
    window.say("one", "two")
    window.type("/rewind 1")
    window.type("/new other")
    window.type("/delete default")
    window.type("/new default")
    window.say("anew")
    assert "nothing to undo" in window.type("/undo") and window.shown == ["anew", "answer 3"]


def test_fork(window):
    assert "nothing to fork" in window.type("/fork")
    window.say("one", "two")
    run(
        window.desk.conversation.edit(
            title="A title", metadata={**window.desk.conversation.session.metadata, "tags": ["t"]}
        )
    )
    window.type("/rewind 1")
    assert "'default-2' from 'default' at message 3" in window.type("/branch") and window.id == "default-2"
    header = window.store.header("default-2")[0]
    assert header.title == "A title" and header.metadata["tags"] == ["t"]
    assert header.metadata["parent"] == {"id": "default", "at": 3} and "rewind" not in header.metadata
    window.say("mine")
    assert window.shown == ["one", "answer 1", "mine", "answer 3"]
    assert texts(window.store.load("default")[1])[1:] == ["one", "answer 1"]
    assert "exists already" in window.type("/fork default") and window.id == "default-2"
    window.type("/fork a b/c")
    assert window.id == "a b/c" and window.shown == ["one", "answer 1", "mine", "answer 3"]
    assert "nothing to redo" in window.type("/redo")


def test_the_tree(window):
    assert window.type("/tree") == "* default  nothing stored yet"
    window.say("one", "two")
    window.type("/fork idea")
    window.type("/fork deeper")
    window.type("/resume default")
    window.type("/rewind 1")
    name = window.store.trash()[0].name
    window.type("/rename main")
    assert window.type("/tree").split("\n") == [
        "* main  3 messages",
        "  - rewound at 3, 5 messages",
        f"    /restore {name}",
        "  - idea  at 5, 5 messages",
        "    - deeper  at 5, 5 messages",
    ]
    window.type("/delete idea")
    assert "- deeper" not in window.type("/tree")
    window.type("/resume deeper")
    assert window.type("/tree").split("\n") == ["- idea  in the trash", "  * deeper  at 5, 5 messages"]
    window.store.purge(next(entry.name for entry in window.store.trash() if entry.session_id == "idea"))
    assert window.type("/tree").split("\n") == ["- idea  gone", "  * deeper  at 5, 5 messages"]
    assert all(len(line) <= 40 or "/restore" in line for line in window.type("/tree").split("\n"))


def test_strange_headers_make_no_endless_tree(window):
    for name, parent in (("a", "b"), ("b", "a"), ("c", "c"), ("d", 7), ("e", {"id": 7}), ("f", {"id": "a", "at": "x"})):
        told = parent if not isinstance(parent, str) else {"id": parent, "at": 1}
        writer = window.store.open(
            name, create=Header(name, "", "", metadata={"parent": told, "rewind": [], "formerly": 5})
        )
        writer.append([user("x")])
        writer.close()
    window.type("/resume a")
    shown = window.type("/tree")
    assert "* a" in shown and "- b" in shown and "- f" in shown and len(shown.split("\n")) == 3
    window.type("/resume c")
    assert window.type("/tree").startswith("* c")


def test_a_chain_of_forks_longer_than_python_recurses_is_drawn_and_narrow(tmp_path):
    window = Window(tmp_path, "f0", MemoryStore())
    for number in range(3_000):
        parent = {"parent": {"id": f"f{number - 1}", "at": 1}} if number else {}
        writer = window.store.open(f"f{number}", create=Header(f"f{number}", "", "", metadata=parent))
        writer.append([user("x")])
        writer.close()
    lines = window.type("/tree").split("\n")
    assert len(lines) == 3_000 and max(map(len, lines)) <= 50
    assert lines[0] == "* f0  1 message" and lines[3] == "      - f3  at 1, 1 message"
    assert lines[2_999] == "            - f2999  at 1, 1 message, of f2998"
    run(window.desk.close())


def test_a_long_session_is_rewound_from_its_end(tmp_path):
    """Only the end is in memory, and only the end is read; the rest is there all the same."""
    store = FileStore(tmp_path / "sessions")
    writer = store.open("long", create=Header("long", "", ""))
    writer.append([message for number in range(400) for message in (user(f"q{number}"), answer(f"a{number}"))])
    writer.close()
    window = Window(tmp_path, "long", **script(tmp_path, "Hi"))
    assert len(window.desk.conversation.session.messages) == 50
    window.type("/rewind 1")
    assert len(window.desk.conversation.session.messages) < 50
    assert "'q370'" in window.type("/rewind 29")
    assert window.desk.conversation.count == 740
    assert "'q100'" in window.type("/rewind 270")
    assert window.desk.conversation.count == 200 and window.store.header("long")[1] == 200
    assert window.desk.conversation.session.messages[-1] == answer("a99")
    window.say("on")
    assert texts(store.load("long")[1])[-2:] == ["on", "Hi"] and store.header("long")[1] == 202
    window.type("/undo")
    assert store.header("long")[1] == 740
    run(window.desk.close())


def test_taking_back_a_rewind_of_a_long_session_reads_no_more_than_was_cut_off(tmp_path):
    writer = FileStore(tmp_path / "sessions").open("long", create=Header("long", "", ""))
    writer.append([message for number in range(2_000) for message in (user(f"q{number} " + "x" * 500), answer("a"))])
    writer.close()
    window = Window(tmp_path, "long", titles="off", **script(tmp_path, "Hi"))
    window.type("/rewind 1")
    assert "(4000 messages)" in window.type("/undo")
    assert window.type("/rewind files forward 3998").startswith("No file")
    assert len(window.desk.conversation.session.messages) <= 50 and window.desk.conversation.count == 4_000
    run(window.desk.close())


def test_turns_are_read_backwards_over_slices_and_stop_at_the_start(window):
    window.store.open("s", create=Header("s", "", "")).append(
        [{"role": "system", "content": "x"}, user("first"), *[answer(str(n)) for n in range(350)], user("last")]
    )
    assert [(turn.back, turn.index, turn.text) for turn in turns(window.store, "s")] == [
        (1, 352, "last"),
        (2, 1, "first"),
    ]


@pytest.mark.parametrize("line", ["/rewind 1", "/redo", "/undo", "/fork", "/clear", "/rename x"])
def test_a_disk_that_is_full_changes_nothing_and_the_conversation_goes_on(tmp_path, line):
    disk = FullDisk()
    store = FileStore(tmp_path / "sessions", disk=disk)
    window = Window(tmp_path, store=store, **script(tmp_path, *"abcdefg"))
    window.say("one", "two", "three")
    window.type("/rewind 1")
    before = window.shown
    disk.full = True
    told = window.type(line)
    disk.full = False
    assert window.id == "default"
    if line not in ("/redo", "/undo"):  # they only move what is there: but the note of a new entry cannot be written
        assert "disk says no" in told or "no space" in told
    window.say("go on")
    assert window.shown[: len(before)] == before or line in ("/redo", "/undo")
    assert window.shown[-2] == "go on"
    run(window.desk.close())


def test_a_rewind_says_what_commands_did_and_offers_the_files(tmp_path):
    target = tmp_path / "made.txt"
    config = script(
        tmp_path,
        calling("create_file", {"file_path": str(target), "content": "x\n"}),
        calling("execute_command", {"command": "true"}, "c2"),
        "Done",
    )
    window = Window(tmp_path, yolo=True, **config)
    window.say("make it")
    assert target.read_text() == "x\n"
    outcome = window.outcome("/rewind 1")
    assert (
        "1 command ran" in outcome.text
        and "1 file" in outcome.text
        and outcome.choose.rows[0].line.startswith("/rewind files ")
    )
    assert window.type(outcome.choose.rows[0].line).startswith("Restored 1 file") and not target.exists()
    again = window.outcome("/redo")
    assert again.switched and "made.txt" in again.text
    window.type(again.choose.rows[0].line)
    assert target.read_text() == "x\n"
    run(window.desk.close())
    assert json.dumps(window.shown)
