"""What models think before they answer, as servers tell it: apart from the answer, and no part of what is stored."""

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server import delta, ndjson, serve, sse, stream, whole

from scratchy.core.errors import ProviderUnavailableError
from scratchy.core.events import RetryScheduled, TextDelta, ThinkingDelta
from scratchy.core.ports import Reply
from scratchy.providers.ollama import OllamaProvider
from scratchy.providers.openai import OpenAIProvider
from scratchy.providers.scripted import ScriptedProvider
from scratchy.providers.thinking import Thoughts
from scratchy.providers.wrapped import WrappedProvider

HI: Any = [{"role": "user", "content": "Hi"}]
STOP = delta(finish="stop")


def told(events: list[Any]) -> tuple[str, str]:
    """What was thought, what was said; the reply holds the second alone."""
    thought = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert isinstance(events[-1], Reply)
    assert events[-1].message["content"] == said
    return thought, said


async def taken(provider: Any, found: list[Any]) -> None:
    try:
        async with aclosing(provider.stream(HI, ())) as events:
            async for event in events:
                found.append(event)
    finally:
        await provider.aclose()


def openai(*pieces: bytes, end: str = "whole") -> list[Any]:
    async def run() -> list[Any]:
        found: list[Any] = []
        async with serve(stream(*pieces, end=end)) as server:
            await taken(OpenAIProvider(f"{server.url}/v1", model="m"), found)
        return found

    return asyncio.run(run())


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(reasoning_content="Let me "), delta(reasoning_content="see."), delta("Yes.", reasoning_content=None)],
        [delta("", reasoning="Let me "), delta("", reasoning="see."), delta("Yes.", reasoning=None)],
        [delta("", reasoning_details=[{"type": "reasoning.text", "text": "Let me see."}]), delta("Yes.")],
        [delta("", reasoning_details=[{"type": "reasoning.summary", "summary": "Let me see."}]), delta("Yes.")],
        [delta("", reasoning="Let me see.", reasoning_details=[{"text": "Let me see."}]), delta("Yes.")],
        [delta("<think>"), delta("Let me"), delta(" see."), delta("</think>"), delta("\n\n"), delta("Yes.")],
        [delta("\n<thi"), delta("nk>Let me see.</th"), delta("ink>\n\nYes.")],
        [delta("", reasoning=7, reasoning_details=["x", {"text": 3}]), delta("<think>Let me see.</think>Yes.")],
    ],
)  # fmt: skip
def test_servers_tell_it_in_their_ways(chunks: list[Any]) -> None:
    assert told(openai(*sse(*chunks, STOP))) == ("Let me see.", "Yes.")


@pytest.mark.parametrize("text", ["Use <think>x</think> so.", "<thin air", "<", " \n", "<b>think</b>", "a</think>b"])
def test_tags_elsewhere_are_text(text: str) -> None:
    for pieces in (text, list(text)):
        assert told(openai(*sse(*map(delta, pieces if isinstance(pieces, list) else [text]), STOP))) == ("", text)


def test_an_answer_that_was_cut_while_it_thought_says_nothing() -> None:
    events = openai(*sse(delta("<think>Hm, so </thi"), delta(finish="length")))
    assert told(events) == ("Hm, so </thi", "")
    assert events[-1].message["stop_reason"] == "length"


@given(st.text("ab<think>/ \n", max_size=40), st.text("ab<>/", max_size=20), st.lists(st.integers(0, 100)))
def test_any_cut_of_a_text_divides_it_the_same(thought: str, answer: str, cuts: list[int]) -> None:
    thought, text = thought.replace("</think>", ""), f"<think>{thought.replace('</think>', '')}</think>\n\n{answer}"
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    parser = Thoughts()
    found: list[Any] = []
    for start, end in pairwise(edges):
        found += parser.add(text[start:end])
    found += parser.end()
    wanted, _, rest = text.removeprefix("<think>").partition("</think>")
    assert "".join(event.text for event in found if isinstance(event, ThinkingDelta)) == wanted
    assert parser.said == rest.lstrip()


def test_a_server_that_does_not_stream() -> None:
    async def run() -> list[Any]:
        message = {"role": "assistant", "content": "Yes.", "reasoning_content": "Let me see."}
        play = whole(200, {"choices": [{"message": message, "finish_reason": "stop"}]})
        found: list[Any] = []
        async with serve(play) as server:
            await taken(OpenAIProvider(f"{server.url}/v1", model="m"), found)
        return found

    assert told(asyncio.run(run())) == ("Let me see.", "Yes.")


def test_nothing_is_tried_again_once_something_was_thought() -> None:
    async def run() -> tuple[list[Any], int]:
        found: list[Any] = []
        async with serve(stream(*sse(delta(reasoning_content="Hm"), done=False), end="cut")) as server:
            with pytest.raises(ProviderUnavailableError):
                await taken(OpenAIProvider(f"{server.url}/v1", model="m"), found)
            return found, len(server.requests)

    found, requests = asyncio.run(run())
    assert found == [ThinkingDelta("Hm")]
    assert requests == 1
    assert not any(isinstance(event, RetryScheduled) for event in found)


def test_ollama_tells_it_beside_the_content_and_is_not_made_to_think() -> None:
    async def run() -> tuple[list[Any], Any]:
        parts = [
            {"message": {"role": "assistant", "content": "", "thinking": "Let me "}, "done": False},
            {"message": {"role": "assistant", "content": "", "thinking": "see."}, "done": False},
            {"message": {"role": "assistant", "content": "<think></think>Yes."}, "done": False},
            {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"},
        ]
        show = whole(200, {"capabilities": ["completion", "thinking"]})
        found: list[Any] = []
        async with serve(show, stream(*ndjson(*parts), kind="application/x-ndjson")) as server:
            await taken(OllamaProvider(server.url, model="m"), found)
            return found, server.requests[-1].json

    found, body = asyncio.run(run())
    assert told(found) == ("Let me see.", "Yes.")
    assert "think" not in body


class Own:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def chat(self, messages: Any, tools: Any = None) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        {"content": "Yes.", "reasoning_content": "Let me see."},
        {"choices": [{"message": {"content": "Yes.", "reasoning": "Let me see."}}]},
        "<think>Let me see.</think>Yes.",
    ],
)
def test_a_programs_own_provider(answer: Any) -> None:
    found: list[Any] = []
    asyncio.run(taken(WrappedProvider(Own(answer)), found))
    assert told(found) == ("Let me see.", "Yes.")


def test_a_script() -> None:
    found: list[Any] = []
    asyncio.run(taken(ScriptedProvider([{"reasoning": "Let me see.", "content": "Yes."}]), found))
    assert told(found) == ("Let me see.", "Yes.")
    assert "reasoning" not in found[-1].message
