"""Long pastes stand in the prompt as `[Pasted #1, 120 lines]` and are themselves again when the line is sent; images
stand there as `[Image #1]`.

Not here: how an image comes in (pictures), what becomes of its mark when the line is stored (core.images).
"""

import asyncio
import re

from scratchy.core.text import clean

_LINES = 8
_CHARACTERS = 1500
_IMAGE = r"\[Image #(\d+)\]"
_WHOLE = r"\[image: [^\[\]\n]{1,200}, blob:[0-9a-f]{32}\]"  # as core.images.mark makes it
_MARK = r"\[Pasted #(\d+), \d+ (?:lines?|characters)\]"


class Pastes:
    """The pastes of this window, by number. `pending`: images that are not kept yet."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._images: list[str] = []
        self.pending: set[asyncio.Task[None]] = set()

    def shown(self, text: str) -> str:
        """What to put into the prompt for a paste of `text`."""
        text = clean(text.replace("\r\n", "\n").replace("\r", "\n"))
        return self.mark(text) if _is_long(text) else text

    def mark(self, text: str) -> str:
        """What stands for `text`, whatever its length."""
        self._texts.append(text)
        return self._mark(len(self._texts))

    def expanded(self, line: str) -> str:
        """`line` with each mark of this window replaced by what was pasted; others are text."""
        return re.sub(_IMAGE, self._image, re.sub(_MARK, self._text, line))

    def told(self, line: str) -> str:
        """`line`, expanded and sent, as the transcript shows it: the long pastes of this window as their marks."""
        for number, text in sorted(enumerate(self._texts, 1), key=lambda paste: -len(paste[1])):
            if _is_long(text):
                line = line.replace(text, self._mark(number))
        return line

    def image(self) -> str:
        """What stands for an image that is being looked at; until it is settled it stands for itself."""
        self._images.append("")
        return f"[Image #{len(self._images)}]"

    def settle(self, mark: str, whole: str) -> None:
        """From now on `mark` stands for `whole`: the image's own mark, or the text that it was pasted as."""
        self._images[int(mark[len("[Image #") : -1]) - 1] = whole

    async def settled(self) -> None:
        """Wait until all images are kept, or are text again."""
        while self.pending:
            await asyncio.wait(self.pending)

    def collapsed(self, text: str) -> str:
        """A line that was expanded, for the prompt: its images are marks again."""
        return re.sub(_WHOLE, self._shown, text)

    def _shown(self, found: re.Match[str]) -> str:
        if found[0] not in self._images:
            self._images.append(found[0])
        return f"[Image #{self._images.index(found[0]) + 1}]"

    def _image(self, found: re.Match[str]) -> str:
        number = int(found[1])
        return (0 < number <= len(self._images) and self._images[number - 1]) or found[0]

    def _text(self, found: re.Match[str]) -> str:
        number = int(found[1])
        mine = 0 < number <= len(self._texts) and found[0] == self._mark(number)
        return self._texts[number - 1] if mine else found[0]

    def _mark(self, number: int) -> str:
        lines = self._texts[number - 1].removesuffix("\n").count("\n") + 1
        return f"[Pasted #{number}, {lines} line{'s' if lines > 1 else ''}]"


def _is_long(text: str) -> bool:
    return text.removesuffix("\n").count("\n") + 1 >= _LINES or len(text) >= _CHARACTERS
