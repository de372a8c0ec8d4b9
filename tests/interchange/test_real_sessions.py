"""Files that other programs wrote (real/README.md), imported and compared message by message."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from scratchy import FormatError, SessionManager

REAL = Path(__file__).with_name("real")
CODE = "Hello Hao! 你好 👋\n\n```python\nprint('hi')\n```"
SAID = "The tool said: **hello**, `x < y` & more."


def real(folder: str) -> Path:
    return next(path for path in (REAL / folder).iterdir())


def taken_in(sm: SessionManager, folder: str) -> list[list[dict]]:
    """The sessions that come of a fixture, without what is told of each answer."""
    imported = sm.import_session(real(folder))
    assert imported.skipped == 0 and imported.session_id == imported.session_ids[-1]
    return [[bare(message) for message in sm.load_session(session_id)] for session_id in imported.session_ids]


def bare(message: dict) -> dict:
    return {key: value for key, value in message.items() if key not in ("ts", "model", "usage", "duration_ms")}


def call(call_id: str, name: str, **arguments: str) -> dict:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


def result(call_id: str, name: str, content: str) -> dict:
    return {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}


@pytest.fixture
def sm(tmp_path: Path) -> SessionManager:
    return SessionManager(tmp_path / "sessions")


def test_codex(sm):
    output = (
        "Chunk ID: a8e981\nWall time: 0.0280 seconds\nProcess exited with code 0\nOriginal token count: 5\n"
        "Output:\nhello from a tool\n"
    )
    call_ = call("call_abc1", "exec_command", cmd="echo hello from a tool")
    assert taken_in(sm, "codex-0.169.0") == [
        [
            {"role": "user", "content": "My name is Hao. Use a tool please."},
            {"role": "assistant", "content": "", "tool_calls": [call_]},
            result("call_abc1", "exec_command", output),
            {"role": "assistant", "content": SAID},
            {"role": "user", "content": "What is my name?"},
            {"role": "assistant", "content": "Your name is Hao."},
        ]
    ]
    row = sm.list_sessions()[0]
    assert row["id"] == "codex-1a03171e"
    assert sm.store.header(row["id"])[0].created_at == "2026-11-21T17:28:00.275Z"
    assert sm.load_session(row["id"])[0]["ts"] == "2026-11-21T17:28:00.348Z"
    assert sm.load_session(row["id"])[1]["model"] == "fake-1"


def test_claude_code(sm):
    call_ = call("toolu_abc1", "Bash", command="echo hello from a tool", description="Say hello")
    assert taken_in(sm, "claude-code-2.1.197") == [
        [
            {"role": "user", "content": "My name is Hao. Use a tool please."},
            {"role": "assistant", "content": "Let me look.", "stop_reason": "tool_calls", "tool_calls": [call_]},
            result("toolu_abc1", "Bash", "hello from a tool"),
            {"role": "assistant", "content": SAID, "stop_reason": "stop"},
            {"role": "user", "content": "What is my name?"},
            {"role": "assistant", "content": "Your name is Hao.", "stop_reason": "stop"},
        ]
    ]
    stored = sm.load_session("claude-7a7a1ff1")
    assert stored[1]["usage"] == {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}


def test_pi(sm):
    call_ = call("call_abc1", "bash", command="echo hello from a tool")
    assert taken_in(sm, "pi-0.73.1") == [
        [
            {"role": "user", "content": "My name is Hao. Use a tool please."},
            {"role": "assistant", "content": "Let me look.", "stop_reason": "tool_calls", "tool_calls": [call_]},
            result("call_abc1", "bash", "hello from a tool\n"),
            {"role": "assistant", "content": SAID, "stop_reason": "stop"},
            {"role": "user", "content": "What is my name?"},
            {"role": "assistant", "content": "Your name is Hao.", "stop_reason": "stop"},
        ]
    ]


def test_aider(sm):
    answer = {"role": "assistant", "content": CODE}
    assert taken_in(sm, "aider-0.86.2") == [
        [{"role": "user", "content": "My name is Hao."}, *[answer] * 4],  # it asked again: the answer was no edit
        [
            {"role": "user", "content": "What is my name?\nSay it\ntwice."},
            {"role": "assistant", "content": "Your name is Hao."},
        ],
    ]
    assert {row["id"] for row in sm.list_sessions()} == {"aider-2026-11-21-17-28-06", "aider-2026-11-21-17-28-11"}


@pytest.mark.parametrize(("version", "fragment"), [("0.27.1", "\n"), ("0.36", "\n\na fragment\n ")])
def test_llm(sm, version, fragment):
    upper = 'def upper(text: str) -> str:\n    "Upper-case"\n    return text.upper()\n'
    assert taken_in(sm, f"llm-{version}") == [
        [
            {"role": "system", "content": "You are brief."},
            {"role": "user", "content": "My name is Hao."},
            {"role": "assistant", "content": CODE},
            {"role": "user", "content": "What is my name?"},
            {"role": "assistant", "content": "Your name is Hao."},
        ],
        [
            {"role": "user", "content": "Use a tool please"},
            {"role": "assistant", "content": "Let me look.", "tool_calls": [call("call_abc1", "upper", text="hao")]},
            result("call_abc1", "upper", "HAO"),
            {"role": "assistant", "content": SAID},
        ],
        [
            {
                "role": "user",
                "content": upper + fragment.removeprefix("\n" if version == "0.36" else "") + "Look at it",
            },
            {"role": "assistant", "content": CODE},
        ],
    ]
    titles = {row["title"] for row in sm.list_sessions()}
    assert {"My name is Hao.", "Use a tool please"} <= titles


def test_chatgpt(sm):
    imported = sm.import_session(real("chatgpt-by-hand"))
    assert imported.session_ids == ["chatgpt-efabcdef", "chatgpt-56789abc"]
    assert [bare(message) for message in sm.load_session("chatgpt-efabcdef")] == [
        {"role": "user", "content": "My name is Hao. 你好 👋"},
        {"role": "assistant", "content": "Hello Hao!"},
        {"role": "user", "content": "What is my name?"},
        {"role": "assistant", "content": "print('Hao')"},
        {"role": "assistant", "content": "[python]\nHao"},
        {"role": "assistant", "content": "Your name is Hao."},
    ]
    header = sm.store.header("chatgpt-efabcdef")[0]
    assert header.title == "Names" and header.created_at == "2024-11-21T14:40:00.000Z"
    assert "1 message of another branch left out." in imported.notes
    assert "1 part that is no text left out." in imported.notes


@pytest.mark.parametrize(
    ("name", "created", "last", "title"),
    [
        ("claude-code-2.1.197", "2026-11-21T17:2", "2026-11-21T17:2", "My name is Hao."),
        ("codex-0.169.0", "2026-11-21T17:2", "2026-11-21T17:2", "My name is Hao."),
        ("pi-0.73.1", "2026-11-21T17:2", "2026-11-21T17:2", "My name is Hao."),
        ("llm-0.36", "2026-11-21T17:2", "2026-11-21T17:2", None),
        ("chatgpt-by-hand", "2024-11-2", "2024-11-2", None),
    ],
)
def test_an_import_keeps_when_it_was_and_has_a_title(sm, name, created, last, title):
    for session_id in sm.import_session(real(name)).session_ids:
        header = sm.store.header(session_id)[0]
        assert header.created_at.startswith(created) and header.updated_at.startswith(last), header
        assert header.title and title in (None, header.title), header


def test_nothing_that_an_llm_database_would_compute_is_computed(sm, tmp_path):
    path = tmp_path / "logs.db"
    with sqlite3.connect(path) as database:
        database.executescript("""
            create table conversations(id text, name text);
            create table responses(id text, prompt text, conversation_id text,
                big text generated always as (hex(zeroblob(9000000))) virtual);
            insert into conversations values('c', 'n');
            insert into responses(id, prompt, conversation_id) values('r', 'Hi', 'c');
        """)
    with pytest.raises(FormatError, match="'responses' has computed columns"):
        sm.import_session(path)
    assert sm.list_sessions() == []


def test_when_a_chat_of_aider_began_is_local_time(sm):
    sm.import_session(real("aider-0.86.2"))
    rows = {row["id"]: (row["created_at"], row["last_activity"]) for row in sm.list_sessions()}
    assert rows["aider-2026-11-21-17-28-06"] == ("2026-11-21T17:28:06", "2026-11-21T17:28:06")


def test_one_conversation_of_many_cannot_be_named(sm):
    with pytest.raises(FormatError, match="several conversations"):
        sm.import_session(real("llm-0.36"), "mine")
    assert sm.list_sessions() == []


def test_twice_is_two_sessions_and_said(sm):
    first, second = sm.import_session(real("pi-0.73.1")), sm.import_session(real("pi-0.73.1"))
    assert (first.session_id, second.session_id) == ("pi-c53f4a8a", "pi-c53f4a8a-2")
    assert first.notes == [] and "'pi-c53f4a8a' is taken" in second.notes[0]
    assert sm.load_session(first.session_id) == sm.load_session(second.session_id)


def test_the_file_is_only_read(sm, tmp_path):
    for folder in sorted(path for path in REAL.iterdir() if path.is_dir()):
        source = real(folder.name)
        copy = tmp_path / source.name
        copy.write_bytes(source.read_bytes())
        copy.chmod(0o400)
        sm.import_session(copy)
        assert copy.read_bytes() == source.read_bytes()
        assert [path for path in os.listdir(tmp_path) if path.startswith(copy.name)] == [copy.name]
        copy.unlink()


def test_a_rewound_claude_session_gives_the_branch_that_is_current(sm, tmp_path):
    def line(own: str, parent: str | None, role: str, content, **more) -> str:
        entry = {"uuid": own, "parentUuid": parent, "type": role, "sessionId": "s1234567-x", "timestamp": "2026-01-01"}
        return json.dumps(entry | {"message": {"role": role, "content": content, "id": own}} | more)

    words = [{"type": "text", "text": "no"}]
    refused = {"type": "tool_result", "tool_use_id": "t1", "content": words, "is_error": True}
    lines = [
        json.dumps({"type": "summary", "summary": "About\n names", "leafUuid": "a2", "sessionId": "s1234567-x"}),
        line("u1", None, "user", "Hi"),
        line("a1", "u1", "assistant", [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}]),
        line("u2", "a1", "user", "Wrong"),
        line("a2", "u2", "assistant", [{"type": "text", "text": "Gone"}]),
        line("x1", "a2", "user", "Aside", isSidechain=True),
        "{torn",
        "",
        line("u3", "a1", "user", [{"type": "text", "text": "Right"}, picture("image/png", "aGk=")]),
        line("a3", "u3", "assistant", [{"type": "tool_use", "id": "t1", "name": "Read", "input": {"n": 1}}]),
        line("r3", "a3", "user", [refused]),
    ]
    path = tmp_path / "any.name"
    path.write_text("\n".join(lines))
    imported = sm.import_session(path)
    assert imported.skipped == 1 and sm.list_sessions()[0]["title"] == "About names"
    parts = [
        {"type": "text", "text": "Right"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]
    assert [bare(message) for message in sm.load_session(imported.session_id)] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "", "tool_calls": [call_of_one("t1")]},
        {"role": "tool", "tool_call_id": "t1", "name": "Read", "content": "no", "is_error": True},
    ]
    assert imported.notes == [
        "3 messages of an abandoned branch left out.",
        "1 block of thinking left out.",
    ]


def picture(media_type: str, data: str) -> dict:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def call_of_one(call_id: str) -> dict:
    return {"id": call_id, "type": "function", "function": {"name": "Read", "arguments": '{"n": 1}'}}


def test_an_old_llm_log_that_a_newer_one_went_on_with_gives_each_conversation_once(sm, tmp_path):
    path = tmp_path / "logs.db"
    path.write_bytes(real("llm-0.36").read_bytes())
    with sqlite3.connect(path) as database:
        thread = database.execute("select id, name from threads order by id").fetchone()
        database.execute("insert into conversations (id, name, model) values (?, ?, 'old')", thread)
    database.close()
    assert len(sm.import_session(path).session_ids) == 3


def test_a_database_of_somebody_else_is_refused(sm, tmp_path):
    path = tmp_path / "logs.db"
    with sqlite3.connect(path) as database:
        database.execute("create view responses as select 1 as id")
        database.execute("create table notes (text)")
    database.close()
    with pytest.raises(FormatError, match="not llm's"):
        sm.import_session(path)


def test_a_branched_pi_session_gives_the_way_to_its_last_entry(sm, tmp_path):
    def entry(own: str, parent: str | None, text: str, role: str = "user") -> dict:
        message = {"role": role, "content": [{"type": "text", "text": text}]}
        return {"type": "message", "id": own, "parentId": parent, "timestamp": "2026-01-01", "message": message}

    entries = [
        {"type": "session", "version": 3, "id": "0123456789", "timestamp": "2026-01-01T00:00:00Z"},
        entry("a", None, "Hi"),
        entry("b", "a", "Left", "assistant"),
        entry("c", "a", "Right", "assistant"),
        {"type": "session_info", "id": "d", "parentId": "c", "name": "Two ways"},
        entry("e", "d", "On"),
        entry("f", "e", "Odd", "bashExecution"),
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(one) for one in entries))
    imported = sm.import_session(tmp_path / "x.jsonl")
    assert [message["content"] for message in sm.load_session("pi-23456789")] == ["Hi", "Right", "On"]
    assert imported.skipped == 1 and imported.notes == ["1 message of another branch left out."]
    assert sm.list_sessions()[0]["title"] == "Two ways"


def test_older_codex_sessions(sm, tmp_path):
    items = [
        {"id": "0199-abcdef01", "timestamp": "2025-05-01T00:00:00Z", "instructions": "…"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>x"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "c1"},
        {"type": "local_shell_call", "id": "c2", "call_id": None, "action": {"type": "exec", "command": ["ls"]}},
        {"type": "function_call_output", "call_id": "c1", "output": '{"output":"a.txt\\n","metadata":{"exit_code":0}}'},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "b.txt"}]},
        {"record_type": "state"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Two files."}]},
    ]
    (tmp_path / "rollout.jsonl").write_text("\n".join(json.dumps(item) for item in items))
    imported = sm.import_session(tmp_path / "rollout.jsonl")
    messages = sm.load_session(imported.session_id)
    assert imported.session_id == "codex-abcdef01"
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [one["function"]["name"] for one in messages[1]["tool_calls"]] == ["shell", "local_shell"]
    assert [message["content"] for message in messages[2:]] == ["a.txt\n", "b.txt", "Two files."]
    assert imported.notes == ["1 piece of reasoning left out.", "1 message of Codex itself left out."]


def test_a_chatgpt_conversation_without_a_current_node_gives_its_newest_leaf(sm, tmp_path):
    def node(own: str, parent: str | None, children: list[str], when: float) -> dict:
        message = {"author": {"role": "user"}, "content": {"parts": [own]}, "create_time": when}
        return {"id": own, "parent": parent, "children": children, "message": message}

    mapping = {"a": node("a", None, ["b", "c"], 1), "b": node("b", "a", [], 3), "c": node("c", "a", [], 2)}
    (tmp_path / "x").write_text(json.dumps({"mapping": mapping, "title": None}))
    imported = sm.import_session(tmp_path / "x")
    assert [message["content"] for message in sm.load_session(imported.session_id)] == ["a", "b"]


def test_tables_that_compute_are_not_read(sm, tmp_path):
    with sqlite3.connect(tmp_path / "logs.db") as database:
        database.execute("create virtual table responses using fts5(id, conversation_id)")
    database.close()
    with pytest.raises(FormatError, match="not llm's"):
        sm.import_session(tmp_path / "logs.db")
