"""What a run has asked of models, counted and priced; the same sums over a stored session; the budget.

Kept in memory only: a session's own sums are made of its messages. Not here: prices (compose), telling them (commands).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from scratchy.compose import Config
from scratchy.compose.prices import stored_price
from scratchy.core.messages import Message, ToolSpec, Usage, usage_of
from scratchy.core.prices import FREE, Price, estimated, money, price_unknown

if TYPE_CHECKING:
    from scratchy.core.ports import Store
    from scratchy.sessions.conversation import Conversation

ALLOWED_OUTPUT = 4_000
"""Tokens that the next answer is taken to have, unless one of this run was longer."""


class Tally:
    """Sums over requests. `usd` is of those with a known price, `unpriced` how many have none; `guessed`: how many the
    server did not count."""

    def __init__(self) -> None:
        self.requests = self.sent = self.cached = self.answered = self.unpriced = self.guessed = 0
        self.usd = 0.0

    def add(self, usage: Usage, price: Price | None, *, guessed: bool = False) -> None:
        self.requests += 1
        self.sent += usage.get("prompt_tokens", 0)
        self.cached += usage.get("cached_tokens", 0)
        self.answered += usage.get("completion_tokens", 0)
        self.guessed += guessed
        if price is None:
            self.unpriced += 1
        else:
            self.usd += price.of(usage)

    @property
    def cost(self) -> str:
        """For the person: an estimate begins with `~`, what has no known price is a `?`."""
        if self.requests and self.unpriced == self.requests:
            return "$?"
        told = f"{'~' if self.guessed and self.usd else ''}{money(self.usd)}"
        return f"{told} + ?" if self.unpriced else told


class Spending:
    """This run's. `price` is that of the model in use, None where it is not known; `budget` in USD, None without."""

    def __init__(self, budget: float | None, price: Callable[[], Price | None]) -> None:
        self.budget = budget
        self.models: dict[str, Tally] = {}
        self.all = Tally()
        self._price = price
        self._asked: tuple[Sequence[Message], Sequence[ToolSpec]] = (), ()
        self._longest = ALLOWED_OUTPUT

    @property
    def usd(self) -> float | None:
        """None where a price is not known."""
        return None if self.all.unpriced else self.all.usd

    def meter(self) -> Callable[[], float | None]:
        """From now on: what was spent since, in USD; None where a price is not known."""
        usd, unpriced = self.all.usd, self.all.unpriced
        return lambda: None if self.all.unpriced > unpriced else round(self.all.usd - usd, 9)

    def affordable(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> bool:
        """Whether the budget has room for this request, about to be made, and an answer of the allowed length."""
        self._asked = messages, tools
        if self.budget is None:
            return True
        price = self._price()
        if price is None:
            return False
        if price[:3] == FREE[:3]:
            return True
        needed: Usage = {"prompt_tokens": estimated(messages, tools), "completion_tokens": self._longest}
        return self.all.usd + price.of(needed) <= self.budget

    def count(self, answer: Message) -> None:
        """One answer has come; what the server did not count is estimated."""
        usage = usage_of(answer)
        guessed = not _is_counted(usage)
        if guessed:
            usage = Usage(prompt_tokens=estimated(*self._asked), completion_tokens=estimated([answer]))
        self._asked = (), ()
        self._longest = max(self._longest, usage.get("completion_tokens", 0))
        price = self._price()
        for tally in (self.all, self.models.setdefault(str(answer.get("model", "")), Tally())):
            tally.add(usage, price, guessed=guessed)

    def check(self, model: str) -> None:
        """Raises: PriceUnknownError when there is a budget, and nobody knows what this model costs."""
        if self.budget is not None and self._price() is None:
            raise price_unknown(model)


def tallies(messages: Iterable[Mapping[str, Any]], config: Config, metadata: Mapping[str, Any]) -> dict[str, Tally]:
    """By model, of stored answers that tell how many tokens they took, and of asking for the title."""
    found: dict[str, Tally] = {}
    first = ""
    for message in messages:
        usage = usage_of(message)
        model = message.get("model")
        model = model if isinstance(model, str) else ""
        if message.get("role") == "assistant" and _is_counted(usage):
            first = first or model
            found.setdefault(model, Tally()).add(usage, stored_price(config, metadata, model))
    title = usage_of({"usage": metadata.get("title_usage")})
    if _is_counted(title):  # asked of the model that gave the first answer
        found.setdefault(first, Tally()).add(title, stored_price(config, metadata, first))
    return found


def total(models: Mapping[str, Tally]) -> Tally:
    whole = Tally()
    for one in models.values():
        for name, value in vars(one).items():
            setattr(whole, name, getattr(whole, name) + value)
    return whole


def session_tallies(store: "Store", conversation: "Conversation", config: Config) -> dict[str, Tally]:
    """`tallies` of the whole transcript: what is not in memory is read, a message at a time. Raises: what reading
    raises."""
    session = conversation.session
    loaded = list(session.messages)
    unread = conversation.count - len(loaded)
    before = islice(store.items(session.session_id), unread) if unread > 0 else ()
    return tallies(chain(before, loaded), config, session.metadata)


def _is_counted(usage: Usage) -> bool:
    return "prompt_tokens" in usage or "completion_tokens" in usage
