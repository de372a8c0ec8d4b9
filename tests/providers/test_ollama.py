"""Ollama's own API: lines put together, models chosen, hosts spelled."""

import asyncio
from typing import Any

import pytest
from model_server import Play, Server, ndjson, serve, stream, whole

from scratchy.core.errors import (
    ConfigError,
    ContextOverflowError,
    ModelNotFoundError,
    ProviderError,
    ProviderUnavailableError,
)
from scratchy.core.events import TextDelta
from scratchy.core.ports import Reply
from scratchy.providers.ollama import OllamaProvider, ollama_lists, ollama_url

HI: list[Any] = [{"role": "user", "content": "Hi"}]
TOOL: Any = {"type": "function", "function": {"name": "ls", "description": "d", "parameters": {"type": "object"}}}
TAGS = whole(200, {"models": [{"name": "plain"}, {"name": "able"}]})
PLAIN = whole(200, {"capabilities": ["completion"], "model_info": {"llama.context_length": 4096}})
ABLE = whole(200, {"capabilities": ["completion", "tools"], "model_info": {"qwen.context_length": 32768}})
DONE = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}


def chat(*parts: Any, end: str = "whole") -> Play:
    return stream(*ndjson(*parts), kind="application/x-ndjson", end=end)


def said(text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "done": False}


def ask(*plays: Play, model: str | None = "m") -> tuple[list[Any], Server, OllamaProvider]:
    async def run() -> tuple[list[Any], Server, OllamaProvider]:
        async with serve(*plays) as server:
            provider = OllamaProvider(server.url, model=model)
            try:
                return [event async for event in provider.stream(HI, [TOOL])], server, provider
            finally:
                await provider.aclose()

    return asyncio.run(run())


def test_an_ordinary_answer() -> None:
    events, server, provider = ask(
        ABLE, chat(said("Hél"), said("lo"), DONE | {"prompt_eval_count": 5, "eval_count": 2})
    )
    assert events[:2] == [TextDelta("Hél"), TextDelta("lo")]
    assert events[2].message == {
        "role": "assistant",
        "content": "Héllo",
        "stop_reason": "stop",
        "model": "m",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    assert [request.path for request in server.requests] == ["/api/show", "/api/chat"]
    assert server.requests[1].json == {"model": "m", "messages": HI, "stream": True, "tools": [TOOL]}
    assert (provider.supports_tools, provider.window) == (True, 32768)


def test_a_call_comes_in_one_line_with_done() -> None:
    call = {"function": {"name": "ls", "arguments": {"path": "."}}}
    events, _, _ = ask(ABLE, chat(DONE | {"message": {"content": "", "tool_calls": [call, call]}}))
    message = events[-1].message
    assert message["stop_reason"] == "tool_calls"
    assert [one["function"] for one in message["tool_calls"]] == [{"name": "ls", "arguments": '{"path": "."}'}] * 2


def test_length_and_missing_counts() -> None:
    events, _, _ = ask(ABLE, chat(said("x"), {"done": True, "done_reason": "length"}))
    assert events[-1].message["stop_reason"] == "length"
    assert "usage" not in events[-1].message


@pytest.mark.parametrize(
    ("plays", "error"),
    [
        ([chat({"error": "the runner stopped"})], ProviderUnavailableError),
        ([chat(said("x"))], ProviderUnavailableError),
        ([chat(said("x"), end="cut")], ProviderUnavailableError),
        ([stream(b"not json\n")], ProviderUnavailableError),
        ([chat([], said("x"), {"done": True})], ProviderUnavailableError),
        ([whole(404, {"error": "model 'm' not found"})], ModelNotFoundError),
        ([whole(404, "404 page not found")], ModelNotFoundError),
        (
            [whole(400, {"error": '{"error":{"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}'})],
            ContextOverflowError,
        ),
    ],
)
def test_failures(plays: list[Play], error: type[ProviderError]) -> None:
    async def run() -> None:
        async with serve(ABLE, *plays) as server:
            provider = OllamaProvider(server.url, model="m", tries=1)
            with pytest.raises(error):
                async for _ in provider.stream(HI, []):
                    pass
            await provider.aclose()

    asyncio.run(run())


def test_the_first_model_that_does_tools_is_taken() -> None:
    _, server, provider = ask(TAGS, PLAIN, ABLE, chat(said("x"), DONE), model=None)
    assert (provider.model, provider.supports_tools, provider.window) == ("able", True, 32768)
    assert "tools" in server.requests[-1].json


def test_where_none_does_tools_the_first_is_taken_without() -> None:
    _, server, provider = ask(TAGS, PLAIN, PLAIN, chat(said("x"), DONE), model=None)
    assert (provider.model, provider.supports_tools, provider.window) == ("plain", False, 4096)
    assert "tools" not in server.requests[-1].json


def test_no_model_is_said() -> None:
    with pytest.raises(ModelNotFoundError, match="ollama pull"):
        ask(whole(200, {"models": []}), model=None)


def test_a_server_that_does_not_tell_capabilities_is_asked_with_tools() -> None:
    events, server, _ = ask(whole(405, "method not allowed"), chat(said("x"), DONE))
    assert isinstance(events[-1], Reply)
    assert "tools" in server.requests[-1].json


def test_what_an_ollama_lists_if_there_is_one() -> None:
    async def run(*plays: Play) -> list[str] | None:
        async with serve(*plays) as server:
            return await ollama_lists(server.url)

    assert asyncio.run(run(TAGS))
    assert asyncio.run(run(whole(200, {"models": []}))) == []
    assert asyncio.run(run(whole(500, ""))) is None
    assert not asyncio.run(run(whole(200, "<html>", content_type="text/html")))
    assert asyncio.run(ollama_lists("127.0.0.1:1")) is None


@pytest.mark.parametrize(
    ("spelled", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:99", "http://box:99"),
        (":99", "http://127.0.0.1:99"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("http://0.0.0.0:5", "http://127.0.0.1:5"),
        ("http://box", "http://box:80"),
        ("https://box/api/", "https://box:443/api"),
        ("[::1]:7", "http://[::1]:7"),
        ("::1", "http://[::1]:11434"),
        (' "box:99" ', "http://box:99"),
    ],
)
def test_spellings_of_the_host(spelled: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ollama_url(spelled) == url
    monkeypatch.setenv("OLLAMA_HOST", spelled)
    assert ollama_url() == url


def test_a_host_that_means_nothing_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        OllamaProvider("ftp://x")
