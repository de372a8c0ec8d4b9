"""Out and in again: what a format can carry comes back the same, and what it cannot is said."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchy import (
    FormatError,
    MemoryStore,
    Scratchpad,
    SessionExistsError,
    SessionManager,
    SessionNotFoundError,
    compose,
)
from scratchy.core.stored import Header

TEXT = st.text(max_size=30) | st.sampled_from(
    ["", " ", "a\0b", "\u2028", "\x85", "- x\n  - y", '{"role": 1}', "# hi\n", "\x1b[31m"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = TEXT | JSON.map(json.dumps) | st.sampled_from(['{"a":1}', '"text"', "{torn", "1.0", "{}", ""])
IMAGES = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]
CONTENT = TEXT | st.none() | st.just(IMAGES)
KEYS = st.sampled_from(["ts", "model", "context", "usage", "name", "calls", "no_ts", "assistant", "message", "é"])
ROLES = st.sampled_from(["system", "user", "assistant", "tool_call", "tool_result", "développeur"])


def messages_of(**shape):
    """Messages with these keys, and now and then others."""
    more = st.dictionaries(KEYS, JSON, max_size=2)
    return st.builds(lambda known, other: {**known, **other}, st.fixed_dictionaries(shape), more)


FUNCTIONS = st.fixed_dictionaries({"name": TEXT, "arguments": ARGUMENTS})
CALLS = st.lists(
    st.fixed_dictionaries(
        {"id": TEXT, "type": st.just("function"), "function": FUNCTIONS}, optional={"index": st.just(0)}
    ),
    max_size=3,
)
PLAIN = messages_of(role=ROLES, content=CONTENT)
ANSWER = messages_of(role=st.just("assistant"), content=CONTENT, tool_calls=CALLS)
RESULT = messages_of(role=st.just("tool"), content=CONTENT, tool_call_id=TEXT)
BARE = st.builds(lambda role: {"role": role}, st.sampled_from(["user", "assistant", "tool"]))
MESSAGES = st.lists(PLAIN | ANSWER | RESULT | BARE, max_size=6)


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.toon", "full.json"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(messages=MESSAGES)
def test_any_messages_come_back_the_same(tmp_path_factory, name, messages):
    folder = tmp_path_factory.mktemp("round")
    sm = SessionManager(store=MemoryStore())
    sm.save_session("one", messages)
    stored = sm.load_session("one")
    sm.export_session("one", folder / name, full=name.startswith("full"))
    if not stored and name == "x.jsonl":
        assert (folder / name).read_bytes() == b""
        return
    imported = sm.import_session(folder / name)
    assert imported.skipped == 0
    back = sm.load_session(imported.session_id)
    assert back == stored and json.dumps(back, sort_keys=True) == json.dumps(stored, sort_keys=True)  # 1 is not True


@pytest.fixture
def sm(tmp_path: Path) -> SessionManager:
    return SessionManager(tmp_path / "sessions")


def store_whole(sm: SessionManager, blob: str = "") -> str:
    """A session with all that a header can have, its big output's id."""
    pad = Scratchpad(Path(sm.store.folder) / ".blobs")
    entry = pad.keep((blob or "big\0\xff").encode(), "read_file")
    metadata = {
        "provider": "demo", "folder": "/home/user/secret", "machine": "m1", "endpoint": "e1", "tags": ["x"],
        "project": {"inode": 1}, "rewind": {"entry": "t", "at": 1}, "formerly": ["old"], "mine": {"a": 1},
        "parent": {"id": "p", "at": 2},
    }  # fmt: skip
    created = "2020-01-02T03:04:05.678Z"
    header = Header("one", created, created, "A title", metadata, {"unknown": [1]})
    writer = sm.store.open("one", create=header)
    files = [{"path": "/a.txt", "before": entry, "after": "0" * 32, "mode": 0o644}]
    writer.append(
        [
            {"role": "user", "content": "Hi", "ts": "2020-01-02T03:04:06.000Z"},
            {"role": "tool", "content": f"kept as {entry}", "tool_call_id": "c", "name": "read_file", "files": files},
        ]
    )
    writer.close()
    return entry


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.md", "x.html", "x.toon", "full.json"])
def test_no_export_says_where_it_was_made(sm, tmp_path, name):
    store_whole(sm)
    path = tmp_path / name
    sm.export_session("one", path, full=name.startswith("full"))
    text = path.read_text()
    for word in ("m1", "e1", "inode"):
        assert f'"{word}"' not in text and f": {word}\n" not in text
    assert ("/home/user/secret" in text) == name.startswith("full")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "whole"), [("x.toon", True), ("full.json", True), ("x.json", False), ("x.jsonl", False)]
)
def test_header_and_blobs_come_along_where_there_is_room(sm, tmp_path, name, whole):
    entry = store_whole(sm)
    exported = sm.export_session("one", tmp_path / name, full=name.startswith("full"))
    assert exported.count == 2 and bool(exported.notes) != whole
    other = SessionManager(tmp_path / "elsewhere")
    imported = other.import_session(tmp_path / name)
    header, count = other.store.header(imported.session_id)
    messages = other.load_session(imported.session_id)
    assert count == 2 and ("files" in messages[1]) == whole
    pad = Scratchpad(tmp_path / "elsewhere" / ".blobs")
    if whole:
        assert header.session_id == "one" and header.title == "A title" and dict(header.extra) == {"unknown": [1]}
        assert header.created_at == "2020-01-02T03:04:05.678Z"
        assert header.updated_at == sm.store.header("one")[0].updated_at
        assert header.metadata == {"provider": "demo", "tags": ["x"], "mine": {"a": 1}, "parent": {"id": "p", "at": 2}}
        assert pad.content(entry) == b"big\0\xc3\xbf"
    else:
        assert header.session_id == "x" and header.title == "Hi" and pad.list() == []
        assert any("file snapshots" in note for note in imported.notes)
        assert any("1 big output" in note for note in exported.notes)


