"""The dated table of models: sane figures, no name that cannot be reached, and that it is dated."""

import datetime
import re
from pathlib import Path

import pytest

from scratchy.core.prices import Price
from scratchy.providers import models
from scratchy.providers.models import AS_OF, OPENAI_DEFAULT, openai_price, openai_window

SOURCE = Path(models.__file__).read_text()
NAMES = re.findall(r'^    "([a-z0-9.-]+)": \(', SOURCE, re.MULTILINE)


def test_the_table_says_when_and_where_it_is_from():
    assert datetime.date.fromisoformat(AS_OF) >= datetime.date(2026, 11, 1)
    assert "https://developers.openai.com/api/docs/pricing" in SOURCE


@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_sane(name):
    price, window = openai_price(name), openai_window(name)
    assert price is not None and window is not None and 4_000 <= window <= 2_000_000
    assert 0 < price.cached <= price.input < price.output <= 1_000
    assert openai_price(f"{name}-2026-01-01") == price  # a dated snapshot is the same model


def test_the_table_is_whole():
    assert len(NAMES) == len(set(NAMES)) > 30 and OPENAI_DEFAULT in NAMES


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-5.4-mini", Price(0.75, 4.5, 0.075)),
        ("gpt-5.4", Price(2.5, 15, 0.25, long=True)),
        ("gpt-4o-mini-2024-07-18", Price(0.15, 0.6, 0.075)),
        ("gpt-4o-2024-05-13", Price(5, 15, 5)),
        ("o3-pro-2025-06-10", Price(20, 80, 20)),
        ("gpt-5.7", None),
        ("gpt-7", None),
        ("qwen3", None),
        ("ft:gpt-4o:org", None),
    ],
)
def test_a_model_has_the_price_of_the_longest_name(model, price):
    assert openai_price(model) == price
