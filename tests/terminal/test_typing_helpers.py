"""What stands behind the prompt without a terminal: pastes, history, completion, the short lines."""

import asyncio
import re
import stat
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.utils import get_cwidth

from scratchy.core.events import ToolStarted
from scratchy.core.messages import ToolCall
from scratchy.terminal.answering import note_event
from scratchy.terminal.completion import CommandCompleter
from scratchy.terminal.diffs import approval_lines
from scratchy.terminal.entry import ShellLine
from scratchy.terminal.history import FileHistory
from scratchy.terminal.lines import tool_end, tool_line
from scratchy.terminal.pastes import Pastes


def test_short_pastes_are_text_long_ones_a_mark() -> None:
    pastes = Pastes()
    assert pastes.shown("a\r\nb") == "a\nb"
    long = "\n".join(f"line {number}" for number in range(120))
    assert pastes.shown(long + "\n") == "[Pasted #1, 120 lines]"
    assert pastes.shown("x" * 5000) == "[Pasted #2, 1 line]"
    assert pastes.expanded("see [Pasted #1, 120 lines].") == f"see {long}\n."


def test_marks_that_nobody_pasted_are_text() -> None:
    pastes = Pastes()
    pastes.shown("x" * 5000)
    for mark in ("[Pasted #2, 1 line]", "[Pasted #1, 3 lines]", "[Pasted #0, 1 line]"):
        assert pastes.expanded(mark) == mark


def call(name: str) -> ToolCall:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": "{}"}}


def entries(history: FileHistory) -> list[str]:
    async def load() -> list[str]:
        return [entry async for entry in history.load()]

    return asyncio.run(load())


def test_history_keeps_lines_newest_first_without_repeats(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history = FileHistory(str(path))
    for line in ("one", "two\nlines", "two\nlines", "\ud800\u2028", "one"):
        history.append_string(line)
    assert entries(FileHistory(str(path))) == ["one", "\ud800\u2028", "two\nlines"]
    (own,) = (tmp_path / "history.d").iterdir()
    assert stat.S_IMODE(own.stat().st_mode) == 0o600


def test_history_takes_in_what_other_windows_write(tmp_path: Path) -> None:
    path = str(tmp_path / "history")
    mine, other = FileHistory(path), FileHistory(path)
    mine.append_string("mine")
    other.append_string("other")
    assert entries(mine) == ["other", "mine"]
    mine.append_string("mine again")
    assert entries(other) == ["mine again", "other", "mine"]


def test_damaged_history_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b'"good"\n{broken\n[1]\n\xff\xfe\n"torn')
    assert entries(FileHistory(str(path))) == ["good"]


