"""What the model is told about itself, and that the model in the box makes sense of it."""

import asyncio
from contextlib import aclosing
from datetime import datetime

import pytest

from scratchy.core.messages import Message, text_of
from scratchy.core.ports import Reply
from scratchy.knowledge import ROLES, message_context, system_message
from scratchy.providers.local import LocalProvider


def test_every_role_is_told_to_be_honest_in_few_words():
    for role in ROLES:
        assert "When you do not know, say so." in system_message(role)
        assert "Never claim to have done what no tool did." in system_message(role)
    assert len(system_message()) < 150 and system_message(instructions="Rhyme.").endswith("did.\n\nRhyme.")
    with pytest.raises(ValueError, match="The roles are: general"):
        system_message("pirate")


@pytest.mark.parametrize("folder", ["/home/x/project", "/tmp/demo"])
def test_the_model_in_the_box_answers_the_question_and_not_its_surroundings(folder: str):
    """As the program sends it: date and folder in front of the first message."""

    async def ask(provider: LocalProvider, question: str) -> str:
        sent = f"{message_context(datetime(2026, 11, 21), folder)}\n\n{question}"
        messages: list[Message] = [
            {"role": "system", "content": system_message()},
            {"role": "user", "content": sent},
        ]
        async with aclosing(provider.stream(messages, [])) as events:
            return "".join([text_of(event.message) async for event in events if isinstance(event, Reply)])

    async def both() -> list[str]:
        provider = LocalProvider()
        try:
            return [await ask(provider, f"{hi}hat is the capital of France?") for hi in ("W", "Hi, w")]
        finally:
            await provider.aclose()

    assert all("Paris" in answer for answer in asyncio.run(both()))
