"""Long pastes stand in the prompt as `[Pasted #1, 120 lines]` and are themselves again when the line is sent."""

import re

_LINES = 8
_CHARACTERS = 1500
_MARK = r"\[Pasted #(\d+), \d+ (?:lines?|characters)\]"


class Pastes:
    """The pastes of this window, by number."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def shown(self, text: str) -> str:
        """What to put into the prompt for a paste of `text`."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.removesuffix("\n").count("\n") + 1
        if lines < _LINES and len(text) < _CHARACTERS:
            return text
        return self.mark(text)

    def mark(self, text: str) -> str:
        """What stands for `text`, whatever its length."""
        self._texts.append(text)
        return self._mark(len(self._texts))

    def expanded(self, line: str) -> str:
        """`line` with each mark of this window replaced by what was pasted; others are text."""
        return re.sub(_MARK, self._text, line)

    def _text(self, found: re.Match[str]) -> str:
        number = int(found[1])
        mine = 0 < number <= len(self._texts) and found[0] == self._mark(number)
        return self._texts[number - 1] if mine else found[0]

    def _mark(self, number: int) -> str:
        lines = self._texts[number - 1].removesuffix("\n").count("\n") + 1
        return f"[Pasted #{number}, {lines} line{'s' if lines > 1 else ''}]"
