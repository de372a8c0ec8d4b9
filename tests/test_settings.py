"""`scratchy config`: what holds and why, changing the person's file, and keys, which nobody ever sees."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pexpect
import pytest
from model_server import hello, stream, whole
from programs import KEY, Home, posts, serving

FILE_KEY = "sk-from-the-file-0987654321"


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def file_of(home: Home) -> Path:
    return home.folder / "home" / ".config" / "scratchy" / "config.toml"


def write(home: Home, text: str, mode: int = 0o600) -> Path:
    path = file_of(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def config(home: Home, *words: str, stdin: str = "", **env: str) -> str:
    done = home.run("config", *words, stdin=stdin, env=env)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def refused(home: Home, *words: str, stdin: str = "", **env: str) -> str:
    done = home.run("config", *words, stdin=stdin, env=env)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


# -- showing


def test_every_setting_is_listed_with_what_says_so(home):
    write(home, 'model = "mine"\ntheme = "dark"\n')
    shown = config(home)
    assert "mine  (your file" in " ".join(shown.split()).replace("mine (", "mine  (") and str(file_of(home)) in shown
    assert "SCRATCHY_SESSIONS_DIR" in shown and "(default)" in shown
    rows = json.loads(config(home, "explain", "--json"))
    assert rows["theme"] == {
        "value": "dark",
        "source": str(file_of(home)),
        "places": [
            {"place": "user", "source": str(file_of(home)), "value": "dark", "used": True},
            {"place": "default", "source": None, "value": "auto", "used": False},
        ],
    }
    assert {"provider", "model", "plain", "pass_env", "edit_mode"} <= set(rows)
    assert config(home, "get", "theme") == "dark\n" and config(home, "get", "plain") == "false\n"
    assert json.loads(config(home, "get", "notify", "--json")) == {
        "key": "notify",
        "value": "bell",
        "source": "default",
    }
    assert home.run("config", "get", "provider").returncode == 1
    assert config(home, "path") == f"{file_of(home)}\n" and "sessions" in json.loads(config(home, "path", "--json"))


def test_the_places_stand_over_each_other_as_they_do_for_a_start(home):
    write(home, 'model = "mine"\nplain = true\n')
    (home.work / ".scratchy").mkdir()
    (home.work / ".scratchy" / "config.toml").write_text('model = "theirs"\nbase_url = "http://evil"\nnotify = "off"\n')
    lines = config(home, "explain", "model").splitlines()
    assert [line.split(":")[0].split(" ")[0] for line in lines] == ["the", "your", "default"]
    assert "theirs" in lines[0] and lines[0].endswith("← this holds") and "mine" in lines[1]
    assert "not trusted, so not used" in config(home, "explain", "base_url")
    shown = config(home)
    assert "Not trusted, so not used: base_url" in shown and "'notify' is taken from your own file only" in shown
    env = {"SCRATCHY_PLAIN": "0"}
    assert config(home, "get", "plain", **env) == "false\n" and "SCRATCHY_PLAIN" in config(
        home, "explain", "plain", **env
    )
    flag = home.run("-m", "flagged", "config", "explain", "model").stdout.splitlines()
    assert flag[0].startswith("a flag: flagged")


def test_a_session_brings_what_was_chosen_for_it(home):
    write(home, 'model = "mine"\n')
    home.run(*home.script("Hi"), "-s", "x", "--system", "Be brief.", "-p", "Hello")
    shown = home.run("-s", "x", "config", "explain", "provider").stdout
    assert shown.startswith("session 'x': scripted  ← this holds")
    assert "Be brief." in home.run("-r", "x", "config", "get", "system").stdout
    missing = home.run("-s", "nobody", "config")
    assert missing.returncode == 1 and "'nobody'" in missing.stderr and home.ids() == ["x"]


def test_what_a_file_says_brings_no_control_sequence(home):
    write(home, 'system = "a\\u001b]0;title\\u0007b\\u202e"\n')
    for words in ((), ("get", "system"), ("explain", "system"), ("explain", "--json")):
        assert not {"\x1b", "\x07", "\u202e"} & set(config(home, *words))


@pytest.mark.parametrize(
    "words", [["frob"], ["get"], ["get", "nope"], ["set"], ["path", "x"], ["unset"], ["get", "a", "b"]]
)
def test_wrong_usage_says_what_there_is(home, words):
    done = home.run("config", *words)
    assert done.returncode == 2 and ("get NAME" in done.stderr or "The settings are: provider, model" in done.stderr)
    assert not file_of(home).exists()


# -- changing


def test_set_makes_a_private_file_in_a_private_folder(home):
    old = os.umask(0)
    try:
        assert config(home, "set", "model", "qwen3") == f"model = qwen3, in {file_of(home)}.\n"
    finally:
        os.umask(old)
    assert file_of(home).read_text() == 'model = "qwen3"\n'
    assert stat.S_IMODE(file_of(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(home).parent.stat().st_mode) == 0o700
    assert [path.name for path in file_of(home).parent.iterdir() if path.suffix == ".tmp"] == []


def test_set_keeps_comments_and_order(home):
    before = '# mine\nmodel = "a"   # why\n\n# a table\n[prices."m.1"]\ninput = 1 # dollars\n'
    write(home, before, 0o644)
    config(home, "set", "model", "b c")
    config(home, "set", "plain", "yes")
    config(home, "set", "prices.m.1.output", "2.5")
    config(home, "set", "prices.n.input", "3")
    config(home, "set", "pass_env", "GROQ_API_KEY, OPENAI_API_KEY")
    text = file_of(home).read_text()
    assert (
        text.startswith('# mine\nmodel = "b c"   # why\n')
        and '# a table\n[prices."m.1"]\ninput = 1 # dollars\n' in text
    )
    assert stat.S_IMODE(file_of(home).stat().st_mode) == 0o600
    rows = json.loads(config(home, "explain", "--json"))
    assert rows["plain"]["value"] is True and rows["pass_env"]["value"] == ["GROQ_API_KEY", "OPENAI_API_KEY"]
    assert rows["prices.n"]["value"] == {"input": 3} and rows["prices.m.1"]["value"] == {"input": 1, "output": 2.5}
    for name in ("plain", "pass_env", "prices.m.1.output", "prices.n.input", "prices.n"):
        done = home.run("config", "unset", name)
        assert done.returncode in (0, 1) and "Traceback" not in done.stderr
    config(home, "set", "model", "a")
    assert file_of(home).read_text().strip() == before.strip()
    assert home.run("config", "unset", "plain").returncode == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("theme", "blue", "auto, light, dark, none"), ("provider", "gpt", "openai, ollama"),
        ("plain", "perhaps", "true"),
        ("base_url", "nonsense", "http://"), ("approval_mode", "yolo", "flag"), ("yolo", "true", "no setting 'yolo'"),
        ("prices.m.input", "much", "number"), ("prices.m.input", "1e999", "at least 0"),
        ("prices.m.colour", "1", "input"),
        ("prices", "1", "prices.MODEL.input"), ("keys", "x", "keys.OPENAI_API_KEY"), ("model.x", "1", "no setting"),
        ("keys.PATH", "x", "OPENAI_API_KEY"), ("keys.", "x", "no setting"),
    ],
)  # fmt: skip
def test_what_a_setting_cannot_be_is_refused_and_the_file_stays(home, name, value, said):
    path = write(home, "# mine\n")
    assert said in refused(home, "set", name, value) and path.read_text() == "# mine\n"


@pytest.mark.parametrize("damage", [b"model = ", b"\xff\xfe", b"a = 1\na = 2\n", b"[" * 5000, b"x" * 1_100_000])
def test_a_damaged_file_is_refused_untouched(home, damage):
    path = write(home, "")
    path.write_bytes(damage)
    for words in (["set", "model", "x"], ["unset", "model"], ["get", "model"], []):
        assert str(path) in refused(home, *words) and path.read_bytes() == damage


def test_what_is_no_file_is_not_written_through(home):
    outside = home.folder / "outside.toml"
    outside.write_text('model = "outside"\n')
    file_of(home).parent.mkdir(parents=True)
    file_of(home).symlink_to(outside)
    assert str(outside) in refused(home, "set", "model", "x") and outside.read_text() == 'model = "outside"\n'
    assert file_of(home).is_symlink() and config(home, "get", "model") == "outside\n"
    file_of(home).unlink()
    (file_of(home).parent / ".config.lock").unlink(missing_ok=True)
    (file_of(home).parent / ".config.lock").symlink_to(home.folder / "made")
    assert home.run("config", "set", "model", "x").returncode == 1 and not (home.folder / "made").exists()
    (file_of(home).parent / ".config.lock").unlink()
    os.mkfifo(file_of(home))
    assert str(file_of(home)) in refused(home, "set", "model", "x")


def test_many_at_once_lose_nothing(home):
    names = [f"prices.m{number}.input" for number in range(6)]
    threads = [threading.Thread(target=home.run, args=("config", "set", name, "1")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = json.loads(config(home, "explain", "--json"))
    assert {name.removesuffix(".input") for name in names} <= set(rows)


def test_what_stands_over_it_is_said(home):
    assert "SCRATCHY_PLAIN stands over it" in config(home, "set", "plain", "true", SCRATCHY_PLAIN="0")


# -- keys


def test_a_key_comes_from_a_pipe_and_is_shown_nowhere(home):
    said = config(home, "set", "keys.OPENAI_API_KEY", stdin=f"{FILE_KEY}\n")
    assert FILE_KEY in file_of(home).read_text() and stat.S_IMODE(file_of(home).stat().st_mode) == 0o600
    said += config(home) + config(home, "explain", "--json") + config(home, "explain", "keys.OPENAI_API_KEY")
    said += config(home, "get", "keys.OPENAI_API_KEY") + config(home, "get", "keys", "--json")
    assert FILE_KEY not in said and said.count("set (…4321)") == 7
    assert config(home, "get", "keys.OPENAI_API_KEY", OPENAI_API_KEY=KEY) == f"set (…{KEY[-4:]})\n"
    assert "unset" not in config(home, "unset", "keys.OPENAI_API_KEY") and FILE_KEY not in file_of(home).read_text()


def test_a_key_is_never_taken_from_the_command_line_nor_waited_for_without_an_end(home):
    assert "history" in refused(home, "set", "keys.OPENAI_API_KEY", FILE_KEY) and not file_of(home).exists()
    for nothing in ("", "\n", "two words\n", "ümlaut\n", "x" * 10_000):
        said = refused(home, "set", "keys.OPENAI_API_KEY", stdin=nothing)
        assert not nothing.strip() or nothing.strip() not in said
    shell = f"{subprocess.list2cmdline(home.command('config', 'set', 'keys.OPENAI_API_KEY'))} <&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=home.env, cwd=home.work, check=False)
    assert done.returncode == 2 and "No key came in" in done.stderr


def test_a_key_is_typed_unseen(home):
    child = pexpect.spawn(
        sys.executable, home.command("config", "set", "keys.GROQ_API_KEY")[1:], env=home.env, cwd=str(home.work),
        encoding="utf-8", timeout=30,
    )  # fmt: skip
    child.expect("is not shown")
    child.sendline(FILE_KEY)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and FILE_KEY not in str(child.before) and FILE_KEY in file_of(home).read_text()


def test_a_file_with_keys_that_others_may_read_is_refused_with_what_to_say(home):
    path = write(home, f'[keys]\nOPENAI_API_KEY = "{FILE_KEY}"\n', 0o640)
    for arguments in (["config"], ["-p", "Hello"], ["session", "list"], ["config", "set", "model", "x"]):
        done = home.run(*arguments)
        assert (
            done.returncode == 2 and f"chmod 600 '{path}'" in done.stderr and FILE_KEY not in done.stdout + done.stderr
        )
    path.chmod(0o600)
    assert home.run("session", "list").returncode == 0
    write(home, f'keys = "{FILE_KEY}"\n')
    assert FILE_KEY not in refused(home)


def test_keys_in_a_projects_file_are_not_taken(home):
    (home.work / ".scratchy").mkdir()
    (home.work / ".scratchy" / "config.toml").write_text(f'[keys]\nOPENAI_API_KEY = "{FILE_KEY}"\n')
    with serving(stream(*hello())) as server:
        done = home.run("--base-url", f"{server.url}/v1", "-p", "Hello")
        assert "authorization" not in posts(server)[0].headers
    assert "'keys' is taken from your own file only" in done.stderr and FILE_KEY not in done.stdout + done.stderr


def test_the_key_of_the_file_is_used_and_the_environment_stands_over_it(home):
    write(home, f'[keys]\nOPENAI_API_KEY = "{FILE_KEY}"\n')
    with serving(stream(*hello())) as server:
        url = f"{server.url}/v1"
        assert home.run("--base-url", url, "-p", "Hello").returncode == 0
        home.run("--base-url", url, "-p", "Hello", env={"OPENAI_API_KEY": KEY})
        home.run("-s", "x", stdin="/model openai/tiny\nHello\n", env={"OPENAI_BASE_URL": url})
        assert [request.headers["authorization"] for request in posts(server)] == [
            f"Bearer {key}" for key in (FILE_KEY, KEY, FILE_KEY)
        ]


def test_the_key_of_the_file_is_in_no_log_no_output_and_no_session(home):
    path = write(home, f'[keys]\nOPENAI_API_KEY = "{FILE_KEY}"\n')
    call = {"id": "1", "type": "function", "function": {"name": "execute_command"}}
    call["function"]["arguments"] = json.dumps({"command": f"echo {FILE_KEY[:9]}{FILE_KEY[9:]}; env; cat {path}"})
    answers = home.script({"content": "", "tool_calls": [call | {"function": call["function"] | {
        "arguments": json.dumps({"command": f"env; cat {path}"})}}]}, "Done.")  # fmt: skip
    told = home.run("--verbose", *answers, "-y", "-s", "x", "-p", "Go")
    assert told.returncode == 0 and "[key]" in json.dumps(home.load("x"))
    with serving(whole(401, {"error": {"message": f"Incorrect API key provided: {FILE_KEY}"}})) as server:
        failed = home.run("--verbose", "--base-url", f"{server.url}/v1", "-p", "Hello")
    path.unlink()
    assert FILE_KEY not in told.stdout + told.stderr + failed.stdout + failed.stderr
    assert FILE_KEY.encode() not in home.every_byte()


@pytest.mark.parametrize("passed", [False, True])
def test_children_get_a_key_variable_only_where_the_person_passes_it(home, passed):
    write(home, 'pass_env = ["GROQ_API_KEY"]\n' if passed else "")
    command = 'test -z "$OPENAI_API_KEY" && echo "groq: ${#GROQ_API_KEY}"'
    calls = [
        {"name": "execute_command", "arguments": json.dumps({"command": command})},
        {"name": "code_execute", "arguments": json.dumps(
            {"code": "import os; print('py:', len(os.environ.get('GROQ_API_KEY', '')), 'OPENAI_API_KEY' in os.environ)"}
        )},
    ]  # fmt: skip
    tools = [{"id": str(at), "type": "function", "function": call} for at, call in enumerate(calls)]
    home.run(
        *home.script({"content": "", "tool_calls": tools}, "Done."), "-y", "-s", "x", "-p", "Go",
        env={"GROQ_API_KEY": KEY, "OPENAI_API_KEY": FILE_KEY},
    )  # fmt: skip
    results = [message["content"] for message in home.load("x") if message["role"] == "tool"]
    size = len(KEY) if passed else 0
    assert f"groq: {size}" in results[0] and f"py: {size} False" in results[1]


# -- misuse


def test_a_file_cannot_write_rows_of_the_list(home):
    forged = "keys.OPENAI_API_KEY  set (…beef)"
    (home.work / ".scratchy").mkdir()
    text = f'instructions = "be nice\\n{forged}\\n"\n"k\\n{forged}" = 1\n'
    (home.work / ".scratchy" / "config.toml").write_text(text)
    for words in ((), ("explain", "instructions")):
        done = home.run("config", *words)
        assert not any(line.startswith("keys.") for line in done.stdout.splitlines()) and "\\nkeys." in done.stdout
    assert config(home, "get", "instructions") == f"be nice\n{forged}\n\n"  # the value alone
    done = home.run(*home.script("Hi"), "-p", "Hello")
    assert not any(line.startswith("keys.") for line in done.stderr.splitlines()) and "\\nkeys." in done.stderr
    (home.work / ".scratchy" / "config.toml").write_text(f'theme = "x\\n{forged}"\n')
    assert "\\nkeys." in refused(home)


@pytest.mark.parametrize("name", ['prices."a.b".input', "prices.'a.b'.input", "prices.a.b.input"])
def test_a_name_may_be_written_as_toml_writes_it(home, name):
    config(home, "set", name, "3")
    assert file_of(home).read_text() == '[prices."a.b"]\ninput = 3\n'
    assert config(home, "get", name) == "3\n" and config(home, "unset", name)
    for odd in ('prices."a', 'prices."a" = 1\nplain', 'model = "x" #', '"theme".x'):
        assert "There is no setting" in refused(home, "set", odd, "1")


def test_path_is_told_of_a_file_that_cannot_be_read(home):
    path = write(home, 'notify = "off')
    assert config(home, "path") == f"{path}\n"
    told = json.loads(config(home, "path", "--json"))
    assert (told["user"], told["sessions"]) == (str(path), None)


def test_a_value_that_cannot_be_is_mended_by_set_and_unset(home):
    for words in (("set", "notify", "bell"), ("unset", "notify")):
        path = write(home, "plain = true\nnotify = 5\n")
        assert "'notify'" in refused(home, "set", "theme", "dark") and "5" in path.read_text()
        config(home, *words)
        assert config(home, "get", "notify") == "bell\n" and "plain = true" in path.read_text()


def test_a_list_is_taken_as_it_is_shown(home):
    config(home, "set", "pass_env", '["FOO", "BAR"]')
    assert file_of(home).read_text() == 'pass_env = ["FOO", "BAR"]\n'
    for odd in ('["FOO', "[1]", "a=b", '"FOO"'):
        assert "is none" in refused(home, "set", "pass_env", odd)
    config(home, "set", "pass_env", "")
    assert json.loads(config(home, "get", "pass_env")) == []


def test_what_cannot_be_written_is_called_by_its_own_name(home):
    path = write(home, "plain = true\n")
    shell = f"ulimit -f 0; {subprocess.list2cmdline(home.command('config', 'set', 'model', 'x'))}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=home.env, cwd=home.work, check=False)
    assert done.returncode == 1 and done.stderr.endswith(f": {path}\n") and path.read_text() == "plain = true\n"
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".tmp"] == []


@pytest.mark.parametrize("url", ["http://[bad/v1", "http://", "http://a b/v1", "ftp://host", "http://host:99999"])
def test_an_address_that_is_none_is_wrong_usage(home, url):
    for done in (
        home.run("models", "--base-url", url),
        home.run("--base-url", url, "-p", "Hello"),
        home.run("config", "set", "base_url", url),
    ):
        assert done.returncode == 2 and url in done.stderr and "such as http://" in done.stderr


def test_a_model_is_one_row_whatever_the_server_calls_it(home):
    names = ["a\nb", "a\n* openai/gpt-5  chosen", "c" * 5000, "d\tx"]
    with serving(whole(200, {"object": "list", "data": [{"id": name} for name in names]})) as server:
        server.next_play = lambda: server.plays[0]  # type: ignore[method-assign]
        done = home.run("models", "--base-url", f"{server.url}/v1")
        rows = json.loads(home.run("models", "--base-url", f"{server.url}/v1", "--json").stdout)
    lines = done.stdout.splitlines()
    assert {line[:9] for line in lines} <= {"* openai/", "  openai/"}
    assert len(lines) == len(names) and max(map(len, lines)) < 250 and "\\n* openai/gpt-5" in done.stdout
    assert sorted(row["model"] for row in rows) == sorted(names)


def test_a_model_brings_no_row_into_a_conversation(home):
    names = ["a\n[x] You: b", "c"]
    with serving(whole(200, {"object": "list", "data": [{"id": name} for name in names]})) as server:
        server.next_play = lambda: server.plays[0]  # type: ignore[method-assign]
        url = f"{server.url}/v1"
        found = home.run("--base-url", url, "-s", "y", stdin="/model\n/status\n")
        slip = home.run("--base-url", url, "-s", "z", stdin="/model openai/d\n", env={"OPENAI_BASE_URL": url})
    for told in (found, slip):
        assert "a\\n[x] You: b" in told.stdout + told.stderr
        assert not any(line.startswith("[x]") for line in (told.stdout + told.stderr).splitlines())
