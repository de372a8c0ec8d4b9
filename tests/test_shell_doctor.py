"""`scratchy doctor` and `session verify` as a shell runs them, `/doctor` in a window and on a terminal."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from programs import ROOT, Home
from sessionbench import answer, desk_in, run, user

from scratchy.commands.dispatch import dispatch

MESSAGES = [{"role": "user", "content": f"number {number}"} for number in range(9)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.save("good", *MESSAGES)
    return made


def spoil(home: Home, session_id: str = "bad") -> bytes:
    """A session whose fifth message does not decode; its bytes."""
    home.save(session_id, *MESSAGES)
    path = home.sessions / f"{session_id}_chat.toon"
    data = path.read_bytes().replace(b"content: number 4", b'content: "number 4')
    path.write_bytes(data)
    return data


def trashed(home: Home) -> list[bytes]:
    return [path.read_bytes() for path in home.sessions.glob(".trash/*/*_chat.toon")]


def test_a_good_folder_is_0_on_one_screen(home: Home) -> None:
    done = home.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "No problem" in done.stdout and "1 session read, 9 messages" in done.stdout
    assert str(home.sessions) in done.stdout and len(done.stdout.splitlines()) < 24
    row = json.loads(home.run("doctor", "--json").stdout)
    assert (row["ok"], row["sessions"], row["messages"], row["problems"]) == (True, 1, 9, [])
    assert home.run("doctor", "--sessions-dir", str(home.folder / "nowhere")).returncode == 0


def test_problems_are_1_and_nothing_is_changed(home: Home) -> None:
    data = spoil(home)
    done = home.run("doctor")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()[1:3]
    assert "session 'bad'" in first and "bad_chat.toon, at byte" in first
    assert "--fix" in second and "8 of 9 messages" in second
    (problem,) = json.loads(home.run("--sessions-dir", str(home.sessions), "doctor", "--json").stdout)["problems"]
    assert (problem["kind"], problem["session_id"], problem["mendable"]) == ("damaged", "bad", True)
    assert data[: problem["offset"]].endswith(b"  - role: user\n")
    assert (home.sessions / "bad_chat.toon").read_bytes() == data


def test_without_yes_and_a_terminal_nothing_is_repaired(home: Home) -> None:
    data = spoil(home)
    for stdin in ("", "y\n"):
        done = home.run("doctor", "--fix", stdin=stdin)
        assert done.returncode == 1 and "--yes" in done.stderr
    assert home.run("doctor", "--fix", "--json").returncode == 1
    assert (home.sessions / "bad_chat.toon").read_bytes() == data and trashed(home) == []


def test_a_fix_keeps_the_file_and_makes_a_copy(home: Home) -> None:
    data = spoil(home)
    done = home.run("doctor", "--fix", "--yes")
    assert done.returncode == 0 and "1 mended" in done.stdout and "kept 8 of 9 messages" in done.stdout
    assert "`scratchy session trash restore 2" in done.stdout
    assert home.load("bad") == [*MESSAGES[:4], *MESSAGES[5:]] and trashed(home) == [data]
    assert json.loads(home.run("doctor", "--json").stdout)["problems"] == []
    spoil(home, "worse")
    (mended,) = json.loads(home.run("doctor", "--fix", "--yes", "--json").stdout)["problems"]
    assert "kept 8 of 9" in mended["mended"]


def test_what_cannot_be_mended_stays_1(home: Home) -> None:
    (home.sessions / "z_chat.toon").write_bytes(b"Dear diary\n")
    (home.sessions / "z_chat.toon").chmod(0o644)
    done = home.run("doctor", "--fix", "--yes")
    assert done.returncode == 1 and "`scratchy session delete z`" in done.stdout and "1 mended" in done.stdout
    assert (home.sessions / "z_chat.toon").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("taken", [True, False])
def test_what_is_said_of_a_file_with_another_ids_header_works(home: Home, taken: bool) -> None:
    home.save("other", *MESSAGES)
    path, other = home.sessions / "one%27s%20copy_chat.toon", home.sessions / "other_chat.toon"
    path.write_bytes(other.read_bytes())
    path.chmod(0o600)
    if not taken:
        other.unlink()
    read, checked = home.run("session", "show", "one's copy"), home.run("doctor")
    assert (read.returncode, checked.returncode) == (1, 0)
    for told in (read.stderr, checked.stdout):
        (command,) = re.findall("`scratchy ([^`]+)`", told)
        assert "'other'" in told and "elete" not in told
    done = home.run(*shlex.split(command))
    assert done.returncode == 0, done.stderr
    assert home.load("other-2" if taken else "other") == MESSAGES and path.exists()


@pytest.mark.parametrize("session_id", ["zero", "-it's"])
def test_a_shell_is_told_shell_commands_and_they_work(home: Home, session_id: str) -> None:
    home.save(session_id, *MESSAGES)
    for path in home.sessions.glob("*_chat.toon"):
        path.write_bytes(b"")
    for arguments in (["session", "show", "--", session_id], [f"-r{session_id}"], ["doctor"]):
        done = home.run(*arguments)
        told = done.stdout + done.stderr
        assert done.returncode == 1 and "`/" not in told, told
        assert "delete" in re.findall("`scratchy ([^`]+)`", told)[-1]
    done = home.run(*shlex.split(re.findall("`scratchy ([^`]+)`", told)[-1]))
    assert done.returncode == 0 and "Deleted" in done.stdout, done.stderr


def test_a_config_that_cannot_be_read_is_a_finding(home: Home) -> None:
    config = home.folder / "home" / ".config" / "scratchy" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("not = = toml")
    done = home.run("doctor")
    assert done.returncode == 1 and "config.toml" in done.stdout and "1 session read" in done.stdout
    without = {name: value for name, value in home.env.items() if name != "SCRATCHY_SESSIONS_DIR"}
    home.env = without
    done = home.run("doctor")
    assert done.returncode == 1 and "Sessions were not checked" in done.stdout


def test_verify_checks_the_named_or_all(home: Home) -> None:
    spoil(home)
    assert home.run("session", "verify", "good").returncode == 0
    assert home.run("session", "verify", "good", "bad").returncode == 1
    assert home.run("session", "verify").returncode == 1
    row = json.loads(home.run("session", "verify", "good", "--json").stdout)
    assert (row["ok"], row["sessions"], row["messages"]) == (True, 1, 9)
    done = home.run("session", "verify", "good", "nobody")
    assert done.returncode == 1 and "nobody" in done.stderr and "Traceback" not in done.stderr
    assert trashed(home) == []


def test_hostile_names_and_headers_are_shown_harmless(home: Home) -> None:
    home.save("evil", *MESSAGES)
    path = home.sessions / "evil_chat.toon"
    path.rename(home.sessions / "x\x1b]0;owned\x07\u202e_chat.toon")
    for command in (("doctor",), ("session", "verify")):
        done = home.run(*command)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout), done.stdout


LONG = """
import time
from scratchy.shell.printing import Progress
with Progress("checked") as progress:
    progress(1, 10, 5)
    time.sleep(0.6)
    progress(2, 10, 7)
