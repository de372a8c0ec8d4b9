"""Reading, writing, editing and deleting real files, hostile ones among them."""

import os
import socket
from pathlib import Path

import pytest
from toolbench import call, failure, make_tools, output, run

from scratchy.core.ports import Ask, Refuse, Run


def test_reading_gives_the_text_and_the_lines_asked_for(tmp_path: Path):
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    tools = make_tools(tmp_path)
    assert output(tools, "read_file", file_path="a.txt") == "one\ntwo\nthree\n"
    assert output(tools, "read_file", file_path="a.txt", start_line=2) == "two\nthree\n"
    assert output(tools, "read_file", file_path="a.txt", start_line=2, end_line=2) == "two\n"
    assert "fewer than 9" in failure(tools, "read_file", file_path="a.txt", start_line=9)
    assert "before start_line" in failure(tools, "read_file", file_path="a.txt", start_line=3, end_line=2)
    assert "does not exist" in failure(tools, "read_file", file_path="b.txt")
    assert "list_files" in failure(tools, "read_file", file_path=".")


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path):
    (tmp_path / "a").touch()
    assert "is empty" in output(make_tools(tmp_path), "read_file", file_path="a")


def test_encodings_are_read(tmp_path: Path):
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe")
    (tmp_path / "old").write_bytes(b"gr\xfc\xdfe")
    tools = make_tools(tmp_path)
    assert output(tools, "read_file", file_path="bom") == output(tools, "read_file", file_path="old") == "grüße"


def test_binary_and_special_files_are_told_not_shown(tmp_path: Path):
    (tmp_path / "bin").write_bytes(b"\x7fELF\0\0")
    os.mkfifo(tmp_path / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "sock"))
    listener.close()
    tools = make_tools(tmp_path)
    assert "binary file of 6 bytes" in output(tools, "read_file", file_path="bin")
    for name in ("fifo", "sock", "/dev/zero", "/dev/tty"):
        assert "not a regular file" in failure(tools, "read_file", file_path=name)
        assert isinstance(tools.check(call("create_file", file_path=name, content="", overwrite=True)), Refuse)
        assert isinstance(tools.check(call("edit_file", file_path=name, old_text="a", new_text="b")), Refuse)


def test_a_huge_file_is_read_in_part(tmp_path: Path):
    with (tmp_path / "huge").open("wb") as file:
        for _ in range(64):
            file.write((b"x" * 99 + b"\n") * 10_000)
        file.write(b"the end\n")
    (tmp_path / "line").write_bytes(b"y" * 3_000_000)
    tools = make_tools(tmp_path)
    assert output(tools, "read_file", file_path="huge", start_line=640_001) == "the end\n"
    assert len(output(tools, "read_file", file_path="huge", start_line=5, end_line=6)) == 200
    assert "left out" in output(tools, "read_file", file_path="huge")
    assert "cut here, at line 2622" in output(tools, "read_file", file_path="huge")
    assert "cut here, at line 1;" in output(tools, "read_file", file_path="line")


def test_reading_is_free_inside_and_asks_outside(tmp_path: Path):
    inside, outside, added = tmp_path / "in", tmp_path / "out", tmp_path / "add"
    for place in (inside, outside, added):
        place.mkdir()
        (place / "f").write_text("x")
    (inside / "link").symlink_to(outside / "f")
    (inside / "way").symlink_to(outside)
    tools = make_tools(inside, add_dirs=[added])
    for free in ("f", "./f", str(added / "f"), "../in/f"):
        assert isinstance(tools.check(call("read_file", file_path=free)), Run)
    for asked in ("link", "way/f", "../out/f", str(outside / "f"), "/etc/hostname", "~/x"):
        assert isinstance(tools.check(call("read_file", file_path=asked)), Ask)
    asked = tools.check(call("read_file", file_path="link"))
    assert isinstance(asked, Ask) and str(outside / "f") in asked.preview and asked.scope == f"this folder: {outside}"
    for name in ("list_files", "search_files", "fast_grep"):
        more = {"list_files": {}, "search_files": {"pattern": "x"}, "fast_grep": {"keyword": "x"}}[name]
        assert isinstance(tools.check(call(name, **more)), Run)
        assert isinstance(tools.check(call(name, directory="way", **more)), Ask)


