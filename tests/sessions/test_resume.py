"""A resumed session asks what it asked before, and then some: its request is the last one's bytes plus what is new,
across processes, kills, other folders and trimmed contexts, so that the provider's cache still knows it."""

import json
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from model_server import Request, delta, hello, sse, stream, whole
from programs import Home, posts, serving
from sessionbench import answer, converse, run, scripted, take, user

from scratchy import SessionManager
from scratchy.sessions.opening import SHOWN, TAIL, open_session
from scratchy.sessions.part import SLICE
from scratchy.store.files import FileStore

END = b'],"stream":true'


def grows(before: Request, after: Request) -> bool:
    """The same bytes before the messages, in them and behind them; after the last one more may stand."""
    start, rest = before.body[: before.body.rindex(END)], before.body[before.body.rindex(END) :]
    return after.body.startswith(start) and after.body[len(start) :].endswith(rest)


def assert_each_grows(asked: list[Request]) -> None:
    for before, after in pairwise(asked):
        assert grows(before, after), (before.json["messages"][-2:], after.json["messages"][-4:])


def calling(name: str, arguments: dict[str, Any], number: int = 0) -> Any:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": f"call_{number}", "type": "function", "function": function}
    return stream(*sse(delta("Let me look.", tool_calls=[call]), delta(finish="tool_calls")))


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def at(server: Any, *flags: str) -> list[str]:
    return ["--provider", "openai", "--base-url", server.url, "-m", "tiny", "-y", "-s", "long", *flags]


ANSWER = stream(*hello('Straße "quoted" 漢字 🤖 \u2028 \x7f\\n 1.0'))


def test_the_next_process_asks_with_the_bytes_of_the_last_one(home):
    (home.work / "notes.txt").write_text("\ttabs, \x01 control, 'quotes' and 漢字\n" * 3)
    (home.folder / "other").mkdir()
    plays = [
        calling("read_file", {"file_path": "notes.txt"}), ANSWER, ANSWER, calling("list_files", {}, 1),
        calling("nobody", {"x": 1.0}, 2), calling("read_file", {"file_path": 5}, 3), ANSWER,
    ]  # fmt: skip
    with serving(*plays) as server:
        home.run(*at(server), stdin="Read my notes\n  And\tagain  \n")
        home.run(*at(server), stdin="Now list\n")
        home.run(*at(server, "-p", "In one shot"))
        home.run(*at(server, "--cwd", str(home.folder / "other")), stdin="From another folder\n")
        home.run(*at(server), stdin="/title Another\n/tag +x\n/model tiny\nAnd named\n")
        asked = posts(server)
    assert len(asked) >= 10
    assert_each_grows(asked)
    assert "tools" in asked[0].json and asked[0].json["tools"] == asked[-1].json["tools"]


@pytest.mark.parametrize("moment", ["in a tool", "in an answer"])
def test_after_a_kill_and_its_healing_the_bytes_are_still_there(home, moment):
    sleep = calling("execute_command", {"command": "touch began; sleep 60"})
    half = stream(*sse(delta("Half an ans"), done=False), end="hang")
    with serving(ANSWER, sleep if moment == "in a tool" else half, ANSWER) as server:
        child = home.start(*at(server))
        assert child.stdin is not None
        child.stdin.write(b"One\nTwo\n")
        child.stdin.flush()
        wait_for(lambda: len(posts(server)) == 2)
        if moment == "in a tool":
            wait_for((home.work / "began").exists)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        home.run(*at(server), stdin="Three\n")
        home.run(*at(server), stdin="Four\n")
        asked = posts(server)
    assert len(asked) == 4
    if moment == "in a tool":
        assert_each_grows(asked)
        assert asked[2].json["messages"][-2]["role"] == "tool"
    else:  # two lines of the person, neither answered, are one message: its beginning stays the same
        last = json.dumps(asked[1].json["messages"][-1], ensure_ascii=False, separators=(",", ":"))
        assert last.removesuffix('"}').encode() in asked[2].body and grows(asked[0], asked[1])
        assert_each_grows(asked[2:])


def long_transcript(count: int, size: int = 2000) -> list[dict[str, Any]]:
    said = [f"{number}: {'word ' * (size // 5)}" for number in range(count)]
    return [{"role": "system", "content": "Be brief."}] + [
        user(text) if number % 2 == 0 else answer(text) for number, text in enumerate(said)
    ]


def test_a_context_that_does_not_hold_the_whole_begins_where_it_began_last_time(home):
    home.save("long", *long_transcript(1200))
    too_long = {"message": "maximum context length is 100000 tokens. However, you requested 250000 tokens",
                "type": "invalid_request_error", "code": "context_length_exceeded"}  # fmt: skip
    refusal = whole(400, {"error": too_long})
    with serving(ANSWER, ANSWER, ANSWER, refusal, ANSWER) as server:
        home.run(*at(server), stdin="One\nTwo\n")
        home.run(*at(server), stdin="Three\n")
        home.run(*at(server), stdin="Four\n")
        home.run(*at(server), stdin="Five\n")
        home.run(*at(server), stdin="Six\n")
        asked = posts(server)
    assert len(asked) == 7
    first = asked[0].json["messages"]
    assert first[0] == {"role": "system", "content": "Be brief."} and first[1]["role"] == "user"
    assert 100 < len(first) < 700
    assert_each_grows(asked[:4])
    assert len(asked[4].body) < len(asked[3].body) and grows(asked[4], asked[5]) and grows(asked[5], asked[6])
    start = FileStore(home.sessions).header("long")[0].metadata["context_start"]
    whole_ = home.load("long")
    assert whole_ is not None and whole_[start]["content"] in asked[4].json["messages"][1]["content"]
    assert len(whole_) == 1201 + 2 * 6


