"""Prompts in an editor: what streams, what asks, how it ends; what goes wrong is a sentence."""

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest
from acp import (
    RequestError,
    audio_block,
    embedded_text_resource,
    image_block,
    resource_block,
    resource_link_block,
    text_block,
)
from editors import PATIENCE, Client, Editor, call, editing, texts_of
from model_server import delta, hang, hello, sse, stream, whole
from pictures import png
from programs import KEY, Home, posts, serving


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def failing(*words: str) -> Any:
    return pytest.raises(RequestError, check=lambda error: all(word in str(error) for word in words))


def server_flags(url: str) -> tuple[str, ...]:
    return "--base-url", f"{url}/v1", "--model", "tiny"


def test_an_answer_streams_and_each_way_to_end_has_its_name(home: Home) -> None:
    many = [call(str(number), "scratchpad_list") for number in range(50)]

    async def run() -> None:
        answers = ["Hello there, friend.", {"content": "cut", "stop_reason": "length"}, *many]
        async with editing(home, *home.script(*answers)) as editor:
            name = await editor.new()
            assert await editor.say(name, "Hi") == "end_turn"
            assert [one.content.text for one in editor.client.updates(name, "agent_message_chunk")] == [
                "Hello ", "there, ", "friend."
            ]  # fmt: skip
            assert await editor.say(name, "Long") == "max_tokens"
            assert await editor.say(name, "On and on") == "max_turn_requests"
            assert "limit of tokens" in editor.client.said(name) and "limit of steps" in editor.client.said(name)

    asyncio.run(run())


def test_a_call_asks_with_the_whole_preview_and_each_answer_is_kept_to(home: Home) -> None:
    command = "printf '%s' one > made; " + "# " + "x" * 3000 + " \u202e end"
    run_it = call("c", "execute_command", command=command)
    deletes = call("d", "delete_file", file_path="folder", recursive=True)
    (home.work / "folder").mkdir()

    async def run() -> None:
        answers = [run_it, "No.", run_it, "Cancelled.", run_it, run_it, "Always.", deletes, "Kept.", run_it, "Alas."]
        async with editing(home, *home.script(*answers)) as editor:
            client, name = editor.client, await editor.new()
            client.answers = ["no", "cancelled", "always", "nonsense"]
            await editor.say(name, "1")
            await editor.say(name, "2")
            assert not (home.work / "made").exists()
            session_id, asked, options = client.asked[0]
            assert (session_id, asked.kind, asked.status) == (name, "execute", "pending")
            assert asked.tool_call_id == client.updates(name, "tool_call")[0].tool_call_id
            assert "x" * 3000 in texts_of(asked.content) and "\\u202e end" in texts_of(asked.content)
            assert [one.kind for one in options] == ["allow_once", "allow_always", "reject_once"]
            await editor.say(name, "3")
            assert (home.work / "made").read_text() == "one" and len(client.asked) == 3
            await editor.say(name, "4")
            assert (home.work / "folder").exists(), "an answer that is none of the options is a no"
            failed = [one for one in client.updates(name, "tool_call_update") if one.status == "failed"]
            assert len(failed) == 3 and "said no" in texts_of(failed[0].content)
            await editor.say(name, "5")
            assert len(client.asked) == 4

    asyncio.run(run())
    stored = home.load(home.ids()[0])
    assert stored is not None and sum("said no" in str(one["content"]) for one in stored) == 3


def test_an_editor_that_cannot_ask_is_a_no(home: Home) -> None:
    class Mute(Client):
        async def request_permission(self, *args: Any, **kwargs: Any) -> Any:
            raise RequestError.method_not_found("session/request_permission")

    async def run() -> None:
        flags = home.script(call("c", "execute_command", command="touch made"), "Well.")
        async with editing(home, *flags, client=Mute()) as editor:
            name = await editor.new()
            assert await editor.say(name, "Go") == "end_turn"
            assert "--yolo" in texts_of(editor.client.updates(name, "tool_call_update")[-1].content)

    asyncio.run(run())
    assert not (home.work / "made").exists()


