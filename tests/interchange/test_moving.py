"""/export and /import, by keys on a terminal and in plain lines; `session export` and `session import` in a shell."""

import json
import re
from pathlib import Path

import pytest
from programs import ROOT, Home
from ptys import Terminal

from scratchy import SessionManager

HI = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
PI = next(Path(__file__).with_name("real").glob("pi-*/*"))
LLM = Path(__file__).with_name("real") / "llm-0.36" / "logs.db"
AWAY = {"OLLAMA_HOST": "http://127.0.0.1:1", "SCRATCHY_TITLES": "off"}


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path)
    made.env |= AWAY
    return made


def terminal(home: Home, *flags: str, **size: int) -> Terminal:
    where = ("--sessions-dir", str(home.sessions), "--cwd", str(home.work), *home.script("Yes", "Again"))
    return Terminal(*where, *flags, program=ROOT / "run_agent.py", HOME=str(home.folder), **AWAY, **size)


# -- a shell


def test_out_and_in_through_a_shell(home):
    home.save("one", *HI)
    for name in ("x.json", "x.jsonl", "x.md", "x.html", "x.toon"):
        done = home.run("session", "export", "one", name)
        assert done.returncode == 0 and done.stdout.startswith(f"Exported 2 messages to {name}\n"), done.stderr
        assert (home.work / name).stat().st_mode & 0o777 == 0o600
    for number, name in enumerate(("x.json", "x.jsonl", "x.toon")):
        done = home.run("session", "import", name, "--session", f"new {number}")
        assert done.stdout == f"Imported session: 'new {number}'\n0 lines skipped\n", done.stderr
        assert home.load(f"new {number}") == HI
    refused = home.run("session", "export", "one", "x.json")
    assert refused.returncode == 1 and "x.json exists already; nothing was written" in refused.stderr


def test_as_json_for_scripts(home):
    home.save("one", *HI)
    done = home.run("session", "export", "one", "x.json", "--json")
    assert json.loads(done.stdout) == {"exported": "one", "path": "x.json", "message_count": 2, "notes": []}
    with open(home.work / "x.jsonl", "w") as file:
        file.write('{"role": "user", "content": "Hi"}\n\n{torn\n')
    done = home.run("session", "import", "x.jsonl", "--json")
    assert json.loads(done.stdout) == {"imported": ["x"], "skipped": 1, "notes": []}
    assert "1 lines skipped" in home.run("session", "import", "x.jsonl").stdout
    done = home.run("session", "import", str(LLM), "--json")
    assert len(json.loads(done.stdout)["imported"]) == 3


def test_to_stdout_in_the_format_that_is_named(home):
    home.save("one", *HI)
    done = home.run("session", "export", "one", "-", "--format", "jsonl")
    assert [json.loads(line)["content"] for line in done.stdout.splitlines()] == ["Hi", "Hello"]
    whole = json.loads(home.run("session", "export", "one", "-", "--format", "json", "--full").stdout)
    assert whole["session_id"] == "one" and whole["messages"] == HI
    assert "machine" not in whole["metadata"]
    assert home.run("session", "export", "one", "-", "--format", "toon").stdout.startswith("session_id: one\n")


def test_to_stdout_that_is_a_terminal_goes_nothing_but_text(home):
    home.save("one", {"role": "user", "content": "before\x1b]52;c;aGk=\x07after \x9b31m."})
    piped = home.run("session", "export", "one", "-", "--format", "md").stdout
    assert "\x1b]52" in piped  # as it was said
    for form in ("md", "json", "toon"):
        flags = ("session", "export", "one", "-", "--format", form, "--sessions-dir", str(home.sessions))
        with Terminal(*flags, program=ROOT / "run_agent.py", HOME=str(home.folder), **AWAY) as screen:
            screen.wait_for("after")
            assert screen.exit_code() == 0
            assert b"\x1b]52" not in screen.raw and "\x9b31m".encode() not in screen.raw


def test_what_cannot_be_says_why_and_how_it_ends(home):
    home.save("one", *HI)
    (home.work / "x.txt").write_text("no session")
    cases = [
        (("export", "nobody", "x.json"), 1, "Session 'nobody' not found"),
        (("export", "one", "x.pdf"), 1, "must end in one of .json"),
        (("export", "one", "-"), 2, "Say in which format"),
        (("export", "one", "-", "--format", "json", "--json"), 2, "Name a file"),
        (("export", "one", "x", "--format", "xml"), 2, "--format is 'xml'"),
        (("import", "x.txt"), 1, "of no format that can be imported"),
        (("import", "missing"), 1, "No such file"),
        (("import", str(LLM), "--session", "x"), 1, "several conversations"),
        (("import", str(PI), "--session", "one"), 1, "exists already; nothing was imported"),
        (("import", str(PI), "--session", "a\nb"), 2, "control character"),
    ]
    for arguments, code, said in cases:
        done = home.run("session", *arguments)
        assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert home.ids() == ["one"]


