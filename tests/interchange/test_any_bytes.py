"""Any bytes into an import: sessions or an error of ours that can be shown, never another exception, never a hang."""

import json
import os
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchy import FormatError, MemoryStore, ScratchyError, SessionManager

REAL = sorted(path for path in Path(__file__).with_name("real").glob("*/*"))
NAMES = st.sampled_from(["x.json", "x.jsonl", "x.toon", "x.db", "x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
WORDS = st.sampled_from([
    "role", "content", "type", "message", "messages", "mapping", "payload", "sessionId", "uuid", "parentUuid", "id",
    "parentId", "parent", "children", "current_node", "author", "parts", "tool_calls", "function", "name", "arguments",
    "args", "result", "input", "output", "source", "usage", "timestamp", "metadata", "blobs", "text", "files",
    "compaction", "title", "assistant", "calls", "image_url", "call_id", "tool_use_id",
])  # fmt: skip
VALUES = (
    SCALARS
    | WORDS
    | st.sampled_from(["user", "assistant", "tool", "tool_call", "response_item", "session", "tool_use"])
)
TREES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=20
)


def import_(path: Path) -> None:
    sm = SessionManager(store=MemoryStore())
    try:
        imported = sm.import_session(path)
    except ScratchyError as error:
        assert str(error)
        return
    assert imported.session_ids and imported.skipped >= 0
    for session_id in imported.session_ids:
        assert all(isinstance(message["role"], str) for message in sm.load_session(session_id))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")), name=NAMES
)
def test_any_bytes(tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    import_(tmp_path / name)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    trees=st.lists(st.dictionaries(WORDS, TREES, max_size=6), min_size=1, max_size=4), name=NAMES, whole=st.booleans()
)
def test_any_json_with_words_that_formats_have(tmp_path, trees, name, whole):
    text = json.dumps(trees) if whole else "\n".join(json.dumps(tree) for tree in trees)
    (tmp_path / name).write_text(text)
    import_(tmp_path / name)


@pytest.mark.parametrize("source", REAL, ids=lambda path: path.parent.name)
def test_real_files_with_bytes_changed(tmp_path, source):
    data = source.read_bytes()
    dice = random.Random(source.name)
    for round_ in range(25):
        broken = bytearray(data)
        for _ in range(dice.choice([1, 3, 30])):
            at = dice.randrange(len(broken))
            match dice.choice(["flip", "cut", "zero", "copy", "quote"]):
                case "flip":
                    broken[at] ^= 1 << dice.randrange(8)
                case "cut":
                    del broken[at : at + dice.randrange(1, 200)]
                case "zero":
                    broken[at : at + 64] = bytes(len(broken[at : at + 64]))
                case "copy":
                    broken[at:at] = broken[at : at + 100]
                case _:
                    broken[at : at + 1] = dice.choice([b'"', b"{", b"}", b"[", b",", b"\n", b"null"])
            if not broken:
                break
        path = tmp_path / f"{round_}{source.suffix}"
        path.write_bytes(broken)
        import_(path)


def test_values_of_another_kind_in_every_place(tmp_path):
    for source in REAL:
        if source.suffix not in (".jsonl", ".json"):
            continue
        text = source.read_text()
        events = json.loads(text) if source.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
        for number, odd in enumerate([None, 7, "x", [], {}, [None], {"type": "text"}, True, 1e300, -1]):
            changed = [turned(event, odd, random.Random(number)) for event in events]
            path = tmp_path / "x"
            lines = "\n".join(json.dumps(event) for event in changed)
            path.write_text(json.dumps(changed) if source.suffix == ".json" else lines)
            import_(path)


def turned(value, odd, dice):
    """The value with here and there another in its place."""
    if dice.random() < 0.08:
        return odd
    if isinstance(value, dict):
        return {key: turned(item, odd, dice) for key, item in value.items()}
    return [turned(item, odd, dice) for item in value] if isinstance(value, list) else value


def test_a_database_with_values_of_another_kind(tmp_path):
    for source in REAL:
        if source.suffix != ".db":
            continue
        for odd in (None, 5, 1.5, b"\xff\x00", "x", '{"text_ref": 5}', '[{"literal": 3}]'):
            path = tmp_path / "logs.db"
            path.write_bytes(source.read_bytes())
            with sqlite3.connect(path) as database:
                for table in ("responses", "parts", "threads", "turns", "fragments", "tool_calls", "tool_results"):
                    columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
                    for column in columns:
                        if column not in ("id", "hash", "message_hash", "position", "conversation_id", "response_id"):
                            database.execute(f"update or ignore [{table}] set [{column}] = ? where rowid % 2", (odd,))
            database.close()
            import_(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    sm = SessionManager(tmp_path / "s")
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "a pipe or a device"), ("s", "a folder")):
        with pytest.raises(FormatError, match=said):
            sm.import_session(tmp_path / name)
    with pytest.raises(FormatError, match="a pipe or a device"):
        sm.import_session("/dev/zero")
    with pytest.raises(FileNotFoundError):
        sm.import_session(tmp_path / "missing")


@pytest.mark.parametrize(
    "content", ["", "hello", "<html></html>", "# A title\n\n## You\n", "{}", "7", '{"a": 1}\n{"b": 2}', "\0\0"]
)
def test_an_unknown_format_is_an_error_that_lists_them(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(FormatError) as caught:
        SessionManager(tmp_path / "s").import_session(tmp_path / "x.json")
    for name in ("JSON", "JSONL", ".toon", "Claude Code", "Codex", "aider", "llm", "ChatGPT"):
        assert name in str(caught.value)


def test_deep_and_huge_values_end_in_order(tmp_path):
    for content in (
        "[" * 200_000,
        '{"messages": ' + "[" * 200_000,
        '[{"role": "user", "content": 1' + "0" * 5000 + "}]",
    ):
        (tmp_path / "x.json").write_text(content)
        import_(tmp_path / "x.json")
