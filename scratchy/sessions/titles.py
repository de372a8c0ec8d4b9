"""Titles of sessions, asked of the model once, in the background.

Not here: titles out of words (wording.py), storing one (conversation.py), setting one (commands/naming.py).
"""

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from scratchy.core.errors import ProviderError
from scratchy.core.events import TextDelta, ThinkingDelta
from scratchy.core.images import shown_of
from scratchy.core.messages import Message, Usage, text_of
from scratchy.core.ports import Provider, Reply
from scratchy.core.stored import tags_in
from scratchy.sessions.wording import PRIVATE, first_line

if TYPE_CHECKING:
    from scratchy.sessions.conversation import Conversation

_ASKED_MOST = 80  # a longer answer is no title
_SECONDS = 15.0
_ANSWER_MOST = 200  # characters: the request is closed then, since a model that rambles would not stop by itself
_THOUGHT_MOST = 4_000  # characters, as above: thinking first is the model's habit, but a title is worth no more
_GIVEN_USER, _GIVEN_ANSWER = 500, 250  # characters; with the question under 1,000 tokens in any script
_NEVER_ASKED = frozenset(("local", "scripted", "demo"))
_QUESTION = (
    "Give the conversation below a title of at most six words, in its own language. Answer with the title only.\n\n"
    "User: {said}\n\nAssistant: {answered}"
)

log = logging.getLogger("scratchy.titles")


class Asked(NamedTuple):
    """What a title request brought: the title (None: nothing that is one), and the tokens it took."""

    title: str | None
    usage: Usage


async def ask(provider: Provider, messages: list[Message]) -> Asked:
    """One small request, without tools and without a second try. Raises: ProviderError, TimeoutError."""
    said, answered = (
        next((shown_of(message, brief=True) for message in messages if message.get("role") == role), "")
        for role in ("user", "assistant")
    )
    question = _QUESTION.format(said=said[:_GIVEN_USER], answered=answered[:_GIVEN_ANSWER])
    text, thought = "", 0
    async with asyncio.timeout(_SECONDS), aclosing(provider.stream([{"role": "user", "content": question}], ())) as got:
        async for item in got:
            if isinstance(item, Reply):
                used = item.message.get("usage") or _estimate(question, text, thought)
                return Asked(_title(text_of(item.message)), used)
            if isinstance(item, ThinkingDelta):
                thought += len(item.text)
            elif isinstance(item, TextDelta):
                text += item.text
            else:  # it would be tried again
                raise ProviderError("The title request failed.")
            if len(text) > _ANSWER_MOST or thought > _THOUGHT_MOST:
                break
    return Asked(None, _estimate(question, text, thought))


def _estimate(question: str, answer: str, thought: int) -> Usage:
    """Where the stream was closed before the server told: four characters a token."""
    return {"prompt_tokens": len(question) // 4, "completion_tokens": (len(answer) + thought) // 4}


def _title(answer: str) -> str | None:
    title = first_line(answer).strip(" \"'*`_“”«»").removesuffix(".")
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
        conversation.engine.spent({"role": "assistant", "model": provider.model, "usage": asked.usage})
        await conversation.entitle(asked.title, asked.usage)
    except Exception as error:  # the words stand; nothing beside the conversation may disturb it
        log.debug("no title for %s: %s", conversation.session_id, error)
