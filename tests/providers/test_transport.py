"""Servers that fail, stall, lie and flood, on real sockets, through the provider that people use."""

import asyncio
import gzip
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from model_server import Play, Server, delta, drop, hang, hello, ndjson, serve, sse, stream, whole

from scratchy.core.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ContextOverflowError,
    ModelNotFoundError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)
from scratchy.core.events import RetryScheduled, TextDelta
from scratchy.core.ports import Provider, Reply
from scratchy.providers.failures import seconds_of
from scratchy.providers.ollama import OllamaProvider
from scratchy.providers.openai import OpenAIProvider

KEY = "sk-secret-0123456789"
HI: list[Any] = [{"role": "user", "content": "Hi"}]
OLLAMA_HELLO = stream(
    *ndjson({"message": {"content": "Hello"}, "done": False}, {"message": {"content": ""}, "done": True}),
    kind="application/x-ndjson",
)


@asynccontextmanager
async def openai(*plays: Play, **more: Any) -> AsyncIterator[tuple[OpenAIProvider, Server]]:
    async with serve(*plays) as server:
        provider = OpenAIProvider(f"{server.url}/v1", **{"model": "m", "api_key": KEY} | more)
        try:
            yield provider, server
        finally:
            await provider.aclose()


async def events_of(provider: Provider) -> list[Any]:
    async with aclosing(provider.stream(HI, [])) as events:
        return [event async for event in events]


def answered(*plays: Play, **more: Any) -> tuple[list[Any], Server]:
    """All events of one request, and the server with what it was sent."""

    async def run() -> tuple[list[Any], Server]:
        async with openai(*plays, **more) as (provider, server):
            return await events_of(provider), server

    return asyncio.run(run())


def failed(error: type[ProviderError], *plays: Play, **more: Any) -> Any:
    with pytest.raises(error) as raised:
        answered(*plays, **more)
    assert KEY not in str(raised.value)
    return raised.value


NOW = {"retry_after": "0"}


# -- tries


def test_a_refusal_that_passes_is_tried_again_after_the_servers_own_time() -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)
    events, server = answered(
        whole(429, {"error": {"message": "slow down"}}, **NOW), whole(503, "", retry_after=date), stream(*hello())
    )
    assert [type(event) for event in events] == [RetryScheduled, RetryScheduled, TextDelta, Reply]
    assert [event.delay for event in events[:2]] == [0, 0]
    assert "slow down" in events[0].reason
    assert len({request.body for request in server.requests}) == 1


def test_tries_are_bounded() -> None:
    async def run() -> int:
        async with openai(whole(500, {"error": {"message": f"broken {KEY}"}}, **NOW)) as (provider, server):
            with pytest.raises(ProviderUnavailableError, match=r"500: broken \[key\]"):
                await events_of(provider)
            return len(server.requests)

    assert asyncio.run(run()) == 5


@pytest.mark.parametrize(
    "wait",
    ["86400", format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)],
    ids=["seconds", "date"],  # the same in every process that collects
)
def test_a_wait_of_hours_is_told_and_not_slept(wait: str) -> None:
    error = failed(RateLimitedError, whole(429, "", retry_after=wait))
    assert error.retry_after > 80_000
    assert "try again in 24 h" in str(error)
    assert error.retryable
    assert "try again in 30 days" in str(failed(RateLimitedError, whole(429, "", retry_after=str(30 * 86400))))


def test_what_is_told_at_each_try_is_short_and_never_no_time_at_all() -> None:
    events, _ = answered(whole(500, "x" * 5000), whole(500, "y", **NOW), stream(*hello()))
    long, short = events[:2]
    assert len(long.reason) < 150 and long.reason.endswith("xxx…") and long.told.endswith("xxx…; trying again in 1 s")
    assert short.told.endswith("500: y; trying again now")


@pytest.mark.parametrize(
    "header",
    ["soon", "-1", "nan", "inf", "1e999", "Mon, 99 Foo", "", "٣", "9" * 20, "Fri, 01 Jan 9999 00:00:00 GMT"],
)
def test_a_retry_after_that_means_nothing_is_none(header: str) -> None:
    assert seconds_of(header) in (None, 3.0)


def test_without_a_retry_after_the_delay_grows_and_the_wait_can_be_left() -> None:
    async def run() -> list[Any]:
        async with openai(whole(503, "")) as (provider, _):
            events = provider.stream(HI, [])
            async with aclosing(events):
                return [await anext(events), await anext(events)]

    first, second = asyncio.run(run())
    assert 0 < first.delay < second.delay < 2


def test_nothing_is_tried_again_once_a_delta_was_shown() -> None:
    async def run() -> None:
        async with openai(stream(*sse(delta("Hel"), done=False), end="cut"), stream(*hello())) as (provider, server):
            seen = []
            with pytest.raises(ProviderUnavailableError, match="cut the answer off"):
                async for event in provider.stream(HI, []):
                    seen.append(event)
            assert seen == [TextDelta("Hel")]
            assert len(server.requests) == 1

    asyncio.run(run())


