"""Where our rows are after the window became narrower: some terminals break lines anew, others cut them off.

A terminal that breaks them makes two rows or more of one, so that the first of ours lies higher than we left it. Going
up too far in one that cuts would erase finished text: which is which must be known. Not here: drawing (screen).
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size

SETTLING = 0.3
"""Seconds after a resize in which nothing moves: tmux tells of the next one up to 0.25 s late."""

# Patterns stay strings until they are used: compiling them is no part of the way to the first prompt.
_BREAKING = r"(?i:tmux|kitty|WezTerm|foot|ghostty|VTE|iTerm2|Konsole|contour|rio|mintty|Windows Terminal)"
_BREAKING_TERM = r"xterm-kitty|foot|xterm-ghostty|alacritty|wezterm|contour|rio"
_VARIABLES = ("TMUX", "KITTY_WINDOW_ID", "VTE_VERSION", "WEZTERM_PANE", "ALACRITTY_WINDOW_ID", "KONSOLE_VERSION",
              "WT_SESSION", "ITERM_SESSION_ID", "GHOSTTY_RESOURCES_DIR")  # fmt: skip


def breaks_lines(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal breaks its lines anew. `name`: as it told, which counts more than variables that a program
    in between may have inherited; "" where it told nothing. False when nobody knows."""
    if name:
        return re.match(_BREAKING, name) is not None
    if environ.get("STY"):
        return False
    apple = environ.get("TERM_PROGRAM") == "Apple_Terminal"
    return apple or bool(re.match(_BREAKING_TERM, environ.get("TERM", ""))) or any(map(environ.get, _VARIABLES))


def rows_added(app: "Application[int]", columns: int) -> int:
    """How many rows more lie between the first of ours and the cursor once each is broken at `columns`."""
    screen = app.renderer.last_rendered_screen
    if screen is None:
        return 0
    cursor = screen.get_cursor_position(app.layout.current_window)
    added = 0
    for y in range(cursor.y + 1):
        row = screen.data_buffer[y]
        last = max((x for x, cell in row.items() if cell.char != " "), default=-1)
        end = cursor.x - 1 if y == cursor.y else last
        added += breaks((row[x].width for x in range(end + 1)), columns)
    return added


def breaks(cells: Iterable[int], columns: int) -> int:
    """How often a row of cells so wide (a wide character's second one has none) is broken at `columns`."""
    count = column = 0
    for width in cells:
        if column + width > columns:
            count += 1
            column = 0
        column += width
    return count


class Resizable(Application[int]):
    """`resized` is called when the window has another size, in place of what prompt_toolkit does then."""

    resized: Callable[[], None]

    def _on_resize(self) -> None:
        self.resized()


class Sizes:
    """Follows the window: what was drawn in another one is erased before `draw` draws. `breaks`: see `breaks_lines`."""

    def __init__(self, app: Resizable, draw: Callable[[], None]) -> None:
        self.breaks: Callable[[], bool] = lambda: False
        self._app = app
        self._draw = draw
        self._drawn: Size | None = None
        self._settling: asyncio.TimerHandle | None = None
        app.resized = self._resized
        app.before_render += self._before_render

    @property
    def settling(self) -> bool:
        """Nothing should be drawn: a terminal that breaks lines moves what is drawn in between."""
        return self._settling is not None

    @property
    def changed(self) -> bool:
        return self._drawn != self._app.output.get_size()

    def catch_up(self) -> bool:
        """Erase our rows where a window of another size has left them; whether it has another one."""
        size, before = self._app.output.get_size(), self._drawn
        if size == before:
            return False
        if before is not None:
            if size.columns < before.columns and self.breaks():
                self._app.output.cursor_up(rows_added(self._app, size.columns))
            self._app.renderer.erase()
        self._drawn = size
        return True

    def _before_render(self, _: object) -> None:
        self.catch_up()

    def _resized(self) -> None:
        if self._settling:
            self._settling.cancel()
        wait = SETTLING if self.breaks() else 0
        self._settling = asyncio.get_running_loop().call_later(wait, self._settled)

    def _settled(self) -> None:
        self._settling = None
        if not self.changed:  # it was another one in between, which may have cut lines
            self._drawn = Size(0, 0)
        self._draw()
