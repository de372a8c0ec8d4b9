"""The command line as a shell sees it: flags, subcommands, exit codes, what goes to stdout and what to stderr."""

import ctypes
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from model_server import hang, hello, stream, whole
from programs import KEY, ROOT, Home, posts, serving

import scratchy

USER = {"role": "user", "content": "Hello"}
HI = {"role": "assistant", "content": "Hi"}


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def text_of(answers) -> str:
    return answers.stdout + answers.stderr


# -- simple things


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(home, flag):
    done = home.run(flag)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"scratchy {scratchy.__version__}\n", "")


@pytest.mark.parametrize("how", [["-m", "scratchy"], [str(ROOT / "run_agent.py")]])
def test_every_way_to_start_it(home, how):
    done = subprocess.run(
        [sys.executable, *how, "--version"], capture_output=True, text=True, env=home.env, cwd=home.work, check=False
    )
    assert done.stdout == f"scratchy {scratchy.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nonsense"], "--nonsense"), (["nonsense"], "nonsense"), (["session", "nonsense"], "nonsense"),
        (["-s"], "-s"), (["-r"], "--resume"), (["--resume", "--plain"], "--resume"),
        (["-s", "a", "-r", "b"], "--session"), (["-s", "a", "-c"], "--continue"),
        (["--provider", "gpt", "-p", "x"], "openai, ollama, local"),
        (["--output-format", "xml", "-p", "x"], "stream-json"),
        (["--cwd", "/nowhere", "-p", "x"], "--cwd"), (["--system", "@/nowhere", "-p", "x"], "--system"),
        (["-p"], "-p"), (["-p", ""], "-p"), (["-s", "", "-p", "x"], "empty"), (["-s", "a\x1bb", "-p", "x"], "control"),
        (["session", "show"], "ID"), (["--max-turns", "0", "-p", "x"], "--max-turns"), (["-w"], "-w"), (["-v"], "-v"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2_and_says_what(home, arguments, named):
    done = home.run(*arguments)
    assert done.returncode == 2 and named.lower() in done.stderr.lower() and "Traceback" not in done.stderr
    assert not home.sessions.exists() or home.ids() == []


@pytest.mark.parametrize(("name", "value"), [("SCRATCHY_PLAIN", "perhaps"), ("SCRATCHY_LOG_LEVEL", "loud")])
@pytest.mark.parametrize("arguments", [["-p", "x"], ["session", "list"], ["--verbose", "-p", "x"]])
def test_a_nonsense_variable_is_2_and_named(home, name, value, arguments):
    done = home.run(*arguments, env={name: value})
    assert done.returncode == 2 and name in done.stderr and value in done.stderr


def test_a_broken_config_is_2_and_named(home):
    path = home.folder / "home" / ".config" / "scratchy" / "config.toml"
    path.parent.mkdir(parents=True)
    for content in ("model = ", "plain = 'yes'", "model = 3", "\udcff"):
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        done = home.run("-p", "x")
        assert done.returncode == 2 and str(path) in done.stderr


# -- one-shot


def test_the_answer_alone_is_on_stdout_and_the_session_on_stderr(home):
    done = home.run(*home.script("Hi *there*"), "-p", "Hello")
    assert (done.returncode, done.stdout) == (0, "Hi *there*\n")
    [session_id] = home.ids()
    assert f"Session: {session_id}" in done.stderr and session_id.startswith("chat-")
    assert [m["content"] for m in home.load(session_id)][1:] == ["Hello", "Hi *there*"]


def test_each_one_shot_without_a_session_has_its_own(home):
    for _ in range(2):
        assert home.run(*home.script("Hi"), "-p", "Hello").returncode == 0
    assert len(home.ids()) == 2 and "default" not in home.ids()


@pytest.mark.parametrize("session_id", ["work", "-dash", "--", "a b/c", "agent:main:cli:local"])
def test_a_named_session_goes_on(home, session_id):
    for line in ("Hello", "More"):
        assert home.run(*home.script("Hi"), f"--session={session_id}", "-p", line).returncode == 0
    assert [m["content"] for m in home.load(session_id)][1:] == ["Hello", "Hi", "More", "Hi"]
    shown = home.run("session", "show", "--json", "--", session_id)
    assert json.loads(shown.stdout) == home.load(session_id)


def test_stdin_is_the_text_or_is_appended_to_it(home):
    assert home.run(*home.script("Hi"), "-s", "x", "-p", stdin="from a pipe\n").returncode == 0
    assert home.run(*home.script("Hi"), "-s", "x", "-p", "Look:", stdin="line one\nline two\n").returncode == 0
    said = [m["content"] for m in home.load("x") if m["role"] == "user"]
    assert said == ["from a pipe", "Look:\n\nline one\nline two"]


def test_json_and_stream_json(home):
    done = home.run(*home.script("Hi"), "-s", "x", "-p", "Hello", "--output-format", "json")
    assert json.loads(done.stdout).items() >= {"session_id": "x", "answer": "Hi", "reason": "stop"}.items()
    done = home.run(*home.script("Hi you"), "-s", "x", "-p", "Hello", "--output-format", "stream-json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0].items() >= {"type": "Session", "version": 1, "session_id": "x"}.items()
    assert [event["type"] for event in events[1:]] == [
        "StepStarted", "TextDelta", "TextDelta", "MessageAdded", "TurnFinished", "Result",
    ]  # fmt: skip
    assert events[-3]["message"]["content"] == "Hi you" and events[-2]["reason"] == "stop"


def test_what_would_ask_is_refused_naming_yolo_and_runs_with_it(home):
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "execute_command", "arguments": '{"command": "echo hi > made"}'},
    }
    answers = ({"content": "", "tool_calls": [call]}, "Done.")
    assert home.run(*home.script(*answers), "-s", "x", "-p", "Go").stdout == "Done.\n"
    assert "--yolo" in home.load("x")[-2]["content"] and not (home.work / "made").exists()
    assert home.run(*home.script(*answers), "-s", "x", "-y", "-p", "Go").stdout == "Done.\n"
    assert (home.work / "made").exists()


