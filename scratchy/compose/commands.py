"""Commands that the person runs at the prompt."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratchy.config import Config
    from scratchy.tools.at_prompt import Ran as Ran


def run_at_prompt(command: str, config: "Config") -> "AsyncGenerator[str | Ran, None]":
    """A shell command in the configuration's folder; see scratchy.tools.at_prompt."""
    from scratchy.tools.at_prompt import run_at_prompt

    return run_at_prompt(command, config.folder, keys=config.secrets, passed=config.pass_env)


def redacted(text: str, config: "Config") -> str:
    """Without the values of known keys."""
    from scratchy.tools.secrets import key_values, redact

    return redact(text, key_values(config.secrets))
