"""Modes at the tools: what edits files runs unasked in accept-edits, what does more than read is refused in plan."""

from pathlib import Path

from toolbench import call, make_tools

from scratchy.core.ports import Ask, Refuse, Run
from scratchy.scratchpad import Scratchpad


def verdicts(folder: Path, mode: str) -> dict[str, type]:
    (folder / "a.txt").write_text("one\n")
    tools = make_tools(folder, Scratchpad(folder / ".pad"), mode=lambda: mode)
    calls = {
        "read": call("read_file", file_path="a.txt"),
        "read elsewhere": call("read_file", file_path="/etc/hostname"),
        "create": call("create_file", file_path="b.txt", content="x"),
        "edit": call("edit_file", file_path="a.txt", old_text="one", new_text="two"),
        "hook": call("create_file", file_path=".git/hooks/post-commit", content="x"),
        "elsewhere": call("create_file", file_path="/tmp/never-made", content="x"),
        "delete": call("delete_file", file_path="a.txt"),
        "command": call("execute_command", command="ls"),
        "code": call("code_execute", code="1"),
        "web": call("web_search", query="x"),
    }
    return {name: type(tools.check(one)) for name, one in calls.items()}


def test_accept_edits_runs_edits_inside_and_asks_for_all_else(tmp_path: Path):
    found = verdicts(tmp_path, "accept-edits")
    assert {name for name, verdict in found.items() if verdict is Run} == {"read", "create", "edit"}
    assert set(found.values()) == {Run, Ask}


def test_plan_refuses_what_does_more_than_read_and_says_so(tmp_path: Path):
    found = verdicts(tmp_path, "plan")
    assert {name for name, verdict in found.items() if verdict is Refuse} == {
        "create", "edit", "hook", "elsewhere", "delete", "command", "code",
    }  # fmt: skip
    assert found["read"] is Run and found["read elsewhere"] is Ask and found["web"] is Ask
    refused = make_tools(tmp_path, mode=lambda: "plan").check(call("execute_command", command="ls"))
    assert isinstance(refused, Refuse) and "plan mode" in refused.result.output and refused.summary == "ls"