def test_a_cut_before_the_first_delta_is_tried_again() -> None:
    events, _ = answered(stream(*sse(delta(role="assistant"), done=False), end="cut"), stream(*hello()))
    assert [type(event) for event in events] == [RetryScheduled, TextDelta, Reply]


def test_a_connection_closed_behind_our_back_is_asked_again_at_once() -> None:
    async def run() -> None:
        async with openai(stream(*hello(), end="close")) as (provider, server):
            for _ in range(8):
                assert [type(event) for event in await events_of(provider)] == [TextDelta, Reply]
            assert len(server.requests) == 8
        async with openai(drop, stream(*hello())) as (provider, server):
            assert [type(event) for event in await events_of(provider)] == [TextDelta, Reply]

    asyncio.run(run())


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def run() -> None:
        async with openai(stream(*hello())) as (provider, server):
            for _ in range(3):
                await events_of(provider)
            assert server.connections == 1
        async with serve(whole(200, {"capabilities": ["tools"]}), OLLAMA_HELLO) as server:
            ollama = OllamaProvider(server.url, model="m")
            for _ in range(3):
                await events_of(ollama)
            assert server.connections == 1
            await ollama.aclose()

    asyncio.run(run())


# -- silence


def test_silence_ends_the_request() -> None:
    assert "did not answer for" in str(failed(ProviderUnavailableError, hang, idle=0.2, tries=1))
    cut_short = stream(*sse(delta("Hel"), done=False), end="hang")
    assert "fell silent for" in str(failed(ProviderUnavailableError, cut_short, idle=0.2))


def test_comments_count_as_life() -> None:
    pieces = [b": still here\n\n"] * 8 + hello()
    events, _ = answered(stream(*pieces, pause=0.1), idle=0.4)
    assert [type(event) for event in events] == [TextDelta, Reply]


def test_a_server_that_says_nothing_after_the_finish_does_not_hold_the_answer() -> None:
    pieces = sse(delta("Hello"), delta(finish="stop"))
    events, _ = answered(stream(*pieces, end="hang"), idle=60)
    assert events[-1].message["content"] == "Hello"


def test_closing_the_stream_closes_the_connection() -> None:
    async def run() -> None:
        endless = [piece for number in range(10_000) for piece in sse(delta(str(number)), done=False)]
        async with openai(stream(*endless, pause=0.01)) as (provider, server):
            events = provider.stream(HI, [])
            async with aclosing(events):
                assert isinstance(await anext(events), TextDelta)
            await server.closed_by_client.wait()

    asyncio.run(run())


def test_nobody_listening_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    provider = OpenAIProvider(f"http://127.0.0.1:{port}/v1", model="m", tries=1)
    with pytest.raises(ProviderUnavailableError, match=f"Cannot reach 127.0.0.1:{port}: connection refused"):
        asyncio.run(events_of(provider))


# -- what refusals mean

OVERFLOWS = [
    {"error": {"code": 400, "type": "exceed_context_size_error", "message": "x", "n_prompt_tokens": 9, "n_ctx": 8}},
    {"error": json.dumps({"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}})},
    {
        "error": {
            "code": "context_length_exceeded",
            "message": "This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens.",
        }
    },
    {
        "object": "error",
        "message": "This model's maximum context length is 8 tokens. However, you requested 9 tokens (5 in messages)",
        "code": 400,
    },
    {"detail": "Input length of input_ids is 9, but max_length is set to 8. This exceeds what fits: too many tokens."},
]


@pytest.mark.parametrize("body", OVERFLOWS)
def test_an_overflow_is_known_in_every_shape(body: Any) -> None:
    plays = [whole(400, body)] + ([] if "detail" in body else [stream(*sse(body))])
    for play in plays:
        error = failed(ContextOverflowError, play)
        assert (error.prompt_tokens, error.window) == (9, 8)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, ModelNotFoundError),
        (413, ContextOverflowError),
        (418, BadRequestError),
    ],
)
def test_each_status_has_its_error(status: int, error: type[ProviderError]) -> None:
    said = str(failed(error, whole(status, {"error": {"message": f"no: {KEY} " + "x" * 9999}})))
    assert f"answered {status}" in said
    assert len(said) < 500


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", "<html>x", "plain", {"detail": [{"msg": "bad"}]}, [], {"error": 7}])
def test_an_error_body_may_be_anything(body: Any) -> None:
    failed(BadRequestError, whole(400, body))


def test_a_missing_key_is_named() -> None:
    assert "OPENAI_API_KEY" in str(failed(AuthenticationError, whole(401, ""), api_key=None))