def test_no_session_keeps_nothing(home):
    done = home.run(*home.script("Hi"), "--no-session", "-p", "Hello", env={"TMPDIR": str(home.folder)})
    assert done.stdout == "Hi\n" and "--no-session" in done.stderr
    assert not home.sessions.exists() and not list(home.folder.glob("scratchy-*"))


def test_the_system_message_from_a_flag_or_a_file(home):
    (home.work / "prompt.txt").write_text("Only rhymes.")
    home.run(*home.script("Hi"), "-s", "x", "--system", "Be brief.", "-p", "Hello")
    assert home.load("x")[0]["content"] == "Be brief."
    done = home.run(*home.script("Hi"), "-s", "x", "--system", "@prompt.txt", "-p", "Hello")
    assert home.load("x")[0]["content"] == "Only rhymes." and "system message" in done.stderr


def test_cwd_moves_the_work_and_not_the_sessions(home):
    (home.work / "inner").mkdir()
    done = home.run(*home.script("Hi"), "--cwd", "inner", "--sessions-dir", "mine", "-s", "x", "-p", "Hello")
    assert done.returncode == 0 and (home.work / "mine" / "x_chat.toon").exists()
    assert "inner" in home_header(home.work / "mine" / "x_chat.toon")


def home_header(path: Path) -> str:
    return path.read_text().split("messages[")[0]


def test_output_that_the_encoding_lacks_is_escaped(home):
    done = home.run(*home.script("grün 🤖"), "-p", "Hello", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, "gr\\xfcn \\U0001f916\n")


def test_redirected_text_is_the_answer_as_the_model_wrote_it(home):
    said = "a\x1b[31mred\x1b]0;title\x07\x9b1mz\n"
    assert home.run(*home.script(said), "-p", "Hello").stdout == said


