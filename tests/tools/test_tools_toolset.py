"""The toolset: bad calls become results, big output rests elsewhere, names stay unique."""

import asyncio
import json
from pathlib import Path
from typing import ClassVar

import pytest
from toolbench import call, collect, failure, make_tools, output, raw_call, run

from scratchy.core.ports import Ask, Refuse, Run
from scratchy.permissions import Permissions
from scratchy.scratchpad import Scratchpad
from scratchy.tools.builtin import default_tools
from scratchy.tools.functions import tool_from_function
from scratchy.tools.schema import problem_of
from scratchy.tools.toolset import Tools, clip

NAMES = [
    "read_file",
    "create_file",
    "edit_file",
    "delete_file",
    "list_files",
    "search_files",
    "fast_grep",
    "execute_command",
    "code_execute",
    "web_search",
    "url_fetch",
]


def test_the_eleven_in_their_order_with_the_arguments_that_are_promised(tmp_path: Path):
    tools = make_tools(tmp_path)
    assert tools.names() == NAMES
    told = {spec["function"]["name"]: spec["function"]["parameters"] for spec in tools.specs()}
    assert list(told["edit_file"]["properties"]) == ["file_path", "old_text", "new_text", "replace_all"]
    assert told["read_file"]["required"] == ["file_path"]
    assert told["execute_command"]["properties"]["timeout"]["default"] == 300
    assert told["code_execute"]["properties"]["timeout"]["default"] == 60
    assert tools.specs() == make_tools(tmp_path).specs()


def test_all_specs_together_cost_a_request_little(tmp_path: Path):
    specs = make_tools(tmp_path, Scratchpad(tmp_path / "pad")).specs()
    assert len(specs) == len(NAMES) + 2
    assert len(json.dumps(specs, ensure_ascii=False, separators=(",", ":")).encode()) <= 5_400


def test_every_tool_refuses_an_argument_that_it_does_not_know(tmp_path: Path):
    tools = make_tools(tmp_path, Scratchpad(tmp_path / "pad"))
    for spec in tools.specs():
        wanted = spec["function"]["parameters"].get("required", [])
        name = spec["function"]["name"]
        assert "'odd' is unknown" in failure(tools, name, **dict.fromkeys(wanted, "x"), odd=1)


def test_adding_twice_registers_once_and_the_same_name_replaces(tmp_path: Path):
    tools = make_tools(tmp_path)
    for tool in default_tools(Permissions(tmp_path)):
        tools.add(tool)
    assert tools.names() == NAMES

    def read_file() -> str:
        return "mine"

    tools.add(tool_from_function(read_file))
    assert tools.names() == NAMES and output(tools, "read_file") == "mine"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("rm_rf", "{}", "The tools are: read_file"),
        ("read_file", '{"file_path": "a', "not valid JSON"),
        ("read_file", "[" * 200_000, "nested too deep"),
        ("read_file", '{"file_path": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deep"),
        ("read_file", "[]", "one JSON object"),
        ("read_file", '"a"', "one JSON object"),
        ("read_file", "", "'file_path' is missing"),
        ("read_file", '{"file_path": 7}', "'file_path' must be string, not number"),
        ("read_file", '{"file_path": "a", "start_line": true}', "'start_line' must be integer, not boolean"),
        ("read_file", '{"file_path": "a", "start_line": "2"}', "'start_line' must be integer, not string"),
        ("read_file", '{"file_path": "a", "start_line": 0}', "'start_line' must be at least 1"),
        ("read_file", '{"file_path": "a", "start_line": 1.5}', "'start_line' must be integer"),
        ("read_file", '{"file_path": "a", "start_line": NaN}', "not valid JSON"),
        ("read_file", '{"file_path": "a", "path": "b"}', "'path' is unknown; known: file_path, start_line"),
        ("read_file", '{"start_line": ' + "9" * 5000 + "}", "not valid JSON"),
    ],
)
def test_bad_calls_are_refused_with_what_the_model_can_learn(tmp_path: Path, name: str, arguments: str, told: str):
    tools, wanted = make_tools(tmp_path), raw_call(name, arguments)
    refused = tools.check(wanted)
    assert isinstance(refused, Refuse) and refused.result.is_error and told in refused.result.output
    assert len(refused.result.output) < 20_000
    assert told in asyncio.run(collect(tools, wanted))[1].output
    tools.remember(wanted)