def test_an_empty_account_is_not_worth_waiting_for() -> None:
    error = failed(RateLimitedError, whole(429, {"error": {"message": "quota", "code": "insufficient_quota"}}))
    assert not error.retryable


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"message": "busy", "code": 429}}, RateLimitedError),
        ({"error": {"message": "who", "code": "invalid_api_key"}}, AuthenticationError),
        ({"error": {"message": "odd", "type": "invalid_request_error"}}, BadRequestError),
        ({"error": "out of memory"}, ProviderUnavailableError),
    ],
)
def test_an_error_in_mid_stream_has_its_meaning(body: Any, error: type[ProviderError]) -> None:
    failed(error, stream(*sse(delta("Hel"), body)))


def test_a_web_page_is_no_answer() -> None:
    failed(BadRequestError, whole(200, "<html>", content_type="text/html"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_gets_neither_key_nor_conversation(status: int) -> None:
    async def run() -> None:
        async with (
            serve(stream(*hello())) as thief,
            openai(whole(status, "", location=f"{thief.url}/v1/chat/completions")) as (provider, _),
        ):
            with pytest.raises(BadRequestError, match="redirects to 127"):
                await events_of(provider)
            assert thief.requests == []

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "localhost:1", "http://", "http://x:port", "http://[bad/v1", "http://bad]/v1", "http://a b/v1",
     "http://<host>/v1", "http://x\\y/v1", "http://x:99999/v1", "http://x:0/v1", "http://[::1/v1", "http://xn--a.de/v1"],
)  # fmt: skip
def test_a_base_url_that_means_nothing_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="base URL"):
        OpenAIProvider(url)


@pytest.mark.parametrize(
    "host", ["a_b:80", "bücher.example", "[::1]:8080", "[fe80::1%25eth0]", "10.0.0.1", "xn--bcher-kva.example."]
)
def test_names_and_addresses_of_every_kind_are_hosts(host: str) -> None:
    assert OpenAIProvider(f"http://{host}/v1").base_url == f"http://{host}/v1"


def test_a_key_that_cannot_be_sent_is_a_config_error_without_the_key() -> None:
    with pytest.raises(ConfigError) as raised:
        OpenAIProvider(api_key="sk-with\nline")
    assert "with" not in str(raised.value).split("OPENAI_API_KEY")[0]
    assert "sk-" not in str(raised.value)


# -- proxies


def test_loopback_never_goes_through_a_proxy_and_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with serve(stream(*hello())) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "")
            async with openai(stream(*hello())) as (provider, server):
                await events_of(provider)
                assert (len(server.requests), len(proxy.requests)) == (1, 0)
            elsewhere = OpenAIProvider("http://models.invalid/v1", model="m")
            await events_of(elsewhere)
            assert [request.path for request in proxy.requests] == ["http://models.invalid/v1/chat/completions"]
            await elsewhere.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("scheme", "variable"), [("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY"), ("http", "ALL_PROXY")]
)
def test_a_proxy_that_is_not_there_is_named(scheme: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(variable.lower(), "http://me:secret@127.0.0.1:1")

    async def run() -> None:
        provider = OpenAIProvider(f"{scheme}://models.invalid/v1", model="m", tries=1)
        with pytest.raises(ProviderUnavailableError) as raised:
            await events_of(provider)
        assert str(raised.value) == (
            "Cannot reach models.invalid through the proxy 127.0.0.1:1: connection refused. "
            f"{variable} names that proxy, NO_PROXY what is reached without one."
        )
        monkeypatch.setenv("no_proxy", "models.invalid")
        direct = OpenAIProvider(f"{scheme}://models.invalid/v1", model="m", tries=1)
        with pytest.raises(ProviderUnavailableError, match=r"^Cannot reach models\.invalid: .* Is that server running"):
            await events_of(direct)
        await provider.aclose()
        await direct.aclose()

    asyncio.run(run())


# -- floods


def test_a_compressed_answer_is_read_all_the_same() -> None:
    packed = gzip.compress(b"".join(hello()))
    events, server = answered(whole(200, packed, content_type="text/event-stream", content_encoding="gzip"))
    assert events[-1].message["content"] == "Hello"
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd", "gzip"])
def test_an_encoding_that_cannot_be_undone_is_said(encoding: str) -> None:
    error = failed(
        ProviderUnavailableError, whole(200, b"xxxx", content_type="text/event-stream", content_encoding=encoding)
    )
    assert not error.retryable


def test_json_that_is_too_deep_is_no_traceback() -> None:
    deep = '{"choices":' + "[" * 200_000
    assert "not a JSON object" in str(failed(ProviderUnavailableError, stream(*sse(deep))))


def test_failures_leave_no_descriptor_open() -> None:
    async def run() -> None:
        for _ in range(20):
            async with openai(stream(*sse(delta("Hel"), done=False), end="cut")) as (provider, _):
                with pytest.raises(ProviderUnavailableError):
                    await events_of(provider)

    asyncio.run(run())
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(run())
    assert len(os.listdir("/proc/self/fd")) <= before
