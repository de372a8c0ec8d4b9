"""What an approval shows, in rows of ours: each begins with a bar, so that no text can look like the question below it.

Nothing is left out or shortened. No prompt_toolkit: plain mode shows approvals too. Not here: colours (diffs).
"""

from unicodedata import east_asian_width

from scratchy.core.text import reveal

_LEAST = 8  # columns
_TAB = 4


def rows(text: str, width: int) -> list[str]:
    """`text`, made harmless, in rows of at most `width` cells; long lines break behind a blank where there is one."""
    return [row for line in reveal(text).split("\n") for row in broken(line.expandtabs(_TAB), max(width, _LEAST))]


def broken(line: str, width: int) -> list[str]:
    """One line in rows; what a terminal may show wide counts as wide. An empty line is one empty row."""
    if len(line) <= width and line.isascii():
        return [line]
    out: list[str] = []
    start = 0
    while start < len(line):
        end = _end(line, start, width)
        if end < len(line) and line[end] != " ":
            blank = line.rfind(" ", start + width // 2, end)
            end = blank + 1 if blank > 0 else end
        out.append(line[start:end])
        start = end
    return out or [""]


def _end(line: str, start: int, width: int) -> int:
    """How far a row reaches that begins there."""
    end = min(start + width, len(line))
    if line.isascii():
        return end
    cells = 0
    for at in range(start, end):
        cells += 1 if east_asian_width(line[at]) in ("N", "Na", "H") else 2
        if cells > width:
            return max(at, start + 1)
    return end


def told_height(count: int, room: int) -> str:
    """Words for a call that is higher than the window, to stand beside the question."""
    return f" ({count} rows: it begins further up)" if count > room else ""
