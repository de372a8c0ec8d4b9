"""What is typed and what waits outlives the window: kept beside the session a second after it changed, and at the end;
shown again when the session is opened.

Not here: its form (sessions.drafts), the lines themselves (waiting).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from scratchy.core.text import clean
from scratchy.terminal.lines import notice
from scratchy.terminal.unsaved import no_draft

if TYPE_CHECKING:
    from scratchy.sessions.conversation import Conversation
    from scratchy.sessions.drafts import Draft
    from scratchy.terminal.pastes import Pastes
    from scratchy.terminal.screen import Screen
    from scratchy.terminal.waiting import Waiting

_PAUSE = 1.0  # seconds between a change and its place on the disk: what a power cut may take
_SHOWN = 20_000  # characters that the prompt holds without getting slow; a longer text stands there as a paste


class Drafting:
    """Follows the prompt and the waiting lines; `begin` says beside which session they are kept."""

    def __init__(self, screen: Screen, waiting: Waiting, pastes: Pastes) -> None:
        self._screen = screen
        self._waiting = waiting
        self._pastes = pastes
        self._conversation: Conversation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        waiting.changed = self._changed
        screen.buffer.on_text_changed += self._changed

    async def begin(self, conversation: Conversation) -> None:
        """This one is current. What lies beside its session is shown again, if it was not current before."""
        if conversation is self._conversation:
            conversation.drafts.parting = None
            return
        self._conversation = conversation
        try:
            draft = await conversation.drafts.load()
        except ValueError:
            self._screen.write(notice(no_draft(conversation.session_id)))
            return
        self._restore(draft)
        self._changed()

    def lend(self) -> None:
        """A command may put another session in this one's place: then only what is paused stays with it."""
        if self._conversation is not None:
            self._conversation.drafts.parting = self._content(all_of_it=False)

    async def keep(self) -> None:
        """Now, not in a second."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._conversation is not None:
            await self._conversation.drafts.keep(self._content())

    async def end(self) -> None:
        """The session is about to be closed, and the window with it."""
        if self._conversation is not None:
            self._conversation.drafts.parting = None
        await self.keep()
        if self._saving is not None:
            await self._saving

    def keep_soon(self) -> None:
        self._saving = asyncio.get_running_loop().create_task(self.keep())

    def _changed(self, _: object = None) -> None:
        if self._timer is None and self._conversation is not None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE, self.keep_soon)

    def _content(self, *, all_of_it: bool = True) -> Callable[[], tuple[str, Sequence[str]]]:
        """What is to be kept as it is now; long pastes are put in later, in another thread."""
        text = self._screen.buffer.text if all_of_it else ""
        lines = self._waiting.unsent() if all_of_it else list(self._waiting.paused)
        whole = self._pastes.expanded
        return lambda: (whole(text) if text.strip() else "", [whole(line) for line in lines])

    def _restore(self, draft: Draft) -> None:
        buffer = self._screen.buffer
        text = self._pastes.collapsed(clean(draft.text))
        text = "\n".join(
            part for part in (self._pastes.mark(text) if len(text) > _SHOWN else text, buffer.text) if part
        )
        if text != buffer.text:
            buffer.put(text)
        self._waiting.pause(
            [
                self._pastes.mark(line) if len(line) > _SHOWN else self._pastes.collapsed(line)
                for line in map(clean, draft.queue)
            ]
        )
