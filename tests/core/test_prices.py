"""What tokens cost: arithmetic, names, a person's own prices, and how money is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchy.core.messages import Usage, usage_of
from scratchy.core.prices import FREE, LONG, Price, closest, estimated, money, price_key, with_given

PRICE = Price(2, 10, 0.5)


def usage(sent: int, answered: int, cached: int = 0) -> Usage:
    return {"prompt_tokens": sent, "completion_tokens": answered, "cached_tokens": cached}


@pytest.mark.parametrize(
    ("told", "dollars"),
    [
        (usage(1_000_000, 0), 2),
        (usage(0, 1_000_000), 10),
        (usage(1_000_000, 0, 400_000), 1.4),
        (usage(100, 0, 5_000), 100 * 0.5 / 1e6),  # no more can be cached than was sent
        ({"completion_tokens": 1000}, 0.01),
        ({}, 0),
    ],
)
def test_what_a_request_costs(told, dollars):
    assert PRICE.of(told) == pytest.approx(dollars)
    assert FREE.of(told) == 0


def test_a_long_request_costs_more_of_both():
    long = Price(2, 10, 0.5, long=True)
    assert long.of(usage(LONG, 100)) == PRICE.of(usage(LONG, 100))
    more = usage(LONG + 1, 100, 1000)
    assert long.of(more) == pytest.approx(2 * (LONG + 1 - 1000) * 2e-6 + 2 * 1000 * 0.5e-6 + 1.5 * 100 * 10e-6)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5", "gpt-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5-mini", "gpt-5-mini"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("gpt-5.9", None),
        ("gpt-50", None),
        ("ft:gpt-5", None),
        ("", None),
    ],
)
def test_the_longest_name_wins_up_to_a_dash(model, name):
    assert closest(["gpt-5", "gpt-5-mini", "o3"], model) == name


@pytest.mark.parametrize(
    ("base", "given_", "price"),
    [
        (None, {}, None),
        (None, {"input": 1}, None),
        (None, {"window": 8000}, None),
        (None, {"input": 1, "output": 2}, Price(1, 2, 1)),
        (None, {"input": 1, "output": 2, "cached": 0}, Price(1, 2, 0)),
        (PRICE, {}, PRICE),
        (PRICE, {"cached": 0.1}, Price(2, 10, 0.1)),
        (PRICE, {"input": 4}, Price(4, 10, 4)),
        (PRICE, {"output": 0}, Price(2, 0, 0.5)),
        (Price(2, 10, 0.5, long=True), {"window": 1}, Price(2, 10, 0.5, long=True)),
        (Price(2, 10, 0.5, long=True), {"input": 1}, Price(1, 10, 1)),
        (FREE, {"input": 1, "output": 1}, Price(1, 1, 1)),
    ],
)
def test_a_persons_own_price(base, given_, price):
    assert with_given(base, given_) == price


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0"),
        (1e-9, "<$0.0001"),
        (0.00009999, "<$0.0001"),
        (0.0001, "$0.0001"),
        (0.01234, "$0.0123"),
        (0.99994, "$0.9999"),
        (0.99996, "$1.00"),
        (1.005, "$1.00"),
        (12.345, "$12.35"),
        (1234567.891, "$1,234,567.89"),
    ],
)
def test_money_is_rounded(amount, shown):
    assert money(amount) == shown


@given(st.floats(0, 1e9))
def test_money_is_never_shown_as_nothing(amount):
    assert (money(amount) == "$0") == (amount == 0)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_counts_of_any_shape_are_read_without_harm(value):
    assert usage_of({"usage": value}) == {}
    kept = usage_of({"usage": {"prompt_tokens": value, "completion_tokens": 3, "input_tokens": 9}})
    assert kept["completion_tokens"] == 3 and set(kept) <= {"prompt_tokens", "completion_tokens"}
    assert PRICE.of(kept) >= 0


@pytest.mark.parametrize("count", [True, -1, 1.5, "7", 10**12, 10**400, None])
def test_what_is_no_count_is_left_out(count):
    assert usage_of({"usage": {"prompt_tokens": count}}) == {}


def test_an_estimate_grows_with_all_that_is_sent():
    few = estimated([{"role": "user", "content": "Hello"}])
    picture = {"type": "image_url", "image_url": {"url": "blob:1"}}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "x" * 400}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"a": "b" * 400}}}
    assert 0 < few < 20
    assert estimated([{"role": "user", "content": [{"type": "text", "text": "Hello"}, picture]}]) > 900
    assert estimated([{"role": "assistant", "content": "", "tool_calls": [call]}]) > 90
    assert estimated([], [tool]) > 90
    assert estimated([{"role": "user", "content": "漢" * 400}]) > 250
    assert estimated([{"role": "user", "content": "\ud800"}]) > 0


def test_the_key_of_a_price_can_be_pasted():
    tomllib = pytest.importorskip("tomllib")
    for model in ("gpt-5", 'a"b', "back\\slash", "org/model:7b"):
        assert tomllib.loads(f"{price_key(model)}\ninput = 1\n")["prices"] == {model: {"input": 1}}
