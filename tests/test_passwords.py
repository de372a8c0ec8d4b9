"""A password in a server's address is a key: no child, no model, no file but the person's own gets it."""

import json
import stat

import pexpect
import pytest
from model_server import hello, stream
from programs import Home, posts, serving

PASSWORD = "PASSWORD-in-1-address"


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def address(server) -> str:
    return f"{server.url}/v1".replace("://", f"://me:{PASSWORD}@")


def wants(command: str) -> bytes:
    """A server's answer that asks for one command."""
    call = {"index": 0, "id": "1", "type": "function"}
    call["function"] = {"name": "execute_command", "arguments": json.dumps({"command": command})}
    return (
        b"".join(
            b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}).encode() + b"\n\n"
            for delta, end in (({"tool_calls": [call]}, None), ({}, "tool_calls"))
        )
        + b"data: [DONE]\n\n"
    )


@pytest.mark.parametrize("by", ["variable", "flag", "file"])
def test_no_child_no_model_and_no_session_gets_it(home, by):
    (home.work / "notes.txt").write_text(f"it is {PASSWORD}, remember\n")
    path = home.folder / "home" / ".config" / "scratchy" / "config.toml"
    with serving(stream(wants(f"env; echo {PASSWORD[:10]}''{PASSWORD[10:]}")), stream(*hello())) as server:
        url = address(server)
        flags = ["--base-url", url] if by == "flag" else []
        env = {"OPENAI_BASE_URL": url} if by == "variable" else {}
        if by == "file":
            assert home.run("config", "set", "base_url", stdin=url + "\n").returncode == 0
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        done = home.run(*flags, "--verbose", "-m", "tiny", "-y", "-s", "x", "-p", "Go on with @notes.txt", env=env)
        assert done.returncode == 0, done.stderr
        sent = b"".join(request.body for request in posts(server))
        assert all(request.headers["authorization"].startswith("Basic ") for request in posts(server))
    assert b"[key]" in sent and PASSWORD.encode() not in sent and PASSWORD not in done.stdout + done.stderr
    (home.work / "notes.txt").unlink()
    path.unlink(missing_ok=True)
    assert PASSWORD.encode() not in home.every_byte()


def test_a_variable_without_a_password_goes_to_children(home):
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OLLAMA_HOST": f"http://me:{PASSWORD}@127.0.0.1:1"}
    function = {
        "name": "execute_command",
        "arguments": json.dumps({"command": 'echo "$OPENAI_BASE_URL $OLLAMA_HOST;"'}),
    }
    answers = home.script({"content": "", "tool_calls": [{"id": "1", "type": "function", "function": function}]}, "Ok.")
    assert home.run(*answers, "-y", "-s", "x", "-p", "Go", env=env).returncode == 0
    assert [one["content"] for one in home.load("x") if one["role"] == "tool"] == ["http://127.0.0.1:1/v1 ;\n"]


def test_it_is_not_taken_from_the_command_line_nor_from_a_file_that_others_read(home):
    url = f"http://me:{PASSWORD}@127.0.0.1:1/v1"
    path = home.folder / "home" / ".config" / "scratchy" / "config.toml"
    done = home.run("config", "set", "base_url", url)
    assert done.returncode == 2 and "history" in done.stderr and PASSWORD not in done.stderr and not path.exists()
    done = home.run("config", "set", "base_url", stdin=url)
    assert done.returncode == 0 and "http://…@127.0.0.1:1/v1" in done.stdout and PASSWORD not in done.stdout
    path.chmod(0o644)
    for arguments in (["config"], ["-p", "Hello"], ["config", "set", "model", "x"]):
        done = home.run(*arguments)
        assert done.returncode == 2 and f"chmod 600 '{path}'" in done.stderr and PASSWORD not in done.stderr
    path.write_text('base_url = "http://me@127.0.0.1:1/v1"\n')
    assert home.run("config", "get", "base_url").stdout == "http://…@127.0.0.1:1/v1\n"


def test_a_project_cannot_bring_one(home):
    (home.work / ".scratchy").mkdir()
    project = home.work / ".scratchy" / "config.toml"
    project.write_text(f'base_url = "http://me:{PASSWORD}@127.0.0.1:1/v1"\n')
    assert home.run("session", "list").returncode == 0  # not trusted, so not used

    from scratchy.permissions import Trust

    home.state.mkdir(parents=True)
    Trust(home.state).trust(project, project.read_bytes())
    done = home.run("config")
    assert done.returncode == 2 and "own file only" in done.stderr and PASSWORD not in done.stderr


def test_the_line_that_resumes_does_not_tell_it(home):
    url = f"http://me:{PASSWORD}@127.0.0.1:1/v1"
    command = home.command("--plain", *home.script("Hi"), "--base-url", url, "-s", "x")
    child = pexpect.spawn(
        command[0], command[1:], env=home.env, cwd=str(home.work), encoding="utf-8", timeout=40, dimensions=(24, 400)
    )
    child.expect("You: ")
    child.sendline("Hello")
    child.expect("Hi")
    child.expect("You: ")
    child.sendline("/exit")
    child.expect("Resume with: ")
    child.expect(pexpect.EOF)
    child.close()
    assert "--session=x" in str(child.before) and "--model" in str(child.before) and PASSWORD not in str(child.before)
