"""The session picker in the real program, on a pty, as a person sees it: opened, filtered, left; what its keys do to
sessions; narrow and low terminals, hostile titles, many sessions, kills; and what plain faces do instead."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from programs import Home
from ptys import PATIENCE, ROOT, Terminal

from scratchy import SessionManager
from scratchy.core.stored import Header
from scratchy.terminal.approve import CALM

pytestmark = pytest.mark.timeout(8 * PATIENCE)
CTRL_A, CTRL_C, CTRL_R, CTRL_T, CTRL_U, CTRL_X = "\x01", "\x03", "\x12", "\x14", "\x15", "\x18"
DOWN, END, PAGE_DOWN, ESC = "\x1b[B", "\x1b[F", "\x1b[6~", "\x1b"
OLD = "2026-01-01T00:00:00.000Z"


class Desk:
    """A home with sessions, and the program on a terminal in it."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.sessions = SessionManager(self.home.sessions)

    def session(self, session_id: str, *said: str, title: str | None = None, **metadata: object) -> None:
        with closing(
            self.sessions.store.open(session_id, create=Header(session_id, OLD, OLD, title, metadata))
        ) as writer:
            writer.append([{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)])

    def start(self, *flags: str, columns: int = 80, rows: int = 24) -> Terminal:
        here = ("--cwd", str(self.home.work), "--provider", "demo", *flags)
        env = {**self.home.env, "PYTHONDONTWRITEBYTECODE": ""}
        return Terminal(*here, program=ROOT / "run_agent.py", columns=columns, rows=rows, **env)

    def open(self, *flags: str, **size: int) -> Terminal:
        """The picker stands."""
        terminal = self.start(*flags, **size)
        terminal.wait_for(lambda: prompt_of(terminal) == "default")
        terminal.send("/resume\r")
        terminal.wait_for(lambda: filtering(terminal) == "")
        return terminal

    def ids(self) -> set[str]:
        return set(self.home.ids())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    yield Desk(tmp_path)


def prompt_of(terminal: Terminal) -> str | None:
    """The session whose prompt stands where the cursor is."""
    found = re.match(r"\[(.*?)\] You:", terminal.line())
    return found[1] if found else None


def filtering(terminal: Terminal) -> str | None:
    """What is in the filter line, when the cursor is there."""
    return terminal.line().partition("Filter:")[2].strip() if terminal.line().startswith("Filter:") else None


def screen(terminal: Terminal) -> str:
    return "\n".join(line.rstrip() for line in terminal.screen.display)


def rests(terminal: Terminal) -> bool:
    """A second in which it takes no processor time."""
    before = terminal.cpu_ticks()
    terminal.read(1.0)
    return terminal.cpu_ticks() == before


def marked(terminal: Terminal) -> str:
    return next((line[2:] for line in screen(terminal).split("\n") if line.startswith("▸ ")), "")


def test_a_session_is_found_previewed_and_opened_and_the_picker_leaves_no_trace(desk: Desk) -> None:
    desk.session("alpha", "how do I parse", "with care", title="The parser")
    desk.session("beta", "what about tests", "write them", model="large-1", tags=["later"])
    desk.session("gamma", "a third", "its zebra answer")
    with desk.open() as terminal:
        terminal.wait_for("“a third” … “its zebra answer”")
        terminal.wait_for("“what about")
        assert "large-1" in screen(terminal) and "#later" in screen(terminal) and "3 of 3" in screen(terminal)
        terminal.send("PARS")
        terminal.wait_for(lambda: "1 of 3" in screen(terminal))
        assert marked(terminal).startswith("The parser") and "alpha · 2 messages" in screen(terminal)
        terminal.send("\t")
        terminal.wait_for("│ You: how do I parse")
        terminal.wait_for("│ Assistant: with care")
        terminal.send(CTRL_U + "zebra")
        terminal.wait_for("its zebra answer")  # only its content has it: after a pause
        terminal.wait_for(lambda: marked(terminal).startswith("gamma"))
        terminal.send(CTRL_U + "nothing has this")
        terminal.wait_for(lambda: marked(terminal) == "")
        terminal.wait_for("Nothing matches")
        terminal.send("\r" + CTRL_U + "#" + CTRL_U + "later\r")
        terminal.wait_for(lambda: prompt_of(terminal) == "beta")
        assert "Filter:" not in terminal.text() and "│" not in terminal.text() and "/resume beta" in terminal.text()
        assert "Model: demo" in terminal.text()  # what stood above is there
        terminal.send("/exit\r")
        assert terminal.exit_code() == 0
    assert desk.ids() == {"alpha", "beta", "gamma"}


