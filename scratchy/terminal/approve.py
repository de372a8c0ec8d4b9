"""The question before a tool call: y, a, n or e. Who is typing text when it appears never answers it.

The keys go to the draft, as always; only after a pause does one of the four count as an answer. Not here: the preview,
which the turn's view writes into the scrollback, whole, before the question is drawn.
"""

import asyncio
import time

from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyPressEvent

from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval
from scratchy.core.text import reveal
from scratchy.terminal.screen import Screen

CALM = 0.3
"""Seconds from the drawing of the question on, in which no key answers it."""
PAUSE = 1.0
"""Seconds without a key, also from before the drawing on, after which one is an answer and not a part of a text."""
_TYPING = "typing goes to the draft; pause, then answer"


class Approver:
    """The `Approve` of the terminal; one question at a time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._answer: asyncio.Future[Approval] | None = None
        self._drawn = 0.0
        self._hint_ends: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._bind()
        screen.app.key_processor.after_key_press += self._hint

    async def __call__(self, request: ApprovalRequested) -> Approval:
        async with self._turn:
            self._answer = asyncio.get_running_loop().create_future()
            live = self._screen.live
            live.question = f"Run it?  y once · a always ({reveal(request.scope)}) · n no · e no, with a word"
            self._screen.ask(True)
            self._hint()
            self._screen.draw()
            self._drawn = time.monotonic()
            try:
                return await self._answer
            finally:
                self._answer = None
                live.question = live.hint = ""
                self._screen.ask(False)

    def _set(self, answer: Approval) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
            self._screen.forget_key()

    def _counts(self) -> bool:
        """Whether the key just pressed was pressed in answer to the question."""
        open_ = self._answer is not None and not self._answer.done()
        return open_ and time.monotonic() - self._drawn >= CALM and self._screen.pause >= PAUSE

    def _hint(self, _: object = None) -> None:
        """Say where the keys go for as long as they do."""
        if self._hint_ends is not None:
            self._hint_ends.cancel()
            self._hint_ends = None
        asking = self._answer is not None and not self._answer.done()
        left = self._screen.last_key + PAUSE - time.monotonic()
        hint = _TYPING if asking and left > 0 else ""
        if hint:
            self._hint_ends = asyncio.get_running_loop().call_later(left, self._hint)
        if hint != self._screen.live.hint:
            self._screen.live.hint = hint
            self._screen.refresh()

    def _bind(self) -> None:
        screen, keys = self._screen, self._screen.keys
        answers = {"y": Approval(True), "a": Approval(True, always=True), "n": Approval(False)}
        at_question = Condition(lambda: screen.asking) & has_focus(screen.buffer)
        answering = at_question & Condition(self._counts)

        for key in "yanYAN":

            @keys.add(key, filter=answering)
            def _(event: KeyPressEvent) -> None:
                self._set(answers[event.key_sequence[0].key.lower()])

        @keys.add("e", filter=answering)
        @keys.add("E", filter=answering)
        def _(event: KeyPressEvent) -> None:
            screen.forget_key()
            screen.ask_word()

        @keys.add("escape", filter=at_question)
        @keys.add("escape", filter=has_focus(screen.word))
        def _(event: KeyPressEvent) -> None:
            self._set(Approval(False))

        @keys.add("enter", filter=has_focus(screen.word))
        def _(event: KeyPressEvent) -> None:
            self._set(Approval(False, message=screen.word.text.strip()))
