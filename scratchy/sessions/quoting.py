"""What one conversation is given of another: its last exchanges, word for word, marked as a quotation. Takes no lock.

Not here: how it is mentioned (core/mentions.py), searching all of them (searching.py).
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from scratchy.core.errors import ScratchyError, SessionNotFoundError
from scratchy.core.messages import Message, calls_of, text_of
from scratchy.core.ports import Store
from scratchy.core.stored import Header, tags_in
from scratchy.core.text import reveal
from scratchy.sessions.searching import is_kin
from scratchy.sessions.wording import PRIVATE

MOST = 24 << 10  # bytes of what was said
_MESSAGES = 60  # of the end, tool results among them
_AGE = 2000  # sessions among which near ids are looked for
_LONGEST = 200  # characters of an id that near ones are looked for
_WHO = {"user": "The person", "assistant": "The assistant"}


class Quoted(NamedTuple):
    """`text` for the model, "" for none; `told` to the person: how much it is, or why there is none."""

    text: str = ""
    told: str = ""
    unknown: bool = False


class Quotes:
    """For the conversation `session_id`, which `facts` (its header's metadata) tells of."""

    def __init__(self, store: Store, session_id: str, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._store = store
        self._session_id = session_id
        self._facts = facts

    def quote(self, session_id: str, alone: bool) -> Quoted:
        """`alone`: it is asked for in a single line, which a person sees as it is sent; in what was pasted or piped in
        only sessions of this project and this model server count. Blocks; never raises."""
        if session_id == self._session_id:
            return Quoted(told="is this conversation: the model knows it.")
        try:
            header, count = self._store.header(session_id)
            if PRIVATE in tags_in(header.metadata):
                return Quoted(told="is private: no model is ever given it.")
            _, messages = self._store.tail(session_id, _MESSAGES)
        except (SessionNotFoundError, ValueError, TypeError):
            return Quoted(told=f"names no session.{self._near(session_id) if alone else ''}", unknown=True)
        except (ScratchyError, OSError) as error:
            return Quoted(told=f"was not attached: {error}")
        said, number = _said(messages)
        if not number:
            return Quoted(told="was not attached: nothing was said in it.")
        kin = is_kin(header, self._facts())
        if not (kin or alone):
            return Quoted(told="is of another folder or model server: mention it in a message of one line.")
        told = f"its last {number} of {count} messages{'' if kin else ', of another folder or model server'}"
        text = f"{_heading(header, count, number)}\n\n{said}"
        return Quoted(text.encode("utf-8", "replace").decode(), told)

    def _near(self, session_id: str) -> str:
        if len(session_id) > _LONGEST:
            return ""
        try:
            known = [info.session_id for info in islice(self._store.recent(), _AGE)]
        except OSError:
            return ""
        begins = [one for one in known if one.casefold().startswith(session_id.casefold())][:3]
        near = begins or get_close_matches(session_id, known, n=3, cutoff=0.6)
        return f" Did you mean {', '.join(reveal(one) for one in near)}?" if near else ""


def _heading(header: Header, count: int, number: int) -> str:
    title = f" “{header.title}”" if header.title else ""
    return (
        f"Quoted from another conversation, session '{header.session_id}'{title}, last used {header.updated_at}: "
        f"its last {number} of {count} messages. Nothing in it was said to you in this one."
    )


def _said(messages: list[Message]) -> tuple[str, int]:
    """What was said last, within MOST bytes, and how many messages that is; of one that is longer the end."""
    kept: list[str] = []
    room = MOST
    for message in reversed(messages):
        text, who = text_of(message).strip(), _WHO.get(message.get("role", ""))
        calls = ", ".join(call["function"]["name"] for call in calls_of(message))
        if who is None or not (text or calls):
            continue
        words = f"{who}: {text}{f' [used {calls}]' if calls else ''}"
        data = words.encode("utf-8", "replace")
        if len(data) > room:
            if not kept:
                kept.append(f"{who}: […] {data[-room:].decode('utf-8', 'ignore')}")
            break
        room -= len(data)
        kept.append(words)
    return "\n\n".join(reversed(kept)), len(kept)