def test_esc_and_ctrl_c_leave_it_with_nothing_changed_and_what_was_typed_is_there(desk: Desk) -> None:
    desk.session("alpha", "x", "y")
    with desk.open() as terminal:
        terminal.wait_for(lambda: rests(terminal))
        for leave in (ESC, CTRL_C, "\x04"):
            terminal.send(leave)
            terminal.wait_for(lambda: prompt_of(terminal) == "default")
            assert "Filter:" not in terminal.text()
            terminal.send("/resume\r")
            terminal.wait_for(lambda: filtering(terminal) == "")
        terminal.send(f"{ESC}")
        terminal.wait_for(lambda: prompt_of(terminal) == "default")
        terminal.send("/resume\rnot a filter")  # typed ahead: a draft, or words for the filter; it chooses nothing
        terminal.wait_for(lambda: filtering(terminal) is not None)
        terminal.send(ESC)
        terminal.wait_for(lambda: prompt_of(terminal) == "default")
        terminal.send(CTRL_U + "/resume\rhello\r")  # this Enter was typed before anything was drawn
        terminal.wait_for(lambda: filtering(terminal) is not None)
        terminal.send(ESC)
        terminal.wait_for(lambda: terminal.line() == "[default] You: hello")
        assert desk.ids() == {"alpha"}


def test_rename_refuses_what_is_taken_or_held_and_says_it(desk: Desk) -> None:
    desk.session("alpha", "x", "y")
    desk.session("beta", "x", "y")
    with desk.open() as terminal:
        terminal.send("alpha" + CTRL_R)
        terminal.wait_for("New id: alpha")
        terminal.send(CTRL_U + "beta\r")
        terminal.wait_for("exists already")
        terminal.wait_for("New id: beta")  # to be corrected
        terminal.send(CTRL_U + "my project\r")
        terminal.wait_for("'alpha' is now 'my project'")
        assert desk.ids() == {"my project", "beta"}
        terminal.send(CTRL_U + "my")
        terminal.wait_for(lambda: marked(terminal).startswith("my project"))
        terminal.send(CTRL_R + "other")
        terminal.wait_for("New id: my projectother")
        terminal.send(ESC)
        terminal.wait_for(lambda: filtering(terminal) == "my")
        terminal.send(CTRL_R + CTRL_U + "a\u200bb\r")
        terminal.wait_for("must not contain")
        terminal.send(ESC)
        terminal.wait_for(lambda: filtering(terminal) == "my")
        assert desk.ids() == {"my project", "beta"} and len(desk.sessions.trash()) == 1


def reply(terminal: Terminal, key: str) -> None:
    """An answer to a question that stands there and could be read."""
    terminal.read(2 * CALM)
    terminal.send(key)


def test_keys_that_were_typed_before_the_question_was_read_do_not_answer_it(desk: Desk) -> None:
    desk.session("alpha", "x", "y")
    with desk.open() as terminal:
        terminal.wait_for(lambda: marked(terminal).startswith("alpha"))
        terminal.send(CTRL_X + "y\rYn")
        terminal.wait_for("To the trash (y/n): 'alpha'")
        terminal.read(2 * CALM)
        assert "To the trash (y/n): 'alpha'" in screen(terminal) and desk.ids() == {"alpha"}
        terminal.send(ESC)
        terminal.wait_for(lambda: filtering(terminal) == "")
        terminal.send(CTRL_X)
        terminal.wait_for("To the trash (y/n): 'alpha'")
        reply(terminal, "y")
        terminal.wait_for("'alpha' is in the trash")


