"""Keys and the tools: children start without them, and what a tool prints shows `[key]` in their place.

Not here: reading keys for use (the providers do that).
"""

import os
from collections.abc import Iterable

from scratchy.core.addresses import passwords_in

KEY_VARIABLES = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "SCRATCHY_TOKEN",
)

ADDRESS_VARIABLES = ("OPENAI_BASE_URL", "OLLAMA_HOST")
"""Those that we read and that may hold a password, which is a key then."""

# Stand-ins such as "none" or "EMPTY" for local servers are words, not secrets.
_SHORTEST = 8


def child_environment() -> dict[str, str]:
    """The environment for a process that a tool starts: ours without the keys."""
    return {name: value for name, value in os.environ.items() if not _holds_key(name.upper(), value)}


def _holds_key(name: str, value: str) -> bool:
    return name in KEY_VARIABLES or (name in ADDRESS_VARIABLES and bool(passwords_in(value)))


def passed_environment(names: Iterable[str]) -> dict[str, str]:
    """Of the keys in our environment those that the person lets children have (`pass_env`)."""
    return {name: os.environ[name] for name in names if name in os.environ}


def key_values(more: Iterable[str] = ()) -> list[str]:
    """The known values, longest first; `more` are keys that did not come from the environment."""
    named = [os.environ.get(name, "") for name in KEY_VARIABLES]
    passwords = [word for name in ADDRESS_VARIABLES for word in passwords_in(os.environ.get(name, ""))]
    found = {value.strip() for value in (*named, *passwords, *more)}
    return sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True)


def redact(text: str, keys: Iterable[str]) -> str:
    for key in keys:
        text = text.replace(key, "[key]")
    return text


class Redactor:
    """Redacts text that comes in pieces: what may be the beginning of a key waits for the next piece."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys
        self._held = ""

    def feed(self, piece: str) -> str:
        text = redact(self._held + piece, self._keys)
        held = max((_overlap(text, key) for key in self._keys), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> str:
        held, self._held = self._held, ""
        return held


def _overlap(text: str, key: str) -> int:
    """How many characters at the end of `text` are a beginning of `key`."""
    return next((size for size in range(min(len(key) - 1, len(text)), 0, -1) if text.endswith(key[:size])), 0)