SECRET = [".env", ".env.local", "id_rsa", "server.PEM", ".netrc", ".aws/credentials", ".ssh/x", ".env~", ".git/config"]


@pytest.mark.parametrize("name", SECRET)
def test_secret_files_ask_also_inside(tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("password")
    (tmp_path / "innocent").symlink_to(name)
    tools = make_tools(tmp_path)
    for given in (name, "innocent"):
        asked = tools.check(call("read_file", file_path=given))
        assert isinstance(asked, Ask) and "keys or passwords" in asked.preview
        assert asked.scope == f"this file: {tmp_path / name}"
    for given in (".env.example", "known_hosts"):
        assert isinstance(tools.check(call("read_file", file_path=given)), Run)


def test_a_new_file_shows_all_of_it_and_is_written(tmp_path: Path):
    tools = make_tools(tmp_path)
    wanted = call("create_file", file_path="new/a.txt", content="one\ntwo")
    asked = tools.check(wanted)
    assert isinstance(asked, Ask) and asked.scope == f"this folder: {tmp_path / 'new'}"
    assert "+one\n+two\n\\ No newline" in asked.preview and str(tmp_path / "new/a.txt") in asked.preview
    assert not (tmp_path / "new").exists()
    output(tools, "create_file", file_path="new/a.txt", content="one\ntwo")
    assert (tmp_path / "new/a.txt").read_bytes() == b"one\ntwo"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_an_existing_file_is_kept_unless_overwrite(tmp_path: Path):
    (tmp_path / "a").write_text("old\n")
    (tmp_path / "a").chmod(0o750)
    tools = make_tools(tmp_path)
    refused = tools.check(call("create_file", file_path="a", content="new\n"))
    assert isinstance(refused, Refuse) and "overwrite" in refused.result.output
    assert "overwrite" in failure(tools, "create_file", file_path="a", content="new\n")
    asked = tools.check(call("create_file", file_path="a", content="new\n", overwrite=True))
    assert isinstance(asked, Ask) and "-old\n+new\n" in asked.preview
    output(tools, "create_file", file_path="a", content="new\n", overwrite=True)
    assert (tmp_path / "a").read_text() == "new\n" and (tmp_path / "a").stat().st_mode & 0o777 == 0o750


def test_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    tools = make_tools(tmp_path)
    output(tools, "edit_file", file_path="link", old_text="old", new_text="new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    output(tools, "delete_file", file_path="link")
    assert not os.path.lexists(tmp_path / "link") and (tmp_path / "real").exists()


def test_an_edit_needs_exactly_one_place(tmp_path: Path):
    (tmp_path / "a").write_text("x = 1\ny = 1\n")
    tools = make_tools(tmp_path)
    assert "was not found" in failure(tools, "edit_file", file_path="a", old_text="z", new_text="q")
    assert "other spaces" in failure(tools, "edit_file", file_path="a", old_text="x  =  1", new_text="q")
    assert "stands 2 times" in failure(tools, "edit_file", file_path="a", old_text="= 1", new_text="= 2")
    assert "empty" in failure(tools, "edit_file", file_path="a", old_text="", new_text="q")
    assert isinstance(tools.check(call("edit_file", file_path="a", old_text="x", new_text="x")), Refuse)
    assert (tmp_path / "a").read_text() == "x = 1\ny = 1\n"
    output(tools, "edit_file", file_path="a", old_text="= 1", new_text="= 2", replace_all=True)
    assert (tmp_path / "a").read_text() == "x = 2\ny = 2\n"


def test_an_edit_keeps_line_ends_and_encoding(tmp_path: Path):
    (tmp_path / "crlf").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\n")
    (tmp_path / "old").write_bytes(b"gr\xfc\xdfe\n")
    tools = make_tools(tmp_path)
    output(tools, "edit_file", file_path="crlf", old_text="one\ntwo", new_text="1\n1.5\n2")
    assert (tmp_path / "crlf").read_bytes() == b"\xef\xbb\xbf1\r\n1.5\r\n2\r\nthree\r\n"
    output(tools, "edit_file", file_path="old", old_text="grü", new_text="Grü")
    assert (tmp_path / "old").read_bytes() == b"Gr\xfc\xdfe\n"
    assert "cannot hold '€'" in failure(tools, "edit_file", file_path="old", old_text="Gr", new_text="€")


def test_the_diff_of_an_edit_is_exact(tmp_path: Path):
    lines = [f"line {number}\n" for number in range(100_000)]
    (tmp_path / "a").write_text("".join(lines))
    asked = make_tools(tmp_path).check(call("edit_file", file_path="a", old_text="line 50000\n", new_text="new\n"))
    assert isinstance(asked, Ask)
    body = asked.preview.partition("@@")[2]
    assert body.startswith(" -49998,7 +49998,7 @@\n line 49997\n")
    assert "-line 50000\n+new\n line 50001\n" in body


def test_a_name_in_a_diff_begins_no_row_of_its_own(tmp_path: Path):
    asked = make_tools(tmp_path).check(call("create_file", file_path="a\n+++ b\u202e", content="text\n"))
    assert isinstance(asked, Ask)
    assert asked.preview.startswith(f"{tmp_path}/a\\n+++ b\\u202e\n--- /dev/null\n")
    diff = asked.preview.partition("--- ")[2].split("\n")
    assert diff[1] == f"+++ {tmp_path}/a\\n+++ b\\u202e" and diff[2].startswith("@@")


def test_what_cannot_be_written_leaves_the_file(tmp_path: Path):
    (tmp_path / "a").write_text("old")
    tools = make_tools(tmp_path)
    refused = tools.check(call("create_file", file_path="a", content="\ud800", overwrite=True))
    assert isinstance(refused, Refuse) and "cannot hold" in refused.result.output
    assert "Not a directory" in failure(tools, "create_file", file_path="a/b", content="x")
    assert "usable path" in failure(tools, "create_file", file_path="a\0b", content="x")
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_is_deleted_only_recursively(tmp_path: Path):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").touch()
    tools = make_tools(tmp_path / "d")
    assert "recursive=true" in failure(tools, "delete_file", file_path="e")
    asked = tools.check(call("delete_file", file_path="e", recursive=True))
    assert isinstance(asked, Ask) and "1 entry" in asked.preview and str(tmp_path / "d/e") in asked.preview
    assert asked.scope == f"this folder: {tmp_path / 'd/e'}"
    for whole in (".", "..", "../d", "/"):
        assert "working folder" in failure(tools, "delete_file", file_path=whole, recursive=True)
    output(tools, "delete_file", file_path="e", recursive=True)
    assert list((tmp_path / "d").iterdir()) == []
    assert "does not exist" in failure(tools, "delete_file", file_path="e")


def test_always_covers_the_folder_and_the_tool_only(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    tools = make_tools(tmp_path)
    tools.remember(call("create_file", file_path="a", content="x"))
    assert isinstance(tools.check(call("create_file", file_path="b", content="y")), Run)
    assert isinstance(tools.check(call("create_file", file_path="sub/b", content="y")), Ask)
    run(tools, "create_file", file_path="b", content="y")
    assert isinstance(tools.check(call("delete_file", file_path="b")), Ask)
    assert isinstance(tools.check(call("edit_file", file_path="b", old_text="y", new_text="z")), Ask)


def test_yolo_runs_what_would_ask(tmp_path: Path):
    assert isinstance(
        make_tools(tmp_path, mode=lambda: "yolo").check(call("read_file", file_path="/etc/hostname")), Run
    )
