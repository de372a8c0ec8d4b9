"""/rewind gives back files: the offer after it, the line that does it, /redo the other way; a desk on a real disk."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from programs import Home
from sessionbench import calling, desk_in, run, script, take

from scratchy import SessionManager, compose
from scratchy.commands.dispatch import dispatch
from scratchy.commands.outcome import Outcome
from scratchy.providers import ollama, openai
from scratchy.scratchpad import content_id
from scratchy.sessions.desk import Desk


def turn(*calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """One turn's answers: a step for each call, then a word."""
    return [*(calling(name, arguments, f"c{id(arguments)}") for name, arguments in calls), "done"]


EDIT = ("edit_file", {"file_path": "a.txt", "old_text": "then", "new_text": "agent"})
MAKE = ("create_file", {"file_path": "new/b.txt", "content": "made\n"})
RUN = ("execute_command", {"command": "true"})


async def said(desk: Desk, line: str) -> Outcome:
    return await dispatch(desk, line)


async def talked(folder: Path, *turns: list[Any], **more: Any) -> Desk:
    """A desk whose session has had these turns over `a.txt`."""
    (folder / "a.txt").write_text("then\n")
    desk, _ = desk_in(
        folder, yolo=True, titles="off", **more, **script(folder, *(one for each in turns for one in each))
    )
    for number in range(len(turns)):
        await take(desk.conversation, f"turn {number}")
    return desk


def line_of(outcome: Outcome) -> str:
    assert outcome.choose is not None, outcome.text
    return outcome.choose.rows[0].line


def test_a_rewind_offers_the_files_and_the_line_restores_them(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT, MAKE, RUN))
        rewound = await said(desk, "/rewind 1")
        assert "2 files" in rewound.text and "-agent\n+then\n" in rewound.text and "1 command ran" in rewound.text
        assert [row.label for row in rewound.choose.rows] == ["Restore 2 files", "Leave the files as they are"]  # type: ignore
        assert re.fullmatch(r"/rewind files \S+", line_of(rewound))
        assert (tmp_path / "a.txt").read_text() == "agent\n", "nothing is restored by itself"
        done = await said(desk, line_of(rewound))
        assert done.text.startswith("Restored 2 files.") and done.choose is None
        assert (tmp_path / "a.txt").read_text() == "then\n" and not (tmp_path / "new/b.txt").exists()
        again = await said(desk, line_of(rewound))
        assert again.text == "No file was restored."
        assert "no file to restore" in (await said(desk, "/rewind files")).text
        await desk.close()

    run(main())


@pytest.mark.parametrize("command", ["/redo", "/undo"])
def test_redo_offers_the_files_the_other_way(tmp_path: Path, command: str):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT, MAKE))
        await said(desk, line_of(await said(desk, "/rewind 1")))
        back = await said(desk, command)
        assert "-then\n+agent\n" in back.text and line_of(back) == "/rewind files forward 1"
        await said(desk, line_of(back))
        assert (tmp_path / "a.txt").read_text() == "agent\n" and (tmp_path / "new/b.txt").read_text() == "made\n"
        await desk.close()

    run(main())


def test_a_redo_after_nothing_was_restored_offers_nothing(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT))
        await said(desk, "/rewind 1")
        assert (await said(desk, "/redo")).choose is None
        await desk.close()

    run(main())


def test_what_others_changed_is_named_and_left(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT, MAKE))
        (tmp_path / "a.txt").write_text("person\n")
        rewound = await said(desk, "/rewind 1")
        assert f"Not touched: {tmp_path / 'a.txt'}: somebody else changed it since" in rewound.text
        await said(desk, line_of(rewound))
        assert (tmp_path / "a.txt").read_text() == "person\n" and not (tmp_path / "new/b.txt").exists()
        await desk.close()

    run(main())


def test_a_rewind_that_touches_no_file_offers_nothing(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, ["hello"], turn(RUN))
        rewound = await said(desk, "/rewind 1")
        assert rewound.choose is None and "what commands changed stays" in rewound.text
        assert (await said(desk, "/rewind 1")).choose is None
        await desk.close()

    run(main())