async def cancelled(editor: Editor, name: str, line: str, when: Any) -> None:
    prompt = asyncio.ensure_future(editor.say(name, line))
    await editor.client.until(when)
    with failing("is running"):
        await editor.say(name, "Meanwhile")
    with failing("is running"):
        await editor.load(name)
    await editor.program.cancel(session_id=name)
    async with asyncio.timeout(PATIENCE):
        assert await prompt == "cancelled"


def test_cancelling_keeps_what_had_come(home: Home) -> None:
    first = stream(*sse(delta("Half an "), delta("answer"), done=False), end="hang")

    async def run(url: str) -> str:
        async with editing(home, *server_flags(url)) as editor:
            name = await editor.new()
            await cancelled(editor, name, "Hi", lambda: editor.client.said(name) == "Half an answer")
            await editor.program.cancel(session_id=name)  # nothing runs: nothing happens
            assert await editor.say(name, "Again") == "end_turn"
        return name

    with serving(first, stream(*hello("Whole."))) as server:
        name = asyncio.run(run(server.url))
    stored = home.load(name)
    assert stored is not None and [(one["content"], one.get("stop_reason")) for one in stored[1:]] == [
        ("Hi", None), ("Half an answer", "aborted"), ("Again", None), ("Whole.", "stop")
    ]  # fmt: skip


def test_cancelling_ends_commands_and_closes_questions_as_no(home: Home) -> None:
    waits = call("w", "execute_command", command="echo begun; sleep 600")

    async def run() -> str:
        async with editing(home, *home.script(waits, waits, "Done.")) as editor:
            client, name = editor.client, await editor.new()
            client.answers = ["allow", ""]

            def begun() -> bool:
                return any("begun" in texts_of(one.content or []) for one in client.updates(name, "tool_call_update"))

            await cancelled(editor, name, "Run", begun)
            await cancelled(editor, name, "Ask", lambda: len(client.asked) == 2)
            assert [one.status for one in client.updates(name, "tool_call_update")][-1] == "failed"
            assert await editor.say(name, "Well?") == "end_turn"
        return name

    stored = home.load(asyncio.run(run()))
    assert stored is not None
    told = [one["content"] for one in stored if one["role"] == "tool"]
    assert "may have run" in told[0] and told[1] == "not run: the turn was interrupted"


def test_what_a_model_server_says_is_told_in_a_sentence_and_the_message_is_kept(home: Home) -> None:
    async def run(url: str) -> str:
        async with editing(home, *server_flags(url), env={"OPENAI_API_KEY": KEY}) as editor:
            name = await editor.new()
            with failing("kept"):
                await editor.say(name, "Hi")
            assert await editor.say(name, "Hi") == "end_turn"
        return name

    with serving(whole(401, {"error": {"message": "no such key"}}), stream(*hello("Hello."))) as server:
        name = asyncio.run(run(server.url))
    stored = home.load(name)
    assert stored is not None and [one["content"] for one in stored[1:]] == ["Hi", "Hello."]
    assert KEY.encode() not in home.every_byte()


def test_without_a_model_the_prompt_says_what_to_do(home: Home) -> None:
    env = {"PYTHONPATH": home.env["PYTHONPATH"], "HOME": str(home.folder / "nobody")}

    async def run() -> None:
        async with editing(home, "--model", "nothing-serves-this", env=env) as editor:
            name = await editor.new()
            with failing("OPENAI_API_KEY"):
                await editor.say(name, "Hi")
            with failing("OPENAI_API_KEY"):
                await editor.say(name, "Hi again")

    asyncio.run(run())


def test_commands_are_offered_after_the_session_is_known_and_answered_with_text(home: Home) -> None:
    async def run() -> None:
        async with editing(home, *home.script("About paths.")) as editor:
            client, name = editor.client, await editor.new()
            await client.until(lambda: client.kinds(name))
            (offered,) = client.updates(name, "available_commands_update")
            names = [one.name for one in offered.available_commands]
            assert names[0] == "help" and {"status", "title", "history", "model"} <= set(names)
            assert not {"resume", "clear", "exit", "rewind", "delete", "copy"} & set(names)
            for line, word in (
                ("/status", name),
                ("/title Some words", "Some words"),
                ("/help", "`/status`"),
                ("/resume other", "belongs to the terminal"),
                ("/nonsense", "no command"),
            ):
                before = len(client.said(name))
                assert await editor.say(name, line) == "end_turn"
                assert word in client.said(name)[before:], line
            assert client.updates(name, "session_info_update")[-1].title == "Some words"
            assert await editor.say(name, "/usr/bin is full, what now?") == "end_turn"
            assert client.said(name).endswith("About paths.")

    asyncio.run(run())
    stored = home.load(home.ids()[0])
    assert stored is not None and [one["content"] for one in stored[1:]] == [
        "/usr/bin is full, what now?", "About paths."
    ]  # fmt: skip


