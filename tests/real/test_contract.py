"""What we send fits the official SDKs' types, for every conversation of one table; and the check itself can fail."""

import copy
import json
from typing import Any

import pytest
from contract import complaints

from scratchy.providers import ollama, openai

TOOL = {
    "type": "function",
    "function": {
        "name": "list_files",
        "description": "Lists.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}


def call(id_: str, arguments: str = '{"path": "."}') -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "list_files", "arguments": arguments}}


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ASKED = said("assistant", "", tool_calls=[call("1")])
CONVERSATIONS: dict[str, list[dict[str, Any]]] = {
    "plain": [said("system", "Be kind."), said("user", "Hi"), said("assistant", "Hello"), said("user", "More")],
    "tool": [said("user", "Look"), ASKED, said("tool", "a.txt", tool_call_id="1"), said("assistant", "One file.")],
    "parallel": [
        said("user", "Look"),
        said("assistant", None, tool_calls=[call("1"), call("2")]),
        said("tool", "a", tool_call_id="1"),
        said("tool", "b", tool_call_id="2", name="list_files", is_error=True),
    ],
    "our keys": [
        said("user", "Hi", ts="2026-01-01T00:00:00.000Z", context="Today is Thursday.", id="x", mine={"a": [1]}),
        said("assistant", "Yes", usage={"prompt_tokens": 1}, stop_reason="stop", duration_ms=3, model="m"),
    ],
    "text and unicode": [
        said("user", "\u2028 \x0b 👩‍👩‍👧 \ud800 \x00 é", name="Hao Nguyễn"),
        said("assistant", "日本語"),
    ],
    "broken arguments": [said("user", "Look"), said("assistant", "x", tool_calls=[call("1", '{"path": ')]), ASKED],
    "arguments of every kind": [
        said("assistant", "", tool_calls=[call("1", text) for text in ("", "[1]", "7", "null", '{"a": NaN}', '"s"')])
    ],
    "foreign content": [said("user", 7), said("user", None), said("critic", "Hm"), said("system", ["a", "b"])],
    "parts": [said("user", [{"type": "text", "text": "Look"}]), said("assistant", [{"type": "text", "text": "Yes"}])],
    "images": [
        said(
            "user",
            [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}, "about": "cat.png"},
                {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
            ],
        )
    ],
    "malformed calls": [said("assistant", "x", tool_calls=[{"id": 3}, "no", call("1")])],
}


def bodies(name: str) -> dict[str, dict[str, Any]]:
    messages, tools = CONVERSATIONS[name], [TOOL]
    return {
        "openai": openai.request_body("m", messages, tools),  # type: ignore[arg-type]
        "ollama": ollama.request_body("m", messages, tools),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_body_is_what_the_sdk_allows(kind: str, name: str) -> None:
    before = copy.deepcopy(CONVERSATIONS[name])
    assert complaints(kind, bodies(name)[kind]) == []
    assert CONVERSATIONS[name] == before


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_arguments_that_go_out_are_json_objects(name: str) -> None:
    for message in bodies(name)["openai"]["messages"]:
        for one in message.get("tool_calls", []):
            assert isinstance(json.loads(one["function"]["arguments"]), dict)


def test_good_arguments_go_out_as_they_were_written() -> None:
    written = '{"path":  "a\\u00e9"}'
    body = openai.request_body("m", [said("assistant", "", tool_calls=[call("1", written)])], [])  # type: ignore[list-item]
    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == written


def test_a_result_is_matched_to_its_call_by_name_at_ollama() -> None:
    assert [message.get("tool_name") for message in bodies("tool")["ollama"]["messages"]] == [
        None,
        None,
        "list_files",
        None,
    ]


BREAKS = [
    ("openai", lambda body: body.update(tolls=[])),
    ("openai", lambda body: body["messages"][1]["tool_calls"][0]["function"].update(arguments={})),
    ("openai", lambda body: body["messages"][2].pop("tool_call_id")),
    ("openai", lambda body: body["messages"][0].update(role="usr")),
    ("openai", lambda body: body["messages"][0].update(context="today")),
    ("openai", lambda body: body.pop("model")),
    ("ollama", lambda body: body["messages"][1]["tool_calls"][0]["function"].update(arguments="{}")),
    ("ollama", lambda body: body["messages"][0].update(ts="now")),
    ("ollama", lambda body: body.update(max_tokens=3)),
]


@pytest.mark.parametrize(("kind", "break_it"), BREAKS)
def test_the_check_can_fail(kind: str, break_it: Any) -> None:
    body = bodies("tool")[kind]
    break_it(body)
    assert complaints(kind, body)
