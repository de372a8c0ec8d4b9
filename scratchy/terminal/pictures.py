"""Images that are pasted: a path that a terminal pastes where a file is dragged into it, or what the clipboard holds.

Each stands in the prompt as `[Image #1]` at once and is kept meanwhile; what turns out to be no image is text again.
Not here: the marks (pastes), programs that read a clipboard (clipboard), what an image is (sessions.images).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchy.core.images import mark

if TYPE_CHECKING:
    from scratchy.sessions.desk import Desk
    from scratchy.terminal.pastes import Pastes
    from scratchy.terminal.screen import Screen

_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_MOST = 8192  # characters of a paste that may be paths
_WORD = r"""(?:'[^'\n]*'|"(?:[^"\\\n]|\\.)*"|\\.|[^\s'"\\])+"""
_QUOTED = r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)"""
_BEGINS = r"(?:[/~]|\.\.?/|file://|[A-Za-z]:[\\/])"


class Pictures:
    """`ready` gives the desk as soon as there is one; `note` tells a few words."""

    def __init__(
        self, screen: Screen, pastes: Pastes, ready: Callable[[], Awaitable[Desk]], note: Callable[[str], None]
    ) -> None:
        self._screen = screen
        self._pastes = pastes
        self._ready = ready
        self._note = note

    def take(self, pasted: str) -> bool:
        """Whether a paste is taken for images; an empty one is what terminals make of a clipboard without text. Where a
        path is wanted, in a command or behind an `@`, it stays one."""
        buffer = self._screen.buffer
        before = buffer.document.text_before_cursor
        if buffer.is_shell or before.startswith("/") or before.endswith(("@", '"')):
            return False
        if not pasted.strip():
            self._begin(self._from_clipboard())
            return True
        names = paths_in(pasted)
        for at, name in enumerate(names):
            shown = self._pastes.image()
            buffer.insert_text(f" {shown}" if at else shown)
            self._begin(self._from_file(shown, name, pasted.strip() if len(names) == 1 else name))
        return bool(names)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._pastes.pending.add(task)
        task.add_done_callback(self._pastes.pending.discard)

    async def _from_file(self, shown: str, name: str, spelled: str) -> None:
        desk = await self._ready()
        try:
            path = Path(os.path.join(desk.config.folder, os.path.expanduser(name)))
            self._pastes.settle(shown, await asyncio.to_thread(_kept, desk, path))
        except (OSError, ValueError) as error:
            self._pastes.settle(shown, spelled)
            buffer = self._screen.buffer
            if shown in buffer.text:
                behind = len(buffer.text) - buffer.cursor_position
                text = buffer.text.replace(shown, spelled, 1)
                buffer.text, buffer.cursor_position = text, max(len(text) - behind, 0)
            if not isinstance(error, FileNotFoundError):  # else it was only words about a path
                self._note(str(error.strerror or error) if isinstance(error, OSError) else str(error))

    async def _from_clipboard(self) -> None:
        data = await asyncio.to_thread(_clipboard)
        if data is None:
            self._note("There is no image in the clipboard.")
            return
        desk = await self._ready()
        try:
            kept = await asyncio.to_thread(_kept, desk, data)
        except (OSError, ValueError) as error:
            self._note(str(error))
            return
        shown = self._pastes.image()
        self._pastes.settle(shown, kept)
        self._screen.buffer.insert_text(shown)


def _kept(desk: Desk, source: Path | bytes) -> str:
    """The whole mark of an image that is kept now. Raises as `image_part`."""
    return mark(import_module("scratchy.sessions.images").image_part(desk.scratchpad, source))


def _clipboard() -> bytes | None:
    return import_module("scratchy.terminal.clipboard").image_by_program()


def paths_in(pasted: str) -> list[str]:
    """The paths that a paste consists of, if each of them could be an image's: quoted, escaped, as `file://` or bare.
    A single one may have bare blanks."""
    text = pasted.strip()
    if len(text) > _MOST or "\n" in text or "\r" in text or not re.match(rf"['\"]?{_BEGINS}", text):
        return []
    words = [_unquoted(word) for word in re.findall(_WORD, text)]
    for names in (words, [_from_url(text)]):
        if all(re.match(_BEGINS, name) and name.lower().endswith(_SUFFIXES) for name in names):
            return names
    return []


def _unquoted(word: str) -> str:
    if re.match(r"[A-Za-z]:\\", word):  # there a backslash escapes nothing
        return word
    return _from_url(re.sub(_QUOTED, _plain, word))


def _plain(found: re.Match[str]) -> str:
    single, double, escaped = found.groups()
    return re.sub(r'\\(["\\$`])', r"\1", double) if double is not None else single or escaped or ""


def _from_url(name: str) -> str:
    if not name.startswith("file://"):
        return name
    path = re.sub(r"\Afile://(?:localhost)?", "", name).encode()
    path = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), path)
    decoded = os.fsdecode(path)
    return decoded[1:] if re.match(r"/[A-Za-z]:/", decoded) else decoded
