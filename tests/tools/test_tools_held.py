"""What was judged is what is done: files and folders that change between the question and the yes are left alone."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from toolbench import call, collect, make_tools

from scratchy.core.messages import ToolCall
from scratchy.core.ports import Ask, Refuse, ToolResult
from scratchy.scratchpad import Scratchpad


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work/d").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for folder in ("work", "work/d", "out"):
        (tmp_path / folder / "e.txt").write_text("old line\n")
    (tmp_path / "out/secret.txt").write_text("secret\n")
    return tmp_path / "work"


def judged_then(work: Path, meanwhile: Callable[[], object], wanted: ToolCall, mode: str = "ask") -> ToolResult:
    """The call is judged, then something happens, then it runs: as after a `y`, or unasked in another mode."""
    tools = make_tools(work, Scratchpad(work.parent / "blobs"), mode=lambda: mode)
    assert not isinstance(tools.check(wanted), Refuse)
    meanwhile()
    return asyncio.run(collect(tools, wanted))[1]


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files below it, none of them through a link."""
    found: dict[str, bytes] = {}
    for top, _, names in os.walk(folder):
        found |= {
            os.path.join(top, one): Path(top, one).read_bytes() for one in names if not Path(top, one).is_symlink()
        }
    return found


def linked(path: Path, target: Path) -> Callable[[], None]:
    def swap() -> None:
        if path.is_dir():
            path.rename(path.with_name("was"))
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return swap


CREATED = {"content": "new line\n"}
EDITED = {"old_text": "old line", "new_text": "new line"}
WRITES = [
    ("create_file", "new.txt", CREATED, "new.txt", "n.txt"),
    ("create_file", "missing/new.txt", CREATED, "missing", ""),
    ("create_file", "d/new.txt", CREATED, "d", ""),
    ("create_file", "d/deep/er/new.txt", CREATED, "d", ""),
    ("create_file", "e.txt", {**CREATED, "overwrite": True}, "e.txt", "e.txt"),
    ("edit_file", "e.txt", EDITED, "e.txt", "e.txt"),
    ("edit_file", "d/e.txt", EDITED, "d", ""),
    ("delete_file", "d/e.txt", {}, "d", ""),
]


@pytest.mark.parametrize("mode", ["ask", "accept-edits", "yolo"])
@pytest.mark.parametrize(("tool", "path", "more", "link", "target"), WRITES)
def test_nothing_is_written_or_deleted_through_a_link_that_came_after_the_call_was_judged(
    work: Path, mode: str, tool: str, path: str, more: dict[str, object], link: str, target: str
):
    out = work.parent / "out"
    before = contents(out)
    wanted = call(tool, file_path=path, **more)
    told = judged_then(work, linked(work / link, out / target), wanted, mode)
    assert told.is_error and not told.files and "Nothing was done" in told.output, told.output
    assert contents(out) == before


def test_a_folder_that_gave_way_to_another_one_is_not_written_to(work: Path):
    def another() -> None:
        (work / "d").rename(work / "was")
        (work / "d").mkdir()
        (work / "d/e.txt").write_text("old line\n")

    for tool, more in (("edit_file", EDITED), ("delete_file", {})):
        told = judged_then(work, another, call(tool, file_path="d/e.txt", **more))
        assert told.is_error and "another one" in told.output
        assert (work / "d/e.txt").read_text() == (work / "was/e.txt").read_text() == "old line\n"
        (work / "d/e.txt").unlink()
        (work / "d").rmdir()
        (work / "was").rename(work / "d")


@pytest.mark.parametrize("tool", ["edit_file", "create_file"])
def test_a_file_that_was_changed_since_its_diff_was_shown_is_left(work: Path, tool: str):
    more = EDITED if tool == "edit_file" else {**CREATED, "overwrite": True}
    mine = "mine\nold line\n"
    told = judged_then(work, lambda: (work / "e.txt").write_text(mine), call(tool, file_path="e.txt", **more))
    assert told.is_error and "it was changed" in told.output and (work / "e.txt").read_text() == mine


def test_a_file_that_came_where_a_new_one_was_to_be_is_left(work: Path):
    told = judged_then(work, lambda: (work / "n").write_text("mine"), call("create_file", file_path="n", content="x"))
    assert told.is_error and (work / "n").read_text() == "mine"


def test_another_folder_under_the_name_of_one_that_is_to_be_deleted_is_left(work: Path):
    def another() -> None:
        (work / "d").rename(work / "was")
        (work.parent / "out").rename(work / "d")

    told = judged_then(work, another, call("delete_file", file_path="d", recursive=True))
    assert told.is_error and (work / "d/secret.txt").exists() and (work / "was/e.txt").exists()


@pytest.mark.parametrize(
    ("tool", "more", "link", "target"),
    [
        ("read_file", {"file_path": "e.txt"}, "e.txt", "secret.txt"),
        ("read_file", {"file_path": "d/secret.txt"}, "d", ""),
        ("list_files", {"directory": "d"}, "d", ""),
        ("search_files", {"directory": "d", "pattern": "secret"}, "d", ""),
        ("fast_grep", {"directory": "d", "keyword": "secret"}, "d", ""),
    ],
)
def test_what_may_be_read_unasked_is_not_read_elsewhere(
    work: Path, tool: str, more: dict[str, object], link: str, target: str
):
    (work / "d/secret.txt").write_text("harmless\n")
    told = judged_then(work, linked(work / link, work.parent / "out" / target), call(tool, **more))
    assert told.is_error and "a link came into the way" in told.output and "secret\n" not in told.output


def test_a_link_that_was_there_is_followed_once_and_written_where_it_was_shown_to_lead(work: Path):
    (work / "link").symlink_to(work.parent / "out/e.txt")
    tools = make_tools(work, mode=lambda: "ask")
    wanted = call("edit_file", file_path="link", **EDITED)
    asked = tools.check(wanted)
    assert isinstance(asked, Ask) and asked.preview.startswith(f"{work.parent / 'out/e.txt'}\n")
    (work / "link").unlink()
    (work / "link").symlink_to(work / "d/e.txt")
    assert not asyncio.run(collect(tools, wanted))[1].is_error
    assert (work.parent / "out/e.txt").read_text() == "new line\n" and (work / "d/e.txt").read_text() == "old line\n"


def test_a_folder_that_may_be_walked_through_but_not_listed_is_no_hindrance(work: Path):
    (work / "d/sub").mkdir()
    (work / "d").chmod(0o311)
    told = judged_then(work, lambda: None, call("create_file", file_path="d/sub/new", content="x"))
    (work / "d").chmod(0o755)
    assert not told.is_error and (work / "d/sub/new").read_text() == "x"
