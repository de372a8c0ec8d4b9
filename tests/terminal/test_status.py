"""The line below the input, without a terminal: its parts and widths, the branch out of files, the speed of answers."""

import asyncio
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth
from sessionbench import desk_in

from scratchy.core.context import context_of
from scratchy.core.events import MessageAdded, StepStarted, ThinkingDelta
from scratchy.core.prices import estimated
from scratchy.terminal.branch import branch_of
from scratchy.terminal.layout import Live
from scratchy.terminal.pace import Pace
from scratchy.terminal.status import Status

USAGE = {"prompt_tokens": 900, "completion_tokens": 100}
ANSWER = {"role": "assistant", "content": "Hi", "model": "m", "usage": USAGE}


def status_at(folder: Path, *messages, model: str = "small", mode: str = "ask", branch: str = "", **config) -> Status:
    """The status of a window with an answering model."""
    folder.mkdir(exist_ok=True)
    desk, _ = desk_in(folder, provider="demo", sources={"provider": "flag"}, **config)
    asyncio.run(desk.choice())
    desk.conversation.session.messages += messages
    desk.mode = mode
    if branch:
        (folder / ".git").mkdir()
        (folder / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    status = Status(desk, Live())
    asyncio.run(status.look())
    return status


def text(status: Status, width: int = 200) -> str:
    return "".join(fragment for _, fragment in status.row(width))


def test_all_parts_of_it(tmp_path):
    prices = {"demo": {"window": 10_000.0}}
    status = status_at(tmp_path / "a", ANSWER, mode="plan", branch="main", prices=prices, max_budget_usd=2.0)
    assert text(status) == "demo · context 10% · $0 of $2.00 · plan · branch main"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, "demo · context 10% · $0 · accept-edits · branch feature/a-long-name"),
        (60, "demo · context 10% · $0 · accept-edits"),
        (30, "demo · context 10% · $0"),
        (20, "demo · context 10%"),
        (10, "demo · co…"),
    ],
)
def test_what_matters_least_goes_first(tmp_path, width, shown):
    prices = {"demo": {"window": 10_000.0}}
    status = status_at(tmp_path / "a", ANSWER, mode="accept-edits", branch="feature/a-long-name", prices=prices)
    assert text(status, width) == shown


def test_the_context_is_counted_or_estimated(tmp_path):
    prices = {"demo": {"window": 10_000.0}}
    status = status_at(tmp_path / "a", prices=prices)
    messages = status._desk.conversation.session.messages
    assert "context ~" in text(status)
    messages.append(ANSWER)
    assert "context 10%" in text(status)
    messages.append({"role": "user", "content": "x" * 4000})
    assert "context ~20%" in text(status)
    messages.append({**ANSWER, "usage": {"prompt_tokens": 2000, "completion_tokens": 1000}})
    assert "context 30%" in text(status)
    messages.append({**ANSWER, "usage": {"prompt_tokens": "many"}})
    assert "context ~30%" in text(status)
    del messages[2:]  # a rewind
    assert "context 10%" in text(status)
    messages.append({"role": "user", "content": "y" * 8000})
    assert "context ~30%" in text(status)


def test_an_estimate_has_all_that_the_request_has(tmp_path):
    status = status_at(tmp_path / "a")
    desk = status._desk
    conversation = desk.conversation
    asked = {
        "role": "user", "content": "Read it", "context": "Today", "attached": [{"name": "@a", "text": "x" * 40_000}],
    }  # fmt: skip
    for message in ({"role": "user", "content": "Hi"}, asked, {"role": "assistant", "content": "Done"}):
        tools = conversation.engine.tools.specs() if desk.provider.supports_tools else []
        wanted = estimated(context_of(conversation.session).request(), tools)
        told = int(re.search(r"~([\d,]+) tokens", text(status))[1].replace(",", ""))
        assert abs(told - wanted) <= 10 and wanted > 1000
        conversation.session.messages.append(message)
    conversation.session.messages.clear()  # as where only the end of a transcript is loaded
    wanted = estimated([{"role": "system", "content": conversation.engine.system_prompt}], tools)
    assert f"~{wanted:,} tokens" in text(status)


def test_a_model_without_tools_is_sent_none(tmp_path):
    status = status_at(tmp_path / "a")
    provider = status._desk.provider
    with_tools = text(status)
    provider.supports_tools = not provider.supports_tools
    assert text(status) != with_tools


def test_an_unknown_window_tells_tokens(tmp_path):
    assert "context 1,000 tokens" in text(status_at(tmp_path / "a", ANSWER))