def test_a_reader_that_went_away_is_no_error(home):
    home.save("x", *({"role": "user", "content": "x" * 5000} for _ in range(200)))
    for arguments in (("session", "show", "x"), (*home.script("y" * 200_000), "-p", "Hello")):
        with home.start(*arguments, stdin=subprocess.DEVNULL) as program:
            program.stdout.close()
            complaint = program.stderr.read().decode()
        assert "Traceback" not in complaint and "Broken" not in complaint and "Exception ignored" not in complaint


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", [("-p", "Hello"), ()])
def test_closed_streams_are_no_error(home, closed, arguments):
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *home.command(*home.script("Hi"), "-s", "x", *arguments)]
    done = subprocess.run(
        shell, input="Hello\n", capture_output=True, text=True, env=home.env, cwd=home.work, check=False
    )
    assert done.returncode == 0 and "Traceback" not in text_of(done) and "Exception" not in text_of(done)
    assert home.ids() == (["x"] if arguments or "<" not in closed else [])


# -- choosing the session


def test_continue_takes_this_folders_last(home):
    assert home.run(*home.script("Hi"), "-s", "here", "-p", "Hello").returncode == 0
    (home.folder / "other").mkdir()
    home.run(*home.script("Hi"), "-s", "there", "--cwd", str(home.folder / "other"), "-p", "Hello")
    assert home.run(*home.script("Hi"), "-c", "-p", "More").returncode == 0
    assert len(home.load("here")) == 5 and len(home.load("there")) == 3


def test_continue_with_none_is_a_new_session_said(home):
    done = home.run(*home.script("Hi"), "-c", "-p", "Hello")
    assert done.returncode == 0 and "No session of this folder yet" in done.stderr and len(home.ids()) == 1


def test_resume_opens_only_what_is_stored(home):
    done = home.run(*home.script("Hi"), "-r", "nobody", "-p", "Hello")
    assert done.returncode == 1 and "Session 'nobody' not found." in done.stderr and home.ids() == []
    home.save("x", USER, HI)
    assert home.run(*home.script("Hi"), "-r", "x", "-p", "More").returncode == 0 and len(home.load("x")) == 4


def hold(home: Home, session_id: str) -> "subprocess.Popen[str]":
    code = f"w = sm.store.open({session_id!r}); print('held', flush=True); sys.stdin.read()"
    program = f"import sys\nfrom scratchy import SessionManager\nsm = SessionManager({str(home.sessions)!r})\n{code}"
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def test_held_sessions(home):
    home.run(*home.script("Hi"), "-s", "default", "-p", "Hello")
    before = home.load("default")
    holder = hold(home, "default")
    try:
        for named in (["-s", "default", "-p", "x"], ["-r", "default", "-p", "x"], ["-c", "-p", "x"], ["-s", "default"]):
            done = home.run(*home.script("Hi"), *named)
            assert done.returncode == 75 and str(holder.pid) in done.stderr and "default" in done.stderr, named
        assert home.run("session", "delete", "default").returncode == 75
        assert home.run("session", "show", "default").returncode == 0
        for unnamed in (["-c"], []):
            done = home.run(*home.script("Hi"), *unnamed, stdin="Hello\n")
            assert done.returncode == 0 and str(holder.pid) in done.stdout and "new session" in done.stdout
    finally:
        holder.communicate("")
    assert home.load("default") == before and len(home.ids()) == 3


# -- bad files and folders


DAMAGED = {
    "empty": b"", "nuls": b"\0" * 4096, "text": b"hello\n", "cut": b"session_id: x\nversion: 1\ncreated_at: \"2026",
    "future": b"session_id: x\nversion: 999\nmessages[0]:\n", "other": b"session_id: y\nversion: 1\nmessages[0]:\n",
    "json": b'{"session_id": "x", "messages": [1, 2]}',
}  # fmt: skip


