"""What every store does, whatever it is made of: one suite, each store a parameter."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from scratchy.core.errors import SessionExistsError, SessionLockedError, SessionNotFoundError
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
from scratchy.store.memory import MemoryStore

START = "2026-11-20T09:00:29.483Z"
USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi!\nHow can I help? 🤖", "usage": {"total_tokens": 7}}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "ls", "arguments": '{"p": 1.0}'}}],
}


class Clock:
    """A clock that a test sets: each look is a second later."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["files", "memory"])
def store(request, tmp_path, clock):
    made = FileStore(tmp_path / "sessions", now=clock) if request.param == "files" else MemoryStore(now=clock)
    yield made
    made.close()


def new(session_id: str = "x", **fields) -> Header:
    return Header(session_id, START, START, **fields)


def save(store, session_id: str, *messages) -> None:
    writer = store.open(session_id, create=new(session_id))
    writer.append(messages)
    writer.close()


def test_an_empty_store_holds_nothing(store):
    assert store.list() == [] and store.trash() == []
    assert not store.exists("x") and store.stamp("x") is None and store.last_writer("x") is None
    for call in (store.load, store.header, lambda name: store.tail(name, 5), store.open):
        with pytest.raises(SessionNotFoundError, match="x"):
            call("x")
    assert store.delete("x") is None
    with pytest.raises(SessionNotFoundError):
        store.rename("x", "y")
    with pytest.raises(SessionNotFoundError):
        store.restore("x")


def test_what_was_appended_is_read_back(store):
    save(store, "x", USER)
    save(store, "x", ASSISTANT, CALL)
    header, messages = store.load("x")
    assert messages == [USER, ASSISTANT, CALL]
    assert (header.session_id, header.created_at, header.version) == ("x", START, 1)
    assert header.updated_at > START
    assert store.header("x") == (header, 3)
    assert [list(message) for message in messages] == [list(message) for message in (USER, ASSISTANT, CALL)]


def test_a_session_appears_with_its_first_write(store):
    writer = store.open("x", create=new(metadata={"provider": "demo"}))
    writer.edit(title="First")
    assert not store.exists("x") and store.list() == [] and store.stamp("x") is None
    assert (writer.count, writer.load(), writer.header.title) == (0, [], "First")
    writer.append([USER])
    writer.close()
    header, count = store.header("x")
    assert (header.title, dict(header.metadata), count) == ("First", {"provider": "demo"}, 1)


def test_a_session_without_messages_is_a_session(store):
    save(store, "empty")
    assert store.exists("empty") and store.load("empty")[1] == []
    assert [(row.session_id, row.count, row.error) for row in store.list()] == [("empty", 0, "")]
    assert store.tail("empty", 3) == (0, [])
    assert store.delete("empty") is not None


def test_create_does_not_touch_what_exists(store):
    save(store, "x", USER)
    writer = store.open("x", create=Header("x", "2030-01-01T00:00:00.000Z", START, title="other"))
    assert (writer.count, writer.header.created_at, writer.header.title) == (1, START, None)
    writer.close()


def test_two_writers_of_one_process_share_the_session(store):
    first = store.open("x", create=new())
    second = store.open("x", create=new())
    first.append([USER])
    assert (second.count, second.load()) == (1, [USER])
    second.append([ASSISTANT])
    first.append([CALL])
    first.close()
    second.append([USER])
    second.close()
    assert store.load("x")[1] == [USER, ASSISTANT, CALL, USER]


def test_a_closed_writer_refuses(store):
    writer = store.open("x", create=new())
    writer.close()
    writer.close()
    with pytest.raises(SessionLockedError):
        writer.append([USER])


