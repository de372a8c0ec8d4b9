"""Titles: made of the first words by a rule, or by one small request beside the conversation that never disturbs it."""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server import Request, delta, hang, hello, sse, stream, whole
from programs import posts, serving
from sessionbench import desk_in, run, script, take

from scratchy import Agent, SessionManager
from scratchy.commands.dispatch import dispatch
from scratchy.sessions.wording import WORDS_MOST, one_line, words_title

# -- out of words


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Fix the parser", "Fix the parser"),
        ("Fix the parser. It breaks on tabs.", "Fix the parser."),
        ("Hi. How are you?", "Hi. How are you?"),
        ("Why does v1.2.3 fail? I tried all", "Why does v1.2.3 fail?"),
        ("你好，请修复这个解析器。它坏了", "你好，请修复这个解析器。"),
        ("```py\nx = 1\n```\nWhat does this do?", "What does this do?"),
        ("```py\nx = 1\n```", "x = 1"),
        ("~~~\nopen to the end", "open to the end"),
        ("# Plan\n\n- one", "Plan"),
        ("> - quoted words", "quoted words"),
        ("\x1b[31mred\x1b[0m\tapple\r\n", "red apple"),
        ("\u202eevil\u2066 order\u200b", "evil order"),
        ("\ud800 half", "half"),
        ("", "Untitled"),
        ("\n \t ```\n```", "Untitled"),
        ("!?", "Untitled"),
        ("word " * 50, "word word word word word word word word word word word word…"),
        ("x" * 500, "x" * 59 + "…"),
    ],
)
def test_a_title_out_of_words(text, title):
    assert words_title(text) == title


@given(st.text(st.characters(codec=None)) | st.text("`~\n #-.a漢\x1b[\u202e"))
def test_any_text_has_a_title_of_one_short_line(text):
    title = words_title(text)
    assert 0 < len(title) <= WORDS_MOST and title == title.strip() == one_line(title)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in title)
    title.encode()


def test_a_giant_first_message_costs_no_more_than_its_beginning():
    assert words_title("``` " * 2_000_000 + "end") == "Untitled"
    assert len(one_line("a " * 1_000_000)) <= 200


# -- by the model


def desk_at(folder: Path, server: Any, **config: Any):
    given_by = {"provider": "openai", "base_url": server.url, "model": "tiny"}
    return desk_in(folder, sources=dict.fromkeys(given_by, "flag"), **given_by, **config)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def scene(folder: Path, *plays: Any, **config: Any):
    """Run `steps(desk, server)` with a server that plays these answers; what it was asked, and what is stored."""

    def play(steps: Callable[[Any, Any], Awaitable[None]]) -> tuple[list[Request], Any]:
        async def main(server: Any) -> None:
            desk, _ = desk_at(folder, server, **config)
            try:
                await steps(desk, server)
            finally:
                await desk.close()

        with serving(*plays) as server:
            run(main(server))
            return posts(server), SessionManager(folder / "sessions").store.header("default")[0]

    return play


GOOD = stream(*hello("A fine talk"))