@pytest.mark.parametrize("kind", [*DAMAGED, "folder", "link", "fifo"])
def test_what_cannot_be_read_is_1_named_and_left_alone(home, kind):
    home.save("good", USER)
    path = home.sessions / "x_chat.toon"
    match kind:
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("/etc/passwd")
        case "fifo":
            os.mkfifo(path)
        case _:
            path.write_bytes(DAMAGED[kind])
    for arguments in (["-s", "x", "-p", "Hello"], ["-r", "x", "-p", "Hello"], ["session", "show", "x"], ["-s", "x"]):
        done = home.run(*home.script("Hi"), *arguments)
        assert done.returncode == 1 and "'x'" in done.stderr and "cannot be read" in done.stderr, done.stderr
        assert str(path) in done.stderr and "Traceback" not in done.stderr
    listed = home.run("session", "list")
    assert listed.returncode == 0 and "good" in listed.stdout
    assert kind == "other" or re.search(r"^x +cannot be read", listed.stdout, re.M)  # that one is listed as foreign
    if kind in DAMAGED:
        assert path.read_bytes() == DAMAGED[kind]
    assert home.run("session", "delete", "x").returncode == 0 and not os.path.lexists(path)


def test_a_default_session_that_cannot_be_read_is_left_for_a_new_one(home):
    home.sessions.mkdir()
    (home.sessions / "default_chat.toon").write_bytes(b"\0\0")
    done = home.run(*home.script("Hi"), stdin="Hello\n")
    assert done.returncode == 0 and "cannot be read" in done.stdout and "new session" in done.stdout
    assert len(home.ids()) == 1 and (home.sessions / "default_chat.toon").read_bytes() == b"\0\0"


def test_a_folder_that_is_a_file(home):
    home.sessions.write_text("a file")
    for arguments in (["-p", "Hello"], ["-s", "x"], ["session", "list"], ["session", "show", "x"]):
        done = home.run(*home.script("Hi"), *arguments)
        assert done.returncode in (1, 2) and str(home.sessions) in done.stderr and "Traceback" not in done.stderr


def obey_permissions() -> None:
    """Root without the capabilities that let it pass by permissions; for anybody else nothing changes."""
    if os.getuid() == 0:
        for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
            assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP


def test_a_read_only_folder_is_said_before_the_first_message_and_can_be_read(home):
    home.save("x", USER, HI)
    for path in home.sessions.glob(".*.lock"):
        path.unlink()
    home.sessions.chmod(0o555)
    try:
        done = home.run(*home.script("Hi"), "-s", "x", stdin="More\n/history\n", preexec_fn=obey_permissions)
        once = home.run(*home.script("Hi"), "-s", "x", "-p", "More", preexec_fn=obey_permissions)
        other = home.run(*home.script("Hi"), "-s", "x", "--system", "Other.", "-p", "x", preexec_fn=obey_permissions)
        listed = home.run("session", "list", preexec_fn=obey_permissions)
    finally:
        home.sessions.chmod(0o755)
    assert other.returncode == 1 and "The system message stays as it was: permission." in other.stderr
    assert done.returncode == 0, text_of(done)
    said = done.stdout.index("Nothing can be saved in")
    assert said < done.stdout.index("You: ") and str(home.sessions) in done.stdout
    assert "not saved: permission" in done.stdout and "Assistant: Hi" in done.stdout
    assert once.returncode == 1 and "permission" in once.stderr and home.load("x") == [USER, HI]
    assert "x  2 messages" in listed.stdout


def test_a_folder_that_takes_no_files_is_named_and_not_a_file_of_ours(home):
    where = {"SCRATCHY_SESSIONS_DIR": "/proc"}
    talk = home.run(*home.script("Hi"), stdin="Hello\n", env=where)
    once = home.run(*home.script("Hi"), "-p", "Hello", env=where)
    assert talk.returncode == 0 and "Nothing can be saved in /proc (" in talk.stdout
    assert "not saved: " in talk.stdout and "The line was not sent: Hello" in talk.stdout
    assert once.returncode == 1 and "Nothing can be saved in /proc (" in once.stderr and ".lock" not in once.stderr


