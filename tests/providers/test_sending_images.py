"""Images in requests; whether a model takes them, as servers tell it, and what becomes of a refusal."""

import asyncio
from typing import Any

import pytest
from model_server import hello, ndjson, serve, stream, whole

from scratchy.core.errors import ImagesRefusedError
from scratchy.core.ports import Reply
from scratchy.providers import ollama, openai
from scratchy.providers.failures import Server, refused
from scratchy.providers.models import openai_sees
from scratchy.providers.ollama import OllamaProvider
from scratchy.providers.openai import OpenAIProvider
from scratchy.providers.wrapped import WrappedProvider

URL = "data:image/png;base64,iVBORw0KGgo="
IMAGE = {"type": "image_url", "image_url": {"url": URL, "detail": "low"}, "about": "cat.png, 1×1, 1 kB"}
ASKED: Any = [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}]


def test_chat_completions_take_the_part_without_our_keys() -> None:
    (message,) = openai.request_body("m", ASKED, ())["messages"]
    assert message["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
    ]


def test_ollama_takes_bare_base64_and_a_text() -> None:
    more = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    asked: Any = [{"role": "user", "content": [*ASKED[0]["content"], more, {"type": "text", "text": "Well?"}]}]
    (message,) = ollama.request_body("m", asked, ())["messages"]
    assert message["images"] == ["iVBORw0KGgo="]
    assert message["content"] == "What?\n\nWell?\n\n[image at https://example.org/cat.png]"


@pytest.mark.parametrize(
    ("model", "sees"),
    [("gpt-5.4-mini", True), ("gpt-4o-2024-05-13", True), ("gpt-4", False), ("gpt-4-0613", False), ("gpt-4.1", True),
     ("gpt-3.5-turbo", False), ("o3-mini", False), ("o3", True), ("something-new", None)],
)  # fmt: skip
def test_openais_own_models_are_known_from_the_table(model: str, sees: bool | None) -> None:
    assert openai_sees(model) is sees
    assert OpenAIProvider(model=model, api_key="k").sees is sees


def prepared(provider_of: Any, *plays: Any) -> Any:
    async def run() -> Any:
        async with serve(*plays) as server:
            provider = provider_of(server.url)
            await provider.prepare()
            await provider.aclose()
            return provider

    return asyncio.run(run())


def listing(**entry: Any) -> Any:
    return whole(200, {"data": [{"id": "m", **entry}]})


@pytest.mark.parametrize(
    ("plays", "sees"),
    [
        ([listing(architecture={"input_modalities": ["text", "image"]})], True),
        ([listing(architecture={"input_modalities": ["text"]})], False),
        ([listing(architecture=7)], None),
        ([listing()], None),
        ([listing(owned_by="llamacpp"), whole(200, {"modalities": {"vision": True}})], True),
        ([listing(owned_by="llamacpp"), whole(200, {"modalities": {"vision": False}})], False),
        ([listing(owned_by="llamacpp"), whole(200, {})], None),
    ],
)
def test_servers_tell_whether_a_model_sees(plays: Any, sees: bool | None) -> None:
    assert prepared(lambda url: OpenAIProvider(f"{url}/v1", model="m"), *plays).sees is sees


@pytest.mark.parametrize(
    ("shown", "sees"),
    [({"capabilities": ["completion", "vision"]}, True), ({"capabilities": ["completion"]}, False), ({}, None)],
)
def test_ollama_tells_it_as_a_capability(shown: Any, sees: bool | None) -> None:
    assert prepared(lambda url: OllamaProvider(url, model="m"), whole(200, shown)).sees is sees


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (400, "Invalid content type. image_url is only supported by certain models."),
        (400, "At most 0 image(s) may be provided in one request."),
        (400, "m is not a multimodal model"),
        (404, "No endpoints found that support image input"),
        (500, "this model is missing data required for image input"),
        (400, "Model does not support images. Please use a model that does."),
        (400, "Failed to deserialize the JSON body into the target type: unknown variant `image_url`, expected `text`"),
        (400, "'messages.0' : for 'role:user' the following must be satisfied: content must be a string"),
    ],
)  # fmt: skip
def test_a_refusal_of_images_is_known_and_not_tried_again(status: int, words: str) -> None:
    async def run() -> tuple[Any, int]:
        async with serve(whole(status, {"error": {"message": words}}), stream(*hello())) as server:
            provider = OpenAIProvider(f"{server.url}/v1", model="m")
            with pytest.raises(ImagesRefusedError):
                async for _ in provider.stream(ASKED, ()):
                    pass
            await provider.aclose()
            return provider.sees, len(server.requests)

    assert asyncio.run(run()) == (False, 1)


@pytest.mark.parametrize("words", ["there is no model 'image-gen'", "the image of the container failed", "bad request"])
def test_other_refusals_are_others(words: str) -> None:
    assert not isinstance(refused(Server("host"), 400, words, model="m"), ImagesRefusedError)


def test_ollamas_refusal() -> None:
    async def run() -> Any:
        show, refusal = whole(200, {}), whole(400, {"error": "this model does not support images"})
        async with serve(show, refusal) as server:
            provider = OllamaProvider(server.url, model="m")
            with pytest.raises(ImagesRefusedError):
                async for _ in provider.stream(ASKED, ()):
                    pass
            await provider.aclose()
            return provider.sees

    assert asyncio.run(run()) is False


def test_ollama_gets_images_over_the_wire() -> None:
    async def run() -> Any:
        done = {"message": {"role": "assistant", "content": "A cat."}, "done": True}
        show = whole(200, {"capabilities": ["vision"]})
        async with serve(show, stream(*ndjson(done), kind="application/x-ndjson")) as server:
            provider = OllamaProvider(server.url, model="m")
            async for _ in provider.stream(ASKED, ()):
                pass
            await provider.aclose()
            return server.requests[-1].json["messages"]

    assert asyncio.run(run()) == [{"role": "user", "content": "What?", "images": ["iVBORw0KGgo="]}]


class Texts:
    """A program's own provider that knows texts only."""

    async def chat(self, messages: Any, tools: Any = None) -> Any:
        return {"content": messages[-1]["content"].upper()}


class Sees:
    sees = True

    async def chat(self, messages: Any, tools: Any = None) -> Any:
        return {"content": messages[-1]["content"][1]["image_url"]["url"]}


def test_a_programs_own_provider() -> None:
    async def reply(provider: Any) -> Any:
        return [event async for event in provider.stream(ASKED, ())][-1]

    seeing, texts = WrappedProvider(Sees()), WrappedProvider(Texts())
    assert seeing.sees is True
    assert texts.sees is None
    answer = asyncio.run(reply(seeing))
    assert isinstance(answer, Reply)
    assert answer.message["content"] == URL
    with pytest.raises(ImagesRefusedError):
        asyncio.run(reply(texts))
    assert texts.sees is False
