"""The buffer behind the prompt: it knows whether what stands in it is a shell line, which is so only where `!` was
typed as its first key.

Not here: keys (keys), what a shell line does (shell_lines), the lines typed before (history).
"""

from collections.abc import Callable
from typing import Any

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.clipboard import ClipboardData
from prompt_toolkit.document import Document
from prompt_toolkit.history import History

_OPENING = ("@", "_", "(", "[", "{")  # what begins a word beside letters and digits


class ShellLine(str):
    """A line that the person typed as `!command` or `!!command`, the marks in it."""

    __slots__ = ()

    @property
    def command(self) -> str:
        return str(self).lstrip("!").strip()

    @property
    def unseen(self) -> bool:
        """Whether the model is told nothing of it."""
        return self.startswith("!!")


class Entry(Buffer):
    """Text that came in any other way than by a key after a typed `!` is never a shell line: not what was pasted, put
    back, completed or undone before it. `parted` tells whether a blank must stand before a word that comes now."""

    def __init__(self, history: History, **more: Any) -> None:
        self.pasted = False  # something was, in this window
        self.parted: Callable[[], bool] = lambda: False
        self._typed: set[int] = set()  # working lines, counted from the newest: those whose first `!` was typed
        super().__init__(history=history, **more)
        self.on_text_changed += self._changed

    @property
    def is_shell(self) -> bool:
        return self._line in self._typed

    @property
    def line(self) -> str:
        """What stands there; a `ShellLine` where it is one."""
        return ShellLine(self.text) if self.is_shell else self.text

    def type_mark(self) -> None:
        """The key `!` at the beginning of nothing or of a shell line."""
        before = self.is_shell
        self.insert_text("!")
        if before or self.text == "!":
            self._typed.add(self._line)

    def put(self, text: str) -> None:
        """Another text, which nobody typed here; a shell line taken from the history stays one."""
        self._typed.discard(self._line)
        self.text = text
        self.cursor_position = len(text)
        if isinstance(text, ShellLine):
            self._typed.add(self._line)

    def distrust(self) -> None:
        """Not all of what stands here was typed: it is text."""
        self._typed.discard(self._line)

    def reload(self) -> None:
        """Other lines were typed before: take them from the history anew, leave what stands here."""
        shell, document = self.is_shell, Document(self.text, self.cursor_position)
        self.reset(document)
        if shell:
            self._typed.add(self._line)

    # -- the ways in which a text changes

    def reset(self, document: Document | None = None, append_to_history: bool = False) -> None:
        self._typed.clear()
        super().reset(document, append_to_history)

    def insert_text(
        self, data: str, overwrite: bool = False, move_cursor: bool = True, fire_event: bool = True
    ) -> None:
        if not self.cursor_position:
            self._typed.discard(self._line)
        if data[:1].isalnum() or data.startswith(_OPENING):
            data = f" {data}" if self.parted() else data
        super().insert_text(data, overwrite, move_cursor, fire_event)

    def paste_clipboard_data(self, data: ClipboardData, *arguments: Any, **more: Any) -> None:
        if not self.cursor_position:
            self._typed.discard(self._line)
        super().paste_clipboard_data(data, *arguments, **more)

    def undo(self) -> None:
        self._typed.discard(self._line)
        super().undo()

    def redo(self) -> None:
        self._typed.discard(self._line)
        super().redo()

    @property
    def _line(self) -> int:
        return len(self._working_lines) - self.working_index

    def _changed(self, _: object) -> None:
        text = self.text
        if isinstance(text, ShellLine):  # taken from the history
            self._typed.add(self._line)
        elif not text.startswith("!") or text.startswith(("![", "!![")):
            self._typed.discard(self._line)
