"""What stands folded in the scrollback and can be read in full: the output of tools and commands, thinking, diffs.

The newest is unfolded first, then with each further time the one before it. Not here: the key (keys), writing (screen).
"""

from collections import deque
from typing import NamedTuple

from scratchy.core.text import clean
from scratchy.terminal.diffs import is_diff, painted
from scratchy.terminal.folding import folded as broken
from scratchy.terminal.lines import notice, overwritten

_KEPT = 20
_LARGEST = 4_000_000  # characters of them all


class Folded(NamedTuple):
    title: str
    text: str
    prose: bool  # long lines break between words


class Folds:
    """Those of this window, bounded: what is older is in the session."""

    def __init__(self) -> None:
        self._kept: deque[Folded] = deque(maxlen=_KEPT)
        self._at = 0  # how many were unfolded since the last one came

    def add(self, title: str, text: str, *, prose: bool = False) -> None:
        if text.strip():
            self._kept.append(Folded(title, text[-_LARGEST:], prose))
            self._at = 0
            while len(self._kept) > 1 and sum(len(one.text) for one in self._kept) > _LARGEST:
                self._kept.popleft()

    def unfolded(self, width: int) -> str:
        """The next one in full, as lines for a screen of so many columns. What a tool printed is left as it was."""
        if not self._kept:
            return notice("No tool has run yet.")
        if self._at == len(self._kept):
            self._at = 0
            return notice("That was the oldest; Ctrl-O begins with the newest again.")
        self._at += 1
        folded = self._kept[-self._at]
        older = f" · {self._at} of {len(self._kept)}" if len(self._kept) > 1 else ""
        text = overwritten(folded.text).removesuffix("\n")
        if folded.prose:
            body = broken(clean(text), width) + "\n"
        else:
            body = "".join(f"{line}\n" for line in painted(text)) if is_diff(text) else clean(text) + "\n"
        return notice(f"▾ {' '.join(folded.title.split())[:200]}{older}") + body
