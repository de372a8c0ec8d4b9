"""The one drawer: a prompt_toolkit application with the live part above the input, and whole lines written above both.

Everything that is seen passes `Screen.write` (once, into the scrollback) or `Screen.live` (redrawn). The redraws that
nobody's key asked for come from one timer, at most 12 times a second and only while something moves.
Not here: what keys do (keys), what is shown of a turn (turns), what happens with a line (repl).
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition, has_completions, has_focus, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Container,
    Dimension,
    DynamicContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VerticalAlign,
    VSplit,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import (
    BeforeInput,
    HighlightIncrementalSearchProcessor,
    HighlightSelectionProcessor,
)
from prompt_toolkit.search import SearchState, stop_search
from prompt_toolkit.widgets import SearchToolbar

from scratchy import system
from scratchy.terminal.entry import Entry
from scratchy.terminal.frames import Frames, open_input, open_output, style
from scratchy.terminal.layout import Live, Row, rows
from scratchy.terminal.pasting import more_waits, watch_pastes
from scratchy.terminal.resizing import Resizable, Sizes

FRAME = 1 / 12  # seconds between two redraws of our own
_ROWS_FOR_FOOT = 6  # of a window in which the row below the input has a place
_PIECE = 32 * 1024  # characters that are written at once
ESCAPE_WAIT = 0.03  # seconds after which a lone Esc is a key; twice this and a frame stay under 100 ms


class Screen:
    """`prompt` gives the text before the input, `mode` what runs unasked; `vi`: its keys. `last_key` is when the last
    key came, on a monotonic clock, `pause` how many seconds after the one before it. `call` says to a person
    elsewhere that they are needed; `choose_theme` changes what is shown from now on."""

    def __init__(
        self,
        prompt: Callable[[], str],
        mode: Callable[[], str],
        history: History,
        completer: Completer,
        *,
        vi: bool = False,
    ) -> None:
        self.prompt = prompt
        self.mode = mode
        self.live = Live()
        self._more: Callable[[], str] = str
        self.keys = KeyBindings()
        self.asking = False
        self.last_key = self.pause = float("-inf")
        self._alone = self._followed = False
        self.away = False
        self.visitor: asyncio.Task[Any] | None = None  # what has the terminal in our place; cancelled, it ends
        self.call: Callable[[str, float], None] = lambda text, since: None
        self.choose_theme: Callable[[str], None] = lambda name: None
        self.buffer = Entry(history, completer=completer, multiline=True, complete_while_typing=False, name="input")
        self.buffer.on_text_changed += self._typed
        self.word = Buffer(multiline=False, name="word")
        self._panel: Container | None = None
        self._dismiss: Callable[[], object] = str
        self._pending: list[str] = []
        self._flush_planned = False
        self._ticker: asyncio.Task[None] | None = None
        self._rows: list[Row] = []
        self._foot: Callable[[int], Row] = no_row
        self._foot_row: Row = []
        self._output = open_output()
        self.found = system.terminal_settings(sys.stdin.fileno())
        self.app = self._application()
        self.sizes = Sizes(self.app, self.draw)
        self.app.editing_mode = EditingMode.VI if vi else EditingMode.EMACS

    # -- what others call

    @property
    def width(self) -> int:
        return self._output.get_size().columns

    def space(self) -> tuple[int, int]:
        """Columns and rows that a panel may take."""
        size = self._output.get_size()
        return max(size.columns - 1, 8), max(size.rows - len(self._rows), 3)

    def show(self, panel: Container, focus: BufferControl, dismiss: Callable[[], None]) -> None:
        """`panel` stands in the input's place until `hide`; `dismiss` is called when something more urgent comes."""
        self._dismiss()
        self._panel, self._dismiss = panel, dismiss
        self._focus(focus)
        self.refresh()
        self.app.invalidate()

    def hide(self, panel: Container) -> None:
        """Erase it; the input is back, with what was typed into it."""
        if self._panel is panel:
            self._panel, self._dismiss = None, str
            self._focus(self.buffer)
            if self.app.is_running and not self.app.is_done:
                self.app.renderer.erase()
                self.app.invalidate()

    def stand_below(self, foot: Callable[[int], Row]) -> None:
        """From now on one row below the input, of the cells given, where there is room. Made anew for each drawing."""
        self._foot = foot
        window = Window(FormattedTextControl(lambda: [*self._foot_row]), height=1)
        self._parts.children.append(ConditionalContainer(window, Condition(lambda: bool(self._foot_row))))
        self.app.before_render += self._make_foot
        self.refresh()

    def write(self, text: str) -> None:
        """Whole lines (ending in a newline) for the scrollback, above the prompt, soon and in order."""
        if text:
            self._pending.append(text)
            self._plan_flush()

    def refresh(self) -> None:
        """The live part has changed: show it soon."""
        self._plan_flush()

    def move(self, more: Callable[[], str]) -> None:
        """Something moves: redraw by the timer until `rest`, writing what `more` gives with each frame."""
        self._more = more
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    def rest(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self.refresh()

    def draw(self) -> None:
        """Write what is pending and redraw the live part where it changed, now, in one piece."""
        self._flush_planned = False
        if self.away or self.sizes.settling or not self.app.is_running or self.app.is_done:
            return
        text = self._next_piece()
        before, fresh = self._foot_row, self._live_rows()
        if not text and (fresh, self._foot_row) == (self._rows, before) and not self.sizes.changed:
            return
        shrinks = len(fresh) < len(self._rows)
        self._rows = fresh
        self._hold(True)
        try:
            if not self.sizes.catch_up() and (text or shrinks):
                self.app.renderer.erase()
            self._output.write_raw(text.replace("\n", "\r\n"))
            self.app.render_counter += 1  # the layout's caches hold for one rendering
            self.app.renderer.render(self.app, self.app.layout)
        finally:
            self._hold(False)

    def ask(self, asking: bool) -> None:
        """A question stands above the input, or is answered. The input stays: what is typed goes there."""
        self.asking = asking
        self._dismiss()
        self._focus(self.buffer)
        self.refresh()

    def _focus(self, wanted: Buffer | BufferControl) -> None:
        if self.app.layout.is_searching:
            stop_search()
        self.app.vi_state.reset()
        self.app.layout.focus(wanted)

    def note_key(self, _: object = None) -> None:
        """A key was pressed, here or where we could not see it."""
        now, more = time.monotonic(), bool(self.app.key_processor.input_queue)
        self.pause, self.last_key = now - self.last_key, now
        self._alone, self._followed = not (more or self._followed), more

    @property
    def alone(self) -> bool:
        """Whether the last key came by itself, as typed keys do, and not with others in one go."""
        return self._alone and not more_waits(self.app.input)

    def forget_key(self) -> None:
        """The last key was an answer: no pause is needed after it."""
        self.last_key = float("-inf")

    def ask_word(self) -> None:
        """Read a line in place of the input."""
        self.word.reset()
        self.app.vi_state.reset()
        self.app.layout.focus(self.word)
        self.refresh()

    def control(self, sequence: str) -> None:
        """A control sequence of our own, straight to the terminal."""
        self._output.write_raw(sequence)
        self._output.flush()

    def left_over(self) -> str:
        """What was still to be written when the application ended."""
        text = "".join(self._pending)
        self._pending.clear()
        return text

    # -- drawing

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FRAME)
            text = self._more()
            if text:
                self._pending.append(text)
            self.draw()

    def _plan_flush(self) -> None:
        if not self._flush_planned and self.app.is_running:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self.draw)

    def _hold(self, held: bool) -> None:
        if isinstance(self._output, Frames):
            self._output.held = held
        if not held:
            self._output.flush()

    def _next_piece(self) -> str:
        """What is pending; of something long its first lines, the rest when keys have had their turn."""
        text = "".join(self._pending)
        self._pending.clear()
        if len(text) <= _PIECE:
            return text
        end = text.rfind("\n", 0, _PIECE) + 1 or text.find("\n", _PIECE) + 1 or len(text)
        if end < len(text):
            self._pending.append(text[end:])
            self._plan_flush()
        return text[:end]

    def _live_rows(self) -> list[list[tuple[str, str]]]:
        self._make_foot()
        size = self._output.get_size()
        room = size.rows // 4 if self._panel is not None else size.rows - self._input_rows() - 3 - len(self._foot_row)
        return rows(self.live, time.monotonic(), max(size.columns - 1, 8), max(room, 2))

    def _make_foot(self, _: object = None) -> None:
        """None where something else stands below the input, or in its place. It begins with vi's mode."""
        taken = self._panel is not None or self.buffer.complete_state is not None or self.app.layout.is_searching
        height, columns = self._output.get_size()
        if taken or height < _ROWS_FOR_FOOT or self._foot is no_row:
            self._foot_row = []
            return
        mode = self._vi_mode()
        foot = self._foot(max(columns - 1, 8) - len(mode and f"{mode}· "))
        self._foot_row = [("class:question", mode), ("class:dim", "· " if foot else ""), *foot] if mode else foot

    def _input_rows(self) -> int:
        size = self._output.get_size()
        wanted = self._entry.preferred_height(size.columns, size.rows).preferred
        return max(min(wanted, size.rows // 2), 1)

    def _before_input(self) -> StyleAndTextTuples:
        """The prompt; where something runs unasked the mode stands out. It tells a shell line, and vi's modes where no
        row below does."""
        mode, before = self.mode(), self.prompt().removesuffix("You: ")
        vi = "" if self._foot_row else self._vi_mode()
        rest = vi + ("You: " if not self.buffer.is_shell else f"{shell_name(self.buffer.text)} ")
        head = before.removesuffix(f"{mode} ")
        if head == before:
            return [("class:prompt", before + rest)]
        return [("class:prompt", head), ("class:unsafe", mode), ("class:prompt", f" {rest}")]

    def _vi_mode(self) -> str:
        """As vi tells it; nothing while what is typed is text."""
        mode = self.app.vi_state.input_mode
        if self.app.editing_mode != EditingMode.VI or mode == InputMode.INSERT:
            return ""
        replacing = mode in (InputMode.REPLACE, InputMode.REPLACE_SINGLE)
        return "VISUAL " if self.buffer.selection_state else "REPLACE " if replacing else "NORMAL "

    def _typed(self, _: object) -> None:
        if self._rows:  # there may be less room for them
            self.refresh()

    def _fragments(self) -> StyleAndTextTuples:
        out: StyleAndTextTuples = []
        for index, row in enumerate(self._rows):
            out += [("", "\n"), *row] if index else row
        return out

    # -- the parts

    def _search_toolbar(self) -> SearchToolbar:
        def told(words: str) -> str:
            """What stands before the text that is searched for; it says when nothing is found."""
            text = toolbar.search_buffer.text
            state = SearchState(text, toolbar.control.searcher_search_state.direction)
            found = self.buffer.document_for_search(state)
            return words if found.text.startswith(text, found.cursor_position) else f"nothing found, {words}"

        toolbar = SearchToolbar(
            forward_search_prompt=lambda: told("I-search: "),
            backward_search_prompt=lambda: told("I-search backward: "),
        )
        return toolbar

    def _application(self) -> Resizable:
        live = Window(FormattedTextControl(self._fragments), dont_extend_height=True)
        search = self._search_toolbar()
        self._entry = entry = Window(
            BufferControl(
                self.buffer,
                input_processors=[
                    HighlightIncrementalSearchProcessor(),
                    HighlightSelectionProcessor(),
                    BeforeInput(self._before_input),
                ],
                include_default_input_processors=False,
                search_buffer_control=search.control,
                preview_search=True,
            ),
            height=lambda: Dimension(min=1, max=max(self._output.get_size().rows // 2, 3)),
            wrap_lines=True,
            dont_extend_height=True,
        )
        word = Window(
            BufferControl(self.word, input_processors=[BeforeInput("No, because: ", "class:prompt")]),
            height=1,
            wrap_lines=False,
        )
        panel = Condition(lambda: self._panel is not None)
        menu = VSplit([CompletionsMenu(max_height=8, scroll_offset=1), Window(height=0)])
        parts = [
            ConditionalContainer(live, Condition(lambda: bool(self._rows))),
            ConditionalContainer(entry, ~has_focus(self.word) & ~panel),
            ConditionalContainer(DynamicContainer(lambda: self._panel or Window()), panel),
            ConditionalContainer(word, has_focus(self.word)),
            ConditionalContainer(menu, has_completions & has_focus(self.buffer)),
            ConditionalContainer(search, is_searching),
        ]
        self._parts = HSplit(parts, align=VerticalAlign.TOP)
        app = Resizable(
            layout=Layout(self._parts, entry),
            key_bindings=self.keys,
            style=style(),
            input=open_input(),
            output=self._output,
            erase_when_done=True,
            terminal_size_polling_interval=0.5 if sys.platform == "win32" else None,
        )
        app.key_processor.before_key_press += self.note_key
        quick_escape(app)
        watch_pastes(app)
        return app


def no_row(width: int) -> Row:
    return []


def shell_name(line: str) -> str:
    """What the prompt calls a line that begins with `!` or `!!`."""
    return "unseen shell" if line.startswith("!!") else "shell"


def quick_escape(app: Application[Any]) -> None:
    """Esc waits briefly for what may follow it (Alt-Enter); Ctrl-X waits for a person."""

    def choose_wait(_: object) -> None:
        pressed = app.key_processor.key_buffer
        app.timeoutlen = ESCAPE_WAIT if pressed and pressed[0].key == Keys.Escape else 1.0

    app.ttimeoutlen = ESCAPE_WAIT
    app.key_processor.after_key_press += choose_wait
