"""What was typed and not sent: a draft and the lines that waited, as they lie beside their session.

Not here: when it is kept (the faces), the file (store).
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from scratchy.core.errors import SessionError
from scratchy.core.images import line_of
from scratchy.core.session import AgentSession
from scratchy.sessions.worker import Worker

if TYPE_CHECKING:
    from scratchy.core.ports import SessionWriter, Store

Content = Callable[[], tuple[str, Sequence[str]]]
"""Gives a draft's text and its queue."""
_UNKNOWN = 1 << 62  # messages
_LINES = 1000  # nobody queued more

log = logging.getLogger("scratchy.sessions")


class Draft(NamedTuple):
    """`text` stood in the prompt; the lines of `queue` waited, the first of them perhaps on its way to the disk."""

    text: str = ""
    queue: Sequence[str] = ()


class Drafts:
    """One session's draft. `writer` gives who holds it, None where nothing can be written: then nothing is kept.
    `count` gives how many messages the whole transcript has, of which `session` may hold the end only.

    `parting`: what stays with the session when another one takes its place; None: what was kept last.
    """

    def __init__(
        self,
        store: "Store",
        session: AgentSession,
        worker: Worker,
        writer: "Callable[[], SessionWriter | None]",
        count: Callable[[], int],
    ) -> None:
        self.parting: Content | None = None
        self._store = store
        self._session = session
        self._worker = worker
        self._writer = writer
        self._count = count
        self._kept: str | None = None  # what lies there, None while that is not known

    async def load(self) -> Draft:
        """What lies there and was not sent since. Raises: ValueError when it cannot be understood."""
        messages = self._session.messages
        numbered = enumerate(messages, self._count() - len(messages))
        said = [(number, line_of(message)) for number, message in numbered if message.get("role") == "user"]
        self._kept = ""
        try:
            self._kept = await self._worker.run(lambda: self._store.draft(self._session.session_id))
        except (OSError, SessionError) as error:
            raise ValueError(str(error)) from None
        return _unsent(*_decoded(self._kept), said) if self._kept else Draft()

    async def keep(self, content: Content) -> None:
        """Replace it, if that changes anything; `content` is called in the store's thread. A failure is logged only:
        the person is told when a message meets it."""
        writer = self._writer()
        if writer is not None:
            at = writer.count
            await self._worker.run(lambda: self._write(writer, _encoded(*content(), at)))

    async def part(self) -> None:
        """The session is about to be let go of."""
        if self.parting is not None:
            await self.keep(self.parting)

    def _write(self, writer: "SessionWriter", text: str) -> None:
        if text == self._kept:
            return
        self._kept = None
        try:
            writer.keep_draft(text)
        except (OSError, SessionError) as error:
            log.warning("the draft of session %s is not kept: %s", self._session.session_id, error)
        else:
            self._kept = text


def _encoded(text: str, queue: Sequence[str], at: int) -> str:
    """`at`: how many messages were stored when this was so."""
    if not text and not queue:
        return ""
    return json.dumps({"draft": text, "queue": list(queue), "at": at}, ensure_ascii=False)


def _decoded(text: str) -> tuple[Draft, int]:
    try:
        found: Any = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    fields = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    draft, queue, at = fields.get("draft"), fields.get("queue"), fields.get("at", _UNKNOWN)
    if not isinstance(draft, str) or not isinstance(queue, list) or not isinstance(at, int):
        raise ValueError("not a draft")
    lines = cast("list[Any]", queue)
    if len(lines) > _LINES or not all(isinstance(line, str) for line in lines):
        raise ValueError("not lines that waited")
    return Draft(draft, tuple(line for line in lines if line.strip())), at


def _unsent(draft: Draft, at: int, said: Sequence[tuple[int, str]]) -> Draft:
    """What is left of it: lines leave in order, so with each that was stored since go those before it. One that was on
    its way when this was kept may have been stored just before: then it is the last that was."""
    text, queue = draft.text, list(draft.queue)
    since = [line for number, line in said if number >= at]
    for line in since or [line for _, line in said[-1:] if line in (text, *queue[:1])]:
        if line in queue:
            del queue[: queue.index(line) + 1]
        elif line == text:
            text = ""
    return Draft(text, tuple(queue))
