"""Sessions in an editor: made, loaded, listed, closed; each in its folder; what cannot be opened is said."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from acp import RequestError
from acp.schema import EnvVariable, McpServerStdio
from editors import Client, call, editing, texts_of
from programs import Home

from scratchy import SessionManager


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def failing(code: int, *words: str) -> Any:
    def fits(error: RequestError) -> bool:
        return error.code == code and all(word in str(error) for word in words) and "Traceback" not in str(error)

    return pytest.raises(RequestError, check=fits)


def test_what_it_can_do_is_told_truthfully(home: Home) -> None:
    async def run() -> None:
        async with editing(home) as editor:
            told = await editor.program.initialize(1)
            able = told.agent_capabilities
            assert told.protocol_version == 1 and told.agent_info.name == "scratchy" and told.auth_methods == []
            assert able.load_session and able.prompt_capabilities.embedded_context and able.prompt_capabilities.image
            assert not able.prompt_capabilities.audio and not able.mcp_capabilities.http
            offered = able.session_capabilities.model_dump(exclude_none=True)
            assert set(offered) == {"list", "resume", "close", "additional_directories"}
            newer = await editor.program.initialize(7)
            assert newer.protocol_version == 1
            with failing(-32602, "nothing to sign in to"):
                await editor.program.authenticate(method_id="x")
            with failing(-32601, "session/fork"):
                await editor.program.fork_session(session_id="x", cwd=str(home.work))

    asyncio.run(run())


def test_a_session_is_stored_under_the_id_that_the_editor_knows_and_comes_back_with_all_that_was_said(
    home: Home,
) -> None:
    home.work.joinpath("a.txt").write_text("one\ntwo\n")
    answers = [
        "Hello there.",
        {**call("c1", "edit_file", file_path="a.txt", old_text="two", new_text="three"), "content": "I edit it."},
        {**call("c1", "execute_command", command="exit 3"), "content": ""},
        "Done.",
    ]

    async def first() -> str:
        async with editing(home, *home.script(*answers), "--yolo") as editor:
            name = await editor.new()
            assert await editor.say(name, "Hi") == "end_turn"
            assert await editor.say(name, "Change it") == "end_turn"
            told = editor.client.updates(name, "session_info_update")
            assert [one.title for one in told] == ["Hi"]
        return name

    async def second(name: str) -> None:
        async with editing(home, *home.script("Again.")) as editor:
            assert (await editor.load(name)).modes.current_mode_id == "ask"
            told = editor.client
            assert told.said(name, "user_message_chunk") == "HiChange it"
            assert told.said(name) == "Hello there.I edit it.Done."
            edit, command = told.updates(name, "tool_call")
            assert (edit.kind, edit.raw_input["file_path"]) == ("edit", "a.txt")
            assert edit.locations[0].path == str(home.work / "a.txt")
            edited, ran = told.updates(name, "tool_call_update")
            assert (edited.tool_call_id, edited.status) == (edit.tool_call_id, "completed")
            assert (edited.content[0].old_text, edited.content[0].new_text) == ("two", "three")
            assert command.tool_call_id != edit.tool_call_id and ran.tool_call_id == command.tool_call_id
            assert "3" in texts_of(ran.content)
            await editor.say(name, "Go on")
            assert told.said(name).endswith("Again.")

    name = asyncio.run(first())
    assert home.ids() == [name]
    asyncio.run(second(name))
    stored = home.load(name)
    assert stored is not None and [message["content"] for message in stored[-2:]] == ["Go on", "Again."]


def test_several_sessions_stand_side_by_side_each_in_its_folder_with_its_configuration(home: Home) -> None:
    folders = [home.folder / name for name in ("first", "second")]
    for folder in folders:
        (folder / ".scratchy").mkdir(parents=True)
        (folder / ".scratchy" / "config.toml").write_text(
            f'instructions = "You are in {folder.name}."\nbase_url = "http://127.0.0.1:1/v1"\n'
        )
        (folder / "here.txt").write_text(f"this is {folder.name}\n")
    ask = call("c", "read_file", file_path="here.txt")

    async def run() -> list[str]:
        async with editing(home, *home.script(ask, "Read.")) as editor:
            names = [await editor.new(folder) for folder in folders]
            assert await asyncio.gather(*(editor.say(name, "Read it") for name in names)) == ["end_turn"] * 2
            for name, folder in zip(names, folders, strict=True):
                (read,) = [one for one in editor.client.updates(name, "tool_call_update") if one.status == "completed"]
                assert f"this is {folder.name}" in texts_of(read.content)
                assert "Not trusted" in editor.client.said(name) and "base_url" in editor.client.said(name)
            assert os.readlink(f"/proc/{editor.child.pid}/cwd") == str(home.work)
            listed = await editor.program.list_sessions(cwd=str(folders[1]))
            assert [(one.session_id, one.cwd, one.title) for one in listed.sessions] == [
                (names[1], str(folders[1]), "Read it")
            ]
            assert {one.session_id for one in (await editor.program.list_sessions()).sessions} == set(names)
        return names

    for name, folder in zip(asyncio.run(run()), folders, strict=True):
        stored = home.load(name)
        assert stored is not None and f"You are in {folder.name}." in stored[0]["content"]
        assert f"Folder: {folder}" in stored[1]["context"]


def test_what_cannot_be_opened_is_an_error_with_a_sentence_and_the_program_goes_on(home: Home) -> None:
    home.save("held", {"role": "user", "content": "mine"})
    home.save("broken", {"role": "user", "content": "x"})
    (home.sessions / "broken_chat.toon").write_text("no session at all {")

    async def run() -> None:
        async with editing(home, *home.script("Fine.")) as editor:
            with SessionManager(home.sessions).opened("held", create=False), failing(-32603, "held", str(os.getpid())):
                await editor.load("held")
            with failing(-32603, "broken", "cannot be read"):
                await editor.load("broken")
            with failing(-32002, "nobody", "not found"):
                await editor.load("nobody")
            with failing(-32602):
                await editor.load("a\x00b")
            for cwd, word in (("relative", "no absolute path"), (str(home.work / "gone"), "no folder")):
                with failing(-32602, word):
                    await editor.program.new_session(cwd=cwd)
            with failing(-32602, "not open here"):
                await editor.say("nobody", "Hi")
            with failing(-32602, "no cursor"):
                await editor.program.list_sessions(cursor="x")
            await editor.load("held")
            assert editor.client.said("held", "user_message_chunk") == "mine"
            assert await editor.say(await editor.new(), "Hi") == "end_turn"

    asyncio.run(run())


def test_a_session_that_is_damaged_in_its_middle_is_not_left_open(home: Home) -> None:
    home.save("middle", *({"role": "user", "content": f"{number} " + "x" * 2000} for number in range(600)))
    path = home.sessions / "middle_chat.toon"
    data = bytearray(path.read_bytes())
    data[600_000:600_100] = bytes(100)
    path.write_bytes(data)

    async def run() -> None:
        async with editing(home, *home.script("Fine.")) as editor:
            for _ in range(2):
                with failing(-32603, "middle", "cannot be read"):
                    await editor.load("middle")
            with failing(-32602, "not open here"):
                await editor.say("middle", "Hi")

    asyncio.run(run())
    assert path.read_bytes() == data


def test_a_session_that_is_closed_is_free_and_one_that_is_resumed_is_not_told_again(home: Home) -> None:
    async def run() -> None:
        async with editing(home, *home.script("One.", "Two.")) as editor:
            name = await editor.new()
            await editor.say(name, "Hi")
            await editor.program.close_session(session_id=name)
            with SessionManager(home.sessions).opened(name, create=False):
                pass
            with failing(-32602, "not open"):
                await editor.say(name, "Hi")
            before = len(editor.client.told)
            await editor.program.resume_session(session_id=name, cwd=str(home.work))
            await editor.say(name, "Again")
            assert "user_message_chunk" not in [update.session_update for _, update in editor.client.told[before:]]
            await editor.load(name)  # open already: told from the start
            assert editor.client.said(name, "user_message_chunk") == "HiAgain"

    asyncio.run(run())


def test_the_editors_mcp_servers_are_said_to_be_unused(home: Home) -> None:
    server = McpServerStdio(name="tickets", command="false", args=[], env=[EnvVariable(name="A", value="b")])

    async def run() -> None:
        async with editing(home, *home.script("Fine.")) as editor:
            name = await editor.new(mcp_servers=[server])
            await editor.say(name, "Hi")
            assert "MCP servers are not used" in editor.client.said(name) and "tickets" in editor.client.said(name)

    asyncio.run(run())


def test_modes_are_those_of_the_window_and_yolo_comes_by_flag_only(home: Home) -> None:
    write = call("c", "create_file", file_path="new.txt", content="x\n")

    async def run() -> None:
        async with editing(home, *home.script(write, "Done.", write, "Planned."), "--approval-mode", "plan") as editor:
            opened = await editor.program.new_session(cwd=str(home.work))
            name, modes = opened.session_id, opened.modes
            assert (modes.current_mode_id, [one.id for one in modes.available_modes]) == (
                "plan",
                ["ask", "accept-edits", "plan"],
            )
            for mode in ("yolo", "nonsense"):
                with failing(-32602, mode, "accept-edits"):
                    await editor.program.set_session_mode(session_id=name, mode_id=mode)
            await editor.program.set_session_mode(session_id=name, mode_id="accept-edits")
            assert editor.client.updates(name, "current_mode_update")[0].current_mode_id == "accept-edits"
            await editor.say(name, "Write")
            assert (home.work / "new.txt").read_text() == "x\n" and not editor.client.asked
            (home.work / "new.txt").unlink()
            await editor.program.set_session_mode(session_id=name, mode_id="plan")
            await editor.say(name, "Write again")
            assert not (home.work / "new.txt").exists() and not editor.client.asked

    asyncio.run(run())


def test_added_folders_are_free_to_read(home: Home) -> None:
    other = home.folder / "other"
    other.mkdir()
    (other / "x.txt").write_text("from the other folder")
    read = call("c", "read_file", file_path=str(other / "x.txt"))

    async def run() -> None:
        client = Client()
        async with editing(home, *home.script(read, "Read."), client=client) as editor:
            name = await editor.new(additional_directories=[str(other)])
            await editor.say(name, "Read it")
            assert "from the other folder" in texts_of(client.updates(name, "tool_call_update")[-1].content)
            assert not client.asked

    asyncio.run(run())