def test_two_rewinds_in_a_row_and_then_the_files(tmp_path: Path):
    """The files were left at the first; the second gives them back all the way. And the other way round."""
    second = ("edit_file", {"file_path": "a.txt", "old_text": "agent", "new_text": "agent twice"})

    async def main(first_restores: bool, folder: Path) -> None:
        folder.mkdir()
        desk = await talked(folder, turn(EDIT), turn(second, MAKE))
        first = await said(desk, "/rewind 1")
        if first_restores:
            await said(desk, line_of(first))
            assert (folder / "a.txt").read_text() == "agent\n"
        rewound = await said(desk, "/rewind 1")
        await said(desk, line_of(rewound))
        assert (folder / "a.txt").read_text() == "then\n" and not (folder / "new/b.txt").exists()
        await desk.close()

    run(main(True, tmp_path / "one"))
    run(main(False, tmp_path / "two"))


def test_going_on_after_a_rewind_leaves_what_the_new_turn_made(tmp_path: Path):
    other = ("edit_file", {"file_path": "a.txt", "old_text": "agent", "new_text": "another"})

    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT, MAKE), turn(other))
        rewound = await said(desk, "/rewind 2")
        line = line_of(rewound)
        (tmp_path / "a.txt").write_text("changed by a later turn\n")
        await said(desk, line)
        assert (tmp_path / "a.txt").read_text() == "changed by a later turn\n" and not (tmp_path / "new/b.txt").exists()
        await desk.close()

    run(main())


def test_only_this_sessions_entries_are_taken(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT))
        entry = line_of(await said(desk, "/rewind 1")).removeprefix("/rewind files ")
        assert "has no entry" in (await said(desk, "/rewind files nothing")).text
        await said(desk, "/new another")
        assert "is of another session, 'default'" in (await said(desk, f"/rewind files {entry}")).text
        assert (tmp_path / "a.txt").read_text() == "agent\n"
        await desk.close()

    run(main())


@pytest.mark.parametrize("machine", ["m2", None])
def test_another_machines_session_gives_nothing_back(tmp_path: Path, machine: str | None):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT))
        metadata = {key: value for key, value in desk.conversation.session.metadata.items() if key != "machine"}
        await desk.conversation.edit(metadata=metadata | ({"machine": machine} if machine else {}))
        rewound = await said(desk, "/rewind 1")
        assert rewound.choose is None and "a change that another machine wrote down" in rewound.text
        await desk.close()

    run(main())


def test_a_session_in_memory_gives_files_back_too(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT), store=compose.open_store("memory://"))
        await said(desk, line_of(await said(desk, "/rewind 1")))
        assert (tmp_path / "a.txt").read_text() == "then\n"
        await desk.close()

    run(main())


def test_a_long_or_evil_diff_is_cut_and_harmless(tmp_path: Path):
    evil = (
        "create_file",
        {"file_path": "e\x1b[31m\nvil", "content": "\x1b]0;owned\x07\r\n" + "line\n" * 500 + "x" * 9000},
    )

    async def main() -> None:
        desk = await talked(tmp_path, turn(evil))
        rewound = await said(desk, "/rewind 1")
        assert "\x1b" not in rewound.text and "\r" not in rewound.text and "\\x1b]0;owned" in rewound.text
        assert "more lines" in rewound.text and rewound.text.count("\n") < 60
        done = await said(desk, line_of(rewound))
        assert "\x1b" not in done.text and done.text.startswith("Restored 1 file.")
        await desk.close()

    run(main())


def test_of_very_many_files_the_last_are_only_named(tmp_path: Path):
    (tmp_path / "d").mkdir()
    for number in range(500):
        (tmp_path / "d" / f"{number:03}").write_text(f"then {number}\n")

    async def main() -> None:
        desk = await talked(tmp_path, turn(("delete_file", {"file_path": "d", "recursive": True})))
        rewound = await said(desk, "/rewind 1")
        assert "+then" in rewound.text and "these files:" in rewound.text and rewound.text.count("\n") < 300
        assert (await said(desk, line_of(rewound))).text.startswith("Restored 500 files.")
        assert len(list((tmp_path / "d").iterdir())) == 500
        await desk.close()

    run(main())


def test_before_any_rewind_there_is_nothing_to_give_back(tmp_path: Path):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT))
        assert "was not rewound" in (await said(desk, "/rewind files")).text
        await said(desk, "/new empty")
        assert "was not rewound" in (await said(desk, "/rewind files")).text
        await desk.close()

    run(main())


@pytest.mark.parametrize("request_body", [openai.request_body, ollama.request_body])
def test_what_tools_changed_is_sent_to_no_model(tmp_path: Path, request_body: Any):
    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT))
        messages = desk.conversation.session.messages
        assert any("files" in message for message in messages)
        sent = json.dumps(request_body("m", messages, []))
        assert "files" not in sent and "before" not in sent
        await desk.close()

    run(main())


