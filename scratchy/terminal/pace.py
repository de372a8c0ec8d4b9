"""How fast an answer comes, in tokens a second: of the one that is being written, or of the last one.

Not here: showing it (status).
"""

import time

from scratchy.core.events import Event, MessageAdded, StepStarted, ThinkingDelta
from scratchy.core.messages import usage_of

_PER_TOKEN = 4  # characters, until the server has counted
_LEAST_TOKENS, _LEAST_SECONDS = 10, 0.25  # less tells nothing


class Pace:
    """Measured from the first piece of an answer to its end, without the wait before it."""

    def __init__(self) -> None:
        self._characters = 0
        self._begun = 0.0
        self._thought = False
        self._told = ""

    def add(self, text: str) -> None:
        if not self._characters:
            self._begun = time.monotonic()
        self._characters += len(text)

    def take(self, event: Event) -> None:
        """All events but `TextDelta`, whose text is for `add`."""
        match event:
            case ThinkingDelta(text):
                self._thought = True
                self.add(text)
            case StepStarted():
                self._characters, self._thought = 0, False
            case MessageAdded(message) if message.get("role") == "assistant":
                usage = usage_of(message)
                unseen = 0 if self._thought else usage.get("reasoning_tokens", 0)
                if "completion_tokens" in usage:
                    self._told = self._rate(usage["completion_tokens"] - unseen) or self._told
                    self._characters = 0
                else:
                    self.end()
            case _:
                pass

    def end(self) -> None:
        """No more of it comes: interrupted, or failed."""
        self._told = self.now()
        self._characters = 0

    def now(self) -> str:
        """`85 tokens/s`; with `~` while they are estimated, "" while there is nothing to tell."""
        rate = self._rate(self._characters // _PER_TOKEN)
        return f"~{rate}" if rate else self._told

    def _rate(self, tokens: int) -> str:
        seconds = time.monotonic() - self._begun
        if not self._characters or tokens < _LEAST_TOKENS or seconds < _LEAST_SECONDS:
            return ""
        rate = tokens / seconds
        return f"{rate:.0f} tokens/s" if rate >= 10 else f"{rate:.1f} tokens/s"