def test_threads_append_one_at_a_time(store):
    def add(name: str) -> None:
        writer = store.open("x", create=new())
        for number in range(20):
            writer.append([{"role": "user", "content": f"{name} {number}"}])
        writer.close()

    threads = [threading.Thread(target=add, args=(str(name),)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = [message["content"] for message in store.load("x")[1]]
    for name in range(4):
        assert [text for text in contents if text[0] == str(name)] == [f"{name} {number}" for number in range(20)]


def test_tail_reads_any_slice(store):
    messages = [{"role": "user", "content": f"{number} " + "x" * (number * 97 % 5000)} for number in range(200)]
    save(store, "x", *messages)
    assert store.tail("x", 5) == (195, messages[195:])
    assert store.tail("x", 500) == (0, messages)
    assert store.tail("x", 0) == (200, [])
    for before in (0, 1, 2, 99, 100, 101, 150, 199, 200, 900):
        last = min(before, 200)
        assert store.tail("x", 7, before) == (max(0, last - 7), messages[max(0, last - 7) : last])


def test_replace_keeps_the_old_version(store):
    save(store, "x", USER, ASSISTANT)
    writer = store.open("x")
    writer.replace([CALL], "cleared")
    assert (writer.count, writer.load()) == (1, [CALL])
    writer.append([USER])
    writer.close()
    header, messages = store.load("x")
    assert (messages, header.created_at) == ([CALL, USER], START)
    (entry,) = store.trash()
    assert (entry.session_id, entry.reason, entry.count) == ("x", "cleared", 2)
    assert store.restore(entry.name) == "x"
    assert store.load("x")[1] == [USER, ASSISTANT]
    assert [(entry.reason, entry.count) for entry in store.trash()] == [("displaced", 2)]


def test_replace_of_nothing_keeps_nothing(store):
    writer = store.open("x", create=new())
    writer.replace([], "replaced")
    writer.replace([USER], "replaced")
    writer.close()
    assert store.trash() == [] and store.load("x")[1] == [USER]


def test_edit_changes_the_header_and_nothing_else(store):
    save(store, "x", USER)
    before, _ = store.header("x")
    writer = store.open("x")
    writer.edit(title="A title: with \n signs", metadata={"provider": "demo", "own": [1, {"deep": None}]})
    writer.edit(title=None, metadata=None)
    writer.edit(updated_at="2020-01-02T03:04:05.678Z")
    assert store.header("x")[0].updated_at == "2020-01-02T03:04:05.678Z"
    assert writer.header.title == "A title: with \n signs"
    writer.append([ASSISTANT])
    writer.close()
    header, messages = store.load("x")
    assert messages == [USER, ASSISTANT]
    assert dict(header.metadata) == {"provider": "demo", "own": [1, {"deep": None}]}
    assert header.created_at == before.created_at and store.trash() == []


def test_the_stamp_follows_the_content(store):
    seen = set()

    def changed() -> bool:
        stamp = store.stamp("x")
        new_one = stamp not in seen
        seen.add(stamp)
        return new_one

    save(store, "x", USER)
    assert changed() and not changed()
    writer = store.open("x")
    assert not changed()
    for call in (
        lambda: writer.append([ASSISTANT]),
        lambda: writer.edit(title="t"),
        lambda: writer.replace([USER, ASSISTANT], "replaced"),
    ):
        call()
        assert changed()
    writer.append([])
    assert not changed()
    writer.close()
    assert not changed()
    assert store.last_writer("x") is not None


def test_list_puts_the_newest_activity_first(store, clock):
    for name in ("a", "b", "c"):
        save(store, name, USER)
    save(store, "a", ASSISTANT)
    rows = store.list()
    assert [(row.session_id, row.count) for row in rows] == [("a", 2), ("c", 1), ("b", 1)]
    assert all(row.header and row.size > 0 and not row.error and not row.foreign for row in rows)
    clock.time += timedelta(days=36500)
    save(store, "b", USER)
    clock.time -= timedelta(days=73000)
    save(store, "c", USER)
    assert [row.session_id for row in store.list()] == ["b", "a", "c"]


def test_rename(store):
    save(store, "x", USER)
    save(store, "taken", ASSISTANT)
    with pytest.raises(SessionExistsError, match="taken"):
        store.rename("x", "taken")
    store.rename("x", "y z")
    header, messages = store.load("y z")
    assert (header.session_id, header.created_at, messages) == ("y z", START, [USER])
    assert not store.exists("x")
    assert [(entry.session_id, entry.reason) for entry in store.trash()] == [("x", "renamed")]
    save(store, "y z", ASSISTANT)
    assert store.load("y z")[1] == [USER, ASSISTANT]


def test_delete_and_restore(store):
    save(store, "x", USER)
    first = store.delete("x")
    assert first is not None and (first.session_id, first.reason, first.count) == ("x", "deleted", 1)
    assert not store.exists("x") and store.list() == []
    save(store, "x", ASSISTANT, USER)
    second = store.delete("x")
    save(store, "x", CALL)
    assert [entry.name for entry in store.trash()] == [second.name, first.name]
    assert store.restore(first.name) == "x"
    assert store.load("x")[1] == [USER]
    assert [(entry.reason, entry.count) for entry in store.trash()] == [("displaced", 1), ("deleted", 2)]
    assert store.restore(second.name, new_id="other") == "other"
    header, messages = store.load("other")
    assert (header.session_id, header.created_at, messages) == ("other", START, [ASSISTANT, USER])
    save(store, "other", USER)
    assert store.header("other")[1] == 3


def test_what_a_trash_entry_holds_can_be_read_while_it_stays_there(store):
    save(store, "x", USER, ASSISTANT)
    entry = store.delete("x")
    header, messages = store.trashed(entry.name)
    assert header.session_id == "x" and messages == [USER, ASSISTANT]
    assert store.trashed(entry.name, 1) == (header, [ASSISTANT]) and store.trashed(entry.name, 3)[1] == []
    assert [one.name for one in store.trash()] == [entry.name]
    with pytest.raises(SessionNotFoundError):
        store.trashed("nothing")


def test_the_trash_keeps_its_order_when_the_clock_goes_back(store, clock):
    names = []
    for step in (0, 36500, -40000, 0):
        clock.time += timedelta(days=step)
        save(store, "x", USER)
        names.append(store.delete("x").name)
    assert [entry.name for entry in store.trash()] == names[::-1]


def test_a_writer_of_a_session_that_is_gone_makes_none(store):
    writer = store.open("x", create=new())
    writer.append([USER])
    store.delete("x")
    with pytest.raises(SessionNotFoundError):
        writer.append([ASSISTANT])
    other = store.open("x", create=new())
    other.append([CALL])
    writer.close()
    other.append([USER])
    other.close()
    assert store.load("x")[1] == [CALL, USER]


BAD: list[tuple[Callable[[], object], type[Exception]]] = [
    (lambda: "text", TypeError),
    (lambda: None, TypeError),
    (lambda: {}, ValueError),
    (lambda: {"content": "no role"}, ValueError),
    (lambda: {"role": 7}, ValueError),
    (lambda: {"role": "user", "content": b"bytes"}, TypeError),
    (lambda: {"role": "user", "content": {1: "key"}}, TypeError),
    (lambda: {"role": "user", "content": {"a", "set"}}, TypeError),
    (lambda: {"role": "user", "content": datetime(2026, 1, 1)}, TypeError),
    (lambda: {"role": "user", "content": nested(120)}, ValueError),
]


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(("make", "error"), BAD)
def test_what_is_no_message_touches_nothing(store, make, error):
    save(store, "x", USER)
    stamp = store.stamp("x")
    writer = store.open("x")
    for call in (lambda: writer.append([USER, make()]), lambda: writer.replace([make()], "replaced")):
        with pytest.raises(error):
            call()
    writer.close()
    assert store.stamp("x") == stamp and store.load("x")[1] == [USER] and store.trash() == []


def test_the_guards_of_values(store):
    given = {"role": "user", "content": "a\ud800b \ud83d\ude00", "n": float("nan"), "i": float("-inf"), "t": (1, (2,))}
    save(store, "x", given)
    (read,) = store.load("x")[1]
    assert read == {"role": "user", "content": "a\ufffdb 😀", "n": None, "i": None, "t": [1, [2]]}


def test_content_of_any_kind(store):
    odd = [
        {"role": "user", "content": value, "": {"": []}, "a:b": [[], [[]], {}, [{}]], "-": "-", "#": " x "}
        for value in (
            None,
            7,
            -1.5,
            True,
            [],
            {},
            [1, "2", None],
            "",
            " ",
            "-",
            "- x",
            "\0\x1b\u0085\u2028\x0b\x0c",
            "3",
        )
    ]
    save(store, "x", *odd)
    assert store.load("x")[1] == odd
    assert [store.tail("x", 1, before + 1)[1][0] for before in range(len(odd))] == odd


def test_unknown_header_keys_are_kept(store):
    writer = store.open("x", create=Header("x", START, START, extra={"later": {"k": [1, 2]}, "z": "w"}))
    writer.append([USER])
    writer.edit(title="t")
    writer.close()
    assert dict(store.load("x")[0].extra) == {"later": {"k": [1, 2]}, "z": "w"}


def test_a_message_of_five_megabytes(store):
    big = {"role": "tool", "content": "é\n\0" * 1_250_000}
    save(store, "x", USER, big)
    save(store, "x", ASSISTANT)
    assert store.tail("x", 2) == (1, [big, ASSISTANT])


# -- cut, fork, slices, drafts, the trash's notes


def many(count: int) -> list[dict]:
    return [{"role": "user", "content": f"{number} " + "é" * (number * 97 % 3000)} for number in range(count)]


def test_cut_keeps_the_old_session_and_names_it(store):
    messages = many(30)
    save(store, "x", *messages)
    writer = store.open("x")
    writer.edit(title="t", metadata={"own": 1, "rewind": {"entry": "older", "at": 99}})
    entry = writer.cut(7)
    assert (writer.count, writer.load()) == (7, messages[:7])
    assert dict(writer.header.metadata) == {"own": 1, "rewind": {"entry": entry, "at": 7}}
    writer.append([USER])
    writer.close()
    header, stored = store.load("x")
    assert stored == [*messages[:7], USER] and (header.title, header.created_at) == ("t", START)
    (kept,) = store.trash()
    assert (kept.name, kept.session_id, kept.reason, kept.count) == (entry, "x", "rewound", 30)
    assert store.trashed(entry)[0].metadata["rewind"]["entry"] == "older"
    assert store.restore(entry) == "x" and store.load("x")[1] == messages
    assert [(entry.reason, entry.count) for entry in store.trash()] == [("displaced", 8)]


def test_cut_to_any_count(store):
    for count in (0, 1, 9, 10):
        save(store, str(count), *many(10))
        writer = store.open(str(count))
        writer.cut(count)
        assert writer.load() == many(10)[:count] == store.load(str(count))[1]
        for wrong in (-1, count + 1):
            stamp = store.stamp(str(count))
            with pytest.raises(ValueError, match=str(wrong)):
                writer.cut(wrong)
            assert store.stamp(str(count)) == stamp
        writer.append([USER])
        writer.close()
        assert store.load(str(count))[1] == [*many(10)[:count], USER]
    assert len(store.trash()) == 4


def test_a_cut_for_another_reason_leaves_nothing_to_redo(store):
    save(store, "x", USER, ASSISTANT, CALL)
    writer = store.open("x")
    writer.cut(2)
    writer.cut(1, reason="cleared")
    writer.close()
    assert "rewind" not in store.header("x")[0].metadata
    assert [(entry.reason, entry.count) for entry in store.trash()] == [("cleared", 2), ("rewound", 3)]


def test_a_session_that_is_not_stored_cannot_be_cut(store):
    writer = store.open("x", create=new())
    with pytest.raises(ValueError):
        writer.cut(0)
    writer.close()
    assert store.trash() == [] and not store.exists("x")


def test_fork(store):
    messages = many(200)
    save(store, "x", *messages)
    header = Header("y", "2026-11-21T00:00:00.000Z", "", metadata={"parent": {"id": "x"}})
    holder = store.open("x")
    for count in (0, 1, 3, 100, 199, 200, None):
        new_id = f"y{count}"
        store.fork("x", header._replace(session_id=new_id), count)
        forked, stored = store.load(new_id)
        assert stored == messages[:count]
        assert (forked.session_id, forked.created_at) == (new_id, "2026-11-21T00:00:00.000Z")
        assert dict(forked.metadata) == {"parent": {"id": "x"}} and forked.updated_at > START
        save(store, new_id, USER)
        assert store.tail(new_id, 1)[1] == [USER]
    holder.append([ASSISTANT])
    holder.close()
    assert store.header("x")[1] == 201 and store.header("y200")[1] == 201 and store.trash() == []


def test_a_fork_replaces_nothing(store):
    save(store, "x", USER)
    save(store, "y", ASSISTANT)
    with pytest.raises(SessionExistsError, match="y"):
        store.fork("x", new("y"))
    with pytest.raises(SessionExistsError):
        store.fork("x", new("x"))
    with pytest.raises(SessionNotFoundError, match="nobody"):
        store.fork("nobody", new("z"))
    for count in (-1, 2):
        with pytest.raises(ValueError):
            store.fork("x", new("z"), count)
    assert [row.session_id for row in store.list()] == ["y", "x"] and store.load("y")[1] == [ASSISTANT]


def test_items_are_all_messages_from_any_on(store):
    messages = [*many(300), {"role": "tool", "content": "b" * 700_000}, *many(20)]
    save(store, "x", *messages)
    assert list(store.items("x")) == messages
    for start in (1, 150, 299, 300, 301, 319, 320, 900):
        assert list(store.items("x", start)) == messages[start:]
    save(store, "empty")
    assert list(store.items("empty")) == []
    with pytest.raises(SessionNotFoundError):
        next(iter(store.items("nobody")))


def test_items_leave_out_what_is_appended_meanwhile(store):
    save(store, "x", USER, ASSISTANT)
    items = store.items("x")
    assert next(items) == USER
    save(store, "x", CALL)
    assert list(items) == [ASSISTANT]


def test_a_draft_lies_beside_its_session(store):
    assert store.draft("x") == ""
    writer = store.open("x", create=new())
    writer.keep_draft("not sent\n\x1b é\ud800")
    assert store.draft("x") == "not sent\n\x1b é\ufffd" and not store.exists("x") and store.list() == []
    writer.keep_draft("short")
    assert store.draft("x") == "short"
    writer.append([USER])
    assert store.draft("x") == "short"
    writer.keep_draft("")
    assert store.draft("x") == ""
    writer.keep_draft("again")
    writer.close()
    with pytest.raises(SessionLockedError):
        writer.keep_draft("closed")
    assert store.draft("x") == "again"


def test_a_draft_before_the_first_message_is_there_at_the_next_opening(store):
    for _ in range(2):
        save(store, "x", USER)
        store.delete("x")
        writer = store.open("x", create=new())
        writer.keep_draft("of the new one")
        writer.close()
        store.open("x", create=new()).close()
        assert store.draft("x") == "of the new one"


def test_a_draft_follows_its_session(store):
    save(store, "x", USER)
    writer = store.open("x")
    writer.keep_draft("typed")
    writer.cut(0)
    writer.close()
    assert store.draft("x") == "typed"
    store.fork("x", new("y"))
    assert store.draft("y") == ""
    store.rename("x", "z")
    assert (store.draft("x"), store.draft("z")) == ("", "typed")
    entry = store.delete("z")
    assert store.draft("z") == ""
    save(store, "z", USER)
    store.restore(entry.name)
    assert store.draft("z") == "typed"


def test_a_draft_stays_with_whatever_version_is_current(store):
    save(store, "x", USER, ASSISTANT)
    writer = store.open("x")
    entry = writer.cut(1)
    writer.keep_draft("typed after the cut")
    writer.close()
    store.restore(entry)
    assert store.draft("x") == "typed after the cut" and store.header("x")[1] == 2


def test_a_rename_remembers_the_last_ten_ids(store):
    save(store, "0", USER)
    for number in range(12):
        store.rename(str(number), str(number + 1))
    assert store.header("12")[0].metadata["formerly"] == [str(number) for number in range(2, 12)]
    store.rename("12", "5", reason="undone")
    assert store.header("5")[0].metadata["formerly"] == [*map(str, (2, 3, 4, 6, 7, 8, 9, 10, 11, 12))]
    newest = store.trash()[0]
    assert (newest.session_id, newest.reason, dict(newest.note)) == ("12", "undone", {"to": "5"})


def test_the_trash_notes_who_deleted(store):
    save(store, "x", USER)
    assert dict(store.delete("x", by="y").note) == {"by": "y"}
    save(store, "x", USER)
    assert dict(store.delete("x").note) == {}
    assert [dict(entry.note) for entry in store.trash()] == [{}, {"by": "y"}]
    assert all(entry.size > 100 for entry in store.trash())


def test_what_a_restore_displaces_has_the_reason_that_it_is_given(store):
    save(store, "x", USER)
    entry = store.delete("x")
    save(store, "x", ASSISTANT)
    store.restore(entry.name, reason="undone")
    assert [(entry.reason, entry.count) for entry in store.trash()] == [("undone", 1)]


def test_purge(store):
    save(store, "x", USER)
    writer = store.open("x")
    writer.keep_draft("secret")
    writer.close()
    first = store.delete("x")
    save(store, "x", ASSISTANT)
    second = store.delete("x")
    store.purge(first.name)
    assert [entry.name for entry in store.trash()] == [second.name]
    for name in (first.name, "", "..", "../sessions", "x"):
        with pytest.raises(SessionNotFoundError):
            store.purge(name)
    store.restore(second.name)
    assert store.load("x")[1] == [ASSISTANT] and store.trash() == []


# -- another first message


@pytest.mark.parametrize("before", [[], [USER], [{"role": "system", "content": "Be long."}, USER, ASSISTANT, CALL]])
def test_another_system_message_leads_and_the_rest_stays_as_it_was(store, before):
    save(store, "x", *before)
    writer = store.open("x")
    writer.edit(title="Kept", metadata={"folder": "/w"})
    writer.lead({"role": "system", "content": "Be brief."}, "replaced")
    rest = before[1:] if before and before[0]["role"] == "system" else before
    assert writer.count == 1 + len(rest) and writer.load() == [{"role": "system", "content": "Be brief."}, *rest]
    writer.append([USER])
    writer.close()
    header, messages = store.load("x")
    assert messages == [{"role": "system", "content": "Be brief."}, *rest, USER]
    assert (header.title, header.metadata) == ("Kept", {"folder": "/w"})
    assert [(entry.reason, entry.count) for entry in store.trash()] == ([("replaced", len(before))] if before else [])
    if before:
        store.restore(store.trash()[0].name)
        assert store.load("x")[1] == before