print("done")
"""


def test_a_long_check_shows_that_it_is_alive_on_a_terminal_only(home: Home) -> None:
    child: Any = pexpect.spawn(sys.executable, ["-c", LONG], env=home.env, timeout=30, encoding="utf-8")
    child.expect(pexpect.EOF)
    shown, wiped = child.before.split("\r")[1:3]
    child.close()
    assert shown == "2 of 10 sessions checked, 7 messages " and not wiped.strip() and "done" in child.before
    piped = subprocess.run([sys.executable, "-c", LONG], env=home.env, capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == ("done\n", "")


# -- in a window


def test_the_slash_command_reports_and_repairs_all_but_the_current_session(tmp_path: Path) -> None:
    home = Home(tmp_path)
    spoil(home)
    home.save("mine", user("mine"), answer("yours"))
    desk, _ = desk_in(tmp_path, "mine")

    def typed(line: str, **more: Any) -> str:
        return run(dispatch(desk, line, **more)).text

    try:
        assert "session 'bad'" in typed("/doctor") and "`/doctor fix`" in typed("/doctor", busy=True)
        assert "not in the middle of a turn" in typed("/doctor fix", busy=True)
        assert "/doctor fix" in typed("/doctor something")
        path = home.sessions / "mine_chat.toon"
        path.write_bytes(path.read_bytes().replace(b"messages[2]:", b"messages[3]:"))
        told = typed("/doctor fix")
        assert "`/restore 2" in told and "`scratchy" not in told.partition("\n'mine")[0]
        assert "kept 8 of 9" in told and "'mine' is open in this window" in told
        assert home.load("bad") == [*MESSAGES[:4], *MESSAGES[5:]] and len(trashed(home)) == 1
    finally:
        run(desk.close())


def test_a_window_that_keeps_nothing_has_nothing_to_check(tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = home.run(*home.script("Hi"), "--no-session", stdin="/doctor\n")
    assert done.returncode == 0 and "nothing is written" in done.stdout


class Person:
    """Who sits at a terminal in which a command of ours runs."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self.screen = pyte.HistoryScreen(100, 40, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        env = {**home.env, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
        command = [str(ROOT / "run_agent.py"), *arguments]
        self.child: Any = pexpect.spawn(
            sys.executable, command, env=env, cwd=str(home.work), dimensions=(40, 100), timeout=30
        )
        self.child.delaybeforesend = None

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def sees(self, words: str) -> None:
        for _ in range(600):
            if self.has(words):
                return
            try:
                self._stream.feed(self.child.read_nonblocking(65536, timeout=0.05))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
        assert self.has(words), self.text()

    def has(self, words: str) -> bool:
        """Wherever the lines are broken."""
        return "".join(words.split()) in "".join(self.text().split())

    def text(self) -> str:
        above = ["".join(line[at].data for at in range(100)).rstrip() for line in self.screen.history.top]
        return "\n".join([*above, *(line.rstrip() for line in self.screen.display)])

    def code(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus)


@pytest.mark.parametrize(("key", "code", "kept"), [("y", 0, 1), ("n", 1, 0), ("", 1, 0)])
def test_a_fix_on_a_terminal_asks_first(home: Home, key: str, code: int, kept: int) -> None:
    spoil(home)
    with Person(home, "doctor", "--fix") as person:
        person.sees("(y/N):")
        assert person.has("bad: cannot be read")
        person.child.send(f"{key}\r")
        assert person.code() == code and len(trashed(home)) == kept


def test_the_slash_command_on_a_terminal(home: Home) -> None:
    spoil(home)
    with Person(home, *home.script("Hi"), "-s", "good") as person:
        person.sees("[good] You:")
        person.child.send("/doctor\r")
        person.sees("2 sessions read")
        assert person.has("session 'bad'") and person.has("1 problem")
        person.child.send("/doctor fix\r")
        person.sees("1 mended")
        person.child.send("/exit\r")
        assert person.code() == 0
    assert home.load("bad") == [*MESSAGES[:4], *MESSAGES[5:]] and os.path.exists(home.sessions / ".trash")
