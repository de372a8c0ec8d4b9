"""File tools beside an editor: whose text counts, and what an editor that fails leaves."""

import asyncio
from pathlib import Path

from toolbench import call, collect

from scratchy.core.ports import ToolResult
from scratchy.permissions import Permissions
from scratchy.scratchpad import Scratchpad
from scratchy.tools.builtin import default_tools
from scratchy.tools.toolset import Tools


class Beside:
    """An editor with some files open; it `fails` to say whether it wrote."""

    def __init__(self, *, fails: bool = False, **texts: str) -> None:
        self.texts = texts
        self.fails = fails
        self.asked: list[str] = []

    def text(self, path: str) -> str | None:
        self.asked.append(Path(path).name)
        return self.texts.get(Path(path).name)

    def write(self, path: str, text: str) -> bool:
        if self.fails:
            raise OSError(5, "The editor did not say whether it wrote the file", path)
        return False


def ran(folder: Path, editor: Beside, name: str, **arguments: object) -> ToolResult:
    permissions = Permissions(folder, mode=lambda: "yolo")
    tools = Tools(default_tools(permissions, Scratchpad(folder / ".pad"), editor=editor), permissions=permissions)
    return asyncio.run(collect(tools, call(name, **arguments)))[1]


def test_an_editor_that_does_not_say_whether_it_wrote_is_an_error_and_the_disk_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    told = ran(tmp_path, Beside(fails=True), "edit_file", file_path="a", old_text="one", new_text="two")
    assert told.is_error and "did not say" in told.output and (tmp_path / "a").read_text() == "one\n"


def test_lines_are_those_of_the_buffer(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    told = ran(tmp_path, Beside(a="1\n2\n3 unsaved\n"), "read_file", file_path="a", start_line=3, end_line=3)
    assert told.output == "3 unsaved\n"
    told = ran(tmp_path, Beside(a=""), "read_file", file_path="a")
    assert "empty" in told.output


def test_an_editor_is_asked_about_regular_files_of_plain_text_only(tmp_path: Path) -> None:
    editor = Beside()
    (tmp_path / "big").write_bytes(b"x" * (5 << 20))
    (tmp_path / "binary").write_bytes(b"\0")
    (tmp_path / "half").write_bytes(b"x \xff")
    (tmp_path / "plain").write_text("x")
    for name in ("big", "binary", "half", "plain", "absent"):
        ran(tmp_path, editor, "read_file", file_path=name, end_line=1)
    assert editor.asked == ["plain"]
