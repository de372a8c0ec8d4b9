"""What tokens cost: a price, its arithmetic, and how money is told. Pure.

Not here: which model has which price (providers/models.py, compose/prices.py), what a run has spent (sessions).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from scratchy.core.errors import PriceUnknownError
from scratchy.core.messages import Message, ToolSpec, Usage, calls_of, text_of
from scratchy.core.text import reveal

LONG = 272_000
"""Tokens of a request above which some models cost more: twice for what is sent, 1.5 times for what is answered."""
_PER_TOKEN = 4  # bytes of text: a usual mean; the server's own count replaces the estimate as soon as it is known
_PART = 1_000  # tokens of a picture, about
_AROUND = 4  # tokens around each message


class Price(NamedTuple):
    """USD a million tokens; `cached`: those of a request that the server still had. `long`: see LONG."""

    input: float
    output: float
    cached: float
    long: bool = False

    def of(self, usage: Usage) -> float:
        """USD of one request."""
        prompt, answer = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        cached = min(usage.get("cached_tokens", 0), prompt)
        twice, half_more = (2.0, 1.5) if self.long and prompt > LONG else (1.0, 1.0)
        sent = (prompt - cached) * self.input + cached * self.cached
        return (twice * sent + half_more * answer * self.output) / 1_000_000


FREE = Price(0.0, 0.0, 0.0)


def closest(names: Iterable[str], model: str) -> str | None:
    """The longest name that is the model's or what it begins with, up to a `-`: "gpt-5" for "gpt-5-2025-08-07", but not
    for "gpt-5.9"."""
    fits = [name for name in names if model == name or model.startswith(f"{name}-")]
    return max(fits, key=len, default=None)


def with_given(base: Price | None, given: Mapping[str, float]) -> Price | None:
    """`base` with what a person's settings say of it (`input`, `output`, `cached`); None while it is not whole."""
    sent, answered = (given.get(key, getattr(base, key, None)) for key in ("input", "output"))
    if sent is None or answered is None:
        return None
    changed = base is None or "input" in given or "output" in given
    cached = given.get("cached", sent if base is None or "input" in given else base.cached)
    return Price(sent, answered, cached, long=base is not None and base.long and not changed)


def estimated(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> int:
    """Tokens of a request, before anybody has counted them."""
    size = sum(len(str(tool["function"])) for tool in tools)
    parts = 0
    for message in messages:
        size += _size(text_of(message)) + sum(_size(call["function"]["arguments"]) for call in calls_of(message))
        content: Any = message.get("content")
        listed = cast("list[Any]", content) if isinstance(content, list) else []
        parts += sum(isinstance(part, dict) and "text" not in part for part in listed)
    return size // _PER_TOKEN + _PART * parts + _AROUND * len(messages)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def price_key(model: str) -> str:
    """The table of the configuration that names this model's price."""
    quoted = reveal(model).replace("\\", "\\\\").replace('"', '\\"')
    return f'[prices."{quoted}"]'


def price_unknown(model: str) -> PriceUnknownError:
    return PriceUnknownError(
        f"--max-budget-usd needs the price of '{reveal(model)}', which is not known. Set {price_key(model)} in your "
        "config.toml, with input and output in USD a million tokens. Nothing was sent."
    )


def money(amount: float) -> str:
    """USD for the person: whole cents from a dollar on, four places below it."""
    if amount == 0:
        return "$0"
    if amount < 0.0001:
        return "<$0.0001"
    return f"${amount:.4f}" if amount < 0.99995 else f"${amount:,.2f}"
