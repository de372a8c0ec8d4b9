"""The line below the input: which model, how full its context is, what was spent, how fast, which mode and branch.

It is made when something else is drawn, and is nothing to wait for: no timer, no process. Not here: drawing (screen),
reading the branch (branch), the speed (pace).
"""

import asyncio
import os
from collections.abc import Sequence

from prompt_toolkit.utils import get_cwidth

from scratchy.core.context import as_sent
from scratchy.core.messages import Message, usage_of
from scratchy.core.modes import ASK
from scratchy.core.ports import Provider
from scratchy.core.prices import estimated, money
from scratchy.core.session import system_part
from scratchy.core.text import reveal
from scratchy.sessions.conversation import Conversation
from scratchy.sessions.desk import Desk
from scratchy.terminal.branch import branch_of
from scratchy.terminal.layout import Live, Row, clip
from scratchy.terminal.lines import one_line

_BETWEEN = " · "
_FILES = ("local", "scripted")  # whose model may be a path
_NAME_CELLS = 32  # of a model's or a branch's name
_LEAST_CELLS = 8  # of a model's name beside something else
_DROPPED = ("branch", "speed", "mode", "cost")  # where there is no room, in this order


class Status:
    """Of one window. `look` after each turn and command: it reads what lies on disk."""

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live
        self._branch = ""
        self._context = _Context()

    async def look(self) -> None:
        self._branch = await asyncio.to_thread(branch_of, self._desk.config.folder)

    def row(self, width: int) -> Row:
        """At most `width` cells; nothing until a model is known."""
        provider = self._desk.provider
        if provider is None or not provider.model:
            return []
        parts = {name: text for name, text in self._parts(provider) if text}
        for name in _DROPPED:
            if get_cwidth(_BETWEEN.join(parts.values())) > width:
                parts.pop(name, None)
        left = width - get_cwidth(_BETWEEN.join(["", *list(parts.values())[1:]]))
        if "model" in parts and left >= _LEAST_CELLS:
            parts["model"] = clip(parts["model"], left)
        return [("class:dim class:status", clip(_BETWEEN.join(parts.values()), width))]

    def _parts(self, provider: Provider) -> Sequence[tuple[str, str]]:
        desk, pace = self._desk, self._live.pace
        spending = desk.spending
        budget = f" of {money(spending.budget)}" if spending.budget is not None else ""
        model = os.path.basename(provider.model) if provider.name in _FILES else provider.model
        return (
            ("model", _name(model)),
            ("context", self._context.told(desk, provider)),
            ("cost", f"{spending.all.cost}{budget}"),
            ("speed", pace.now() if pace else ""),
            ("mode", "" if desk.mode == ASK else desk.mode),
            ("branch", _name(self._branch)),
        )


class _Context:
    """How many tokens the next request has: as the server counted the last one, and what has come since."""

    def __init__(self) -> None:
        self._tokens = self._until = 0
        self._counted = False
        self._tools: bool = False
        self._last: Message | None = None

    def told(self, desk: Desk, provider: Provider) -> str:
        """`context 12%`; of an unknown window `context 1,200 tokens`. An estimate has a `~`."""
        self._measure(desk.conversation, provider.supports_tools)
        about, window = "" if self._counted else "~", desk.window
        if not window:
            return f"context {about}{self._tokens:,} tokens"
        return f"context {about}{round(100 * self._tokens / window)}%"

    def _measure(self, conversation: Conversation, tools: bool) -> None:
        """Looks at each message once. What nobody has counted yet is estimated with all that a request has beside the
        messages."""
        messages, until = conversation.session.messages, self._until
        known = 0 < until <= len(messages) and messages[until - 1] is self._last and tools == self._tools
        if not known:
            answers = (at for at in range(len(messages) - 1, -1, -1) if _size(messages[at]))
            until = next(answers, 0)
            self._counted, self._tools = False, tools
            self._tokens = 0 if until else _beside(conversation, tools)
        for message in messages[until:]:
            size = _size(message)
            self._tokens = size or self._tokens + estimated([as_sent(message)])
            self._counted = bool(size)
        self._until, self._last = len(messages), messages[-1] if messages else None


def _beside(conversation: Conversation, tools: bool) -> int:
    """Tokens of the tools' descriptions, and of the system message where none is among the messages."""
    engine, messages = conversation.engine, conversation.session.messages
    prompt = "" if system_part(messages) else engine.system_prompt
    return estimated([{"role": "system", "content": prompt}] if prompt else [], engine.tools.specs() if tools else [])


def _size(message: Message) -> int:
    """Tokens of the request that this message answers, and of the answer; 0 where nobody counted them."""
    usage = usage_of(message)
    if message.get("role") != "assistant" or "prompt_tokens" not in usage:
        return 0
    return usage["prompt_tokens"] + usage.get("completion_tokens", 0)


def _name(text: str) -> str:
    return clip(one_line(reveal(text)), _NAME_CELLS)