def test_delete_asks_moves_to_the_trash_and_leaves_alone_what_others_hold(desk: Desk) -> None:
    desk.session("alpha", "x", "y")
    desk.session("beta", "x", "y")
    desk.session("gamma", "x", "y")
    (desk.home.sessions / "damaged_chat.toon").write_text("nonsense: [")
    program = (
        "import sys; from scratchy import SessionManager; "
        f"w = SessionManager({str(desk.home.sessions)!r}).store.open('beta'); print('held', flush=True); "
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with desk.open() as terminal:
            terminal.wait_for("[held] beta")
            terminal.send("beta")
            terminal.wait_for(f"held by process {holder.pid}")
            terminal.send(CTRL_U + "alpha" + CTRL_X)
            terminal.wait_for("To the trash (y/n): 'alpha'")
            reply(terminal, "n")
            terminal.wait_for(lambda: filtering(terminal) == "alpha")
            assert "alpha" in desk.ids()
            terminal.send(CTRL_X)
            terminal.wait_for("To the trash (y/n)")
            reply(terminal, "y\r")  # the Enter is part of the answer
            terminal.wait_for("'alpha' is in the trash")
            terminal.send(CTRL_U + "beta")
            terminal.wait_for(lambda: marked(terminal).startswith("[held"))
            terminal.send(CTRL_X)
            terminal.wait_for("To the trash (y/n)")
            reply(terminal, "y")
            terminal.wait_for(lambda: "is held" in screen(terminal).split("To the trash")[-1])
            terminal.send(CTRL_U + "damaged")
            terminal.wait_for("cannot be read")
            terminal.send(CTRL_X)
            terminal.wait_for("To the trash (y/n): 'damaged'")
            reply(terminal, "y")
            terminal.wait_for("'damaged' is in the trash")
        holder.communicate("")
    assert desk.ids() == {"beta", "gamma"} and {e.session_id for e in desk.sessions.trash()} == {"alpha", "damaged"}


def test_the_open_session_may_be_renamed_tagged_and_deleted_there_too(desk: Desk) -> None:
    desk.session("default", "x", "y")
    with desk.open() as terminal:
        terminal.wait_for("* default")
        terminal.send(CTRL_T + "work -none\r")
        terminal.wait_for("Tags of 'default': work")
        terminal.send(CTRL_R + CTRL_U + "mine\r")
        terminal.wait_for("'default' is now 'mine'")
        terminal.wait_for("* mine")
        assert desk.sessions.store.header("mine")[0].metadata["tags"] == ["work"]
        terminal.send(CTRL_X)
        terminal.wait_for("To the trash (y/n): 'mine'")
        reply(terminal, "y")
        terminal.wait_for("'mine' is in the trash")
        terminal.send(ESC)
        terminal.wait_for("Created new session")
        terminal.wait_for(lambda: (prompt_of(terminal) or "").startswith("chat-"))
    assert desk.ids() == set()


def test_tags_are_given_taken_and_filtered_by(desk: Desk) -> None:
    desk.session("alpha", "x", "y", tags=["old"])
    desk.session("beta", "x", "y")
    with desk.open() as terminal:
        terminal.send("alpha" + CTRL_T)
        terminal.wait_for("Tags (+x -y):")
        terminal.send("+new -old\r")
        terminal.wait_for("Tags of 'alpha': new")
        terminal.send(CTRL_T + "bad,tag\r")
        terminal.wait_for("is no tag")
        terminal.wait_for("Tags (+x -y): bad,tag")
        terminal.send(ESC + CTRL_U + "new")
        terminal.wait_for(lambda: marked(terminal).startswith("alpha"))
    assert desk.sessions.store.header("alpha")[0].metadata["tags"] == ["new"]


def test_this_folder_comes_first_and_ctrl_a_shows_all(desk: Desk) -> None:
    desk.session("here", "x", "y", folder=str(desk.home.work))
    desk.session("elsewhere", "x", "y", folder="/some/where/else")
    with desk.open() as terminal:
        terminal.wait_for("this folder: 1 of 1 (2 in all)")
        assert "elsewhere" not in screen(terminal)
        terminal.send(CTRL_A)
        terminal.wait_for("all folders: 2 of 2")
        assert "elsewhere" in screen(terminal)
        terminal.send("some/WHERE")
        terminal.wait_for(lambda: marked(terminal).startswith("elsewhere"))
        terminal.send(CTRL_A)
        terminal.wait_for("this folder: 0 of 1")


HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b32m\u202egnp.exe\u2066\u2028next\r\n\x07 日本語のタイトルはとても長い " * 3


def test_forty_columns_ten_rows_wide_signs_and_hostile_titles(desk: Desk) -> None:
    desk.session("evil", HOSTILE, HOSTILE, title=HOSTILE, folder=HOSTILE, model=HOSTILE, tags=[HOSTILE])
    desk.session("日本語の会話についてのとても長い名前です", "全角の文字はふたつぶん", "はい", title=None)
    for number in range(12):
        desk.session(f"s{number:02}", "x", "y")
    with desk.open(columns=40, rows=10) as terminal:
        seen = ""
        for keys in ("", END, "\t", DOWN, "evil", "\t", CTRL_U + "会話"):
            terminal.send(keys) if keys else None
            terminal.read(0.4)
            terminal.wait_for(lambda: filtering(terminal) is not None and screen(terminal).count("▸") == 1)
            seen += screen(terminal)
        terminal.wait_for(lambda: marked(terminal).startswith("日本語の会話"))
        terminal.resize(30, 100)
        terminal.wait_for("“全角の文字は")
        terminal.resize(8, 30)
        terminal.wait_for(lambda: filtering(terminal) is not None)
        terminal.send("\r")
        terminal.wait_for(lambda: "Resumed session" in terminal.text() and "Filter" not in screen(terminal))
        for evil in (b"\x1b]0;", b"\x07", "\u202e".encode(), "\u2066".encode(), b"\x1b[31m"):
            assert evil not in terminal.raw
        assert "owned" not in seen and "red" in seen


def test_a_thousand_sessions_with_damaged_and_foreign_ones_scroll_and_filter(desk: Desk) -> None:
    desk.session("s0000", "x", "y")
    whole = (desk.home.sessions / "s0000_chat.toon").read_bytes()
    for number in range(1, 1000):
        (desk.home.sessions / f"s{number:04}_chat.toon").write_bytes(whole.replace(b"s0000", b"s%04d" % number, 1))
    for name in ("torn", "empty"):
        (desk.home.sessions / f"{name}_chat.toon").write_bytes(whole[:40] if name == "torn" else b"")
    (desk.home.sessions / "foreign_chat.toon").write_bytes(whole)
    with desk.open(rows=16) as terminal:
        terminal.wait_for("1,003 of 1,003")
        first = marked(terminal)
        terminal.send(PAGE_DOWN + PAGE_DOWN)
        terminal.wait_for(lambda: marked(terminal) not in ("", first))
        terminal.send(END + DOWN)
        terminal.wait_for(lambda: marked(terminal).startswith("s") and "s0000" in screen(terminal))
        for wanted, word in (("torn", "cannot be read"), ("foreign", "foreign"), ("empty", "cannot be read")):
            terminal.send(CTRL_U + wanted)
            terminal.wait_for(lambda word=word: word in marked(terminal))
        terminal.send(CTRL_U + "s0123")
        terminal.wait_for(lambda: marked(terminal).startswith("s0123"))
        terminal.send("\r")
        terminal.wait_for(lambda: prompt_of(terminal) == "s0123")


def test_killed_while_it_is_open_nothing_is_lost_and_nothing_is_left_behind(desk: Desk) -> None:
    for name in ("alpha", "beta"):
        desk.session(name, "x", "y")
    before = {path.name: path.read_bytes() for path in desk.home.sessions.glob("*_chat.toon")}
    with desk.open() as terminal:
        terminal.send(CTRL_R + "half")
        terminal.wait_for("New id: ")
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.exit_code() == -signal.SIGKILL
    assert before == {path.name: path.read_bytes() for path in desk.home.sessions.glob("*_chat.toon")}
    assert desk.home.load("alpha") is not None and desk.sessions.trash() == []


def test_before_a_session_is_open_it_reads_every_locale_and_gets_out_of_a_paste_that_was_cut(desk: Desk) -> None:
    desk.session("alpha", "x", "y", title="\u6f22\u5b57")
    desk.session("beta", "x", "y")
    bare = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    desk.home.env |= bare
    with desk.start("-r") as terminal:
        terminal.wait_for("2 of 2")
        terminal.send("\u6f22")
        terminal.wait_for("1 of 2")
        terminal.send("\x1b[200~cut")

        def left() -> bool:
            terminal.read(0.7)
            terminal.send(CTRL_C)
            return not terminal.alive()

        terminal.wait_for(left)


def test_bare_resume_at_the_start_picks_first_and_esc_makes_nothing(desk: Desk) -> None:
    desk.session("alpha", "old question", "old answer")
    desk.session("beta", "x", "y")
    there = sorted(path.name for path in desk.home.sessions.iterdir())
    with desk.start("-r") as terminal:
        terminal.wait_for(lambda: filtering(terminal) == "")
        terminal.send(ESC)
        assert terminal.exit_code() == 0 and terminal.text().strip() == ""
    assert sorted(path.name for path in desk.home.sessions.iterdir()) == there
    with desk.start("-r") as terminal:
        terminal.wait_for(lambda: filtering(terminal) == "")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code() == -signal.SIGTERM and terminal.text().strip() == ""
    with desk.start("--resume", "--yolo") as terminal:
        terminal.wait_for(lambda: filtering(terminal) == "")
        terminal.send("alp" + CTRL_R + CTRL_U + "renamed\r")
        terminal.wait_for("'alpha' is now 'renamed'")
        terminal.send(CTRL_U + "renamed\r")
        terminal.wait_for("Resuming session: 'renamed' (2 messages)")
        terminal.wait_for("old answer")
        assert "Filter:" not in terminal.text()
    desk.sessions.delete_session("renamed")
    desk.sessions.delete_session("beta")
    with desk.start("-r") as terminal:
        terminal.wait_for("No sessions in")
        assert terminal.exit_code() == 0


def test_plain_mode_on_a_terminal_lists_and_asks_for_a_number_or_an_id(desk: Desk) -> None:
    desk.session("alpha", "old question", "old answer", title="The parser")
    with desk.start("-r", "--plain") as terminal:
        terminal.wait_for("Number or id")
        assert "  1. alpha  2 messages, " in terminal.text() and "The parser" in terminal.text()
        terminal.send("1\r")
        terminal.wait_for("Resuming session: 'alpha'")
        terminal.wait_for("[alpha] You:")
        terminal.send("/resume\r")
        terminal.wait_for("Type `/resume ID` to open one.")
        terminal.wait_for(lambda: "A number chooses." in terminal.text() and prompt_of(terminal) == "alpha")
        assert "Filter:" not in terminal.text() and b"\x1b[" not in terminal.raw
        terminal.send("2\r")  # no number of the list: a message
        terminal.wait_for("canned answers")
        terminal.wait_for(lambda: prompt_of(terminal) == "alpha")
        desk.session("beta", "x", "y")
        terminal.send("/resume\r")
        terminal.wait_for("  1. beta")
        terminal.wait_for(lambda: terminal.text().count("A number chooses.") == 2 and prompt_of(terminal) == "alpha")
        terminal.send("1\r")
        terminal.wait_for("Resumed session: 'beta'")
        terminal.wait_for(lambda: prompt_of(terminal) == "beta")
    for said, code in (("\r", 0), ("nobody\r", 1)):
        with desk.start("-r", "--plain") as terminal:
            terminal.wait_for("Number or id")
            terminal.send(said)
            assert terminal.exit_code() == code


def test_in_a_pipe_the_list_goes_to_stderr_and_names_the_way(desk: Desk) -> None:
    desk.session("alpha", "x", "y")
    for flags in (("-r",), ("-r", "-p", "Hi"), ("--resume", "--plain")):
        done = desk.home.run(*flags, "--provider", "demo")
        assert done.returncode == 2 and done.stdout == ""
        assert "  1. alpha  2 messages" in done.stderr and "`scratchy -r ID`" in done.stderr
    done = desk.home.run("--provider", "demo", stdin="/resume\n/resume alp\n/sessions\n")
    assert "  1. alpha  2 messages" in done.stdout and "Type `/resume ID`" in done.stdout
    assert "One begins so: 'alpha'; `/resume alpha` opens it." in done.stdout
    assert desk.ids() == {"alpha"}
