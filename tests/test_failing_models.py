"""A wrong key, no network, a model that is not there, an address that is none: one sentence that says what to do, at
the start, at a turn, in one shot and in `scratchy models`; the servers answer as the real ones do."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from model_server import Play, Server, hang, hello, stream, whole
from programs import KEY, Home, serving

OPENAI_401 = whole(401, {"error": {
    "message": "Incorrect API key provided: sk-bad***7890. You can find your API key at https://platform.openai.com/.",
    "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}})  # fmt: skip
NO_KEY_401 = whole(401, {"error": {"message": "You didn't provide an API key.", "type": "invalid_request_error"}})
NO_MODEL_404 = whole(404, {"error": {"message": "The model `gpt-9` does not exist or you do not have access to it.",
                                     "type": "invalid_request_error", "code": "model_not_found"}})  # fmt: skip
PAGE = whole(200, "<!doctype html><title>It works</title>", content_type="text/html")
PAGE_404 = whole(404, "<html><h1>404 Not Found</h1></html>", content_type="text/html")
LISTED = whole(200, {"object": "list", "data": [{"id": "tiny"}, {"id": "other"}]})
NOTHING_LISTED = whole(200, {"object": "list", "data": []})
OLLAMA_TAGS = whole(200, {"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest"}]})
OLLAMA_EMPTY = whole(200, {"models": []})
OLLAMA_404 = whole(404, {"error": "model 'qwen3' not found"})


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


@contextmanager
def answering(by_path: dict[str, Play], other: Play) -> Iterator[Server]:
    """A server that answers each path in one way."""
    with serving(other) as server:
        server.next_play = lambda: by_path.get(server.requests[-1].path, other)  # type: ignore[method-assign]
        yield server


def everywhere(home: Home, *flags: str, listing: bool = True, **env: str) -> list[str]:
    """What is said at the start and at the turn, by one shot, and by `models`; each ends by itself."""
    talk = home.run(*flags, "-s", "talk", stdin="Hello\n", env=env)
    once = home.run(*flags, "-s", "once", "-p", "Hello", env=env)
    models = home.run(*flags, "models", env=env)
    assert talk.returncode == 0 and once.returncode in (1, 75) and (models.returncode in (1, 75) or not listing)
    said = [talk.stdout, once.stderr, *([models.stderr] if listing else [])]
    assert all("Traceback" not in text and KEY not in text for text in said), said
    assert home.load("talk")[-1]["content"] == home.load("once")[-1]["content"] == "Hello"  # and kept
    assert "our message is kept" in said[0] and "our message is kept" in said[1]
    return said


def test_a_wrong_key_names_the_variable_to_check(home):
    with answering({}, OPENAI_401) as server:
        for said in everywhere(home, OPENAI_BASE_URL=f"{server.url}/v1", OPENAI_API_KEY=KEY):
            assert "Incorrect API key" in said and "the key was not accepted; check OPENAI_API_KEY" in said


def test_no_key_where_one_is_needed_names_the_variable_to_set(home):
    with answering({}, NO_KEY_401) as server:
        for said in everywhere(home, OPENAI_BASE_URL=f"{server.url}/v1"):
            assert "no key was sent; set OPENAI_API_KEY" in said
    for arguments in (["-p", "Hello"], ["models"]):
        done = home.run("--provider", "openai", *arguments)
        assert done.returncode in (1, 2) and "scratchy config set keys.OPENAI_API_KEY" in done.stderr


def test_nobody_at_the_address(home):
    for said in everywhere(home, "--base-url", "http://127.0.0.1:1/v1"):
        assert "Cannot reach 127.0.0.1:1: connection refused. Is that server running? --base-url names another." in said
    for said in everywhere(home, "--provider", "ollama"):
        assert "connection refused. Start Ollama there (`ollama serve`), or set OLLAMA_HOST." in said
    for said in everywhere(home, "--base-url", "http://nobody.invalid/v1"):
        assert "Cannot reach nobody.invalid: " in said and "--base-url names another." in said


@pytest.mark.parametrize(("play", "words"), [(PAGE, "web page"), (PAGE_404, "A base URL mostly ends in /v1.")])
def test_an_address_that_is_no_api(home, play, words):
    with answering({}, play) as server:
        for said in everywhere(home, "--base-url", server.url):
            assert words in said and "''" not in said


def test_a_model_that_the_server_has_not(home):
    with answering({"/v1/models": LISTED}, NO_MODEL_404) as server:
        flags = "--base-url", f"{server.url}/v1", "-m", "gpt-9"
        for said in everywhere(home, *flags, listing=False):
            assert "`scratchy models` lists what there is; --model or /model chooses" in said
        models = home.run(*flags, "models")
        assert models.returncode == 0 and "openai/gpt-9 would answer" in models.stderr and "*" not in models.stdout


def test_a_server_without_models(home):
    with answering({}, NOTHING_LISTED) as server:
        for said in everywhere(home, "--base-url", f"{server.url}/v1"):
            assert "lists no model: name one with --model." in said
        assert home.run("--base-url", f"{server.url}/v1", "models", "--json").stdout == "[]\n"


def test_an_ollama_that_has_not_pulled_it(home):
    with answering({"/api/tags": OLLAMA_TAGS}, OLLAMA_404) as server:
        for said in everywhere(home, "-m", "ollama/qwen3", OLLAMA_HOST=server.url):
            assert "has no model 'qwen3': `ollama pull qwen3` fetches it; it has llama3.2:latest." in said
    with answering({"/api/tags": OLLAMA_EMPTY}, OLLAMA_404) as server:
        for said in everywhere(home, "--provider", "ollama", OLLAMA_HOST=server.url):
            assert "has no model yet: fetch one, such as `ollama pull qwen3`." in said
        done = home.run(
            "models", env={"OLLAMA_HOST": server.url}
        )  # nothing named: what else there is, and why not that
        assert "Ollama runs here but has no model; `ollama pull qwen3` fetches one" in done.stderr


def test_files_that_are_no_models(home):
    (home.work / "bad.gguf").write_text("hello")
    for name, words in (("none.gguf", "There is no model file 'none.gguf'."), ("bad.gguf", "bad.gguf")):
        words = words if find_spec("xllamacpp") else "pip install"
        done = home.run("-m", name, "-s", "x", "-p", "Hello")
        assert done.returncode in (1, 75) and words in done.stderr and "message is kept" in done.stderr
        assert words in home.run("-m", name, "models").stderr


# -- models


def test_a_server_that_takes_long_to_list_them_is_waited_for_in_words(home):
    with answering({}, hang) as server:
        program = home.start("models", "--base-url", f"{server.url}/v1", "--json")
        assert re.fullmatch(rb"\(still asking for the models, \d+ s so far\)\n", program.stderr.readline())
        program.send_signal(signal.SIGINT)
        out, rest = program.communicate(timeout=40)
    assert program.returncode == 130 and out == b"" and b"Traceback" not in rest, rest


def test_models_tells_window_tools_price_and_which_one_answers(home):
    (home.folder / "home" / ".config" / "scratchy").mkdir(parents=True)
    (home.folder / "home" / ".config" / "scratchy" / "config.toml").write_text(
        "[prices.other]\ninput = 1.5\noutput = 10\nwindow = 32000\n"
    )
    with answering({"/v1/models": LISTED}, stream(*hello())) as server:
        done = home.run("models", "--base-url", f"{server.url}/v1")
        rows = json.loads(home.run("models", "--base-url", f"{server.url}/v1", "--json").stdout)
    first, second = done.stdout.splitlines()
    assert done.returncode == 0 and first == "* openai/tiny" and "* answers: chosen by a flag" in done.stderr
    assert second.split() == ["openai/other", "32,000", "tokens,", "$1.50", "in,", "$10.00", "out", "a", "million"]
    assert rows[0] == {
        "provider": "openai",
        "model": "tiny",
        "tools": None,
        "window": None,
        "price": None,
        "chosen": True,
    }
    assert rows[1]["price"] == {"input": 1.5, "cached": 1.5, "output": 10} and not rows[1]["chosen"]


def test_names_of_models_bring_no_control_sequence(home):
    evil = whole(200, {"object": "list", "data": [{"id": "a\x1b[31mb\u202ec"}]})
    with answering({"/v1/models": evil}, stream(*hello())) as server:
        for arguments in (["models"], ["models", "--json"]):
            done = home.run("--base-url", f"{server.url}/v1", *arguments)
            assert done.returncode == 0 and not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)