def test_schemas_of_others_are_checked_as_far_as_they_say():
    either = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]}
    schema = {"type": "object", "properties": {"a": either, "b": {"enum": ["x", 1]}, "c": {"type": ["string", "null"]}}}
    for fine in ({}, {"a": 1}, {"a": ["q"]}, {"a": 2.0}, {"b": 1}, {"c": None}, {"other": object}):
        assert problem_of(fine, schema) is None
    assert "'a[0]' must be string" in str(problem_of({"a": [1]}, schema))
    assert "one of 'x', 1" in str(problem_of({"b": True}, schema))
    assert "'c' must be string or null, not number" in str(problem_of({"c": 1.5}, schema))
    nested = {"properties": {"o": {"type": "object", "required": ["k"], "additionalProperties": {"type": "number"}}}}
    assert "'o.k' is missing" in str(problem_of({"o": {}}, nested))
    assert "'o.z' must be number" in str(problem_of({"o": {"k": 1, "z": "1"}}, nested))


def test_big_output_rests_in_the_scratchpad_and_is_read_back_whole(tmp_path: Path):
    pad = Scratchpad(tmp_path / ".blobs", threshold=1000)
    (tmp_path / "big").write_text("äöü\n" * 1000)
    tools = make_tools(tmp_path, pad)
    told = output(tools, "read_file", file_path="big")
    entry = pad.list()[0]["id"]
    assert entry in told and "scratchpad_read" in told
    parts, offset = "", 0
    while True:
        part = output(tools, "scratchpad_read", id=entry, offset=offset)
        text, more, _ = part.partition("\n[")
        parts += text
        if not more:
            break
        offset = len(parts)
    assert parts == "äöü\n" * 1000
    assert entry in output(tools, "scratchpad_list") and len(pad.list()) == 1
    assert isinstance(tools.check(call("scratchpad_read", id=entry)), Run)


def test_the_scratchpad_shows_this_session_only(tmp_path: Path):
    pad = Scratchpad(tmp_path / ".blobs", threshold=10)
    pad.maybe_store("read_file", "somebody else's secret")
    permissions = Permissions(tmp_path)
    tools = Tools(
        default_tools(permissions, pad, lambda entry: False),
        permissions=permissions,
        scratchpad=Scratchpad(tmp_path / "x"),
    )
    entry = pad.list()[0]["id"]
    assert "no entry" in failure(tools, "scratchpad_read", id=entry)
    assert "empty" in output(tools, "scratchpad_list")


def test_without_a_scratchpad_output_is_clipped_and_says_so(tmp_path: Path):
    (tmp_path / "big").write_text("a" * 50_000 + "end")
    told = output(make_tools(tmp_path), "read_file", file_path="big")
    assert len(told) < 16_384 and "left out" in told and told.endswith("end")


def test_what_cannot_be_stored_is_clipped_and_says_why(tmp_path: Path):
    (tmp_path / "big").write_text("a" * 50_000)
    (tmp_path / "taken").write_text("a file where the folder should be")
    told = output(make_tools(tmp_path, Scratchpad(tmp_path / "taken")), "read_file", file_path="big")
    assert "left out" in told and "could not be stored" in told


def test_clipping_never_cuts_a_character():
    assert clip("ab", 10) == "ab"
    assert "\ufffd" not in clip("€" * 1000, 500)


def test_a_tool_that_breaks_is_a_result(tmp_path: Path):
    class Broken:
        spec: ClassVar = {"type": "function", "function": {"name": "broken", "parameters": {"type": "object"}}}

        def effect(self, arguments: object):
            raise RuntimeError("no effect")

        async def run(self, arguments: object):
            yield "half"
            raise OSError(28, "No space left on device", "/x")

    permissions = Permissions(tmp_path)
    tools = Tools([Broken()], permissions=permissions)  # type: ignore[list-item]
    assert isinstance(tools.check(call("broken")), Refuse)
    live, result = asyncio.run(collect(tools, call("broken")))
    assert live == "half" and result.is_error and result.output == "broken failed: No space left on device: /x"


def test_a_tool_of_ones_own_asks(tmp_path: Path):
    tools = Tools([tool_from_function(run_it)], permissions=Permissions(tmp_path))
    asked = tools.check(call("run_it", what="x"))
    assert isinstance(asked, Ask) and '"what": "x"' in asked.preview and asked.scope == "this call"
    tools.remember(call("run_it", what="x"))
    assert isinstance(tools.check(call("run_it", what="x")), Run)
    assert isinstance(tools.check(call("run_it", what="y")), Ask)
    assert run(tools, "run_it", what="x").output == "ran x"


def run_it(what: str) -> str:
    return f"ran {what}"
