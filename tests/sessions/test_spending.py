"""What a run spends: every request counted once, wherever it was made, and the budget that it must stay in."""

import asyncio
from pathlib import Path

import pytest
from model_server import Request, delta, hang, hello, sse, stream, whole
from programs import posts, serving
from sessionbench import desk_in, take

from scratchy.commands.dispatch import dispatch
from scratchy.compose.prices import price_of, stored_price, window_of
from scratchy.compose.providers import OPENAI_URL, endpoint_of
from scratchy.config import Config
from scratchy.core.errors import PriceUnknownError
from scratchy.core.events import TurnFinished
from scratchy.core.prices import FREE, Price
from scratchy.sessions.spending import ALLOWED_OUTPUT, Spending, Tally, tallies, total

OPENAI = endpoint_of(OPENAI_URL)
ELSEWHERE = endpoint_of("http://127.0.0.1:1/v1")
TINY = {"tiny": {"input": 100.0, "output": 1000.0, "cached": 10.0}}  # dear, so that a few tokens tell


def config(**more) -> Config:
    return Config(Path("/"), Path("/sessions"), **more)


@pytest.mark.parametrize(
    ("provider", "endpoint", "model", "price"),
    [
        ("openai", OPENAI, "gpt-4o-mini", Price(0.15, 0.6, 0.075)),
        ("openai", ELSEWHERE, "gpt-4o-mini", None),
        ("openai", OPENAI, "unheard-of", None),
        ("ollama", "", "qwen3", FREE),
        ("local", "", "smol", FREE),
        ("demo", "", "demo", FREE),
        ("scripted", "", "answers.json", FREE),
        ("somebody", "", "else", None),
    ],
)
def test_which_price_a_model_has(provider, endpoint, model, price):
    assert price_of(config(), provider, endpoint, model) == price
    own = config(prices={model: {"input": 7, "output": 8}})
    assert price_of(own, provider, endpoint, model) == Price(7, 8, 7)


def test_a_window_of_ones_own():
    own = config(prices={"my": {"window": 1000}, "my-large": {"window": 2000.0}, "no": {"input": 1}})
    named = [window_of(own, name) for name in ("my", "my-7b", "my-large", "no", "x")]
    assert named == [1000, 1000, 2000, None, None]


def test_stored_answers_are_priced_by_their_model():
    here = {"provider": "ollama", "model": "qwen3", "endpoint": "e"}
    assert stored_price(config(), here, "qwen3") == FREE
    assert stored_price(config(), here, "gpt-4o-mini") == Price(0.15, 0.6, 0.075)  # from before a change of model
    there = {"provider": "openai", "model": "m", "endpoint": ELSEWHERE}
    assert stored_price(config(), there, "gpt-4o-mini") is None
    assert stored_price(config(), {}, "gpt-4o-mini") is None


FOREIGN = [
    {"role": "assistant", "model": "a", "usage": {"prompt_tokens": 10, "completion_tokens": 5}},
    {"role": "assistant", "model": "a", "usage": {"prompt_tokens": 20, "completion_tokens": -5}},
    {"role": "assistant", "model": 7, "usage": {"prompt_tokens": True, "completion_tokens": 4}},
    {"role": "assistant", "usage": None},
    {"role": "assistant", "usage": [1, 2]},
    {"role": "assistant", "usage": {"input_tokens": 3, "output_tokens": 9}},
    {"role": "assistant", "usage": {"prompt_tokens": 10**400}},
    {"role": "user", "usage": {"prompt_tokens": 99}},
    {"role": "tool"},
    {},
]


def test_a_session_with_counts_of_any_shape():
    found = tallies(FOREIGN, config(prices={"a": {"input": 1, "output": 1}}), {"title_usage": {"prompt_tokens": 2}})
    assert {name: (one.requests, one.sent, one.answered, one.unpriced) for name, one in found.items()} == {
        "a": (3, 32, 5, 0),
        "": (1, 0, 4, 1),
    }
    whole_ = total(found)
    assert (whole_.requests, whole_.sent, whole_.unpriced) == (4, 32, 1)
    assert whole_.cost == "<$0.0001 + ?" and tallies([], config(), {"title_usage": "x"}) == {}


def test_how_a_cost_is_told():
    tally = Tally()
    assert tally.cost == "$0"
    tally.add({"prompt_tokens": 1}, None)
    assert tally.cost == "$?"
    tally.add({"prompt_tokens": 1_000_000}, Price(1, 1, 1))
    assert tally.cost == "$1.00 + ?"
    free = Tally()
    free.add({"prompt_tokens": 5}, FREE, guessed=True)
    assert free.cost == "$0"


def test_an_answer_without_a_count_is_estimated():
    spending = Spending(None, lambda: Price(1, 1, 1))
    spending.affordable([{"role": "user", "content": "x" * 4000}], [])
    spending.count({"role": "assistant", "content": "y" * 400, "model": "m", "stop_reason": "aborted"})
    assert spending.all.guessed == 1 and 1000 <= spending.all.sent < 1100 and 100 <= spending.all.answered < 120
    assert spending.all.cost.startswith("~$") and spending.models["m"].requests == 1


def test_the_budget_leaves_room_for_the_longest_answer():
    spending = Spending(1.0, lambda: Price(0, 100, 0))  # an answer of the allowed length: 0.40
    assert spending.affordable([], [])
    spending.count({"role": "assistant", "usage": {"prompt_tokens": 1, "completion_tokens": 5_900}})  # 0.59 spent
    assert ALLOWED_OUTPUT == 4_000 and not spending.affordable([], [])  # 0.41 left, as long an answer costs 0.59
    assert Spending(1e-9, lambda: FREE).affordable([{"role": "user", "content": "x" * 10_000}], [])