def test_a_file_that_may_not_be_read(home):
    home.save("x", USER, HI)
    home.save("default", USER)
    for path in home.sessions.glob("*.toon"):
        path.chmod(0)
    named = home.run(*home.script("Hi"), "-s", "x", "-p", "More", preexec_fn=obey_permissions)
    assert named.returncode == 1 and "x_chat.toon" in named.stderr and "Permission denied" in named.stderr
    unnamed = home.run(*home.script("Hi"), stdin="Hello\n", preexec_fn=obey_permissions)
    assert unnamed.returncode == 0 and "new session" in unnamed.stdout and "default_chat.toon" in unnamed.stdout
    listed = home.run("session", "list", preexec_fn=obey_permissions)
    assert listed.returncode == 0 and listed.stdout.count("cannot be read") == 2


def test_a_full_disk_is_told_and_the_line_not_sent(home):
    home.save("x", USER, {"role": "assistant", "content": "y" * 20_000})

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    with serving(stream(*hello())) as server:
        url = {"OPENAI_BASE_URL": f"{server.url}/v1"}
        done = home.run("-s", "x", "-p", "More", env=url, preexec_fn=limit)
        assert done.returncode == 1 and "not saved: no space" in done.stderr and not posts(server)
        piped = home.run("-s", "x", stdin="More\n", env=url, preexec_fn=limit)
        assert piped.returncode == 0 and "not saved: no space" in piped.stdout and not posts(server)
    assert len(home.load("x")) == 2


# -- session subcommands


def test_session_list_in_words_and_json(home):
    assert home.run("session", "list").stdout.startswith("No sessions in ")
    assert json.loads(home.run("session", "list", "--json").stdout) == []
    home.save("a", USER)
    home.save("b", USER, HI)
    (home.sessions / "bad_chat.toon").write_bytes(b"\0")
    lines = home.run("session", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines if "messages" in line] == ["b", "a"] and "2 messages" in text_in(
        lines, "b "
    )
    rows = {row["id"]: row for row in json.loads(home.run("session", "list", "--json").stdout)}
    assert rows["b"]["message_count"] == 2 and rows["b"]["created_at"].endswith("Z") and rows["bad"]["error"]