@given(name=st.text(st.characters(codec=None), max_size=60), width=st.integers(8, 200))
def test_any_name_is_harmless_and_fits(tmp_path_factory, name, width):
    desk = SimpleNamespace(
        provider=SimpleNamespace(name="x", model=name, supports_tools=False),
        window=100,
        mode="ask",
        spending=SimpleNamespace(budget=None, all=SimpleNamespace(cost="$?")),
        conversation=SimpleNamespace(
            session=SimpleNamespace(messages=[]), engine=SimpleNamespace(system_prompt="", tools=None)
        ),
    )
    status = Status(desk, Live())  # type: ignore[arg-type]
    status._branch = f"branch {name}"
    shown = text(status, width)
    assert get_cwidth(shown) <= width
    assert not any(char in shown for char in "\x1b\x9b\n\r\t\u202e\u2066\u200b")


# -- the branch


def test_no_repository_no_branch(tmp_path):
    assert branch_of(tmp_path) == ""


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("ref: refs/heads/main\n", "branch main"),
        ("ref: refs/heads/feature/状態\r\n", "branch feature/状態"),
        ("ref: refs/remotes/x\n", "branch refs/remotes/x"),
        ("0123456789abcdef0123456789abcdef01234567\n", "commit 0123456"),
        ("0" * 64, "commit 0000000"),
        ("ref: refs/heads/.invalid\n", ""),
        ("", ""),
        ("nonsense", ""),
        ("ref: ", ""),
    ],
)
def test_what_head_says(tmp_path, head, told):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(head.encode())
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert branch_of(tmp_path) == branch_of(inside) == told


def test_what_lies_in_heads_place_does_no_harm(tmp_path):
    for name, make in (("fifo", os.mkfifo), ("folder", os.mkdir), ("large", lambda path: None)):
        git = tmp_path / name / ".git"
        git.mkdir(parents=True)
        make(git / "HEAD")
        if name == "large":
            (git / "HEAD").write_bytes(b"\xff" * 100_000)
        assert branch_of(tmp_path / name) == ""
    (tmp_path / "fifo2").mkdir()
    os.mkfifo(tmp_path / "fifo2" / ".git")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / ".git").write_bytes(b"gitdir: a\0b\n")
    assert branch_of(tmp_path / "fifo2") == branch_of(tmp_path / "bad") == ""


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "protocol.file.allow=always", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_real_repositories(tmp_path):
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "trunk")
    assert branch_of(main) == "branch trunk"
    git(main, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", "-b", "side", "../tree")
    assert branch_of(tmp_path / "tree") == "branch side"
    git(main, "submodule", "--quiet", "add", str(tmp_path / "tree"), "sub")
    assert branch_of(main / "sub").startswith("branch ")
    git(main, "checkout", "-q", "--detach")
    assert branch_of(main).startswith("commit ")


# -- the speed


def paced(seconds: float, *events, characters: int = 400) -> Pace:
    pace = Pace()
    pace.take(StepStarted(1))
    pace.add("x" * characters)
    pace._begun -= seconds
    for event in events:
        pace.take(event)
    return pace


def answer(**usage: int) -> MessageAdded:
    return MessageAdded({"role": "assistant", "content": "x", "usage": usage})  # type: ignore[typeddict-item]


def rate(pace: Pace) -> float:
    return float(pace.now().removeprefix("~").removesuffix(" tokens/s"))


def test_the_speed_is_estimated_while_it_streams_and_counted_at_the_end():
    assert paced(2).now().startswith("~") and rate(paced(2)) == pytest.approx(50, abs=2)
    counted = paced(2, answer(completion_tokens=300))
    assert not counted.now().startswith("~") and rate(counted) == pytest.approx(150, abs=5)


def test_what_was_thought_unseen_does_not_count():
    unseen = paced(2, answer(completion_tokens=300, reasoning_tokens=200))
    assert rate(unseen) == pytest.approx(50, abs=2)
    seen = paced(2, ThinkingDelta("y" * 400), answer(completion_tokens=300, reasoning_tokens=200))
    assert rate(seen) == pytest.approx(150, abs=5)


def test_the_last_speed_stays_until_there_is_another():
    pace = paced(2, answer(completion_tokens=300))
    before = pace.now()
    pace.take(StepStarted(2))
    pace.add("few")
    assert pace.now() == before
    pace.take(answer(completion_tokens=1))
    assert pace.now() == before


def test_of_an_interrupted_answer_the_speed_stays():
    pace = paced(2)
    pace.end()
    before = pace.now()
    assert rate(pace) == pytest.approx(50, abs=2)
    pace._begun -= 100
    assert pace.now() == before


@pytest.mark.parametrize(("seconds", "characters"), [(0.0, 100_000), (5.0, 20), (0.1, 1000)])
def test_too_little_tells_nothing(seconds, characters):
    assert paced(seconds, characters=characters).now() == ""


def test_a_slow_answer_has_a_decimal():
    assert paced(10, answer(completion_tokens=25)).now().startswith("2.")
