"""Chat-completions streams, good and odd, put together into one message; models and windows as servers tell them."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import Play, Server, delta, hello, serve, sse, stream, whole

from scratchy.core.errors import ModelNotFoundError, ProviderUnavailableError
from scratchy.core.events import RetryScheduled, TextDelta
from scratchy.core.ports import Reply
from scratchy.providers.models import OPENAI_DEFAULT, ModelInfo, openai_window
from scratchy.providers.openai import OpenAIProvider
from scratchy.providers.wire import Lines, ServerSentEvents, WireError

HI: list[Any] = [{"role": "user", "content": "Hi"}]
TOOL: Any = {"type": "function", "function": {"name": "ls", "description": "d", "parameters": {"type": "object"}}}


def ask(*plays: Play, tools: Any = (), **more: Any) -> tuple[list[Any], Server, OpenAIProvider]:
    async def run() -> tuple[list[Any], Server, OpenAIProvider]:
        async with serve(*plays) as server:
            provider = OpenAIProvider(f"{server.url}/v1/", **{"model": "m"} | more)
            try:
                async with aclosing(provider.stream(HI, tools)) as events:
                    return [event async for event in events], server, provider
            finally:
                await provider.aclose()

    return asyncio.run(run())


def message_of(*pieces: bytes) -> Any:
    events, _, _ = ask(stream(*pieces))
    assert isinstance(events[-1], Reply)
    return events[-1].message


def fragment(index: int | None, arguments: Any = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    return ({} if index is None else {"index": index}) | {"function": function} | more


def calls(*fragments: dict[str, Any], finish: str = "tool_calls") -> Any:
    chunks = [delta(tool_calls=[one]) for one in fragments]
    return message_of(*sse(*chunks, delta(finish=finish)))["tool_calls"]


def named(*found: Any) -> list[tuple[str, str, str]]:
    return [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in found]


def test_an_ordinary_answer() -> None:
    events, server, _ = ask(stream(*hello("Héllo")), tools=[TOOL], api_key=" k ")
    assert events[0] == TextDelta("Héllo")
    assert events[1].message == {
        "role": "assistant",
        "content": "Héllo",
        "stop_reason": "stop",
        "model": "m",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer k"
    assert request.json == {
        "model": "m",
        "messages": HI,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [TOOL],
    }


def test_what_splits_lines_elsewhere_is_text_here() -> None:
    text = "a\u2028b\u0085c\u2029d\x7fe"
    assert message_of(*sse(delta(text), delta(finish="stop")))["content"] == text
    raw = b"data: x\x0by\x0c\x1c\xe2\x80\xa8\xc2\x85z\r\n\r\n"
    assert list(ServerSentEvents().feed(raw)) == ["x\x0by\x0c\x1c\u2028\u0085z"]


def test_line_ends_comments_and_other_fields() -> None:
    body = (
        b": hello\r\n\r\nevent: message\r\nid: 1\r\ndata:" + json.dumps(delta("a")).encode() + b"\r\n\r\nretry: 5\n\n"
    )
    assert message_of(body, *sse(delta("b", finish="stop")))["content"] == "ab"


@given(st.lists(st.integers(1, 12), min_size=1), st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_the_bytes_gives_the_same_events(cuts: list[int], text: str) -> None:
    body = b"".join(sse(delta(text), "two\ndata: lines", ": 漢字")) + b": c\n\n"
    whole_decoder, cut_decoder = ServerSentEvents(), ServerSentEvents()
    expected = [*whole_decoder.feed(body), *whole_decoder.end()]
    found, at = [], 0
    while at < len(body):
        step = cuts[at % len(cuts)]
        found += cut_decoder.feed(body[at : at + step])
        at += step
    assert [*found, *cut_decoder.end()] == expected
    assert json.loads(expected[0]) == delta(text)


def test_lines_are_bounded() -> None:
    with pytest.raises(WireError):
        list(Lines(10).feed(b"x" * 11))
    with pytest.raises(WireError):
        list(ServerSentEvents(10).feed(b"data: 1234\ndata: 56789\ndata: 1\n"))


@pytest.mark.parametrize("finish", ["stop", "content_filter", "length", "tool_calls", "function_call", "odd"])
def test_finish_reasons(finish: str) -> None:
    expected = "length" if finish == "length" else "stop"
    assert message_of(*sse(delta("x"), delta(finish=finish)))["stop_reason"] == expected


def test_endings() -> None:
    assert message_of(*sse(delta("x"), delta(finish="stop"), done=False))["content"] == "x"  # no [DONE]
    assert message_of(*sse(delta("x")))["content"] == "x"  # nothing but [DONE]
    assert message_of(*sse(delta("x"), delta(finish="stop"), done=False), b"data: {")["content"] == "x"
    with pytest.raises(ProviderUnavailableError, match="before it was finished"):
        message_of(*sse(delta("x"), done=False))


def test_tool_calls_come_in_fragments() -> None:
    found = calls(
        fragment(0, "", id="a", name="ls", type="function"),
        fragment(0, '{"p'),
        fragment(1, "{}", id="b", name="cat"),
        fragment(0, '": 1}'),
    )
    assert named(*found) == [("a", "ls", '{"p": 1}'), ("b", "cat", "{}")]
    assert all(one["type"] == "function" for one in found)


def test_odd_tool_calls_are_kept_as_they_are() -> None:
    assert named(*calls(fragment(0, '{"', name="ls"), finish="length")) == [("", "ls", '{"')]
    assert named(*calls(fragment(0, "{}", id="a", name="ls"), fragment(1, "{}", id="a", name="ls"))) == [
        ("a", "ls", "{}"),
        ("a", "ls", "{}"),
    ]
    assert named(*calls(fragment(0, "{}", id="a", name="ls"), fragment(0, "[]", id="b", name="cat"))) == [
        ("a", "ls", "{}"),
        ("b", "cat", "[]"),
    ]
    assert named(*calls(fragment(None, {"p": 1}, id="a", name="ls"))) == [("a", "ls", '{"p": 1}')]
    assert named(*calls({"index": "x", "function": 7})) == [("", "", "")]


def test_a_cut_call_is_length() -> None:
    chunks = sse(delta(tool_calls=[fragment(0, '{"', id="a", name="ls")]), delta(finish="length"))
    assert message_of(*chunks)["stop_reason"] == "length"


def test_calls_with_a_finish_of_stop_are_calls() -> None:
    chunks = sse(delta(content="", tool_calls=[fragment(0, "{}", id="a", name="ls")]), delta(finish="stop"))
    assert message_of(*chunks)["stop_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "odd", [{}, {"choices": None}, {"choices": [None]}, {"choices": [{"delta": None}]}, [], 7, "ping", {"usage": 3}]
)
def test_odd_events_do_no_harm(odd: Any) -> None:
    assert message_of(*sse(odd, delta("x"), odd, delta(finish="stop")))["content"] == "x"


def test_events_that_are_no_json_are_borne_within_bounds() -> None:
    with pytest.raises(ProviderUnavailableError, match="not a JSON object"):
        message_of(*sse(*["noise"] * 5, delta(finish="stop")))
    assert message_of(*sse(*[{}] * 5, delta("x", finish="stop")))["content"] == "x"


@pytest.mark.parametrize("torn", ['{"choices": [{"delta"', "[" * 200_000, '"content": "lo"}}]}', '"lo', "]"])
def test_a_broken_piece_of_an_answer_is_never_passed_over(torn: str) -> None:
    with pytest.raises(ProviderUnavailableError, match="not a JSON object") as raised:
        message_of(*sse(delta("Hel"), torn, delta("p", finish="stop")))
    assert torn[:5] in str(raised.value) and not raised.value.retryable


def test_a_server_that_does_not_stream() -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    events, _, _ = ask(whole(200, body))
    assert [type(event) for event in events] == [TextDelta, Reply]
    with pytest.raises(ProviderUnavailableError, match="sent something that is not a JSON object") as raised:
        ask(whole(200, '{"choices": [', content_type="application/json"))
    assert not raised.value.retryable


@pytest.mark.parametrize(
    "refusal",
    [
        whole(422, {"detail": "Unexpected fields in the request: {'stream_options'}"}),
        whole(400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}}),
    ],
)
def test_a_server_that_refuses_unknown_fields_is_asked_without(refusal: Play) -> None:
    async def run() -> None:
        async with serve(refusal, stream(*hello())) as server:
            provider = OpenAIProvider(server.url, model="m")
            for _ in range(2):
                events = [event async for event in provider.stream(HI, [])]
                assert not any(isinstance(event, RetryScheduled) for event in events)
            assert ["stream_options" in request.json for request in server.requests] == [True, False, False]
            await provider.aclose()

    asyncio.run(run())


def test_a_model_without_tools_is_offered_none() -> None:
    _, server, _ = ask(stream(*hello()), tools=[TOOL], supports_tools=False)
    assert "tools" not in server.requests[0].json


# -- models


def test_the_first_listed_model_that_does_tools_is_taken() -> None:
    listed = {"data": [{"id": "a", "supported_parameters": []}, {"id": "b", "max_model_len": 77}, {"id": "c"}]}
    events, server, provider = ask(whole(200, listed), stream(*hello()), model=None)
    assert (provider.model, provider.window, provider.supports_tools) == ("b", 77, True)
    assert events[-1].message["model"] == server.requests[1].json["model"] == "b"


def test_no_model_is_said() -> None:
    with pytest.raises(ModelNotFoundError, match="--model"):
        ask(whole(200, {"data": []}), model=None)


def prepared(*plays: Play, model: str | None = "m") -> tuple[OpenAIProvider, list[str]]:
    async def run() -> tuple[OpenAIProvider, list[str]]:
        async with serve(*plays) as server:
            provider = OpenAIProvider(f"{server.url}/v1", model=model)
            await provider.prepare()
            await provider.prepare()
            await provider.aclose()
            return provider, [request.path for request in server.requests]

    return asyncio.run(run())


def test_the_window_of_llama_server_is_its_slots() -> None:
    entry = {"id": "/models/x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 9000}}
    props = {"default_generation_settings": {"n_ctx": 4096}}
    provider, paths = prepared(whole(200, {"data": [entry]}), whole(200, props))
    assert (provider.model, provider.window) == ("m", 4096)
    assert paths == ["/v1/models", "/props"]


def test_a_server_that_lists_nothing_is_usable_with_a_named_model() -> None:
    provider, _ = prepared(whole(404, "not here"))
    assert provider.window is None


def test_openai_itself_is_known_from_the_table() -> None:
    provider = OpenAIProvider(api_key="k")
    assert (provider.model, provider.window) == (OPENAI_DEFAULT, openai_window(OPENAI_DEFAULT))
    assert openai_window("gpt-4o-2024-08-06") == 128_000
    assert openai_window("gpt-4-0613") == 8_192
    assert openai_window("unheard-of") is None


def test_models_are_listed() -> None:
    async def run() -> list[ModelInfo]:
        async with serve(whole(200, {"data": [{"id": "a", "context_length": 5}, {"no": 1}, 7]})) as server:
            provider = OpenAIProvider(server.url)
            found = await provider.models()
            await provider.aclose()
            return found

    assert asyncio.run(run()) == [ModelInfo("a", None, 5)]
