"""Chats of aider: .aider.chat.history.md in a project. Read of version 0.86.2, as it writes them.

`# aider chat started at <local time>` begins a chat; lines with `#### ` are the person's, with `> ` aider's own output,
the rest is the model's answer. The file keeps no more than that: what is left out there cannot be had here.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from scratchy.core.messages import Message
from scratchy.interchange.transcript import Transcript, left_out, utc

START = "# aider chat started at "
_YOU, _TOOL = "#### ", ">"


def is_one(head: str) -> bool:
    return re.search(rf"(?m)^{START}", head) is not None


def read(lines: Iterable[bytes]) -> Iterator[Transcript]:
    """A transcript a chat in which something was said. The times at which they began are taken as this machine's local
    ones: the file does not say of which zone they are."""
    chat: _Chat | None = None
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith(START):
            if chat is not None and (told := chat.end()) is not None:
                yield told
            chat = _Chat(line.removeprefix(START))
        elif chat is not None:
            chat.take(line)
    if chat is not None and (told := chat.end()) is not None:
        yield told


def _local(when: str) -> str:
    try:
        return utc(datetime.fromisoformat(when.strip()).astimezone().isoformat())
    except (ValueError, OverflowError, OSError):
        return ""


class _Chat:
    def __init__(self, when: str) -> None:
        digits = re.sub(r"[^0-9]+", "-", when).strip("-")[:19]
        self._told = Transcript(session_id=f"aider-{digits}" if digits else "aider", created_at=_local(when))
        self._messages: list[Message] = []
        self._role = ""
        self._lines: list[str] = []
        self._fences = 0  # lines in them that open or close a code block
        self._own = 0

    def take(self, line: str) -> None:
        if line.startswith(_YOU) or line == _YOU.rstrip():
            self._switch("user")
            self._lines.append(line.removeprefix(_YOU.rstrip()).removeprefix(" ").removesuffix("  "))
        elif line.startswith(_TOOL) and not self._fenced():
            self._switch("tool")
            self._own += 1
        elif self._role == "assistant" or (line.strip() and (self._messages or self._role == "user")):
            self._switch("assistant")
            self._lines.append(line)
            self._fences += line.startswith("```")

    def _fenced(self) -> bool:
        """Whether the answer's text stands inside a code block, where `>` is text."""
        return self._role == "assistant" and self._fences % 2 == 1

    def _switch(self, role: str) -> None:
        if role == self._role:
            return
        words = "\n".join(self._lines).strip("\n")
        if words and self._role in ("user", "assistant"):
            self._messages.append({"role": self._role, "content": words})
        self._role, self._lines, self._fences = role, [], 0

    def end(self) -> Transcript | None:
        self._switch("")
        left_out(self._told, self._own, "line of aider's own output")
        self._told.messages = self._messages
        return self._told if self._messages else None
