"""What is known of models without asking: a small dated table. Not here: what servers tell (the adapters)."""

from dataclasses import dataclass

from scratchy.core.prices import Price, closest


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a server lists. `tools`, `sees`: whether it can call tools and takes images, None where nobody says;
    `window` in tokens."""

    name: str
    tools: bool | None = None
    window: int | None = None
    sees: bool | None = None


OPENAI_DEFAULT = "gpt-5.4-mini"
AS_OF = "2026-11-21"

_M = 1_050_000

# The longest name that a model's begins with wins (core.prices.closest). Window in tokens; USD a million tokens: sent,
# answered, sent again and still cached (where no price is published for that: as sent); dearer above 272,000 tokens.
# Source: https://developers.openai.com/api/docs/pricing and …/docs/models, as https://github.com/pydantic/genai-prices
# 0.2.3 had them on that day.
_OPENAI = {
    "gpt-6.1-sol": (_M, Price(2, 10, 0.1, long=True)),
    "gpt-6.1-terra": (_M, Price(1, 5, 0.05, long=True)),
    "gpt-6-astra": (_M, Price(10, 50, 1, long=True)),
    "gpt-6-sol": (_M, Price(2, 10, 0.2, long=True)),
    "gpt-6-luna": (_M, Price(0.1, 0.5, 0.01, long=True)),
    "gpt-5.6-sol": (_M, Price(4, 20, 0.4, long=True)),
    "gpt-5.6-terra": (_M, Price(2, 12, 0.2, long=True)),
    "gpt-5.6-luna": (_M, Price(0.2, 1.2, 0.02, long=True)),
    "gpt-5.5": (1_000_000, Price(5, 30, 0.5, long=True)),
    "gpt-5.5-cyber": (1_000_000, Price(12.5, 75, 1.25)),
    "gpt-5.5-pro": (1_000_000, Price(30, 180, 30, long=True)),
    "gpt-5.4": (_M, Price(2.5, 15, 0.25, long=True)),
    "gpt-5.4-mini": (400_000, Price(0.75, 4.5, 0.075)),
    "gpt-5.4-nano": (400_000, Price(0.2, 1.25, 0.02)),
    "gpt-5.4-pro": (_M, Price(30, 180, 30, long=True)),
    "gpt-5.3-chat": (128_000, Price(1.75, 14, 0.175)),
    "gpt-5.3-codex": (400_000, Price(1.75, 14, 0.175)),
    "gpt-5.2": (400_000, Price(1.75, 14, 0.175)),
    "gpt-5.2-chat": (128_000, Price(1.75, 14, 0.175)),
    "gpt-5.2-pro": (400_000, Price(21, 168, 21)),
    "gpt-5.1": (400_000, Price(1.25, 10, 0.125)),
    "gpt-5.1-chat": (128_000, Price(1.25, 10, 0.125)),
    "gpt-5.1-codex-mini": (400_000, Price(0.25, 2, 0.025)),
    "gpt-5": (400_000, Price(1.25, 10, 0.125)),
    "gpt-5-chat": (128_000, Price(1.25, 10, 0.125)),
    "gpt-5-mini": (400_000, Price(0.25, 2, 0.025)),
    "gpt-5-nano": (400_000, Price(0.05, 0.4, 0.005)),
    "gpt-5-pro": (400_000, Price(15, 120, 15)),
    "gpt-4.1": (1_047_576, Price(2, 8, 0.5)),
    "gpt-4.1-mini": (1_047_576, Price(0.4, 1.6, 0.1)),
    "gpt-4.1-nano": (1_047_576, Price(0.1, 0.4, 0.025)),
    "gpt-4o": (128_000, Price(2.5, 10, 1.25)),
    "gpt-4o-2024-05-13": (128_000, Price(5, 15, 5)),
    "gpt-4o-mini": (128_000, Price(0.15, 0.6, 0.075)),
    "gpt-4-turbo": (128_000, Price(10, 30, 10)),
    "gpt-4": (8_192, Price(30, 60, 30)),
    "gpt-3.5-turbo": (16_385, Price(0.5, 1.5, 0.5)),
    "o1": (200_000, Price(15, 60, 7.5)),
    "o1-mini": (128_000, Price(1.1, 4.4, 0.55)),
    "o1-pro": (200_000, Price(150, 600, 150)),
    "o3": (200_000, Price(2, 8, 0.5)),
    "o3-mini": (200_000, Price(1.1, 4.4, 0.55)),
    "o3-pro": (200_000, Price(20, 80, 20)),
    "o3-deep-research": (200_000, Price(10, 40, 2.5)),
    "o4-mini": (200_000, Price(1.1, 4.4, 0.275)),
    "o4-mini-deep-research": (200_000, Price(2, 8, 0.5)),
}

# Whether a model takes images, by the name that it begins with; …/docs/models on the same day.
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
    name = closest(_OPENAI, model)
    return _OPENAI[name][0] if name else None


def openai_price(model: str) -> Price | None:
    """What one of OpenAI's own models costs at OpenAI; None for one that the table does not know."""
    name = closest(_OPENAI, model)
    return _OPENAI[name][1] if name else None


def openai_sees(model: str) -> bool | None:
    """Whether one of OpenAI's own models takes images; None for one that the table does not know."""
    known = max((prefix for prefix in _OPENAI_SEES if model.startswith(prefix)), key=len, default="")
    return _OPENAI_SEES.get(known)
