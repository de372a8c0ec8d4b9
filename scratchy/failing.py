"""How what went wrong becomes a sentence and an exit code. Loaded when something did.

Not here: what an error says (whoever raises it), turns that fail (terminal/answering.py).
"""

import os
import re
import sys
from itertools import pairwise
from logging import getLogger

from scratchy.config import user_dir
from scratchy.core.errors import (
    ConfigError,
    FormatError,
    ProviderError,
    ScratchyError,
    SessionError,
    SessionLockedError,
)
from scratchy.core.text import clean
from scratchy.logs import log_to, without_keys
from scratchy.terminal.streamjson import tell_failed_start

FAILED, USAGE, TRY_AGAIN = 1, 2, 75
_TYPES = (  # click's own words for a wrong number, which name Python's types
    (r"is not a valid int(eger)?( range)?\.$", "is no whole number."),
    (r"is not a valid float( range)?\.$", "is no number."),
    (r"is not in the range x>=(-?[\d.]+)\.$", r"is too small: \1 is the least."),
)
_FORMAT_FLAGS = ("--output-format", "--input-format")


def failed(error: Exception, arguments: list[str]) -> int:
    """Say it on stderr, and as JSON on stdout where the arguments ask for that; returns the exit code."""
    text, code = _told(error)
    print(text if text.startswith("Usage:") else f"scratchy: {clean(text)}", file=sys.stderr)
    try:
        tell_failed_start(_format(arguments), text, code)
        sys.stdout.flush()
    except OSError:  # stdout is what failed: its flush at exit would fail again, and make the exit code 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _told(error: Exception) -> tuple[str, int]:
    if isinstance(error, ScratchyError | ValueError):
        return str(error), exit_code(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", FAILED
    if hasattr(error, "format_message"):  # click's own usage errors
        return _misused(str(error.format_message())), USAGE  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    return _unexpected(error), FAILED


def _misused(text: str) -> str:
    if text.startswith("Usage:"):  # a command group without its command
        return text
    for words, plainly in _TYPES:
        text = re.sub(words, plainly, text)
    hint = "To ask one thing: scratchy -p TEXT. " if text.startswith("No such command") else ""
    return f"{text} {hint}`scratchy --help` lists the flags."


def _unexpected(error: Exception) -> str:
    """A bug of ours: the traceback goes to the log, the person gets a sentence."""
    try:
        path = log_to(user_dir("state"))
        getLogger("scratchy").error("unexpected", exc_info=error)
        where = f" The details are in {path}."
    except (OSError, ConfigError):
        where = ""
    text = without_keys(f"something unexpected went wrong ({type(error).__name__}: {error}).")
    return f"{text} What was said is stored.{where}"


def exit_code(error: Exception) -> int:
    if isinstance(error, SessionLockedError) or (isinstance(error, ProviderError) and error.retryable):
        return TRY_AGAIN
    bad_usage = isinstance(error, (ConfigError, ValueError)) and not isinstance(error, (SessionError, FormatError))
    return USAGE if bad_usage else FAILED


def _format(arguments: list[str]) -> str:
    """The format that the arguments name, also those that cannot be parsed; "" for none."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = [value for flag, value in pairwise(words) if flag in _FORMAT_FLAGS]
    return next((value for value in named if value in ("json", "stream-json")), "")
