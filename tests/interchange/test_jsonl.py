"""Section L's lines: their shapes, what is skipped and counted, and messages that come one line at a time."""

import json
from pathlib import Path

import pytest

from scratchy import SessionManager
from scratchy.core.session import missing_results

TS = "2026-01-02T03:04:05.678Z"


def call(call_id: str, name: str, arguments: str) -> dict:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.fixture
def sm(tmp_path: Path) -> SessionManager:
    return SessionManager(tmp_path / "s")


def lines_of(sm: SessionManager, session_id: str, folder: Path) -> list[dict]:
    sm.export_session(session_id, folder / "x.jsonl")
    text = (folder / "x.jsonl").read_text()
    assert text.endswith("\n") and len(text.splitlines()) == text.count("\n")  # no U+2028 and the like in a line
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_the_documented_lines(sm, tmp_path):
    calls = [call("c1", "now", '{"zone": "UTC"}'), call("c2", "now", "{torn"), call("c3", "say", '{"a":1}')]
    sm.save_session(
        "one",
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What\u2028time?", "ts": TS},
            {"role": "assistant", "content": None, "tool_calls": calls, "ts": TS, "model": "m"},
            {"role": "tool", "tool_call_id": "c1", "name": "now", "content": "09:00", "ts": TS},
            {"role": "tool", "tool_call_id": "c2", "content": "no JSON", "ts": TS, "is_error": True},
            {"role": "tool", "tool_call_id": "c3", "name": "say", "content": "1", "ts": TS},
            {"role": "assistant", "content": "Nine.", "ts": TS},
        ],
    )
    lines = lines_of(sm, "one", tmp_path)
    assert [line["role"] for line in lines] == [
        "system", "user", *["tool_call"] * 3, *["tool_result"] * 3, "assistant"
    ]  # fmt: skip
    assert all(line["ts"].endswith("Z") for line in lines)
    assert [line["ts"] for line in lines[1:]] == [TS] * 8
    assert [(line["name"], line["args"]) for line in lines[2:5]] == [
        ("now", {"zone": "UTC"}), ("now", "{torn"), ("say", {"a": 1})
    ]  # fmt: skip
    assert [(line["name"], line["result"]) for line in lines[5:8]] == [
        ("now", "09:00"),
        ("now", "no JSON"),
        ("say", "1"),
    ]
    assert lines[1]["content"] == "What\u2028time?" and lines[8]["content"] == "Nine."
    back = sm.import_session(tmp_path / "x.jsonl")
    assert sm.load_session(back.session_id) == sm.load_session("one")


def test_lines_of_somebody_else_become_messages(sm, tmp_path):
    events = [
        {"role": "user", "content": "Hi", "ts": TS},
        {"role": "tool_call", "name": "a", "args": {"x": 1}, "ts": TS},
        {"role": "tool_call", "name": "a", "args": "raw", "ts": TS},
        {"role": "tool_call", "name": "b", "args": None, "ts": TS},
        {"role": "tool_result", "name": "b", "result": {"deep": [1]}, "ts": TS},
        {"role": "tool_result", "name": "a", "result": "first", "ts": TS},
        {"role": "tool_result", "name": "a", "result": "second", "ts": TS},
        {"role": "assistant", "content": "Done", "ts": TS},
    ]
    (tmp_path / "in.txt").write_text("\n".join(json.dumps(event) for event in events))
    imported = sm.import_session(tmp_path / "in.txt")
    messages = sm.load_session(imported.session_id)
    assert imported.session_id == "in" and imported.skipped == 0
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "tool", "assistant"]
    made = messages[1]["tool_calls"]
    assert [one["function"]["arguments"] for one in made] == ['{"x": 1}', "raw", "null"]
    assert [message["tool_call_id"] for message in messages[2:5]] == [made[2]["id"], made[0]["id"], made[1]["id"]]
    assert messages[2]["content"] == '{"deep": [1]}' and {message["ts"] for message in messages} == {TS}


def test_what_does_not_parse_is_skipped_and_counted(sm, tmp_path):
    good = json.dumps({"role": "user", "content": "Hi"}).encode()
    lines = [b'{"role": "us', good, b"", b"   ", b"not json", b"[1]", b'"x"', b'{"content": 1}', b"\xff\xfe", good,
             b'{"role": ""}', b'{"role": "tool_call"}', b"\xef\xbb\xbf" + good, b"[" * 100_000, good[:-4]]  # fmt: skip
    for end in (b"\n", b"\r\n"):
        (tmp_path / "in.jsonl").write_bytes(end.join(lines))
        imported = sm.import_session(tmp_path / "in.jsonl")
        assert imported.skipped == 10
        assert sm.load_session(imported.session_id) == [{"role": "user", "content": "Hi"}] * 3


def test_what_cannot_be_stored_is_counted_too(sm, tmp_path):
    deep = "[" * 150 + "]" * 150
    (tmp_path / "in.jsonl").write_text(f'{{"role": "user", "content": {deep}}}\n{{"role": "user", "content": "Hi"}}\n')
    imported = sm.import_session(tmp_path / "in.jsonl")
    assert imported.skipped == 1 and len(sm.load_session(imported.session_id)) == 1


def test_messages_that_come_a_line_at_a_time(sm):
    for event in (
        {"role": "user", "content": "Hi", "ts": TS},
        {"role": "tool_call", "name": "a", "args": {"x": 1}, "ts": TS},
        {"role": "tool_call", "name": "b", "args": {}},
        {"role": "tool_result", "name": "b", "result": "B"},
        {"role": "tool_result", "name": "a", "result": {"n": 1}},
        {"role": "assistant", "content": "Done"},
    ):
        sm.append_message("bot", event)
    messages = sm.load_session("bot")
    assert [message["role"] for message in messages] == ["user", "assistant", "assistant", "tool", "tool", "assistant"]
    first, second = messages[1]["tool_calls"][0], messages[2]["tool_calls"][0]
    assert first["id"] != second["id"] and messages[1]["ts"] == TS
    assert [message["tool_call_id"] for message in messages[3:5]] == [second["id"], first["id"]]
    assert messages[4]["content"] == '{"n": 1}' and missing_results(messages) == []


def test_a_call_without_a_name_touches_nothing(sm):
    with pytest.raises(ValueError, match="name"):
        sm.append_message("bot", {"role": "tool_call", "args": {}})
    with pytest.raises(TypeError):
        sm.append_message("bot", {"args": {}})
    assert not sm.session_exists("bot")


def test_results_pair_across_processes_by_what_is_stored(sm, tmp_path):
    sm.append_message("bot", {"role": "tool_call", "name": "a", "args": {}})
    other = SessionManager(tmp_path / "s")
    other.append_message("bot", {"role": "tool_result", "name": "a", "result": "A"})
    other.append_message("bot", {"role": "tool_call", "name": "a", "args": {}})
    other.append_message("bot", {"role": "tool_result", "name": "a", "result": "AA"})
    messages = other.load_session("bot")
    assert messages[0]["tool_calls"][0]["id"] == messages[1]["tool_call_id"]
    assert messages[2]["tool_calls"][0]["id"] == messages[3]["tool_call_id"] != messages[1]["tool_call_id"]
