"""The question before a tool call: y, a, n or e. What was typed before it could be read never answers it.

Not here: the preview, which the turn's view writes into the scrollback, whole, before the question is drawn.
"""

import asyncio
import time

from prompt_toolkit.filters import has_focus
from prompt_toolkit.key_binding import KeyPressEvent

from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval
from scratchy.core.text import reveal
from scratchy.terminal.screen import Screen

CALM = 0.3
"""Seconds without a key, from the drawing of the question on, before a key counts as an answer."""


class Approver:
    """The `Approve` of the terminal; one question at a time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._answer: asyncio.Future[Approval] | None = None
        self._calm_from = 0.0
        self._turn = asyncio.Lock()
        self._bind()

    @property
    def asking(self) -> bool:
        return self._answer is not None

    async def __call__(self, request: ApprovalRequested) -> Approval:
        async with self._turn:
            self._answer = asyncio.get_running_loop().create_future()
            live = self._screen.live
            live.question = f"Run it?  y once · a always ({reveal(request.scope)}) · n no · e no, with a word"
            self._screen.ask(True)
            self._screen.draw()
            self._calm_from = time.monotonic()
            try:
                return await self._answer
            finally:
                self._answer = None
                live.question = ""
                self._screen.ask(False)

    def refuse(self) -> None:
        self._set(Approval(False))

    def _set(self, answer: Approval) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _counts(self) -> bool:
        """Whether the key just pressed was pressed in answer to the question."""
        now = time.monotonic()
        calm = now - self._calm_from >= CALM
        self._calm_from = now
        return calm

    def _bind(self) -> None:
        keys = self._screen.question_keys
        answers = {"y": Approval(True), "a": Approval(True, always=True), "n": Approval(False)}

        @keys.add("<any>")
        def _(event: KeyPressEvent) -> None:
            if not self._counts():
                return
            key = event.key_sequence[0].key.lower()  # a paste is a key of its own and answers nothing
            if key == "e":
                self._screen.ask_word()
            elif key in answers:
                self._set(answers[key])

        @keys.add("escape")
        def _(event: KeyPressEvent) -> None:
            if self._counts():
                self.refuse()

        word = has_focus(self._screen.word)

        @self._screen.keys.add("enter", filter=word)
        def _(event: KeyPressEvent) -> None:
            self._set(Approval(False, message=self._screen.word.text.strip()))

        @self._screen.keys.add("escape", filter=word)
        def _(event: KeyPressEvent) -> None:
            self.refuse()