def test_a_budget_without_a_price():
    spending = Spending(1.0, lambda: None)
    assert not spending.affordable([], [])
    with pytest.raises(PriceUnknownError, match=r'\[prices\."my model"\]'):
        spending.check("my model")
    Spending(None, lambda: None).check("my model")


def test_a_meter_tells_what_came_since():
    prices = [Price(1, 1, 1)]
    spending = Spending(None, lambda: prices[0])
    spending.count({"role": "assistant", "usage": {"prompt_tokens": 1_000_000}})
    since = spending.meter()
    assert since() == 0
    spending.count({"role": "assistant", "usage": {"prompt_tokens": 500_000}})
    assert since() == 0.5
    prices[0] = None  # pyright: ignore[reportArgumentType]
    spending.count({"role": "assistant", "usage": {"prompt_tokens": 1}})
    assert since() is None


# -- over a real server


def desk_at(folder: Path, server, **more):
    given_by = {"provider": "openai", "base_url": server.url, "model": "tiny"}
    return desk_in(folder, sources=dict.fromkeys(given_by, "flag"), **given_by, prices=TINY, **more)[0]


def counted(text: str, sent: int, answered: int, cached: int = 0):
    usage = {"prompt_tokens": sent, "completion_tokens": answered, "total_tokens": sent + answered,
             "prompt_tokens_details": {"cached_tokens": cached},
             "completion_tokens_details": {"reasoning_tokens": 1}}  # fmt: skip
    return stream(*sse(delta(text), delta(finish="stop"), {"choices": [], "usage": usage}))


def test_answers_titles_and_retries_are_counted_once(tmp_path):
    plays = [whole(503, "busy", retry_after="0"), counted("Hi", 1000, 100, 400), counted("A title", 200, 10)]
    with serving(*plays) as server:

        async def talk() -> str:
            desk = desk_at(tmp_path, server, titles="model")
            try:
                await take(desk.conversation, "Hello")
                async with asyncio.timeout(20):
                    while desk.spending.all.requests < 2:
                        await asyncio.sleep(0.01)
                stored = desk.conversation.session.messages[-1]["usage"]
                assert stored["cached_tokens"] == 400 and stored["reasoning_tokens"] == 1
                async with asyncio.timeout(20):
                    while "title_usage" not in desk.conversation.session.metadata:
                        await asyncio.sleep(0.01)
                return (await dispatch(desk, "/cost")).text + "\n" + (await dispatch(desk, "/status")).text
            finally:
                await desk.close()

        told = asyncio.run(talk())
        assert len(posts(server)) == 3
    # (600 + 200) × 100 + 400 × 10 + 110 × 1000, in millionths
    line = "2 requests, 1,200 tokens in (400 cached), 110 out, $0.1940 (tiny)"
    assert f"This session: {line}" in told and f"This run: {line}" in told
    assert "Cost: $0.1940 in this run" in told


def test_an_interrupted_answer_is_counted(tmp_path):
    async def some(request: Request, writer: asyncio.StreamWriter) -> None:
        await stream(*sse(delta("some words"), done=False), end="hang")(request, writer)

    with serving(some) as server:

        async def talk():
            desk = desk_at(tmp_path, server)
            try:
                async with asyncio.timeout(20):
                    events = desk.conversation.turn("Hello")
                    async for event in events:
                        if type(event).__name__ == "TextDelta":
                            break
                    await events.aclose()
                return desk.spending.all
            finally:
                await desk.close()

        spent = asyncio.run(talk())
    assert (spent.requests, spent.guessed) == (1, 1) and spent.sent > 0 and spent.usd > 0


def test_nothing_is_counted_of_what_never_answered(tmp_path):
    with serving(whole(401, "no")) as server:

        async def talk():
            desk = desk_at(tmp_path, server)
            try:
                with pytest.raises(Exception, match="key"):
                    await take(desk.conversation, "Hello")
                return desk.spending.all.requests
            finally:
                await desk.close()

        assert asyncio.run(talk()) == 0


@pytest.mark.parametrize(("budget", "reason"), [(100.0, "stop"), (1.0, "budget")])
def test_the_budget_ends_the_turn_before_the_request(tmp_path, budget, reason):
    with serving(stream(*hello())) as server:

        async def talk():
            desk = desk_at(tmp_path, server, max_budget_usd=budget)
            try:
                return await take(desk.conversation, "Hello")
            finally:
                await desk.close()

        events = asyncio.run(talk())
        assert [event.reason for event in events if isinstance(event, TurnFinished)] == [reason]
        assert len(posts(server)) == (1 if reason == "stop" else 0)


def test_a_budget_for_a_model_without_a_price_stores_and_sends_nothing(tmp_path):
    with serving(hang) as server:

        async def talk():
            given_by = {"provider": "openai", "base_url": server.url, "model": "dear"}
            desk, _ = desk_in(tmp_path, sources=dict.fromkeys(given_by, "flag"), **given_by, max_budget_usd=1.0)
            try:
                with pytest.raises(PriceUnknownError, match="dear"):
                    await take(desk.conversation, "Hello")
                return desk.conversation.count
            finally:
                await desk.close()

        assert asyncio.run(talk()) == 1  # the system message, in memory
        assert posts(server) == []
