"""Titles of sessions: made of the first words, or asked of the model once, in the background.

Not here: storing a title (conversation.py), the commands that set one (commands/naming.py).
"""

import asyncio
import logging
import re
import unicodedata
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from scratchy.core.errors import ProviderError
from scratchy.core.events import TextDelta
from scratchy.core.messages import Message, Usage, text_of
from scratchy.core.ports import Provider, Reply
from scratchy.core.stored import tags_in
from scratchy.core.text import clean

if TYPE_CHECKING:
    from scratchy.sessions.conversation import Conversation

WORDS_MOST = 60  # characters of a title out of words
TITLE_MOST = 200  # characters of any title
PRIVATE = "private"  # the tag of a session that no model is given but the one that holds it
_READ = 4_000  # characters of a first message that are looked at
_ASKED_MOST = 80  # a longer answer is no title
_SECONDS = 15.0
_ANSWER_MOST = 200  # characters: the request is closed then, since a model that rambles would not stop by itself
_GIVEN_USER, _GIVEN_ANSWER = 500, 250  # characters; with the question under 1,000 tokens in any script
_NEVER_ASKED = frozenset(("local", "scripted", "demo"))
_QUESTION = (
    "Give the conversation below a title of at most six words, in its own language. Answer with the title only.\n\n"
    "User: {said}\n\nAssistant: {answered}"
)
_FENCED = r"(?ms)^[ \t]*(```+|~~~+)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)"
_FENCE = r"(?m)^[ \t]*(```|~~~).*$"
_REORDERS = frozenset("\u200b\u200e\u200f\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

log = logging.getLogger("scratchy.titles")


def words_title(text: str) -> str:
    """A title out of a first message: its first sentence, code left out, at most 60 characters, never empty."""
    text = clean(text[:_READ])
    line = _line(re.sub(_FENCED, "\n", text)) or _line(re.sub(_FENCE, " ", text)) or "Untitled"
    sentence = re.match(r".{8,}?[.!?…](?=\s)|.+?[。！？]", line)
    return _shortened(sentence[0] if sentence else line, WORDS_MOST)


def one_line(text: str, most: int = TITLE_MOST) -> str:
    """A title as it is stored: one line without control characters, nothing that reorders, shortened."""
    return _shortened(_visible(text), most)


def _line(text: str) -> str:
    """The first line that says something, without the marks of a heading, a quote or a list."""
    lines = (_visible(re.sub(r"\A[\s#>*+-]+", "", line)) for line in text.split("\n"))
    return next((line for line in lines if any(char.isalnum() for char in line)), "")


def _visible(text: str) -> str:
    kept = (" " if char.isspace() else char for char in clean(text) if char not in _REORDERS)
    return " ".join("".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cs")).split())


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head, _, last = text[:most].rpartition(" ")
    return f"{(head if head and len(last) < 20 else text[: most - 1]).rstrip(' ,;:')}…"


class Asked(NamedTuple):
    """What a title request brought: the title (None: nothing that is one), and the tokens it took."""

    title: str | None
    usage: Usage


async def ask(provider: Provider, messages: list[Message]) -> Asked:
    """One small request, without tools and without a second try. Raises: ProviderError, TimeoutError."""
    said, answered = (
        next((text_of(message) for message in messages if message.get("role") == role), "")
        for role in ("user", "assistant")
    )
    question = _QUESTION.format(said=said[:_GIVEN_USER], answered=answered[:_GIVEN_ANSWER])
    text = ""
    async with asyncio.timeout(_SECONDS), aclosing(provider.stream([{"role": "user", "content": question}], ())) as got:
        async for item in got:
            if isinstance(item, Reply):
                return Asked(_title(text_of(item.message)), item.message.get("usage") or _estimate(question, text))
            if not isinstance(item, TextDelta):  # it would be tried again
                raise ProviderError("The title request failed.")
            text += item.text
            if len(text) > _ANSWER_MOST:
                break
    return Asked(None, _estimate(question, text))


def _estimate(question: str, answer: str) -> Usage:
    """Where the stream was closed before the server told: four characters a token."""
    return {"prompt_tokens": len(question) // 4, "completion_tokens": len(answer) // 4}


def _title(answer: str) -> str | None:
    title = _line(answer).strip(" \"'*`_“”«»").removesuffix(".")
    return title if 0 < len(title) <= _ASKED_MOST else None


def may_ask(conversation: "Conversation", provider: Provider) -> bool:
    """Whether the model is to be asked: after the first turn, when nobody gave a title, and never for `private`."""
    session = conversation.session
    roles = [message.get("role") for message in session.messages]
    return (
        provider.name not in _NEVER_ASKED
        and session.title in (None, conversation.worded)
        and conversation.count == len(session.messages)
        and roles.count("user") == 1
        and roles[-1] == "assistant"
        and PRIVATE not in tags_in(session.metadata)
    )


class Titler:
    """Asks for at most one title at a time; `stop` before a turn, at the end, and when another session comes."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._asked: set[str] = set()

    def begin(self, conversation: "Conversation", provider: Provider) -> None:
        if conversation.session_id not in self._asked and may_ask(conversation, provider):
            self._asked.add(conversation.session_id)
            self._task = asyncio.ensure_future(_entitle(conversation, provider))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None


async def _entitle(conversation: "Conversation", provider: Provider) -> None:
    try:
        asked = await ask(provider, list(conversation.session.messages))
        await conversation.entitle(asked.title, asked.usage)
    except Exception as error:  # the words stand; nothing beside the conversation may disturb it
        log.debug("no title for %s: %s", conversation.session_id, error)
