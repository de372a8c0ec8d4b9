"""The providers that need no server: scripted, demo, and users' own objects."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scratchy.core.errors import ConfigError, ProviderError, RateLimitedError
from scratchy.core.events import TextDelta
from scratchy.core.ports import Provider, Reply
from scratchy.providers.demo import DemoProvider
from scratchy.providers.models import ModelInfo
from scratchy.providers.scripted import ScriptedProvider
from scratchy.providers.wrapped import WrappedProvider

HI: list[Any] = [{"role": "user", "content": "Hi"}]
CALL: Any = {"id": "1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}


def tool(name: str) -> Any:
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object"}}}


def ask(provider: Provider, messages: Any = HI, tools: Any = ()) -> Any:
    async def run() -> Any:
        await provider.prepare()
        events = [event async for event in provider.stream(messages, tools)]
        await provider.aclose()
        assert isinstance(events[-1], Reply)
        texts = [event.text for event in events[:-1] if isinstance(event, TextDelta)]
        assert "".join(texts) == events[-1].message["content"]
        return events[-1].message

    return asyncio.run(run())


def test_a_script_is_played_and_what_was_asked_is_kept() -> None:
    provider = ScriptedProvider(
        ["  Two  words\n\n", {"tool_calls": [CALL]}, lambda messages, tools: messages[0]["content"]]
    )
    messages = [dict(HI[0])]
    assert ask(provider, messages)["content"] == "  Two  words\n\n"
    messages[0]["content"] = "changed"
    called = ask(provider, messages, [tool("ls")])
    assert (called["role"], called["content"], called["stop_reason"]) == ("assistant", "", "tool_calls")
    assert ask(provider, messages)["content"] == "changed"
    assert [request["messages"][0]["content"] for request in provider.requests] == ["Hi", "changed", "changed"]
    assert provider.requests[1]["tools"] == [tool("ls")]
    with pytest.raises(ProviderError, match="no answer left: it had 3"):
        ask(provider)


def test_a_script_can_fail() -> None:
    provider = ScriptedProvider([RateLimitedError("slow"), KeyError, lambda messages, tools: ProviderError("no")])
    for error in (RateLimitedError, KeyError, ProviderError):
        with pytest.raises(error):
            ask(provider)


def test_a_script_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(["One", {"content": "Two", "stop_reason": "length"}]))
    provider = ScriptedProvider.from_file(path)
    assert [ask(provider)["stop_reason"] for _ in range(2)] == ["stop", "length"]
    for text in ("{}", "[1]", "[", "", '[{"foo": 1}]', '[{"tool_calls": [{"name": "x"}]}]'):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"answers\.json"):
            ScriptedProvider.from_file(path)
    with pytest.raises(ConfigError, match="none"):
        ScriptedProvider.from_file(tmp_path / "none")


def test_both_list_their_one_model() -> None:
    assert asyncio.run(DemoProvider().models()) == [ModelInfo("demo", tools=True)]
    scripted = ScriptedProvider([], model="m", supports_tools=False, window=9)
    assert asyncio.run(scripted.models()) == [ModelInfo("m", tools=False, window=9)]


def test_the_demo_says_what_it_is_in_every_answer() -> None:
    for text in ("Hi", "table", "code", "list", "list files", "read x.txt", ""):
        assert "Demo" in ask(DemoProvider(), [{"role": "user", "content": text}])["content"]
    assert "Demo" in ask(DemoProvider(), [])["content"]


def test_the_demo_calls_tools_that_are_on_offer() -> None:
    offered = [tool("list_files"), tool("read_file")]
    (listing,) = ask(DemoProvider(), [{"role": "user", "content": "List the files"}], offered)["tool_calls"]
    assert listing["function"]["name"] == "list_files"
    (reading,) = ask(DemoProvider(), [{"role": "user", "content": "read the file `a.txt`"}], offered)["tool_calls"]
    assert json.loads(reading["function"]["arguments"]) == {"file_path": "a.txt"}
    result = {"role": "tool", "tool_call_id": "x", "content": "a.txt"}
    answered = ask(DemoProvider(), [*HI, result], offered)
    assert "a.txt" in answered["content"]
    assert "tool_calls" not in answered


FUNCTION = {"name": "ls", "arguments": {"p": 1}}
ANSWERS: list[Any] = [
    {"role": "assistant", "content": "Yes", "tool_calls": [{"id": "1", "type": "function", "function": FUNCTION}]},
    {"content": "Yes", "tool_calls": [{"function": FUNCTION | {"arguments": '{"p": 1}'}}]},
    {"choices": [{"message": {"content": "Yes", "tool_calls": [{"function": FUNCTION}]}, "finish_reason": "stop"}]},
    {"content": "Yes", "tool_calls": [FUNCTION]},
    SimpleNamespace(content="Yes", tool_calls=[SimpleNamespace(id="1", function=SimpleNamespace(**FUNCTION))]),
    SimpleNamespace(content="Yes", tool_calls=({"function": FUNCTION},)),
]


class Chat:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def chat(self, messages: list[Any], tools: list[Any] | None = None) -> Any:
        self.asked.append((messages, tools))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_shape_of_answer_of_a_users_object(answer: Any) -> None:
    message = ask(WrappedProvider(Chat(answer)))
    assert (message["content"], message["stop_reason"], message["model"]) == ("Yes", "tool_calls", "Chat")
    assert [one["function"] for one in message["tool_calls"]] == [{"name": "ls", "arguments": '{"p": 1}'}]


def test_a_users_object_with_text_alone() -> None:
    for answer in ({"content": "Yes"}, SimpleNamespace(content="Yes", tool_calls=None), "Yes"):
        assert ask(WrappedProvider(Chat(answer)))["stop_reason"] == "stop"
    assert ask(WrappedProvider(Chat({"content": None})))["content"] == ""


def test_a_users_object_gets_copies_and_none_for_no_tools() -> None:
    chat = Chat({"content": "Yes"})
    ask(WrappedProvider(chat))
    assert chat.asked == [(HI, None)]
    assert chat.asked[0][0][0] is not HI[0]


def test_a_users_object_that_fails() -> None:
    with pytest.raises(ProviderError, match="Chat failed: no such luck"):
        ask(WrappedProvider(Chat(ValueError("no such luck"))))
    for answer in (None, 7, {}, {"choices": []}):
        with pytest.raises(ProviderError, match="is no message"):
            ask(WrappedProvider(Chat(answer)))


def test_what_needs_no_network_does_not_import_it() -> None:
    program = (
        "import sys, scratchy.providers.demo, scratchy.providers.scripted, scratchy.providers.wrapped\n"
        "sys.exit('httpx' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
