"""What a resumed session shows of its last calls: what ran, what did not, what nobody knows."""

from pathlib import Path

from programs import ROOT, Home
from ptys import Terminal
from sessionbench import calling

from scratchy.core.session import result


def test_calls_look_as_they_ended(tmp_path: Path):
    home = Home(tmp_path)
    home.save(
        "s",
        {"role": "user", "content": "go"},
        calling("read_file", {"file_path": "a"}, "c1"),
        result("c1", "read_file", "text", is_error=False),
        calling("create_file", {"file_path": "b"}, "c2"),
        result("c2", "create_file", "not run: the user said no"),
        calling("execute_command", {"command": "sleep 30"}, "c3"),
    )
    with Terminal(
        "--provider", "demo", "-s", "s", "--cwd", str(home.work), program=ROOT / "run_agent.py", columns=100,
        HOME=str(tmp_path), SCRATCHY_SESSIONS_DIR=str(home.sessions),
    ) as screen:  # fmt: skip
        screen.wait_for("✗ execute_command sleep 30 · interrupted; it may have run")
        screen.wait_for("✗ create_file b · not run")
        screen.wait_for("✓ read_file a")
