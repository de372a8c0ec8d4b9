"""Shell lines at the prompt, through the real program: what runs, what the model is told of it, what never runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from draftbench import Home, drafted, serving, soon, standing
from ptys import Terminal

SECRET = "sk-very-secret-1234567890"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serving() as model:
        yield Home(tmp_path, model)


def typed(terminal: Terminal, line: str) -> None:
    """A shell line: its mark is a key by itself, as a person presses it."""
    terminal.send(line[0])
    terminal.wait_for(lambda: terminal.line().endswith("shell !"))
    terminal.send(line[1:])


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_typed_mark_runs_a_command_that_the_model_knows_at_its_next_turn(home: Home) -> None:
    with home.open(OPENAI_API_KEY=SECRET) as terminal:
        standing(terminal)
        terminal.send("!")
        terminal.wait_for(lambda: terminal.line() == "[default] shell !")
        terminal.send("pwd; echo ${OPENAI_API_KEY:-no-key} " + SECRET + "; (exit 3)\r")
        terminal.wait_for("✗ exit code 3")
        standing(terminal)
        assert "no-key [key]" in terminal.text()
        terminal.send("what was that?\r")
        terminal.wait_for("Answer 1")
        told = "\n".join(str(message["content"]) for message in home.model.asked[0])
        assert f"in {home.folder}: exit code 3" in told and "no-key [key]" in told
        assert SECRET not in told and "[I ran this at the prompt" in home.said()[0]


def test_two_marks_keep_it_from_the_model_and_from_the_disk(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        typed(terminal, "!!")
        terminal.wait_for(lambda: terminal.line() == "[default] unseen shell !!")
        terminal.send("seq -f 'word%g' 20000\r")
        terminal.wait_for("✓ exit code 0")
        terminal.wait_for("more lines; Ctrl-O shows all")
        standing(terminal)
        terminal.send("hello\r")
        terminal.wait_for("Answer 1")
    assert home.said() == ["hello"] and b"word77" not in home.model.bodies[0]
    kept = [path for path in home.sessions.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"word77" in path.read_bytes()]


def test_a_long_output_rests_in_the_scratchpad_and_ctrl_o_shows_it(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        typed(terminal, "!seq -f 'row%g' 5000\r")
        terminal.wait_for("✓ exit code 0")
        assert "row20\n" in terminal.text() and "row77\n" not in terminal.text()
        standing(terminal)
        terminal.send("\x0f")
        terminal.wait_for("row77\n")
    assert "kept in the scratchpad as" in home.said()[0] and len(home.said()[0]) < 3000


def test_esc_ends_it_with_all_that_it_started(home: Home) -> None:
    pid = home.folder / "pid"
    for key, command in (("\x1b", f"!sleep 600 & echo $! > {pid}; echo begun; wait"), ("\x03", "!echo begun; sleep 9")):
        with home.open() as terminal:
            standing(terminal)
            typed(terminal, command + "\r")
            terminal.wait_for("Esc to interrupt")
            terminal.wait_for("  begun")
            terminal.send(key)
            terminal.wait_for("✗ interrupted")
            standing(terminal)
    soon(lambda: gone(int(pid.read_text())))
    assert "interrupted]\nbegun" in home.said()[0]


def test_while_something_runs_a_command_stays_in_the_prompt(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        home.model.free.clear()
        terminal.send("first\r")
        soon(lambda: len(home.model.asked) == 1, terminal)
        typed(terminal, "!touch made\r")
        terminal.wait_for("Something runs")
        terminal.wait_for(lambda: terminal.line() == "[default] shell !touch made")
        home.model.free.set()
        terminal.wait_for("Answer 1")
        assert not (home.folder / "made").exists()
        terminal.wait_for(lambda: "Esc to interrupt" not in terminal.text())
        terminal.send("\r")
        soon((home.folder / "made").exists, terminal)


def test_what_nobody_typed_is_text_for_the_model(home: Home) -> None:
    home.leave(drafted("!touch draft", "!touch queued"), "default", "Hello")
    sent: list[str] = []

    def send(terminal: Terminal, line: str) -> None:
        terminal.wait_for(lambda: terminal.line() == f"[default] You: {line}")
        terminal.send("\r")
        sent.append(line)
        terminal.wait_for(f"Answer {len(sent)}")
        standing(terminal)

    with home.open() as terminal:
        send(terminal, "!touch draft")
        terminal.send("\r")
        sent.append("!touch queued")
        terminal.wait_for("Answer 2")
        standing(terminal)
        terminal.paste("!touch pasted")
        send(terminal, "!touch pasted")
        terminal.send("![picture](x)")
        send(terminal, "![picture](x)")
        typed(terminal, "!x\x01")
        terminal.wait_for("shell !x")
        terminal.paste("!touch before ")
        send(terminal, "!touch before !x")
        terminal.paste("a\x1b[201~\x15!touch escaped")
        send(terminal, "a!touch escaped")
        terminal.send(" !touch later\x01\x04")
        send(terminal, "!touch later")
        typed(terminal, "!touch killed\x15")
        standing(terminal)
        terminal.send("\x19")
        send(terminal, "!touch killed")
    assert home.said()[1:] == sent and not [path for path in home.folder.iterdir() if path.name in str(sent)]


def test_the_history_knows_which_lines_were_commands_in_this_project(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        terminal.paste("!echo text")
        terminal.send("\r")
        terminal.wait_for("Answer 1")
        standing(terminal)
        typed(terminal, "!echo com''mand\r")
        terminal.wait_for("command\n✓ exit code 0")
        standing(terminal)
    with home.open() as terminal:
        terminal.wait_for("Model: ")
        standing(terminal)
        terminal.read(0.5)  # the history is read behind the first paint
        terminal.send("\x1b[A")
        terminal.wait_for(lambda: terminal.line() == "[default] shell !echo com''mand")
        terminal.send("\x1b[A")
        terminal.wait_for(lambda: terminal.line() == "[default] You: !echo text")
        terminal.send("\x1b[B")
        terminal.wait_for(lambda: terminal.line() == "[default] shell !echo com''mand")
        terminal.send(" again\r")
        terminal.wait_for("command again\n✓ exit code 0")


def test_control_sequences_in_its_output_never_reach_the_terminal(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        typed(terminal, "!printf 'a\\033]0;owned\\007b\\033[31mred'; sleep 0.5\r")
        terminal.wait_for("✓ exit code 0")
        assert "abred" in terminal.text()
        assert b"\x1b]0;owned" not in terminal.raw and b"\x1b[31mred" not in terminal.raw


def test_it_runs_in_the_folder_of_the_session_also_in_plan_mode(home: Home) -> None:
    (home.folder / "other").mkdir()
    with home.open("--cwd", str(home.folder / "other"), "--approval-mode", "plan") as terminal:
        terminal.wait_for(lambda: terminal.line() == "[default] plan You:")
        typed(terminal, "!touch here\r")
        terminal.wait_for("[default] plan shell !touch here")
        terminal.wait_for("✓ exit code 0")
    assert (home.folder / "other" / "here").exists()


def test_a_command_at_rest_costs_nothing_and_the_mark_can_be_taken_back(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        terminal.send("!")
        terminal.wait_for(lambda: terminal.line() == "[default] shell !")
        terminal.send("\x1b")
        standing(terminal)
        typed(terminal, "!!\x7f")
        terminal.wait_for(lambda: terminal.line() == "[default] shell !")
        terminal.send("\x7f")
        standing(terminal)
        typed(terminal, "!\r")
        terminal.wait_for("Nothing to run")
    assert home.said() == []


def test_without_a_session_nothing_of_it_is_kept(home: Home) -> None:
    with home.open("--no-session") as terminal:
        standing(terminal)
        typed(terminal, "!echo typed-here\r")
        terminal.wait_for("typed-here\n✓")
        terminal.send("hello\r")
        terminal.wait_for("Answer 1")
        standing(terminal)
        terminal.send("\x1b[A")
        terminal.wait_for(lambda: terminal.line() == "[default] You: hello")
        terminal.send("\x03\x03")
        assert terminal.exit_code() == 0
    assert not [path for path in home.folder.rglob("*") if path.is_file() and b"typed-here" in path.read_bytes()]
