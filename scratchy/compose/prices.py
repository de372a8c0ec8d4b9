"""What a model costs: the person's own word, nothing where the model runs here, the dated table for OpenAI's own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scratchy.compose.providers import OPENAI_URL, endpoint_of, provider_url
from scratchy.core.errors import ConfigError
from scratchy.core.prices import FREE, Price, closest, price_unknown, with_given

if TYPE_CHECKING:
    from scratchy.config import Config

_FREE = ("ollama", "local", "demo", "scripted")


def price_of(config: "Config", provider: str, endpoint: str, model: str) -> Price | None:
    """The price of a model of this provider at this endpoint (a hash, as `endpoint_of` makes it); None: not known.
    A server with OpenAI's API elsewhere sets its own prices, whatever its models are called."""
    name = closest(config.prices, model)
    return with_given(_published(provider, endpoint, model), config.prices[name] if name else {})


def stored_price(config: "Config", metadata: Mapping[str, Any], model: str) -> Price | None:
    """The price of an answer that is stored with its model's name only. A session that was held with a model of this
    machine last may have used OpenAI's before."""
    provider, endpoint = str(metadata.get("provider", "")), str(metadata.get("endpoint", ""))
    if provider in _FREE and model != metadata.get("model"):
        own = price_of(config, "openai", endpoint_of(OPENAI_URL), model)
        return own or price_of(config, provider, endpoint, model)
    return price_of(config, provider, endpoint, model)


def check_budget(config: "Config") -> None:
    """Raises: ConfigError for an amount that is none, PriceUnknownError where what the flags name has no known price.
    What is found or chosen later is checked before each turn."""
    if not 0 < (config.max_budget_usd or 0) < float("inf"):
        raise ConfigError(f"--max-budget-usd is {config.max_budget_usd}; it must be an amount above 0, in USD.")
    if not (config.by_flag("provider") or config.by_flag("base_url")):
        return
    provider, model = config.provider or "openai", config.model
    endpoint = endpoint_of(provider_url(provider, config.base_url))
    if model and price_of(config, provider.lower(), endpoint, model) is None:
        raise price_unknown(model)


def window_of(config: "Config", model: str) -> int | None:
    """The context length in tokens that the person's settings name for a model."""
    name = closest(config.prices, model)
    return int(config.prices[name].get("window", 0)) or None if name else None


def _published(provider: str, endpoint: str, model: str) -> Price | None:
    if provider in _FREE:
        return FREE
    if provider != "openai" or endpoint != endpoint_of(OPENAI_URL):
        return None
    from scratchy.providers.models import openai_price

    return openai_price(model)
