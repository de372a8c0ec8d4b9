"""--max-budget-usd through the real program and a real server: exit codes, what is sent, what is told."""

import json
from pathlib import Path

import pytest
from model_server import delta, sse, stream
from programs import Home, posts, serving

CONFIG = '[prices."tiny"]\ninput = 100\noutput = 1000\ncached = 10\n'
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
         "prompt_tokens_details": {"cached_tokens": 500}}  # fmt: skip
ANSWER = stream(*sse(delta("Done."), delta(finish="stop"), {"choices": [], "usage": USAGE}))
COST = (500 * 100 + 500 * 10 + 100 * 1000) / 1_000_000


def calls_a_tool(name: str, answered: int):
    usage = {"prompt_tokens": 1000, "completion_tokens": answered}
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    events = delta(None, tool_calls=[call]), delta(finish="tool_calls"), {"choices": [], "usage": usage}
    return stream(*sse(*events))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def priced(home: Home) -> None:
    path = home.folder / "home" / ".config" / "scratchy" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG)


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "inf", "-inf", "1e999", "two", ""])
@pytest.mark.parametrize("face", [["-p", "Hello"], []], ids=["one shot", "plain"])
def test_an_amount_that_is_none_is_wrong_usage(home, amount, face):
    done = home.run("--provider", "demo", "--max-budget-usd", amount, *face, stdin="Hello\n")
    assert done.returncode == 2 and "--max-budget-usd" in done.stderr and home.ids() == []


def test_the_cost_of_a_turn_is_in_its_result(home):
    priced(home)
    with serving(ANSWER) as server:
        flags = ("--base-url", server.url, "--max-budget-usd", "100")
        told = json.loads(home.run(*flags, "-p", "Hello", "--output-format", "json").stdout)
        rows = home.run(*flags, "-p", "Hello", "--output-format", "stream-json").stdout.splitlines()
    assert told["cost_usd"] == pytest.approx(COST) and told["usage"]["cached_tokens"] == 500
    assert json.loads(rows[-1])["cost_usd"] == pytest.approx(COST)


def test_each_turn_over_a_pipe_tells_its_own_cost(home):
    priced(home)
    lines = "".join(json.dumps({"type": "user", "content": text}) + "\n" for text in ("one", "two"))
    with serving(ANSWER) as server:
        done = home.run("--base-url", server.url, "--input-format", "stream-json", stdin=lines)
    results = [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "Result"]
    assert [row["cost_usd"] for row in results] == [pytest.approx(COST)] * 2


def test_without_a_price_the_cost_is_not_known(home):
    with serving(ANSWER) as server:
        told = json.loads(home.run("--base-url", server.url, "-p", "Hello", "--output-format", "json").stdout)
    assert told["cost_usd"] is None and told["exit_code"] == 0
    free = json.loads(home.run("--provider", "demo", "-p", "Hello", "--output-format", "json").stdout)
    assert free["cost_usd"] == 0


@pytest.mark.parametrize("named", [["--model", "tiny"], []], ids=["named", "found"])
@pytest.mark.parametrize("face", [["-p", "Hello"], ["--plain"], ["--input-format", "stream-json"]], ids="-".join)
def test_a_budget_without_a_price_ends_with_2_before_any_request(home, face, named):
    said = {"--plain": "Hello\n", "--input-format": json.dumps({"type": "user", "content": "Hello"}) + "\n"}
    with serving(ANSWER) as server:
        done = home.run("--base-url", server.url, *named, "--max-budget-usd", "5", *face, stdin=said.get(face[0], ""))
        assert posts(server) == []
    assert done.returncode == 2
    told = (done.stderr + done.stdout).replace('\\"', '"')
    assert '[prices."tiny"]' in told and "Nothing was sent" in told
    assert home.ids() == []


def test_the_budget_ends_a_turn_between_its_steps(home):
    """The first request fits: 4 for an answer of 4,000 tokens and a little for what is sent. It costs more than 3."""
    priced(home)
    with serving(calls_a_tool("list_files", answered=3000), ANSWER) as server:
        flags = ("--base-url", server.url, "--max-budget-usd", "6", "-s", "one")
        done = home.run(*flags, "-p", "Hello", "--output-format", "json")
        assert len(posts(server)) == 1
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["exit_code"] == 1 and told["reason"] == "budget" and told["cost_usd"] > 3
    assert "budget" in done.stderr
    transcript = home.load("one")
    assert transcript is not None and transcript[-1]["role"] == "tool"  # whole: the call has its result


def test_what_runs_here_costs_nothing_whatever_the_budget(home):
    done = home.run(*home.script("Hi"), "--max-budget-usd", "0.000001", "-p", "Hello")
    assert done.returncode == 0 and done.stdout == "Hi\n"


def test_plain_mode_says_that_the_budget_is_spent(home):
    priced(home)
    with serving(ANSWER) as server:
        done = home.run("--base-url", server.url, "--max-budget-usd", "1", stdin="Hello\n/cost\n")
        assert posts(server) == []
    assert "would cost more than the budget allows" in done.stdout
    assert "Budget of this run: $1.00, $1.00 left" in done.stdout