def test_what_the_editor_sends_along_reaches_the_model_and_what_cannot_is_refused(home: Home) -> None:
    (home.work / "linked.txt").write_text("on the disk\n")
    linked = resource_link_block("linked.txt", f"file://{home.work}/linked.txt")
    unsaved = resource_block(embedded_text_resource(f"file://{home.work}/a%20b.py", "unsaved = True\n"))

    async def run(url: str) -> None:
        async with editing(home, *server_flags(url)) as editor:
            name = await editor.new()
            assert await editor.say(name, "Look at ", linked, " and ", unsaved, ".") == "end_turn"
            for blocks, word in (([audio_block("AA==", "audio/wav")], "Audio"), ([text_block("  ")], "empty")):
                with failing(word):
                    await editor.say(name, *blocks)

    with serving(stream(*hello("Seen."))) as server:
        asyncio.run(run(server.url))
        sent = posts(server)[0].json["messages"][-1]["content"]
    assert 'Look at @linked.txt and @"a b.py".' in sent and "unsaved = True" in sent and "on the disk" in sent


def test_images_reach_models_that_see_and_come_back_by_name(home: Home) -> None:
    picture = png()

    async def run(url: str) -> str:
        async with editing(home, *server_flags(url)) as editor:
            name = await editor.new()
            shown = image_block(base64.b64encode(picture).decode(), "image/png", uri=f"file://{home.work}/cat.png")
            assert await editor.say(name, "What is ", shown, "?") == "end_turn"
            for data in ("AAAA", "not base64"):
                with failing("image"):
                    await editor.say(name, image_block(data, "image/png"))
            await editor.program.close_session(session_id=name)
            await editor.load(name)
            assert "What is [image: cat.png, " in editor.client.said(name, "user_message_chunk")
        return name

    with serving(stream(*hello("A cat."))) as server:
        name = asyncio.run(run(server.url))
        parts = posts(server)[0].json["messages"][-1]["content"]
    (sent,) = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert sent == "data:image/png;base64," + base64.b64encode(picture).decode()
    stored = home.load(name)
    assert stored is not None and "blob:" in str(stored[1]["content"]) and len(str(stored[1])) < 1000


def test_what_a_model_thinks_is_told_apart_and_what_it_took_is_told_after_it(home: Home) -> None:
    settings = home.folder / "home" / ".config" / "scratchy" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[prices."tiny"]\ninput = 1000000\noutput = 2000000\nwindow = 9000\n')

    async def run(url: str) -> None:
        async with editing(home, *server_flags(url)) as editor:
            name = await editor.new()
            await editor.say(name, "Hi")
            assert editor.client.said(name, "agent_thought_chunk") == "Let me see."
            assert editor.client.said(name) == "Hello."
            (took,) = editor.client.updates(name, "usage_update")
            assert (took.used, took.size, took.cost.amount, took.cost.currency) == (7, 9000, 9.0, "USD")

    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
    thinks = sse(delta(reasoning_content="Let me see."), delta("Hello."), delta(finish="stop"), usage)
    with serving(stream(*thinks)) as server:
        asyncio.run(run(server.url))


def test_the_program_ends_while_a_model_hangs_and_all_is_stored(home: Home) -> None:
    async def run(url: str) -> str:
        async with editing(home, *server_flags(url)) as editor:
            name = await editor.new()
            prompt = asyncio.ensure_future(editor.say(name, "Hi"))
            await asyncio.to_thread(_wait_for_post)
        with pytest.raises(ConnectionError):
            await prompt
        return name

    with serving(hang) as server:

        def _wait_for_post() -> None:
            while not posts(server):
                time.sleep(0.01)

        name = asyncio.run(run(server.url))
    stored = home.load(name)
    assert stored is not None and stored[-1]["content"] == "Hi"