@pytest.mark.parametrize(("name", "comes"), [("s.json", True), ("s.toon", True), ("bare.toon", False)])
def test_an_export_takes_the_old_contents_along_and_an_import_restores_nothing(tmp_path: Path, name: str, comes: bool):
    """Of another machine, that is: the import knows none."""

    async def main() -> None:
        desk = await talked(tmp_path, turn(EDIT))
        desk.manager.export_session("default", tmp_path / name, full=True)
        if not comes:
            shutil.rmtree(tmp_path / "bare.blobs")
        there = SessionManager(tmp_path / "elsewhere")
        there.import_session(tmp_path / name, "come")
        messages = there.load_session("come") or []
        assert any("files" in message for message in messages) == comes
        other, _ = desk_in(tmp_path, "come", there.store)
        rewound = await said(other, "/rewind 1")
        assert rewound.choose is None and ("another machine" in rewound.text) == comes
        await other.close()
        await desk.close()

    run(main())


def imported(folder: Path) -> Desk:
    """A session from elsewhere, which tells of a script that a tool removed here: its author wrote both."""
    evil = "#!/bin/sh\ntouch owned\n"
    blob = content_id(evil.encode())
    made = [{"path": str(folder / "run.sh"), "before": blob, "after": None, "mode": 0o755}]
    messages: list[Any] = [
        {"role": "user", "content": "one"},
        calling("delete_file", {"file_path": "run.sh"}, "c1"),
        {"role": "tool", "tool_call_id": "c1", "name": "delete_file", "content": "done", "files": made},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "ok"},
    ]
    header = {"session_id": "gift", "version": 1, "metadata": {"machine": "m1", "machine_from": 0}}
    blobs = {blob: {"type": "snapshot", "tool": "delete_file", "text": evil}}
    (folder / "gift.json").write_text(json.dumps({**header, "messages": messages, "blobs": blobs}))
    (folder / "a.txt").write_text("then\n")
    store = compose.open_folder(folder / "sessions")
    SessionManager(store=store).import_session(folder / "gift.json")
    assert "files" in store.load("gift")[1][2]
    return desk_in(folder, "gift", store, yolo=True, titles="off", **script(folder, *turn(EDIT), "more", "more"))[0]


@pytest.mark.parametrize("before", ["", "system", "rewind", "rewind and system", "fork"])
def test_an_imported_session_never_becomes_ours_by_talking(tmp_path: Path, before: str):
    """What was done here since goes back, what the import tells of does not."""

    async def main() -> None:
        desk = imported(tmp_path)
        if "rewind" in before:
            await take(desk.conversation, "hello")
            await said(desk, "/rewind 2")
            (tmp_path / "a.txt").write_text("then\n")
            desk.conversation.engine = desk_in(
                tmp_path, "x", yolo=True, titles="off", **script(tmp_path, *turn(EDIT), "more")
            )[0].conversation.engine
        if "system" in before:
            await desk.conversation.set_system("Another one.")
        await take(desk.conversation, "hello")
        assert (tmp_path / "a.txt").read_text() == "agent\n"
        await take(desk.conversation, "more")
        if before == "fork":
            await said(desk, "/fork other")
        count = {"": 4, "system": 4, "fork": 4}.get(before, 3)
        rewound = await said(desk, f"/rewind {count}")
        assert "1 file" in rewound.text and "another machine wrote down" in rewound.text
        assert "run.sh" not in rewound.text
        done = await said(desk, line_of(rewound))
        assert done.text.startswith("Restored 1 file.") and (tmp_path / "a.txt").read_text() == "then\n"
        assert not (tmp_path / "run.sh").exists()
        await desk.close()

    run(main())


def test_in_a_pipe_and_after_a_restart(tmp_path: Path):
    home = Home(tmp_path)
    path = home.work / "a.txt"
    path.write_text("then\n")
    flags = ("--session", "s", *home.script(*turn(EDIT)))
    shown = home.run("--yolo", *flags, stdin="go\n/rewind 1\n").stdout
    line = re.search(r"`(/rewind files \S+)`", shown)
    assert line is not None and "+then" in shown and path.read_text() == "agent\n"
    assert "Restored 1 file." in home.run(*flags, stdin=f"{line[1]}\n").stdout and path.read_text() == "then\n"
