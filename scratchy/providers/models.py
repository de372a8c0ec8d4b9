"""What is known of models without asking: a small dated table. Not here: what servers tell (the adapters)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a server lists. `tools`: whether it can call tools, None where nobody says; `window` in tokens."""

    name: str
    tools: bool | None = None
    window: int | None = None


OPENAI_DEFAULT = "gpt-5.4-mini"

# By prefix, the longest match wins. As of 2026-11; source: https://platform.openai.com/docs/models
_OPENAI_WINDOWS = {
    "gpt-5": 400_000,
    "gpt-5-chat": 128_000,
    "gpt-5.1-chat": 128_000,
    "gpt-5.2-chat": 128_000,
    "gpt-5.3-chat": 128_000,
    "gpt-4.1": 1_047_576,
    "gpt-4o": 128_000,
    "gpt-4-turbo": 128_000,
    "gpt-4": 8_192,
    "gpt-3.5-turbo": 16_385,
    "o1": 200_000,
    "o3": 200_000,
    "o4-mini": 200_000,
}


def openai_window(model: str) -> int | None:
    """Context length in tokens of one of OpenAI's own models; None for one that the table does not know."""
    prefixes = [prefix for prefix in _OPENAI_WINDOWS if model.startswith(prefix)]
    return _OPENAI_WINDOWS[max(prefixes, key=len)] if prefixes else None
