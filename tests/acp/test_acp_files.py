"""Files through the editor: unsaved text is seen, changes land in its buffer, what it refuses goes to the disk, and a
rewind still gives back what was there."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from editors import Client, call, editing, texts_of
from programs import Home

CRLF = "one\r\ntwo\r\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def session(home: Home, client: Client, *answers: Any, files: bool = True) -> str:
    """One prompt with these answers, everything allowed; the session's id."""

    async def run() -> str:
        async with editing(home, "-y", *home.script(*answers, "Done."), files=files, client=client) as editor:
            name = await editor.new()
            assert await editor.say(name, "Go") == "end_turn"
        return name

    return asyncio.run(run())


def rewound(home: Home, name: str) -> str:
    """What plain mode says when a turn is rewound and its files are given back, as far as they can be."""
    said = ""
    for line in ("/rewind 1", "/rewind files"):
        found = re.search(r"/rewind files [^\s`]+", said)
        done = home.run("--session", name, *home.script("x"), stdin=f"{found[0] if found else line}\n")
        assert done.returncode == 0, done.stderr
        said += done.stdout
    return said


def test_unsaved_text_is_read_edited_in_the_buffer_and_given_back_by_a_rewind(home: Home) -> None:
    path, client = home.work / "a.txt", Client()
    path.write_text("one\ntwo\n")
    client.buffers[str(path)] = "one\nunsaved\n"
    edit = call("e", "edit_file", file_path="a.txt", old_text="unsaved", new_text="changed")
    name = session(home, client, call("r", "read_file", file_path="a.txt", start_line=2), edit)
    read, edited = [one for one in client.updates(name, "tool_call_update") if one.status == "completed"]
    assert "unsaved" in texts_of(read.content) and "one" not in texts_of(read.content)
    assert (edited.content[0].old_text, edited.content[0].new_text) == ("one\nunsaved\n", "one\nchanged\n")
    assert client.written == [str(path)] and path.read_text() == "one\nchanged\n"
    rewound(home, name)
    assert path.read_text() == "one\nunsaved\n"


def test_a_new_file_is_the_editors_to_write_and_what_it_refuses_is_the_disks(home: Home) -> None:
    client, refused = Client(), home.work / "refused.txt"
    refused.write_text("one\n")
    client.refuses = {str(refused)}
    create = call("c", "create_file", file_path="sub/new.txt", content="new\n")
    edit = call("e", "edit_file", file_path="refused.txt", old_text="one", new_text="two")
    (home.work / "sub").mkdir()
    name = session(home, client, create, edit)
    assert client.written == [str(home.work / "sub" / "new.txt"), str(refused)]
    assert (home.work / "sub" / "new.txt").read_text() == "new\n" and refused.read_text() == "two\n"
    rewound(home, name)
    assert not (home.work / "sub" / "new.txt").exists() and refused.read_text() == "one\n"


def test_what_the_editor_formats_is_what_a_rewind_knows_and_what_it_did_not_save_is_left_alone(home: Home) -> None:
    formatted, kept, client = home.work / "f.txt", home.work / "k.txt", Client()
    for path in (formatted, kept):
        path.write_text("one\n")
    client.formats = str.upper
    name = session(home, client, call("e", "edit_file", file_path="f.txt", old_text="one", new_text="two"))
    assert formatted.read_text() == "TWO\n"
    rewound(home, name)
    assert formatted.read_text() == "one\n"
    client.saves = False
    name = session(home, client, call("e", "edit_file", file_path="k.txt", old_text="one", new_text="two"))
    assert kept.read_text() == "one\n" and client.buffers[str(kept)] == "two\n"
    assert client.updates(name, "tool_call_update")[-1].content[0].new_text == "two"
    rewound(home, name)
    assert kept.read_text() == "one\n"


def test_line_ends_and_last_lines_that_an_editor_keeps_apart_stay_as_they_were(home: Home) -> None:
    windows, plain, client = home.work / "w.txt", home.work / "p.txt", Client()
    windows.write_bytes(CRLF.encode())
    plain.write_text("one\ntwo\n")
    client.buffers = {str(windows): "one\ntwo\n", str(plain): "one\ntwo"}
    client.formats = lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n") if "\r" in text else text
    session(
        home, client,
        call("w", "edit_file", file_path="w.txt", old_text="one\ntwo\n", new_text="1\n2\n"),
        call("p", "edit_file", file_path="p.txt", old_text="two\n", new_text="2\n"),
    )  # fmt: skip
    assert windows.read_bytes() == b"1\r\n2\r\n" and plain.read_text() == "one\n2\n"


def test_only_plain_text_goes_through_the_editor_and_only_where_it_offers_to(home: Home) -> None:
    client = Client()
    for name, data in (("latin", "caf\xe9 x".encode("latin-1")), ("mark", b"\xef\xbb\xbfx\n"), ("binary", b"\0x")):
        (home.work / name).write_bytes(data)
    edits = [call(name, "edit_file", file_path=name, old_text="x", new_text="y") for name in ("latin", "mark")]
    session(home, client, *edits, call("b", "read_file", file_path="binary"))
    assert not client.read and not client.written
    assert (home.work / "latin").read_bytes() == b"caf\xe9 y" and (
        home.work / "mark"
    ).read_bytes() == b"\xef\xbb\xbfy\n"
    (home.work / "utf8").write_text("x\n")
    session(home, client, call("u", "edit_file", file_path="utf8", old_text="x", new_text="y"), files=False)
    assert not client.read and not client.written and (home.work / "utf8").read_text() == "y\n"


def test_a_question_about_an_edit_shows_the_unsaved_text_and_always_covers_the_next_one(home: Home) -> None:
    path, client = home.work / "a.txt", Client()
    path.write_text("one\n")
    client.buffers[str(path)] = "unsaved\n"
    client.answers = ["always"]
    edits = [
        call("1", "edit_file", file_path="a.txt", old_text="unsaved", new_text="first"),
        call("2", "edit_file", file_path="a.txt", old_text="first", new_text="second"),
    ]

    async def run() -> None:
        async with editing(home, *home.script(*edits, "Done."), files=True, client=client) as editor:
            assert await editor.say(await editor.new(), "Go") == "end_turn"

    asyncio.run(run())
    assert path.read_text() == "second\n" and len(client.asked) == 1
    _, asked, options = client.asked[0]
    assert "-unsaved\n+first" in texts_of(asked.content) and asked.content[0].type == "diff"
    assert str(home.work) in next(one.name for one in options if one.kind == "allow_always")
