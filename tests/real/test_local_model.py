"""A real llama.cpp server from the wheel, through the provider: SmolLM2, and the tiny GGUF with tools."""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tiny_model

from scratchy.core.errors import ContextOverflowError, ModelNotFoundError, ProviderUnavailableError
from scratchy.core.events import TextDelta
from scratchy.core.ports import Reply
from scratchy.providers.local import LocalProvider, local_available

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Does it.",
            "parameters": {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]},
        },
    }
    for name, key in (("list_files", "path"), ("read_file", "file_path"))
]


@pytest.fixture(scope="session")
def tiny(pytestconfig: pytest.Config) -> Path:
    return tiny_model.cached(Path(pytestconfig.cache.mkdir("tiny_model")))


@asynccontextmanager
async def local(model: Path | str | None = None) -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(model)
    try:
        yield provider
    finally:
        await provider.aclose()


async def reply_of(provider: LocalProvider, messages: list[Any], tools: list[Any] | None = None) -> Any:
    events = [event async for event in provider.stream(messages, tools or [])]
    assert isinstance(events[-1], Reply)
    texts = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(texts) == events[-1].message["content"]
    return events[-1].message


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_the_model_in_the_box_answers() -> None:
    async def ask() -> None:
        async with local() as provider:
            await provider.prepare()
            assert (provider.supports_tools, provider.window) == (False, 8192)
            asked = [
                {"role": "system", "content": "You are a helpful assistant."},
                user("What is the capital of France?"),
            ]
            message = await reply_of(provider, asked, TOOLS)
            assert "Paris" in message["content"]
            assert message["stop_reason"] == "stop"
            assert message["usage"]["completion_tokens"] > 3
            await overflows(provider)
            await a_closed_stream_frees_the_slot(provider)

    assert local_available()
    asyncio.run(ask())


async def overflows(provider: LocalProvider) -> None:
    with pytest.raises(ContextOverflowError) as raised:
        await reply_of(provider, [user("word " * 9000)])
    assert raised.value.window == 8192
    assert raised.value.prompt_tokens is not None
    assert raised.value.prompt_tokens > 8192


async def a_closed_stream_frees_the_slot(provider: LocalProvider) -> None:
    """The server has one slot: a second request is answered while the first would still be written."""
    long = provider.stream([user("Tell me a very long story about the sea.")], [])
    async with aclosing(long):
        assert isinstance(await anext(long), TextDelta)
    message = await reply_of(provider, [user("What is the capital of France?")])
    assert message["content"]


def test_a_gguf_with_tools_calls_one_and_then_answers(tiny: Path) -> None:
    async def converse() -> None:
        async with local(tiny) as provider:
            assert provider.supports_tools
            messages: list[Any] = [{"role": "system", "content": "You are an agent."}, user("Look into the folder.")]
            asked = await reply_of(provider, messages, TOOLS)
            assert asked["stop_reason"] == "tool_calls"
            (call,) = asked["tool_calls"]
            parameters = {one["function"]["name"]: one["function"]["parameters"] for one in TOOLS}
            arguments = json.loads(call["function"]["arguments"])
            assert list(arguments) == parameters[call["function"]["name"]]["required"]
            assert all(isinstance(value, str) for value in arguments.values())
            messages += [asked, {"role": "tool", "tool_call_id": call["id"], "content": "a.txt"}]
            answered = await reply_of(provider, messages, TOOLS)
            assert answered["content"] == tiny_model.ANSWER
            assert "tool_calls" not in answered
            assert (await reply_of(provider, [user("Hello")]))["content"] == tiny_model.ANSWER
            await takes_a_history_with_broken_arguments(provider)

    asyncio.run(converse())


async def takes_a_history_with_broken_arguments(provider: LocalProvider) -> None:
    broken = {"id": "1", "type": "function", "function": {"name": "list_files", "arguments": '{"path": '}}
    messages = [
        user("Look"),
        {"role": "assistant", "content": "", "tool_calls": [broken]},
        {"role": "tool", "tool_call_id": "1", "content": "The arguments are not JSON."},
    ]
    assert (await reply_of(provider, messages, TOOLS))["content"] == tiny_model.ANSWER


def test_a_server_that_died_is_started_again(tiny: Path) -> None:
    async def kill_and_ask() -> None:
        async with local(tiny) as provider:
            await provider.prepare()
            (child,) = children_of(os.getpid())
            stream = provider.stream([user("Hello")], [])
            os.kill(child, signal.SIGSTOP)  # so that it dies with the request in hand
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.1)
            os.kill(child, signal.SIGKILL)
            with pytest.raises(ProviderUnavailableError, match="signal 9"):
                await waiting
            assert (await reply_of(provider, [user("Hello")]))["content"] == tiny_model.ANSWER
        assert children_of(os.getpid()) == []

    asyncio.run(kill_and_ask())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_second_event_loop_is_served_by_the_same_server(tiny: Path) -> None:
    provider = LocalProvider(tiny)

    async def ask(last: bool) -> None:
        assert (await reply_of(provider, [user("Hello")]))["content"] == tiny_model.ANSWER
        if last:
            await provider.aclose()

    try:
        asyncio.run(ask(False))
        before = children_of(os.getpid())
        asyncio.run(ask(False))
        assert children_of(os.getpid()) == before
    finally:
        asyncio.run(ask(True))
        gc.collect()  # of the loops that ended no connection could be closed: whoever finds that out is this test


def test_the_server_ends_with_a_parent_that_was_killed(tiny: Path) -> None:
    program = (
        "import asyncio, sys; from scratchy.providers.local import LocalProvider\n"
        "async def main():\n"
        "    provider = LocalProvider(sys.argv[1]); await provider.prepare()\n"
        "    print('ready', flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tiny)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (child,) = children_of(parent.pid)
        arguments = Path(f"/proc/{child}/cmdline").read_bytes()
        assert b"gguf" not in arguments  # what it is told, the key among it, is not in its arguments
        parent.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists())


def test_leaving_while_it_loads_is_quiet(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> None:
        async with local(tiny) as provider:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await provider.prepare()

    asyncio.run(leave())
    gc.collect()
    assert caplog.records == []
    assert children_of(os.getpid()) == []


def test_what_is_missing_or_broken_is_said(tmp_path: Path) -> None:
    async def fail(path: Path, error: type[Exception], words: str) -> None:
        async with local(path) as provider:
            with pytest.raises(error, match=words):
                await provider.prepare()

    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    asyncio.run(fail(broken, ProviderUnavailableError, "cannot be loaded as a GGUF model: .*magic"))
    asyncio.run(fail(tmp_path / "none.gguf", ModelNotFoundError, "none.gguf"))


def children_of(pid: int) -> list[int]:
    """The living server processes below `pid`."""
    tasks = Path(f"/proc/{pid}/task")
    pids = [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    return [child for child in pids if b"local_server" in Path(f"/proc/{child}/cmdline").read_bytes()]


def eventually(holds: Callable[[], bool]) -> None:
    while not holds():  # the test's own timeout ends it
        time.sleep(0.02)