def text_in(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def test_sessions_dir_stands_before_or_after(home):
    home.save("a", USER)
    for arguments in (
        ["--sessions-dir", str(home.sessions), "session", "list"],
        ["session", "list", "--sessions-dir", str(home.sessions)],
        ["session", "list", f"--sessions-dir={os.path.relpath(home.sessions, home.work)}"],
    ):
        assert "a  1 messages" in home.run(*arguments, env={"SCRATCHY_SESSIONS_DIR": "/nowhere"}).stdout
    done = home.run(
        "--sessions-dir",
        str(home.sessions),
        *home.script("Hi"),
        "-s",
        "a",
        "-p",
        "x",
        env={"SCRATCHY_SESSIONS_DIR": "/nowhere"},
    )
    assert done.returncode == 0 and len(home.load("a")) == 3


def test_show_tells_a_call_in_one_line(home):
    call = {"id": "c", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a b", "from": 3}'}}
    home.save("y", USER, {"role": "assistant", "content": "", "tool_calls": [call]})
    assert home.run("session", "show", "y").stdout == "user: Hello\n\nassistant: \n→ read_file a b from=3\n\n"


def test_show_delete_and_restore(home):
    home.save("x", USER, HI)
    assert home.run("session", "show", "x").stdout == "user: Hello\n\nassistant: Hi\n\n"
    deleted = home.run("session", "delete", "x")
    assert deleted.stdout.startswith("Deleted session: 'x'") and home.ids() == []
    for command in ("show", "delete"):
        done = home.run("session", command, "x")
        assert done.returncode == 1 and "Session 'x' not found." in done.stderr
    assert home.run("session", "restore", "x", "--json").stdout == '{"restored": "x"}\n'
    assert home.load("x") == [USER, HI] and home.run("session", "restore", "y").returncode == 1


def test_reading_subcommands_make_nothing(home):
    home.run("session", "list")
    home.run("session", "show", "x")
    assert not home.sessions.exists() and not (home.folder / "home").exists()


def test_models_lists_what_the_provider_offers(home):
    with serving(stream(*hello())) as server:
        done = home.run("models", "--base-url", f"{server.url}/v1")
        assert done.returncode == 0 and "openai/tiny" in done.stdout
        rows = json.loads(home.run("models", "--base-url", f"{server.url}/v1", "--json").stdout)
        assert rows[0]["provider"] == "openai" and rows[0]["model"] == "tiny"
    assert home.run("models", "--provider", "openai").returncode == 2  # no key


# -- a real server


def test_the_model_is_told_what_was_said_before(home):
    with serving(stream(*hello("Hello Hao"))) as server:
        env = {"OPENAI_BASE_URL": f"{server.url}/v1"}
        home.run("-s", "me", "-p", "My name is Hao", env=env)
        assert home.run("-r", "me", "-p", "What's my name?", env=env).stdout == "Hello Hao\n"
        sent = posts(server)[1].json["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"] and "My name is Hao" in sent[1][
        "content"
    ]
    assert str(home.work) in sent[1]["content"] and str(home.work) not in sent[3]["content"]


def test_a_key_is_nowhere_in_files_output_or_log(home):
    plays = [whole(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}), stream(*hello())]
    with serving(*plays) as server:
        env = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": KEY}
        refused = home.run("--verbose", "-s", "x", "-p", "Hello", env=env)
        answered = home.run("--verbose", "-s", "x", "-p", "Hello", env=env)
        assert posts(server)[1].headers["authorization"] == f"Bearer {KEY}"
    assert refused.returncode == 1 and "your message is kept" in refused.stderr.lower() and answered.returncode == 0
    assert KEY not in text_of(refused) + text_of(answered) and KEY.encode() not in home.every_byte()
    assert (home.state / "debug.log").stat().st_mode & 0o777 == 0o600
    assert [m["role"] for m in home.load("x")] == ["system", "user", "assistant"]


def test_a_server_that_is_not_there_is_75_and_keeps_the_message(home):
    done = home.run("--base-url", "http://127.0.0.1:1/v1", "-m", "m", "-s", "x", "-p", "Hello")
    assert done.returncode == 75 and "127.0.0.1" in done.stderr and "message is kept" in done.stderr
    assert [m["content"] for m in home.load("x")][1:] == ["Hello"]


def test_an_unknown_model_is_1(home):
    with serving(
        whole(404, {"error": {"message": "The model 'none' does not exist", "code": "model_not_found"}})
    ) as server:
        done = home.run("--base-url", f"{server.url}/v1", "-m", "none", "-s", "x", "-p", "Hello")
    assert done.returncode == 1 and "none" in done.stderr and done.stdout == ""


def test_another_server_gets_nothing_until_the_person_chooses(home):
    with serving(stream(*hello("first"))) as first, serving(stream(*hello("second"))) as second:
        home.run("-s", "x", "-p", "secret", env={"OPENAI_BASE_URL": f"{first.url}/v1"})
        done = home.run("-s", "x", "-p", "more", env={"OPENAI_BASE_URL": f"{second.url}/v1"})
        assert done.returncode == 1 and "another server" in done.stderr and not posts(second)
        done = home.run("-s", "x", "--base-url", f"{second.url}/v1", "-p", "more")
        assert done.stdout == "second\n" and len(posts(second)) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_a_one_shot_stores_the_partial_answer(home, number, code):
    begun = stream(*hello("Hi ther")[:2], end="hang")
    with (
        serving(begun) as server,
        home.start(
            "-s", "x", "-p", "Hello", env={"OPENAI_BASE_URL": f"{server.url}/v1"}, stdin=subprocess.DEVNULL
        ) as program,
    ):
        wait_for(lambda: len(posts(server)) == 1)
        time.sleep(0.3)
        program.send_signal(number)
        _, complaint = program.communicate(timeout=20)
        assert program.returncode == code and b"Traceback" not in complaint, complaint
    stored = home.load("x")
    assert stored[-1]["content"] == "Hi ther" and stored[-1]["stop_reason"] == "aborted"


def test_ctrl_c_before_any_answer_leaves_the_line(home):
    with (
        serving(hang) as server,
        home.start(
            "-s", "x", "-p", "Hello", env={"OPENAI_BASE_URL": f"{server.url}/v1"}, stdin=subprocess.DEVNULL
        ) as program,
    ):
        wait_for(lambda: len(posts(server)) == 1)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=20)
        assert program.returncode == 130
    assert [m["content"] for m in home.load("x")][1:] == ["Hello"]


