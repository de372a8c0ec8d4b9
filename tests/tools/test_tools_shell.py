"""Real commands: live output, time limits, cancellation, what they leave behind, and keys."""

import asyncio
import contextlib
import os
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from toolbench import call, collect, failure, make_tools, output

from scratchy.core.events import ToolOutput
from scratchy.core.ports import Ask, Refuse, Run
from scratchy.scratchpad import Scratchpad
from scratchy.tools.secrets import KEY_VARIABLES


def gone(pid: int) -> bool:
    """Ended; a zombie that nobody reaped counts as ended."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def test_output_streams_merged_and_in_order(tmp_path: Path):
    tools = make_tools(tmp_path)
    wanted = call("execute_command", command="echo one; echo two >&2; sleep 0.3; echo three; pwd; cat; exit 3")
    live, result = asyncio.run(collect(tools, wanted))
    assert live == f"one\ntwo\nthree\n{tmp_path}\n"
    assert result.output == live + "[exit code 3]" and result.is_error


def test_the_first_line_is_seen_before_the_command_ends(tmp_path: Path):
    async def first() -> str:
        wanted = call("execute_command", command="echo ready; while [ ! -e go ]; do sleep 0.05; done; echo done")
        seen = ""
        async with aclosing(make_tools(tmp_path).run(wanted)) as events:
            async for event in events:
                if isinstance(event, ToolOutput):
                    seen += event.text
                    (tmp_path / "go").touch()
        return seen

    assert asyncio.run(first()) == "ready\ndone\n"


def test_what_asks_shows_the_whole_command(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    tools = make_tools(tmp_path)
    command = "echo " + "x" * 4000 + "\nrm -rf y"
    asked = tools.check(call("execute_command", command=command, working_directory="sub"))
    assert isinstance(asked, Ask) and asked.scope == "this command"
    assert command in asked.preview and str(tmp_path / "sub") in asked.preview
    tools.remember(call("execute_command", command=command, working_directory="sub"))
    assert isinstance(tools.check(call("execute_command", command=command, working_directory="sub")), Run)
    assert isinstance(tools.check(call("execute_command", command=command)), Ask)
    assert isinstance(tools.check(call("execute_command", command="a\0b")), Refuse)
    assert "not a folder" in failure(tools, "execute_command", command="true", working_directory="none")


def test_a_timeout_ends_the_group_even_one_that_ignores_sigterm(tmp_path: Path):
    command = "trap '' TERM; sh -c \"trap '' TERM; echo \\$\\$ > child; while :; do sleep 1; done\" & wait; sleep 60"
    told = failure(make_tools(tmp_path), "execute_command", command=command, timeout=1)
    assert "stopped after 1 seconds" in told
    assert gone(int((tmp_path / "child").read_text()))


def test_a_grandchild_that_holds_the_output_does_not_hang_us(tmp_path: Path):
    told = output(make_tools(tmp_path), "execute_command", command="sleep 60 & echo $! > pid; echo started")
    assert told == "started\n[what it left running in its process group was ended]"
    assert gone(int((tmp_path / "pid").read_text()))


def test_one_that_left_the_group_does_not_hang_us(tmp_path: Path):
    command = "setsid sh -c 'echo $$ > pid; sleep 30' & sleep 0.3"
    told = output(make_tools(tmp_path), "execute_command", command=command)
    assert told == "[no output, exit code 0]"
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_the_notice_says_nothing_of_one_that_left_the_group(tmp_path: Path):
    command = "setsid sh -c 'echo $$ > pid; sleep 30' & sleep 60 & sleep 0.3"
    assert output(make_tools(tmp_path), "execute_command", command=command) == (
        "[what it left running in its process group was ended]"
    )
    os.kill(int((tmp_path / "pid").read_text()), 9)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_cancelling_ends_the_whole_group(tmp_path: Path, how: str):
    async def interrupted() -> None:
        wanted = call("execute_command", command="sh -c 'echo $$; exec sleep 60' & echo $$; wait")
        seen = ""

        async def turn() -> None:
            nonlocal seen
            async with aclosing(make_tools(tmp_path).run(wanted)) as events:
                async for event in events:
                    seen += event.text if isinstance(event, ToolOutput) else ""
                    if how == "close" and seen.count("\n") == 2:
                        return

        task = asyncio.create_task(turn())
        while seen.count("\n") < 2:
            await asyncio.sleep(0.02)
        if how == "cancel":
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled() == (how == "cancel")
        pids = [int(pid) for pid in seen.split()]
        assert len(pids) == 2 and all(gone(pid) for pid in pids)

    asyncio.run(interrupted())


def test_ten_megabytes_rest_in_the_scratchpad(tmp_path: Path):
    tools = make_tools(tmp_path, Scratchpad(tmp_path / ".blobs"))
    command = "for i in 1 2 3 4 5 6 7 8 9 10; do head -c 1048576 /dev/zero | tr '\\0' $((i % 10)); done; echo; echo end"
    result = asyncio.run(collect(tools, call("execute_command", command=command)))[1]
    assert "scratchpad_read" in result.output and len(result.output) < 2000
    assert len(result.display) < 70_000 and result.display.endswith("end\n")
    entry = Scratchpad(tmp_path / ".blobs").list()[0]
    assert entry["size"] == 10 * 1048576 + 5
    read = output(tools, "scratchpad_read", id=entry["id"], offset=10 * 1048576)
    assert read == "\nend\n"


def test_endless_output_is_stopped_and_bounded(tmp_path: Path):
    told = failure(make_tools(tmp_path), "execute_command", command="yes 0123456789012345678901234567890123456789")
    assert "stopped: it printed more than" in told and len(told) < 20_000


def test_code_runs_and_does_not_import_from_nowhere(tmp_path: Path):
    (tmp_path / "here.py").write_text("x = 5\n")
    tools = make_tools(tmp_path)
    assert output(tools, "code_execute", code="import here\nprint(here.x, 'ü', __name__)") == "5 ü __main__\n"
    told = failure(tools, "code_execute", code="print('a')\n1/0")
    assert told.startswith("a\n") and "ZeroDivisionError" in told and "exit code 1" in told
    assert "EOFError" in failure(tools, "code_execute", code="input()")
    assert "stopped after 1 seconds" in failure(tools, "code_execute", code="while True: pass", timeout=1)
    asked = tools.check(call("code_execute", code="print(1)\nprint(2)"))
    assert isinstance(asked, Ask) and "print(1)\nprint(2)" in asked.preview
    assert sorted(os.listdir(tmp_path)) in (["here.py"], ["__pycache__", "here.py"])


def test_children_have_no_keys_and_no_key_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, f"secret-of-{name}")
    (tmp_path / "notes").write_text("the key is secret-of-OPENAI_API_KEY.")
    tools = make_tools(tmp_path, Scratchpad(tmp_path / ".blobs", threshold=100))
    assert "secret-of" not in output(tools, "execute_command", command="env")
    for name in KEY_VARIABLES:
        assert name + "=" not in output(tools, "code_execute", code="import os; print(os.environ)")
    assert output(tools, "read_file", file_path="notes") == "the key is [key]."
    slow = call("execute_command", command="printf secret-of-; sleep 0.3; echo GROQ_API_KEY; cat notes; seq 1000")
    live, result = asyncio.run(collect(tools, slow))
    assert live.startswith("[key]\nthe key is [key]")
    for text in (live, result.output, result.display, Scratchpad(tmp_path / ".blobs").read(_id(tmp_path))):
        assert "secret-of" not in text
    asked = tools.check(call("edit_file", file_path="none-secret-of-OPENAI_API_KEY", old_text="a", new_text="b"))
    assert isinstance(asked, Refuse) and "secret-of" not in asked.result.output


def _id(folder: Path) -> str:
    return str(Scratchpad(folder / ".blobs").list()[0]["id"])