def test_a_hostile_file_reaches_no_terminal(home):
    evil = "\x1b]0;owned\x07\u202eevil"
    document = {"session_id": evil, "title": evil, "messages": [{"role": "user", "content": evil}], "blobs": {evil: 1}}
    (home.work / "x.json").write_text(json.dumps(document))
    done = home.run("session", "import", "x.json")
    shown = done.stdout + done.stderr
    assert done.returncode == 0 and "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown


# -- plain lines


def test_in_plain_lines(home):
    home.run(*home.script("Hello"), stdin="Hi\n/export my notes.toon\n/export full.json --full\n/export\n/export\n")
    assert json.loads((home.work / "full.json").read_text())["metadata"]["folder"] == str(home.work)
    assert isinstance(json.loads((home.work / "default.json").read_text()), list)
    done = home.run(
        *home.script("Yes"),
        stdin=f"/import my notes.toon\n/resume default-2\nAnd?\n/import {LLM}\n/import\n/import no.json\n",
    )
    assert "Imported session: 'default-2' (3 messages). `/resume default-2` opens it." in done.stdout
    assert "Imported 3 sessions:" in done.stdout and "llm-c9pghrkd" in done.stdout
    assert "Name the file" in done.stdout and "/import failed: No such file" in done.stdout
    assert [message["content"] for message in home.load("default-2")[1:]] == ["Hi", "Hello", "And?", "Yes"]


def test_a_live_transcript_of_the_program(home):
    home.run(*home.script("Hello"), stdin="Hi\n/clear\nHo\n", env={"SCRATCHY_TRANSCRIPT": "1"})
    path = SessionManager(home.sessions).transcript_path("default")
    contents = [json.loads(line)["content"] for line in path.read_text().splitlines()]
    assert contents[1:4] == ["Hi", "Hello", "Ho"]
    refused = home.run("-p", "Hi", env={"SCRATCHY_TRANSCRIPT": "maybe"})
    assert refused.returncode == 2 and "SCRATCHY_TRANSCRIPT is 'maybe'" in refused.stderr


def test_an_import_never_becomes_the_session_that_is_open(home):
    home.save("default", *HI)
    home.run("session", "export", "default", "x.toon")
    home.run("session", "delete", "default")
    done = home.run(*home.script("So", "Yes"), stdin="/import x.toon\nNew\n/resume default-2\nMore\n")
    assert "it was imported as 'default-2'" in done.stdout
    assert [message["content"] for message in home.load("default-2")] == ["Hi", "Hello", "More", "Yes"]
    assert [message["content"] for message in home.load("default")][1:] == ["New", "So"]


# -- a terminal


def settled(screen: Terminal, session_id: str) -> None:
    screen.wait_for(lambda: re.fullmatch(rf"\[{session_id}\] You:", screen.line()) is not None)


def test_by_keys_on_a_terminal(home):
    home.save("one", *HI)
    with terminal(home, "-s", "one", columns=100) as screen:
        settled(screen, "one")
        screen.send("/export out.html\r")
        screen.wait_for("Exported 2 messages to")
        settled(screen, "one")
        screen.send(f"/import {PI}\r")
        screen.wait_for("Imported session: 'pi-c53f4a8a' (6 messages)")
        settled(screen, "one")
        screen.send("/resume pi-c53f4a8a\r")
        settled(screen, "pi-c53f4a8a")
        screen.wait_for("Your name is Hao.")
        screen.send("More\r")
        screen.wait_for(lambda: len(home.load("pi-c53f4a8a") or []) == 8)
        settled(screen, "pi-c53f4a8a")
        screen.send(f"/import {LLM}\r")
        screen.wait_for("Imported 3 sessions:")
        settled(screen, "pi-c53f4a8a")
        screen.send("/exp\x09")
        screen.wait_for(lambda: "/export" in screen.line())
    assert (home.work / "out.html").read_text().startswith("<!DOCTYPE html>")
    assert home.load("one") == HI
