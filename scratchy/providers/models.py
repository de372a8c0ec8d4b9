"""What is known of models without asking: a small dated table. Not here: what servers tell (the adapters)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a server lists. `tools`, `sees`: whether it can call tools and takes images, None where nobody says;
    `window` in tokens."""

    name: str
    tools: bool | None = None
    window: int | None = None
    sees: bool | None = None


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

# Whether a model takes images, by the name that it begins with; as above.
_OPENAI_SEES = {
    "gpt-6": True,
    "gpt-5": True,
    "gpt-4.1": True,
    "gpt-4o": True,
    "gpt-4o-audio": False,
    "gpt-4o-search": False,
    "gpt-4o-mini-audio": False,
    "gpt-4o-mini-search": False,
    "gpt-4-turbo": True,
    "gpt-4-turbo-preview": False,
    "gpt-4": False,
    "gpt-3.5": False,
    "o1": True,
    "o1-mini": False,
    "o1-preview": False,
    "o3": True,
    "o3-mini": False,
    "o4-mini": True,
}


def openai_window(model: str) -> int | None:
    """Context length in tokens of one of OpenAI's own models; None for one that the table does not know."""
    prefixes = [prefix for prefix in _OPENAI_WINDOWS if model.startswith(prefix)]
    return _OPENAI_WINDOWS[max(prefixes, key=len)] if prefixes else None


def openai_sees(model: str) -> bool | None:
    """Whether one of OpenAI's own models takes images; None for one that the table does not know."""
    known = max((prefix for prefix in _OPENAI_SEES if model.startswith(prefix)), key=len, default="")
    return _OPENAI_SEES.get(known)
