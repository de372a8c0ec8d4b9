"""Long lines of plain text broken between words for a screen of so many columns.

Apart from lines.py, which needs nothing of prompt_toolkit: the width of a character does. Not here: Markdown (render).
"""

import re

from prompt_toolkit.utils import get_cwidth

_SECOND_COLUMN = re.compile(r"\s*\S.*?\s{2,}(?=\S)|\s*\S+:\s(?=\S)")
_WORD = re.compile(r"\s*\S+\s*")
_FOLDED = 4000  # characters of a line; a longer one is no sentence, and the terminal breaks it


def folded(text: str, width: int) -> str:
    """`text` with its long lines broken between words; what follows hangs below the line's own second column."""
    return "\n".join(part for line in text.split("\n") for part in _folded_line(line, width))


def _folded_line(line: str, width: int) -> list[str]:
    if len(line) > _FOLDED or get_cwidth(line) <= width:
        return [line]
    column = _SECOND_COLUMN.match(line)
    hang = get_cwidth(column[0]) if column and get_cwidth(column[0]) <= width // 2 else 2
    out: list[str] = []
    row = ""
    for word in _WORD.findall(line):
        if row.strip() and get_cwidth(row + word.rstrip()) > width:
            out.append(row.rstrip())
            row = " " * hang + word.lstrip()
        else:
            row += word
    return [*out, row.rstrip()]