def wait_for(condition, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_bug_of_ours_is_a_sentence_and_a_log_without_the_key(home):
    code = (
        "import os, sys\nfrom scratchy import cli\n@cli.app.command('boom')\ndef boom() -> None:\n"
        "    raise RuntimeError('broken with ' + os.environ['OPENAI_API_KEY'])\nsys.exit(cli.run(['boom']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=home.env | {"OPENAI_API_KEY": KEY},
        cwd=home.work, check=False,
    )  # fmt: skip
    log = home.state / "debug.log"
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "RuntimeError: broken with [key]" in done.stderr
    assert str(log) in done.stderr and "Traceback" in log.read_text() and KEY not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600 and log.parent.stat().st_mode & 0o777 == 0o700


# -- what it costs


def imported(home: Home, *arguments: str) -> set[str]:
    code = (
        "import sys\nfrom scratchy.cli import run\n"
        f"run({list(arguments)!r})\nprint('\\n' + ' '.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=home.env, cwd=home.work, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [["--version"], ["session", "list"]])
def test_what_needs_no_model_and_no_screen_imports_neither(home, arguments):
    heavy = {"prompt_toolkit", "rich", "httpx", "asyncio", "platformdirs", "ssl", "tomllib"}
    assert imported(home, *arguments) & heavy == set()


def test_import_scratchy_imports_nothing(home):
    code = "import sys; before = set(sys.modules); import scratchy; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=home.env, check=True)
    assert done.stdout.split() == ["scratchy"]


def test_every_public_name_resolves():
    for name in scratchy.__all__:
        assert getattr(scratchy, name) is not None
    assert set(scratchy.__all__) == set(dir(scratchy))
    with pytest.raises(AttributeError, match="CopilotAgent"):
        scratchy.CopilotAgent  # noqa: B018 - it comes with a later version


def test_nonsense_addresses_in_the_environment_end_the_start_and_are_named(home):
    for name, value in (("OPENAI_BASE_URL", "foo"), ("OLLAMA_HOST", "nonsense:99999"), ("OPENAI_BASE_URL", "http://")):
        done = home.run("-p", "Hi", env={**home.env, name: value})
        assert done.returncode == 2 and name in done.stderr and not home.sessions.exists()


def test_a_model_that_nothing_serves_is_said_with_what_to_do(home):
    done = home.run("-m", "gpt-4o", "-p", "Hi", env={**home.env, "OLLAMA_HOST": "127.0.0.1:1"})
    assert done.returncode == 1 and "Nothing here serves a model 'gpt-4o'" in done.stderr
    assert "OPENAI_API_KEY" in done.stderr and "Traceback" not in done.stderr


def test_json_is_harmless_where_it_is_shown_and_still_the_same_json(home):
    evil = "a\x9b2Jb\x7fc\u202ed"
    home.save("evil", {"role": "user", "content": evil})
    shown = home.run("session", "show", "evil", "--json").stdout
    assert json.loads(shown)[0]["content"] == evil and not re.search("[\x7f-\x9f\u202e]", shown)


def test_a_refused_call_of_a_one_shot_is_told_on_stderr(home):
    function = {"name": "execute_command", "arguments": '{"command": "touch made"}'}
    calling = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }
    done = home.run(*home.script(calling, "Done."), "-p", "Go")
    assert done.returncode == 0 and done.stdout == "Done.\n" and not (home.work / "made").exists()
    assert re.search(r"✗ execute_command: touch made · .*--yolo", done.stderr)
