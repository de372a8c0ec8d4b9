"""Scratchy: an agent for the terminal that never loses a conversation.

The public names are resolved on first use (PEP 562), so that `import scratchy` costs nothing.
"""

TYPE_CHECKING = False  # what `typing` says too; importing it would cost more than all the rest here
if TYPE_CHECKING:
    from typing import Any

    from scratchy.agent import Agent
    from scratchy.compose import open_store
    from scratchy.core.errors import (
        AuthenticationError,
        BadRequestError,
        ConfigError,
        ContextOverflowError,
        FormatError,
        ImagesRefusedError,
        ModelNotFoundError,
        ProviderError,
        ProviderUnavailableError,
        RateLimitedError,
        ScratchyError,
        SessionConflictError,
        SessionCorruptedError,
        SessionError,
        SessionExistsError,
        SessionLockedError,
        SessionNotFoundError,
        SessionVersionError,
    )
    from scratchy.core.session import AgentSession
    from scratchy.providers.scripted import ScriptedProvider
    from scratchy.scratchpad import Scratchpad
    from scratchy.sessions.channels import resolve_session_id
    from scratchy.sessions.manager import SessionManager
    from scratchy.store.memory import MemoryStore

__version__ = "0.1.0"

_HOMES = {
    "Agent": "agent",
    "AgentSession": "core.session",
    "MemoryStore": "store.memory",
    "Scratchpad": "scratchpad",
    "ScriptedProvider": "providers.scripted",
    "SessionManager": "sessions.manager",
    "open_store": "compose",
    "resolve_session_id": "sessions.channels",
    "AuthenticationError": "core.errors",
    "BadRequestError": "core.errors",
    "ConfigError": "core.errors",
    "ContextOverflowError": "core.errors",
    "FormatError": "core.errors",
    "ImagesRefusedError": "core.errors",
    "ModelNotFoundError": "core.errors",
    "ProviderError": "core.errors",
    "ProviderUnavailableError": "core.errors",
    "RateLimitedError": "core.errors",
    "ScratchyError": "core.errors",
    "SessionConflictError": "core.errors",
    "SessionCorruptedError": "core.errors",
    "SessionError": "core.errors",
    "SessionExistsError": "core.errors",
    "SessionLockedError": "core.errors",
    "SessionNotFoundError": "core.errors",
    "SessionVersionError": "core.errors",
}

__all__ = [
    "Agent",
    "AgentSession",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ContextOverflowError",
    "FormatError",
    "ImagesRefusedError",
    "MemoryStore",
    "ModelNotFoundError",
    "ProviderError",
    "ProviderUnavailableError",
    "RateLimitedError",
    "Scratchpad",
    "ScratchyError",
    "ScriptedProvider",
    "SessionConflictError",
    "SessionCorruptedError",
    "SessionError",
    "SessionExistsError",
    "SessionLockedError",
    "SessionManager",
    "SessionNotFoundError",
    "SessionVersionError",
    "__version__",
    "open_store",
    "resolve_session_id",
]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'scratchy' has no attribute {name!r}")
    value = getattr(__import__(f"scratchy.{_HOMES[name]}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
