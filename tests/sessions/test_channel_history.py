"""The last turns of a session, and the live transcript beside it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sessionbench import SYSTEM, answer, calling, converse, take, user

from scratchy import Agent, ScriptedProvider, SessionManager, compose, resolve_session_id
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore

ROOT = Path(__file__).parents[2]


class CountingDisk(Disk):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, handle: int, size: int, offset: int) -> bytes:
        data = super().read(handle, size, offset)
        self.taken += len(data)
        return data


def exchange(number: int) -> list[dict]:
    result = {"role": "tool", "tool_call_id": f"c{number}", "name": "add", "content": "3"}
    return [user(f"Question {number}"), calling("add", {"a": 1}, f"c{number}"), result, answer(f"Answer {number}")]


def flat(turns: list[list[dict]]) -> list[dict]:
    return [message for turn in turns for message in turn]


# -- the last turns


def test_parallel_calls_that_came_a_line_at_a_time_are_one_message(tmp_path):
    sm = SessionManager(tmp_path)
    lines = [
        user("Go"),
        {"role": "tool_call", "name": "add", "args": {"a": 1}, "id": "c1"},
        {"role": "tool_call", "name": "add", "args": {"a": 2}, "id": "c2"},
        {"role": "tool_result", "name": "add", "result": "1", "id": "c1"},
        {"role": "tool_result", "name": "add", "result": "2", "id": "c2"},
        {"role": "tool_call", "name": "add", "args": {"a": 3}, "id": "c3"},
    ]
    for line in lines:
        sm.append_message("s", line)
    for turns in (1, 20):
        history = sm.load_recent_history("s", turns)
        assert [[call["id"] for call in message.get("tool_calls", ())] for message in history] == [
            [], ["c1", "c2"], [], [], ["c3"],
        ]  # fmt: skip


def test_my_name_is_hao(tmp_path):
    """Said, restarted, asked: what is sent holds the answer."""
    session_id = resolve_session_id("telegram", "42")
    bot = SessionManager(tmp_path)
    bot.append_message(session_id, user("My name is Hao."))
    bot.append_message(session_id, answer("Hello Hao!"))
    program = (
        "import json, sys\nfrom scratchy import SessionManager\n"
        f"print(json.dumps(SessionManager({str(tmp_path)!r}).load_recent_history({session_id!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [user("My name is Hao."), answer("Hello Hao!")]
    script = ScriptedProvider(["Hao."])
    agent = Agent(llm=script, sessions=SessionManager(tmp_path))
    assert asyncio.run(agent.chat("What's my name?", session_id=session_id)) == "Hao."
    sent = script.requests[0]["messages"]
    assert any(message["content"] == "My name is Hao." for message in sent) and sent[-1]["content"] == "What's my name?"


@pytest.mark.parametrize("system", [[], [SYSTEM]])
@pytest.mark.parametrize("before", [[], [answer("I am here.")]])
def test_turns_are_whole_and_the_system_message_stays(tmp_path, system, before):
    sm = SessionManager(tmp_path)
    turns = [exchange(number) for number in range(40)]
    sm.save_session("s", [*system, *before, *flat(turns)])
    for wanted in (1, 2, 13, 39):
        assert sm.load_recent_history("s", max_turns=wanted) == [*system, *flat(turns[-wanted:])]
    assert sm.load_recent_history("s") == [*system, *flat(turns[-20:])]
    assert sm.load_recent_history("s", 41) == [*system, *before, *flat(turns)]
    assert sm.load_recent_history("s", max_turns=0) == system


def test_a_turn_of_many_messages_is_not_cut(tmp_path):
    sm = SessionManager(tmp_path)
    long = [user("Go"), *(message for number in range(300) for message in exchange(number)[1:])]
    sm.save_session("s", [SYSTEM, user("Before"), *long])
    assert sm.load_recent_history("s", 1) == [SYSTEM, *long]


def test_an_unknown_session_is_empty_and_not_made(tmp_path):
    sm = SessionManager(tmp_path / "s")
    assert sm.load_recent_history("nobody") == [] and sm.list_sessions() == []
    with pytest.raises(ValueError, match="empty"):
        sm.load_recent_history("")


def test_only_the_end_of_a_long_session_is_read(tmp_path):
    sm = SessionManager(tmp_path)
    text = "x" * 2000
    sm.save_session("s", [SYSTEM, *[user(text), answer(text)] * 3000])
    size = next(tmp_path.glob("*_chat.toon")).stat().st_size
    disk = CountingDisk()
    history = SessionManager(store=FileStore(tmp_path, disk=disk)).load_recent_history("s", 5)
    assert len(history) == 11 and size > 12_000_000 and disk.taken < 2_000_000


# -- the live transcript


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_a_transcript_is_there_only_when_wanted(tmp_path, monkeypatch):
    sm = SessionManager(tmp_path)
    sm.append_message("A b", user("Hi"))
    path = sm.transcript_path("A b")
    assert path == tmp_path / "%41%20b_transcript.jsonl" and not path.exists()
    monkeypatch.setenv("SCRATCHY_TRANSCRIPT", "1")
    SessionManager(tmp_path).append_message("A b", user("Ho"))
    assert [line["content"] for line in lines(path)] == ["Ho"] and path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="control"):
        sm.transcript_path("a\nb")
    with pytest.raises(ValueError, match="memory"):
        SessionManager(store="memory://", transcript=True).transcript_path("x")


def test_saves_appends_and_clears_only_add_lines(tmp_path):
    sm = SessionManager(tmp_path, transcript=True)
    sm.save_session("s", [SYSTEM, user("One")])
    sm.save_session("s", [SYSTEM, user("One"), answer("Two")])
    sm.save_session("s", [SYSTEM])  # a clear
    sm.append_message("s", {"role": "tool_call", "name": "a", "args": {"x": 1}})
    sm.save_session("s", [SYSTEM, user("Edited")])
    shown = lines(sm.transcript_path("s"))
    assert [(line["role"], line.get("content", line.get("args"))) for line in shown] == [
        ("system", SYSTEM["content"]),
        ("user", "One"),
        ("assistant", "Two"),
        ("tool_call", {"x": 1}),
        ("user", "Edited"),
    ]
    assert all(line["ts"].endswith("Z") for line in shown)
    assert sm.load_session("s") == [SYSTEM, user("Edited")]


def test_turns_of_a_conversation_are_in_it(tmp_path):
    sm = SessionManager(tmp_path, transcript=True)

    async def run() -> None:
        conversation = converse(sm.store, ScriptedProvider(["Hello!"]))
        await take(conversation, "Hi")
        await conversation.clear()
        await conversation.close()

    asyncio.run(run())
    assert [line["role"] for line in lines(sm.transcript_path("s"))] == ["system", "user", "assistant"]


def test_an_agent_writes_it_too_and_saves_as_ever(tmp_path):
    sm = SessionManager(tmp_path, transcript=True)
    agent = Agent(llm=ScriptedProvider(["Hello!", "Again!"]), sessions=sm)
    asyncio.run(agent.chat("Hi", session_id="s"))
    agent.get_session("s").messages.append(user("A note"))
    asyncio.run(agent.chat("Ho", session_id="s"))
    contents = [line["content"] for line in lines(sm.transcript_path("s"))[1:]]
    assert contents == ["Hi", "Hello!", "A note", "Ho", "Again!"]


def test_a_torn_last_line_swallows_nothing(tmp_path):
    sm = SessionManager(tmp_path, transcript=True)
    sm.append_message("s", user("One"))
    with open(sm.transcript_path("s"), "ab") as file:
        file.write(b'{"role": "user", "cont')
    sm.append_message("s", user("Two"))
    assert len(sm.transcript_path("s").read_text().split("\n")) == 4
    imported = sm.import_session(sm.transcript_path("s"), "back")
    assert imported.skipped == 1
    assert [message["content"] for message in sm.load_session("back")] == ["One", "Two"]


@pytest.mark.parametrize("stands_there", ["folder", "link", "fifo"])
def test_one_that_cannot_be_written_is_said_once_and_fails_no_save(tmp_path, stands_there):
    sm = SessionManager(tmp_path, transcript=True)
    path = sm.transcript_path("s")
    tmp_path.joinpath("elsewhere").write_text("mine")
    match stands_there:
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
        case _:
            os.mkfifo(path)
    with sm.opened("s", create=True) as writer:
        writer.append([user("One")])
        writer.append([answer("Two")])
        assert len(writer.notices) == 1 and "s_transcript.jsonl cannot be written" in writer.notices[0]
    assert sm.load_session("s") == [user("One"), answer("Two")]
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_it_follows_its_session(tmp_path):
    sm = SessionManager(tmp_path, transcript=True)
    sm.append_message("s", user("One"))
    sm.rename("s", "t")
    assert not sm.transcript_path("s").exists() and len(lines(sm.transcript_path("t"))) == 1
    sm.append_message("t", user("Two"))
    sm.delete_session("t")
    assert not sm.transcript_path("t").exists()
    sm.restore("t")
    assert len(lines(sm.transcript_path("t"))) == 2


def test_the_index_is_the_same_one(tmp_path):
    sm, plain = SessionManager(tmp_path, transcript=True), SessionManager(tmp_path)
    assert compose.open_index(sm.store) is compose.open_index(plain.store)


def test_two_managers_of_one_folder_see_the_same(tmp_path):
    sm, plain = SessionManager(tmp_path, transcript=True), SessionManager(tmp_path)
    sm.save_session("s", [user("One")])
    plain.save_session("s", [user("One"), answer("Two")])
    sm.save_session("s", [user("One"), answer("Two"), user("Three")])  # no conflict: one process
    twice = SessionManager(store=sm.store, transcript=True)
    twice.append_message("s", answer("Four"))
    assert [line["content"] for line in lines(sm.transcript_path("s"))] == ["One", "Three", "Four"]
