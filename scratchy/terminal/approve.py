"""Questions above the prompt: the one before a tool call (y, a, n or e), and those to which the answer is yes or no.

Who is typing text when one appears never answers it: the keys go to the draft, as always; only after a pause does one
of its keys count as an answer. Not here: a call's preview, which the turn's view writes into the scrollback, whole,
before the question is drawn.
"""

import asyncio
import time
from typing import Any

from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.keys import Keys

from scratchy.commands.outcome import Choose
from scratchy.commands.rows import shown
from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval
from scratchy.core.text import reveal_line
from scratchy.terminal.barred import told_height
from scratchy.terminal.diffs import approval_lines
from scratchy.terminal.lines import one_line
from scratchy.terminal.screen import Screen

CALM = 0.3
"""Seconds from the drawing of the question on, in which no key answers it."""
PAUSE = 1.0
"""Seconds without a key, also from before the drawing on, after which one is an answer and not a part of a text."""
_BELOW = 4  # rows that the question and the input take
_TYPING = "typing goes to the draft; pause, then answer"
_WORD = object()
"""The answer that a line of text is still to be read for."""


class Approver:
    """The `Approve` of the terminal, and who asks what is answered by yes or no; one question at a time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._answer: asyncio.Future[Any] | None = None
        self._answers: dict[str, Any] = {}  # by key
        self._drawn = 0.0
        self._hint_ends: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._bind()
        screen.app.key_processor.after_key_press += self._hint

    async def __call__(self, request: ApprovalRequested) -> Approval:
        always = f" · a always ({reveal_line(request.scope)})" if request.scope else ""
        no = Approval(False)
        answers = {"y": Approval(True), "a": Approval(True, always=True), "n": no, "e": _WORD, "escape": no}
        if not always:
            del answers["a"]
        self._screen.call(f"{reveal_line(request.name)} waits for your answer.", float("-inf"))
        columns, rows = self._screen.space()
        count = approval_lines(request.name, request.preview, columns + 1).count("\n")
        above = told_height(count, rows - _BELOW)
        question = f"Run it?{above}  y once{always} · n no · e no, with a word"
        if len(question) > columns * max(rows - _BELOW, 1):
            question = f"Run it? {'/'.join(key for key in answers if len(key) == 1)}" + (above and f" ({count} rows)")
        return await self._ask(question, answers)

    async def decide(self, question: Choose) -> str:
        """The line of one of the two rows; Enter is the first one's key too, Esc the other's."""
        yes, no = question.rows
        asked = f"{shown(question.title)}:  y {shown(yes.label)} · n {shown(no.label)}"
        return await self._ask(asked, {"y": yes.line, "enter": yes.line, "n": no.line, "escape": no.line})

    async def _ask(self, question: str, answers: dict[str, Any]) -> Any:
        async with self._turn:
            self._answer, self._answers = asyncio.get_running_loop().create_future(), answers
            live = self._screen.live
            live.question = question
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

    def _set(self, answer: Any) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
            self._screen.forget_key()

    def _counts(self) -> bool:
        """Whether the key just pressed was pressed in answer to the question; one that comes with others is text."""
        open_ = self._answer is not None and not self._answer.done()
        return open_ and self._screen.alone and time.monotonic() - self._drawn >= CALM and self._screen.pause >= PAUSE

    def _hint(self, _: object = None) -> None:
        """Say where the keys go for as long as they do."""
        if self._hint_ends is not None:
            self._hint_ends.cancel()
            self._hint_ends = None
        asking = self._answer is not None and not self._answer.done() and not has_focus(self._screen.word)()
        left = self._screen.last_key + PAUSE - time.monotonic()
        hint = _TYPING if asking and left > 0 else ""
        if hint:
            self._hint_ends = asyncio.get_running_loop().call_later(left, self._hint)
        if hint != self._screen.live.hint:
            self._screen.live.hint = hint
            self._screen.refresh()

    def _bind(self) -> None:
        screen, keys = self._screen, self._screen.keys
        at_question = Condition(lambda: screen.asking) & has_focus(screen.buffer)
        at_word = has_focus(screen.word)

        for key in "yaneYANE":
            offered = Condition(lambda key=key: key.lower() in self._answers)

            @keys.add(key, filter=at_question & offered & Condition(self._counts))
            def _(event: KeyPressEvent) -> None:
                answer = self._answers[event.key_sequence[0].key.lower()]
                if answer is not _WORD:
                    self._set(answer)
                    return
                screen.forget_key()
                screen.live.question = "No, because (Enter says it to the model, Esc no without a word):"
                screen.ask_word()

        enter_answers = Condition(lambda: "enter" in self._answers and not screen.buffer.text)

        @keys.add("enter", filter=at_question & enter_answers)
        def _(event: KeyPressEvent) -> None:
            if self._counts():
                self._set(self._answers["enter"])

        @keys.add("escape", filter=(at_question & Condition(lambda: screen.alone)) | at_word)
        def _(event: KeyPressEvent) -> None:
            self._set(self._answers["escape"])

        @keys.add(Keys.BracketedPaste, filter=at_word)
        def _(event: KeyPressEvent) -> None:
            screen.word.insert_text(one_line(event.data))

        @keys.add("enter", filter=at_word)
        def _(event: KeyPressEvent) -> None:
            self._set(Approval(False, message=screen.word.text.strip()))