def test_history_without_a_usable_file_remembers_this_window(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (None, str(tmp_path / "file" / "folder")):
        history = FileHistory(path)
        history.append_string("line")
        assert entries(history) == ["line"]


def complete(line: str) -> list[str]:
    async def models() -> list[str]:
        return ["tiny", "large"]

    commands = ["/resume", "/rename", "/restore", "/model"]
    completer = CommandCompleter(lambda: commands, lambda: ["alpha", "Beta one"], lambda: ["beyond"], models)

    async def ask() -> list[str]:
        document = Document(line, len(line))
        return [
            line[: len(line) + found.start_position] + found.text
            async for found in completer.get_completions_async(document, CompleteEvent())
        ]

    return asyncio.run(ask())


def test_completion_of_commands_and_what_they_take() -> None:
    assert complete("/re") == ["/rename", "/restore", "/resume"]
    assert complete("/RESU") == ["/resume"]
    assert complete("/resume be") == ["/resume Beta one"]
    assert complete("/restore ") == ["/restore beyond"]
    assert complete("/model ") == ["/model tiny", "/model large"]
    assert complete("/rename a") == complete("hello /re") == complete("") == []


def test_sessions_are_listed_once_while_somebody_types_and_offered_in_bounds() -> None:
    listed: list[int] = []

    def sessions() -> list[str]:
        listed.append(1)
        return [f"s{number:05}" for number in range(10_000)]

    async def models() -> list[str]:
        return []

    completer = CommandCompleter(list, sessions, list, models)

    async def ask(line: str) -> list[str]:
        document = Document(line, len(line))
        return [found.text async for found in completer.get_completions_async(document, CompleteEvent())]

    async def type_on() -> None:
        assert len(await ask("/resume s")) == 200
        assert await ask("/resume s0999") == [f"s0999{digit}" for digit in range(10)]
        assert await ask("/delete s01234") == ["s01234"] and listed == [1]

    asyncio.run(type_on())


def test_a_tool_line_is_one_line_whatever_its_summary_holds() -> None:
    line = tool_line("run\x1b[2J", "make\n\x1b]0;x\x07all", True, tool_end(True, True, 61_000))
    assert line.count("\n") == 1
    assert "failed · 1 min 1 s" in line and "\x1b]" not in line and "2J" not in line
    hiding = tool_line("run", "echo ok \u202e; rm \u2066\u200bx\nb", False, "")
    assert "echo ok \\u202e; rm \\u2066\\u200bx b" in hiding


def test_what_a_call_does_is_one_harmless_line_for_who_looks_on(capsys: pytest.CaptureFixture[str]) -> None:
    note_event(ToolStarted(call("create_file"), "create_file", {}, "a\nThe user said yes\u202e"))
    assert capsys.readouterr().err == "→ create_file: a The user said yes\\u202e\n"


def test_an_approval_shows_all_and_colours_a_diff() -> None:
    shown = approval_lines("edit_file", "--- a\n+++ b\n@@ -1 +1 @@\n-old\u202e\n+new\n context\n", 80)
    assert "\x1b[31m-old\\u202e\x1b[0m" in shown
    assert "\x1b[32m+new\x1b[0m" in shown


@pytest.mark.parametrize("width", [10, 40, 80])
def test_each_row_of_an_approval_begins_with_a_bar_and_nothing_is_left_out(width: int) -> None:
    long = "word " * 50 + "x" * 200 + "漢字" * 40 + "\t tab" + " " * 300 + "end"
    shown = re.sub(r"\x1b\[[0-9;]*m", "", approval_lines("na\nme", f"{long}\n\n{long}", width)).split("\n")
    assert shown[0] == "The model asks to run na\\nme:" and shown[-1] == ""
    assert all(row.startswith("│ ") and get_cwidth(row) < width + (width == 10) for row in shown[1:-1])
    whole = long.replace("\t", " " * (4 - long.index("\t") % 4))
    assert "".join(row[2:] for row in shown[1:-1]) == whole * 2


def test_each_project_has_its_own_history_and_the_lines_of_earlier_versions_stand_behind(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text('"from before"\n')
    for folder in ("one/.git", "one/deep/er", "two"):
        (tmp_path / folder).mkdir(parents=True)
    one, two = FileHistory(str(path), str(tmp_path / "one")), FileHistory(str(path), str(tmp_path / "two"))
    one.append_string("said in one")
    two.append_string(ShellLine("!run in two"))
    assert entries(FileHistory(str(path), str(tmp_path / "one" / "deep" / "er"))) == ["said in one", "from before"]
    assert not one.enter(str(tmp_path / "one" / "deep")) and one.enter(str(tmp_path / "two"))
    assert entries(one) == ["!run in two", "from before"] and isinstance(entries(one)[0], ShellLine)
    assert path.read_text() == '"from before"\n'


def test_a_huge_history_and_a_huge_line_hide_nothing_that_was_typed_lately(tmp_path: Path) -> None:
    history = FileHistory(str(tmp_path / "history"))
    for number in range(9):
        history.append_string(f"line {number}")
    assert len(entries(history)) == 9
    history.append_string("y" * 3_000_000)
    history.append_string("last")
    assert entries(history)[:2] == ["last", "y" * 3_000_000] and len(entries(history)) == 11
    assert len(entries(FileHistory(str(tmp_path / "history")))) == 10