def test_a_rewind_before_the_contexts_beginning_starts_anew(tmp_path):
    store = FileStore(tmp_path)
    SessionManager(tmp_path).save_session("s", long_transcript(1200))
    conversation = converse(store, scripted("a", "b", "c"))
    run(take(conversation, "One"))
    assert store.header("s")[0].metadata["context_start"] > 100
    run(conversation.cut(41))
    run(take(conversation, "Two"))
    assert "context_start" not in store.header("s")[0].metadata
    assert conversation.count == 43
    run(conversation.close())


def test_another_model_may_hold_more(tmp_path):
    store = FileStore(tmp_path)
    SessionManager(tmp_path).save_session("s", long_transcript(1200))
    small = converse(store, scripted("a", window=10_000), facts=lambda: {"model": "small"})
    run(take(small, "One"))
    start = store.header("s")[0].metadata["context_start"]
    assert start > 100
    run(small.close())
    large = converse(store, scripted("b", window=1_000_000))
    run(take(large, "Two"))
    assert loaded(large) == large.count == 1205 and "context_start" not in store.header("s")[0].metadata
    run(large.close())


# -- big sessions: nothing reads more than it needs


def loaded(conversation: Any) -> int:
    return len(conversation.session.messages)


def test_the_first_turn_reads_what_a_request_holds_and_nothing_else_reads_more(tmp_path):
    store = FileStore(tmp_path)
    SessionManager(tmp_path).save_session("s", long_transcript(3000, 500))
    conversation = converse(store, scripted("a", window=10_000))
    assert loaded(conversation) == TAIL and conversation.count == 3001
    run(conversation.edit(title="Named"))
    run(conversation.set_system("Be long."))
    assert loaded(conversation) == TAIL and conversation.count == 3001
    run(take(conversation, "Now"))
    assert TAIL < loaded(conversation) <= TAIL + 2 * SLICE
    run(conversation.close())
    messages = SessionManager(tmp_path).load_session("s")
    assert messages is not None and len(messages) == 3003
    assert (
        messages[0] == {"role": "system", "content": "Be long."} and messages[1:3001] == long_transcript(3000, 500)[1:]
    )
    run((again := converse(store, scripted("b"))).clear())
    assert store.header("s")[1] == 1 and loaded(again) == 1
    run(again.close())


def test_a_system_message_comes_to_a_transcript_that_has_none(tmp_path):
    store = FileStore(tmp_path)
    SessionManager(tmp_path).save_session("s", long_transcript(300)[1:])
    conversation = converse(store, scripted("a"))
    run(conversation.set_system("Be new."))
    assert conversation.count == 301
    run(take(conversation, "Now"))
    run(conversation.close())
    messages = SessionManager(tmp_path).load_session("s")
    assert messages is not None and len(messages) == 303 and messages[0]["content"] == "Be new."


def test_long_messages_are_resumed_by_the_few_that_are_shown(tmp_path):
    store = FileStore(tmp_path)
    SessionManager(tmp_path).save_session("s", long_transcript(60, 50_000))
    opened = open_session(store, "s")
    assert len(opened.session.messages) == SHOWN and opened.count == 61
    assert opened.writer is not None
    opened.writer.close()


# -- what stays and what is said


def test_another_model_is_said_once_with_the_way_back(home):
    models = whole(200, {"object": "list", "data": [{"id": "new"}, {"id": "old"}]})
    home.env["OPENAI_API_KEY"] = "sk-x"
    with serving(ANSWER) as server:
        home.env["OPENAI_BASE_URL"] = server.url
        home.run("-m", "old", "-s", "x", "-p", "Hello")
        assert posts(server)[-1].json["model"] == "old"
        said = home.run("-s", "x", "-p", "Again").stderr
        assert posts(server)[-1].json["model"] == "old" and "was held with" not in said  # as the session had it
        writer = FileStore(home.sessions).open("x")
        writer.edit(metadata={**writer.header.metadata, "found": True, "model": "gone"})
        writer.close()
        said = home.run("-s", "x", stdin="Again\nAnd again\n").stdout
    assert models and said.count("This session was held with gone; tiny goes on with it") == 1
    assert "`/model gone` (or --model gone) takes the former." in said


def test_what_was_chosen_with_model_goes_along_to_a_new_session(home):
    with serving(ANSWER) as server:
        flags = ["--provider", "openai", "--base-url", server.url, "-m", "tiny"]
        home.run(*flags, stdin="Hello\n/model other\n/new\nHello there\n/resume default\nBack\n")
        assert [request.json["model"] for request in posts(server)] == ["tiny", "other", "tiny"]


def test_the_stored_system_message_stays_without_a_word(home):
    config = Path(home.env["HOME"]) / ".config" / "scratchy"
    with serving(ANSWER) as server:
        home.run(*at(server), stdin="Hello\n")
        config.mkdir(parents=True)
        (config / "config.toml").write_text('instructions = "Rhyme."\n')
        said = home.run(*at(server), stdin="Again\n").stdout
        asked = posts(server)
    assert_each_grows(asked)
    assert "system" not in said.lower()
