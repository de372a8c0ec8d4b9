"""Diffs, coloured: before a person says yes whole and exact, after an edit that ran unasked the beginning of it.

The signs stay: nothing is told by colour alone. Not here: making a diff (scratchy.tools.diff).
"""

from prompt_toolkit.utils import get_cwidth

from scratchy.core.text import reveal, reveal_line
from scratchy.terminal.barred import rows
from scratchy.terminal.lines import notice, paint

SHOWN = 12
"""Lines of a diff below the call that made it."""
_ROLES = {"+": "added", "-": "removed", "@": "hunk", "\\": "notice"}


def is_diff(text: str) -> bool:
    return text.startswith("--- ") and "\n+++ " in text and "\n@@ " in text


def approval_lines(name: str, preview: str, width: int) -> str:
    """The whole and exact effect of a call: what hides is escaped, nothing is shortened; a diff is coloured. Each row
    of a screen of so many columns begins with a bar."""
    preview = preview.removesuffix("\n")
    edge, lines = paint("│", "notice"), _readable(preview) if "\n@@ " in preview else reveal(preview).split("\n")
    role = _role if "\n@@ " in preview else _no_role
    shown = (paint(row, role(line)) if role(line) else row for line in lines for row in rows(line, width - 3))
    title = paint(f"The model asks to run {reveal_line(name)}:", "question")
    return f"{title}\n" + "".join(f"{edge} {row}\n" for row in shown)


def painted(diff: str) -> list[str]:
    """All lines of it. Where every line ends in CRLF that is said once, else each end that is not the usual shows."""
    lines = _readable(diff)
    return [paint(line, _role(line)) if _role(line) else line for line in lines]


def _role(line: str) -> str:
    return "name" if line.startswith(("+++ ", "--- ")) else _ROLES.get(line[:1], "")


def _no_role(line: str) -> str:
    return ""


def beginning(diff: str, width: int) -> str:
    """The first lines of the changes, a row each, indented below the call's own line."""
    lines = [line for line in _readable(diff) if not line.startswith(("+++ ", "--- "))]
    shown = [_fitted(line.expandtabs(4), width - 2) for line in lines[:SHOWN]]
    more = len(lines) - len(shown)
    end = notice(f"  … {more} more line{'s' if more > 1 else ''} · Ctrl-O shows all") if more else ""
    return "".join(f"  {_painted(line)}\n" for line in shown) + end


def _painted(line: str) -> str:
    return paint(line, _ROLES[line[0]]) if line[:1] in _ROLES else line


def _readable(diff: str) -> list[str]:
    lines = diff.removesuffix("\n").split("\n")
    body = [line for line in lines if line[:1] in ("+", "-", " ") and not line.startswith(("+++ ", "--- "))]
    if body and all(line.endswith("\r") for line in body):
        lines = [line.removesuffix("\r") for line in lines] + ["\\ Lines end in CRLF"]
    return [reveal(line) for line in lines]


def _fitted(line: str, width: int) -> str:
    """`line`, or its beginning and an ellipsis."""
    line = line[: max(width, 1)] + "…" if len(line) > max(width, 1) else line  # no more of it can be seen
    while get_cwidth(line) > max(width, 1):
        line = line[:-2] + "…"
    return line
