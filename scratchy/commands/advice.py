"""What a person is told to do, in the words of the place: errors and findings name shell commands, a prompt its own.

Not here: the errors (core/errors.py), the findings (core/findings.py).
"""

import re

_AT_PROMPT = (
    ("doctor --fix", "/doctor fix"),
    ("doctor", "/doctor"),
    ("session trash restore ", "/restore "),
    ("session delete ", "/delete "),
    ("session import ", "/import "),
)


def at_prompt(text: str) -> str:
    """The same text, with a slash command for each shell command that has one."""
    return re.sub(r"`scratchy ([^`]+)`", _slash, text)


def _slash(found: re.Match[str]) -> str:
    for shell, slash in _AT_PROMPT:
        rest = found[1].removeprefix(shell)
        if rest != found[1] and (not rest or shell.endswith(" ")):
            return f"`{slash}{_unquoted(rest)}`"
    return found[0]


def _unquoted(word: str) -> str:
    """A slash command takes the rest of its line as it stands."""
    word = word.removeprefix("-- ")
    return word[1:-1].replace("'\\''", "'") if word[:1] == "'" == word[-1:] else word