def test_one_small_request_after_the_first_turn_titles_the_session_and_its_tokens_count(tmp_path):
    async def steps(desk, server):
        await take(desk.conversation, "Tell me of parsers. " + "More words. " * 2000)
        assert desk.conversation.session.title == "Tell me of parsers."
        await until(lambda: desk.conversation.session.title == "A fine talk")
        assert "Tokens: 10 in, 4 out" in (await dispatch(desk, "/status")).text
        assert "Title: A fine talk" in (await dispatch(desk, "/title")).text
        await take(desk.conversation, "And more")
        await take(desk.conversation, "And more still")

    answered = stream(*hello("Parsers read. " * 500))
    asked, header = scene(tmp_path, answered, GOOD, stream(*hello()))(steps)
    assert len(asked) == 4 and header.title == "A fine talk"
    title = asked[1].json
    assert "tools" not in title and [message["role"] for message in title["messages"]] == ["user"]
    assert len(title["messages"][0]["content"]) < 1000 and "Tell me of parsers" in title["messages"][0]["content"]
    assert header.metadata["title_usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    first, second = asked[0].json["messages"], asked[2].json["messages"]
    assert second[: len(first)] == first  # the title request left no trace in the conversation


def test_the_next_turn_does_not_wait_for_the_title_and_cancels_it(tmp_path):
    async def steps(desk, server):
        await take(desk.conversation, "Hello")
        await until(lambda: len(posts(server)) == 2)
        await take(desk.conversation, "Again")
        await take(desk.conversation, "And again")

    asked, header = scene(tmp_path, stream(*hello()), hang, stream(*hello()))(steps)
    assert len(asked) == 4 and header.title == "Hello" and "title_usage" not in header.metadata


def test_the_end_does_not_wait_for_the_title(tmp_path):
    async def steps(desk, server):
        await take(desk.conversation, "Hello")
        await until(lambda: len(posts(server)) == 2)

    asked, header = scene(tmp_path, stream(*hello()), hang)(steps)
    assert len(asked) == 2 and header.title == "Hello"


@pytest.mark.parametrize(
    "bad",
    [
        whole(500, {"error": {"message": "no"}}),
        whole(429, {"error": {"message": "slow"}}, retry_after="1"),
        stream(*hello("   ")),
        stream(*hello("word " * 100)),
        stream(*sse(delta("Half"), done=False), end="cut"),
    ],
    ids=["500", "429", "empty", "rambling", "cut"],
)
def test_a_title_that_fails_leaves_the_words_says_nothing_and_is_not_tried_again(tmp_path, bad):
    said: list[str] = []

    async def steps(desk, server):
        desk.say = said.append
        await take(desk.conversation, "Hello there")
        await until(lambda: len(posts(server)) == 2)
        await asyncio.sleep(0.2)
        await take(desk.conversation, "More")

    asked, header = scene(tmp_path, stream(*hello()), bad, stream(*hello()))(steps)
    assert len(asked) == 3 and header.title == "Hello there" and said == []


def test_an_answer_without_end_is_cut_off_and_counted(tmp_path):
    async def steps(desk, server):
        await take(desk.conversation, "Hello there")
        await until(lambda: "title_usage" in desk.conversation.session.metadata)

    endless = stream(*(sse(delta("word "), done=False) * 1000), end="hang", pause=0.001)
    asked, header = scene(tmp_path, stream(*hello()), endless)(steps)
    assert len(asked) == 2 and header.title == "Hello there"
    assert 0 < header.metadata["title_usage"]["completion_tokens"] < 60


@pytest.mark.parametrize("given", ["/title Mine", "/tag +private", "/tag +PRIVATE"])
def test_never_when_a_title_is_set_nor_in_a_private_session(tmp_path, given):
    async def steps(desk, server):
        await dispatch(desk, given)
        await take(desk.conversation, "Hello")
        await take(desk.conversation, "Again")

    asked, header = scene(tmp_path, stream(*hello()))(steps)
    assert len(asked) == 2 and header.title == ("Mine" if "title" in given else "Hello")
    assert header.metadata.get("tags") == (None if "title" in given else ["private"])


def test_a_title_that_the_person_gives_meanwhile_stays(tmp_path):
    async def steps(desk, server):
        await take(desk.conversation, "Hello")
        await dispatch(desk, "/title Mine")
        await until(lambda: "title_usage" in desk.conversation.session.metadata)

    _, header = scene(tmp_path, stream(*hello()), GOOD)(steps)
    assert header.title == "Mine"


@pytest.mark.parametrize(("titles", "title"), [("words", "Hello"), ("off", None)])
def test_words_and_off_ask_nobody(tmp_path, titles, title):
    async def steps(desk, server):
        await take(desk.conversation, "Hello")
        await take(desk.conversation, "Again")

    asked, header = scene(tmp_path, stream(*hello()), titles=titles)(steps)
    assert len(asked) == 2 and header.title == title


def test_a_failed_first_turn_is_titled_when_the_line_is_said_again(tmp_path):
    async def steps(desk, server):
        with pytest.raises(Exception, match="no"):
            await take(desk.conversation, "Hello")
        assert desk.conversation.session.title == "Hello"
        await take(desk.conversation, "Hello")
        await until(lambda: desk.conversation.session.title == "A fine talk")

    asked, _ = scene(tmp_path, whole(400, {"error": {"message": "no"}}), stream(*hello()), GOOD)(steps)
    assert len(asked) == 3


def test_the_scripted_provider_is_asked_for_no_title(tmp_path):
    desk, _ = desk_in(tmp_path, **script(tmp_path, "Hi", "A title", "Third"))

    async def main():
        await take(desk.conversation, "Hello")
        await asyncio.sleep(0.1)
        await take(desk.conversation, "More")
        await desk.close()

    run(main())
    assert [message["content"] for message in desk.conversation.session.messages[1:]] == [
        "Hello", "Hi", "More", "A title",
    ]  # fmt: skip


def test_a_program_takes_the_words_and_may_take_none(tmp_path, monkeypatch):
    class Echo:
        async def chat(self, messages, tools=None):
            return {"content": "Hi"}

    sm = SessionManager(tmp_path)
    run(Agent(Echo(), sessions=sm).chat("What is this? Tell me", "one"))
    monkeypatch.setenv("SCRATCHY_TITLES", "off")
    run(Agent(Echo(), sessions=sm).chat("What is this? Tell me", "two"))
    assert [sm.store.header(name)[0].title for name in ("one", "two")] == ["What is this?", None]
    assert {row["title"] for row in sm.list_sessions()} == {"What is this?", None}


def test_a_first_line_that_is_not_stored_gives_no_title(tmp_path):
    from sessionbench import FullDisk, files

    disk = FullDisk()
    desk, _ = desk_in(tmp_path, store=files(tmp_path / "sessions", disk), **script(tmp_path, "Hi"))

    async def main():
        disk.full = True
        with pytest.raises(OSError):
            await take(desk.conversation, "First words")
        disk.full = False
        await take(desk.conversation, "Other words")
        await desk.close()

    run(main())
    assert SessionManager(tmp_path / "sessions").store.header("default")[0].title == "Other words"
