"""A small menu in place of the input: a filter line, rows to choose from, a pane with more about the marked one.

It is drawn where the prompt stands (no alternate screen) and erased when it is left. Not here: what the rows are (a
`Source`; picker.py has the sessions), how a menu gets onto the screen (screen.py, or `ask_alone` before there is one).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    UIControl,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput

from scratchy.commands.outcome import Choose
from scratchy.commands.outcome import Row as Choice
from scratchy.commands.rows import shown as on_one_line
from scratchy.commands.rows import straight
from scratchy.terminal.approve import CALM
from scratchy.terminal.layout import Row, clip, wrapped
from scratchy.terminal.lines import one_line
from scratchy.terminal.screen import Screen

MOST = 24
"""Rows that a menu takes at most, however high the terminal is."""
_AFTERWARDS = 0.4  # seconds after a y in which an Enter belongs to it


class Source(Protocol):
    """The rows of a menu, of any type. All text that comes out of here is harmless to a terminal."""

    def title(self, width: int) -> str: ...
    def hint(self, width: int) -> str:
        """The keys, while there is nothing else to say."""
        ...

    @property
    def rows(self) -> Sequence[Any]: ...
    def filter(self, text: str) -> None:
        """The filter line has changed: so do `rows`."""
        ...

    def same(self, one: Any, other: Any) -> bool:
        """Whether two rows stand for the same thing: the mark stays on it when rows come and go."""
        ...

    def line(self, row: Any, width: int) -> str: ...
    def about(self, row: Any) -> Sequence[str]:
        """Lines that stand below the rows while this one is marked."""
        ...

    def detail(self, row: Any) -> str:
        """The text of the pane that Tab opens."""
        ...


class Menu:
    """`space` gives the columns and rows that it may take, `redraw` has it drawn soon. `answer` is the chosen row, None
    when it was left. Keys of a user's own go into `keys`."""

    def __init__(self, source: Source, space: Callable[[], tuple[int, int]], redraw: Callable[[], None]) -> None:
        self.source = source
        self.redraw = redraw
        self._space = space
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.note = ""
        self.keys = KeyBindings()
        self._ask: str = ""  # what the entry line is for; a question that a key answers
        self._then: Callable[[str], None] | None = None
        self._asked_at = float("inf")  # when the question was drawn
        self._confirmed_at = float("-inf")
        self._at = self._top = 0
        self._marked: Any = None  # what the person went to
        self._page = 1
        self._detail = False
        self.filter = Buffer(multiline=False, name="filter", on_text_changed=self._filtered)
        self._entry = Buffer(multiline=False, name="entry")
        self._filter_control = BufferControl(
            self.filter, [BeforeInput("Filter: ", "class:prompt")], key_bindings=self.keys
        )
        self._entry_control = BufferControl(
            self._entry, [BeforeInput(lambda: [("class:prompt", self._ask)])], key_bindings=self._entry_keys()
        )
        self._question = FormattedTextControl(self._drawn_question, focusable=True, key_bindings=self._question_keys())
        self._bind_moving()
        self._bind_leaving()
        self.container = self._made_container()

    @property
    def focus(self) -> BufferControl:
        """What gets the keys when the menu is shown."""
        return self._filter_control

    @property
    def row(self) -> Any:
        """The marked row; None when there is none."""
        rows = self.source.rows
        return rows[min(self._at, len(rows) - 1)] if rows else None

    def say(self, note: str) -> None:
        self.note = one_line(note)
        self.redraw()

    def leave(self, answer: Any = None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def enter(self, prompt: str, text: str, then: Callable[[str], None]) -> None:
        """Read a line in the filter's place; Esc forgets it."""
        self._ask, self._then, self.note = prompt, then, ""
        self._entry.text, self._entry.cursor_position = text, len(text)
        get_app().layout.focus(self._entry_control)

    def confirm(self, question: str, then: Callable[[str], None]) -> None:
        """One key answers: y is yes, any other no. What is pressed before a person can have read it answers nothing."""
        self._ask, self._then, self.note = question, then, ""
        self._asked_at = float("inf")
        get_app().layout.focus(self._question)

    # -- keys

    def _filtered(self, _: object) -> None:
        self._at = self._top = 0
        self._marked = None
        self.note = ""
        self.source.filter(self.filter.text)

    def _bind_moving(self) -> None:
        steps: dict[str, Callable[[], int]] = {
            "up": lambda: -1,
            "c-p": lambda: -1,
            "down": lambda: 1,
            "c-n": lambda: 1,
            "pageup": lambda: -self._page,
            "pagedown": lambda: self._page,
            "home": lambda: -len(self.source.rows),
            "end": lambda: len(self.source.rows),
        }
        for key, step in steps.items():

            @self.keys.add(key)
            def _(event: KeyPressEvent, step: Callable[[], int] = step) -> None:
                self.note = ""
                self._at = max(0, min(self._at + step(), len(self.source.rows) - 1))
                self._marked = self.row

        @self.keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            self._detail = not self._detail

    def _bind_leaving(self) -> None:
        @self.keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            if time.monotonic() - self._confirmed_at > _AFTERWARDS and self.row is not None:
                self.leave(self.row)

        @self.keys.add("escape")
        @self.keys.add("c-c")
        @self.keys.add("c-d", filter=Condition(lambda: not self.filter.text))
        def _(event: KeyPressEvent) -> None:
            self.leave()

    def _entry_keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            event.app.layout.focus(self._filter_control)
            text = self._entry.text.strip()
            if text and self._then is not None:
                self._then(text)

        @keys.add("escape")
        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            event.app.layout.focus(self._filter_control)

        return keys

    def _question_keys(self) -> KeyBindings:
        keys = KeyBindings()

        def is_read() -> bool:
            return time.monotonic() - self._asked_at >= CALM

        @keys.add("y")
        @keys.add("Y")
        def _(event: KeyPressEvent) -> None:
            if not is_read():
                return
            event.app.layout.focus(self._filter_control)
            self._confirmed_at = time.monotonic()
            if self._then is not None:
                self._then("y")

        for key in ("escape", "enter", "c-c", "tab", "up", "down", Keys.Any):

            @keys.add(key)
            def _(event: KeyPressEvent, leaves: bool = key in ("escape", "c-c")) -> None:
                if leaves or is_read():
                    event.app.layout.focus(self._filter_control)

        return keys

    # -- drawing

    def _drawn_question(self) -> StyleAndTextTuples:
        self._asked_at = min(self._asked_at, time.monotonic())
        return [("class:question", self._ask)]

    def _made_container(self) -> HSplit:
        def at_top(control: UIControl) -> ConditionalContainer:
            return ConditionalContainer(
                Window(control, height=1), Condition(lambda: get_app().layout.has_focus(control))
            )

        def title() -> StyleAndTextTuples:
            width, _ = self._space()
            return [("class:dim", clip(self.source.title(width), width))]

        return HSplit(
            [
                Window(FormattedTextControl(title), height=1),
                at_top(self._filter_control),
                at_top(self._entry_control),
                at_top(self._question),
                Window(FormattedTextControl(self._fragments), dont_extend_height=True),
            ]
        )

    def _fragments(self) -> StyleAndTextTuples:
        width, height = self._space()
        out: StyleAndTextTuples = []
        for index, row in enumerate(self.body(width, min(height, MOST) - 2)):
            out += [("", "\n"), *row] if index else row
        return out

    def body(self, width: int, height: int) -> list[Row]:
        """Rows, what is said about the marked one, the pane, the keys: at most `height` lines of `width` cells."""
        self._follow()
        rows, marked = self.source.rows, self.row
        last: list[Row] = [
            [("class:error" if self.note else "class:dim", clip(self.note or self.source.hint(width), width))]
        ]
        room = max(height - 1, 1)
        about: list[Row] = []
        if marked is not None and room >= 4:
            told = self.source.about(marked)[: 1 if room < (12 if self._detail else 7) else 3]
            about = [[("class:dim", clip(text, width))] for text in told]
        room -= len(about)
        pane = self._pane(marked, width, room - min(len(rows), max(room // 3, 1))) if self._detail else []
        self._page = max(min(len(rows), room - len(pane)), 1)
        self._at = max(0, min(self._at, len(rows) - 1))
        self._top = max(self._at - self._page + 1, min(self._top, self._at, max(len(rows) - self._page, 0)))
        shown: list[Row] = []
        for at, row in enumerate(rows[self._top : self._top + self._page], self._top):
            mark, style = ("▸ ", "reverse") if at == self._at else ("  ", "")
            shown.append([(style, clip(mark + self.source.line(row, width - 2), width))])
        return [*shown, *about, *pane, *last][-max(height, 1) :]

    def _follow(self) -> None:
        """The mark stays where the person put it, though rows came or went above."""
        rows, same = self.source.rows, self.source.same
        if self._marked is not None and not (self._at < len(rows) and same(rows[self._at], self._marked)):
            self._at = next((at for at, row in enumerate(rows) if same(row, self._marked)), self._at)

    def _pane(self, row: Any, width: int, height: int) -> list[Row]:
        """The end of the marked row's detail."""
        if row is None or height < 1:
            return []
        lines = [part for line in self.source.detail(row).splitlines() for part in wrapped(line, width - 2)]
        return [[("class:dim", "│ "), ("", line)] for line in lines[-height:]]


class Choices:
    """The rows of a `Choose`."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.rows: Sequence[Choice] = choose.rows

    def title(self, width: int) -> str:
        return on_one_line(self._choose.title)

    def filter(self, text: str) -> None:
        words = text.casefold().split()
        self.rows = [row for row in self._choose.rows if all(word in row.label.casefold() for word in words)]

    def hint(self, width: int) -> str:
        if not self.rows:
            return "Nothing matches · Esc leaves"
        return "Enter chooses · Tab shows more · Esc leaves" if width > 45 else "Enter · Tab more · Esc"

    def same(self, one: Choice, other: Choice) -> bool:
        return one is other

    def line(self, row: Choice, width: int) -> str:
        return on_one_line(row.label)

    def about(self, row: Choice) -> Sequence[str]:
        return ()

    def detail(self, row: Choice) -> str:
        return straight(row.detail)


async def choose(screen: Screen, question: Choose) -> str:
    """The line of the row that the person chose; empty for none."""
    menu = Menu(Choices(question), screen.space, screen.app.invalidate)
    chosen: Choice | None = await shown(screen, menu)
    return chosen.line if chosen is not None else ""


async def shown(screen: Screen, menu: Menu) -> Any:
    """Show it in place of the input until it is left; its answer. An interrupt leaves it."""
    screen.show(menu.container, menu.focus, menu.leave)
    try:
        return await menu.answer
    except asyncio.CancelledError:
        return None
    finally:
        screen.hide(menu.container)
