"""/cost: what the session and this run took of tokens and money. Not here: the sums (sessions/spending.py)."""

import asyncio
from collections.abc import Mapping

from scratchy.commands.outcome import Outcome
from scratchy.commands.telling import counted
from scratchy.core.prices import money, price_key
from scratchy.core.text import reveal
from scratchy.sessions.desk import Desk
from scratchy.sessions.spending import Tally, session_tallies, total


async def cost(desk: Desk, argument: str) -> Outcome:
    """Show what this session and this run took: requests, tokens, money."""
    spending = desk.spending
    held = await asyncio.to_thread(session_tallies, desk.manager.store, desk.conversation, desk.config)
    lines = [*_told("This session", held), *_told("This run", spending.models)]
    if spending.budget is not None:
        left = max(spending.budget - spending.all.usd, 0.0)
        lines.append(f"Budget of this run: {money(spending.budget)}, {money(left)} left")
    unpriced = [name for name, tally in {**held, **spending.models}.items() if tally.unpriced and name]
    lines += [f"Price unknown: set {price_key(name)} (input, output) in your config.toml." for name in unpriced]
    if any(tally.guessed for tally in spending.models.values()):
        lines.append("~: the server did not count some answers, they are estimated.")
    return Outcome("\n".join(lines))


def _told(name: str, models: Mapping[str, Tally]) -> list[str]:
    if not models:
        return [f"{name}: no request yet"]
    if len(models) == 1:
        return [f"{name}: {_line(tally)} ({_model(model)})" for model, tally in models.items()]
    return [f"{name}: {_line(total(models))}", *(f"  {_model(model)}: {_line(one)}" for model, one in models.items())]


def _line(tally: Tally) -> str:
    cached = f" ({tally.cached:,} cached)" if tally.cached else ""
    tokens = f"{tally.sent:,} tokens in{cached}, {tally.answered:,} out"
    return f"{counted(tally.requests, 'request')}, {tokens}, {tally.cost}"


def _model(model: str) -> str:
    return reveal(model).replace("\n", " ") or "model not named"