def test_the_documented_snippet_and_the_export_are_the_same_file(sm, tmp_path):
    sm.save_session("one", [{"role": "user", "content": "Hé"}, {"role": "assistant", "content": "Yes"}])
    sm.export_session("one", tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == sm.load_session("one")
    (tmp_path / "y.json").write_text(json.dumps(sm.load_session("one"), indent=2))
    assert sm.load_session(sm.import_session(tmp_path / "y.json").session_id) == sm.load_session("one")


def test_an_empty_session_goes_round(sm, tmp_path):
    sm.save_session("one", [])
    for name in ("x.json", "x.toon"):
        sm.export_session("one", tmp_path / name)
        assert sm.load_session(sm.import_session(tmp_path / name).session_id) == []


@pytest.mark.parametrize("name", ["x.json", "x.toon"])
def test_nothing_is_overwritten(sm, tmp_path, name):
    sm.save_session("one", [{"role": "user", "content": "Hi"}])
    sm.export_session("one", tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(FileExistsError):
        sm.export_session("one", tmp_path / name)
    (tmp_path / "link.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        sm.export_session("one", tmp_path / "link.json")
    assert (tmp_path / name).read_bytes() == before
    with pytest.raises(SessionExistsError, match="exists already"):
        sm.import_session(tmp_path / name, "one")
    assert sm.load_session("one") == [{"role": "user", "content": "Hi"}]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "link.json", "sessions"])


def test_a_failed_export_leaves_nothing(sm, tmp_path):
    sm.save_session("one", [{"role": "user", "content": "Hi"}])
    with pytest.raises(SessionNotFoundError):
        sm.export_session("nobody", tmp_path / "x.json")
    with pytest.raises(FormatError, match=r"\.toon"):
        sm.export_session("one", tmp_path / "x.pdf")
    with pytest.raises(FileNotFoundError, match=r"missing/x\.json"):
        sm.export_session("one", tmp_path / "missing" / "x.json")
    path = tmp_path / "sessions" / "one_chat.toon"
    path.write_bytes(path.read_bytes().replace(b"content: Hi", b'content: "Hi'))
    with pytest.raises(Exception, match="cannot be read"):
        sm.export_session("one", tmp_path / "x.json")
    assert os.listdir(tmp_path) == ["sessions"]


def test_ids_that_cannot_be_are_made_and_said(sm, tmp_path):
    for wanted in ("", "a\u202eb", "x" * 2000, "good"):
        document = {"session_id": wanted, "messages": [{"role": "user", "content": "Hi"}]}
        (tmp_path / "in.json").write_text(json.dumps(document))
        imported = sm.import_session(tmp_path / "in.json")
        assert sm.session_exists(imported.session_id)
        assert bool(imported.notes) == (wanted not in ("good", ""))
    named = sm.import_session(tmp_path / "in.json", "mine")
    assert named.session_id == "mine"
    with pytest.raises(ValueError, match="control"):
        sm.import_session(tmp_path / "in.json", "a\nb")


def test_a_blob_that_is_not_what_its_name_says_is_left_out(sm, tmp_path):
    blobs = {"0" * 32: {"text": "other"}, "1" * 32: {"base64": "%"}, "2": 5}
    document = {"messages": [{"role": "user", "content": "0" * 32}], "blobs": blobs}
    (tmp_path / "in.json").write_text(json.dumps(document))
    imported = sm.import_session(tmp_path / "in.json")
    assert len(imported.notes) >= 2 and not (tmp_path / "sessions" / ".blobs").exists()


def test_a_session_file_from_another_folder_is_taken_as_it_is(sm, tmp_path):
    other = SessionManager(tmp_path / "other")
    messages = [{"role": "user", "content": f"{n}"} for n in range(700)]
    other.save_session("agent:main:cli:local", messages)
    path = next((tmp_path / "other").glob("*_chat.toon"))
    with open(path, "ab") as file:
        file.write(b"  - role: user\n    content: never counted\n")
    before = path.read_bytes()
    imported = sm.import_session(path)
    assert imported.session_id == "agent:main:cli:local" and sm.load_session(imported.session_id) == messages
    assert path.read_bytes() == before


def test_a_damaged_or_future_session_file_is_refused_with_its_reason(sm, tmp_path):
    sm.save_session("one", [{"role": "user", "content": "Hi"}])
    good = (tmp_path / "sessions" / "one_chat.toon").read_bytes()
    (tmp_path / "x.toon").write_bytes(good.replace(b"messages[1]", b"messages[2]"))
    with pytest.raises(FormatError, match="2 messages are counted"):
        sm.import_session(tmp_path / "x.toon")
    (tmp_path / "x.toon").write_bytes(good.replace(b"version: 1", b"version: 9"))
    with pytest.raises(FormatError, match="newer Scratchy"):
        sm.import_session(tmp_path / "x.toon")
    assert [row["id"] for row in sm.list_sessions()] == ["one"]


def test_a_compaction_comes_along_with_its_blob_only(sm, tmp_path):
    pad = Scratchpad(tmp_path / "sessions" / ".blobs")
    entry = pad.keep(b"the summary", "compaction")
    record = {"blob": entry, "cut": 1, "before": "trash-entry"}
    created = "2020-01-02T03:04:05.678Z"
    writer = sm.store.open("one", create=Header("one", created, created, None, {"compaction": record}))
    writer.append([{"role": "user", "content": "Hi"}])
    writer.close()
    sm.export_session("one", tmp_path / "x.toon")
    other = SessionManager(tmp_path / "elsewhere")
    there = other.import_session(tmp_path / "x.toon").session_id
    assert other.store.header(there)[0].metadata == {"compaction": {"blob": entry, "cut": 1}}
    os.rename(tmp_path / "x.blobs", tmp_path / "lost")
    there = other.import_session(tmp_path / "x.toon").session_id
    assert other.store.header(there)[0].metadata == {}


def test_a_long_session_that_is_damaged_at_its_end_is_not_half_there(sm, tmp_path):
    other = SessionManager(tmp_path / "other")
    other.save_session(
        "long", [{"role": "user", "content": "x" * 2_000_000}] * 20 + [{"role": "user", "content": "Hi"}]
    )
    path = next((tmp_path / "other").glob("*_chat.toon"))
    path.write_bytes(path.read_bytes().replace(b"content: Hi", b'content: "Hi'))
    with pytest.raises(FormatError, match="cannot be imported"):
        sm.import_session(path)
    assert sm.list_sessions() == []


def test_a_damaged_blob_stays_behind_and_that_is_said(sm, tmp_path):
    entry = store_whole(sm)
    (tmp_path / "sessions" / ".blobs" / entry).write_bytes(b"something else")
    for name in ("x.toon", "x.html", "full.json"):
        exported = sm.export_session("one", tmp_path / name, full=name.startswith("full"))
        assert any("damaged" in note for note in exported.notes)
    assert sm.load_session(sm.import_session(tmp_path / "full.json").session_id)


def test_many_that_are_taken_are_told_in_one_sentence(sm, tmp_path):
    conversations = [
        {"title": f"T{n}", "current_node": "a", "mapping": {"a": {"id": "a", "message": {
            "author": {"role": "user"}, "content": {"parts": [f"Hi {n}"]}}}}, "id": "same"}
        for n in range(12)
    ]  # fmt: skip
    (tmp_path / "conversations.json").write_text(json.dumps(conversations))
    imported = sm.import_session(tmp_path / "conversations.json")
    assert len(set(imported.session_ids)) == 12 and imported.notes[0].startswith("11 ids were taken")


@pytest.mark.parametrize("form", compose.WRITTEN)
def test_a_session_that_is_cut_while_it_is_exported_is_no_export(sm, tmp_path, form):
    sm.save_session("one", [{"role": "user", "content": "Hi"}])
    header, count = sm.store.header("one")
    stored = compose.Stored(header, sm.store.items("one"), count + 1)
    with pytest.raises(FormatError, match="Export it again"):
        compose.export(tmp_path / "x", form, stored, compose.open_scratchpad(sm.store))
    assert os.listdir(tmp_path) == ["sessions"]
