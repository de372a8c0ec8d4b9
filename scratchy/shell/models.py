"""`scratchy models`: what the provider offers, which one would answer here and why, what it costs where that is known.

Not here: the choice itself (compose/providers.py), prices (compose/prices.py).
"""

import asyncio
import sys
from typing import Any

from scratchy import compose
from scratchy.compose.prices import price_of, window_of
from scratchy.config import Config, machine_id
from scratchy.core.errors import ProviderError
from scratchy.core.prices import money
from scratchy.core.text import clean, reveal_line
from scratchy.shell.printing import say, say_json
from scratchy.terminal.alive import Alive

_NAME = 40  # columns; longer names push the rest
_LONGEST = 200  # characters


async def list_models(config: Config, as_json: bool) -> int:
    """1 when there is none. Raises: ProviderError, ConfigError."""
    watching = asyncio.ensure_future(Alive(_note, "asking for the models").watch())
    try:
        return await _listed(config, as_json)
    finally:
        watching.cancel()


async def _listed(config: Config, as_json: bool) -> int:
    choice = await compose.choose_provider(config, {}, machine_id())
    provider = choice.provider
    problem, answers = "", provider.model
    try:
        infos = await compose.list_models(provider)
        try:
            await provider.prepare()
            answers = provider.model
        except ProviderError as error:
            problem = str(error)
    finally:
        await provider.aclose()
    rows = [_row(config, choice, info, answers) for info in infos]
    if as_json:
        say_json(rows, indent=2)
    elif rows:
        say("\n".join(_line(row) for row in rows))
    there = any(row["chosen"] for row in rows)
    _explain(choice, answers, problem, rows, there=there, as_json=as_json)
    return 0 if rows and not problem else 1


def _row(config: Config, choice: compose.Choice, info: Any, answers: str) -> dict[str, Any]:
    provider = choice.provider.name
    price = price_of(config, provider, choice.endpoint, info.name)
    return {
        "provider": provider,
        "model": info.name,
        "tools": info.tools,
        "window": window_of(config, info.name) or info.window,
        "price": {"input": price.input, "cached": price.cached, "output": price.output} if price else None,
        "chosen": info.name in (answers, f"{answers}:latest"),
    }


def _line(row: dict[str, Any]) -> str:
    """`*` marks the one that would answer."""
    price = row["price"]
    notes = [f"{row['window']:,} tokens"] if row["window"] else []
    notes += ["no tools"] if row["tools"] is False else []
    if price and (price["input"] or price["output"]):
        notes.append(f"{money(price['input'])} in, {money(price['output'])} out a million")
    name = f"{row['provider']}/{_shown(row['model'])}"
    return f"{'*' if row['chosen'] else ' '} {name.ljust(_NAME) if notes else name}  {', '.join(notes)}".rstrip()


def _shown(model: str) -> str:
    """A server's word for a model: in one row, and no longer than somebody reads."""
    name = reveal_line(model[: _LONGEST + 1])
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def _explain(
    choice: compose.Choice, answers: str, problem: str, rows: list[dict[str, Any]], *, there: bool, as_json: bool
) -> None:
    """Which one would answer, or what to do, on stderr: the list stays a list."""
    provider = choice.provider.name
    if problem:
        words = problem
    elif not rows:
        words = f"{provider} lists no model."
    elif there:
        words = "" if as_json else f"* answers: {choice.why}"
    else:
        words = f"{provider}/{_shown(answers)} would answer ({choice.why}); it is not in the list."
    if words:
        _note(words)


def _note(words: str) -> None:
    print(clean(words), file=sys.stderr)
