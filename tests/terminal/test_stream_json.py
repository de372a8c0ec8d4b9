"""stream-json: every line of the real program fits the schema in docs, every event occurs, the page is true."""

import dataclasses
import json
import re
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

sys.path.append(str(Path(__file__).parents[1]))
from model_server import delta, hello, sse, stream, whole
from programs import ROOT, Home, serving

from scratchy.core import events, messages
from scratchy.terminal import streamjson
from scratchy.terminal.streamjson import Report

SCHEMA = json.loads((ROOT / "docs" / "stream-json.schema.json").read_text())
PAGE = (ROOT / "docs" / "stream-json.md").read_text()
EVENTS: dict[str, Any] = {event.__name__: event for event in typing.get_args(events.Event)}
OURS = {"Session", "Error", "Result"}
INPUT = Draft202012Validator({"$ref": "#/$defs/Input", "$defs": SCHEMA["$defs"]})


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def fit(lines: str) -> list[dict]:
    """The rows, each held against the schema."""
    rows = [json.loads(line) for line in lines.splitlines()]
    for row in rows:
        error = best_match(
            Draft202012Validator(SCHEMA["$defs"][row["type"]] | {"$defs": SCHEMA["$defs"]}).iter_errors(row)
        )
        assert error is None, f"{row}\n{error}"
        assert Draft202012Validator(SCHEMA).is_valid(row)
    return rows


def command(line: str) -> dict:
    function = {"name": "execute_command", "arguments": json.dumps({"command": line})}
    return {"content": "", "tool_calls": [{"id": "1", "type": "function", "function": function}]}


def a_turn_with_tools(home: Home) -> list[dict]:
    answers = home.script(command("echo out; touch made"), "Refused.")
    refused = fit(home.run(*answers, "-p", "x", "--output-format", "stream-json").stdout)
    ran = fit(home.run(*answers, "-y", "-p", "x", "--output-format", "stream-json").stdout)
    return [*refused, *ran]


def a_server_in_trouble(home: Home) -> list[dict]:
    """Busy once, then it finds the request too long, then it thinks before it answers."""
    talk = [{"role": role, "content": f"{role} {'word ' * 50}"} for _ in range(6) for role in ("user", "assistant")]
    home.save("long", {"role": "system", "content": "Be brief."}, *talk)
    too_long = {
        "error": {"message": "This model's maximum context length is 100 tokens", "code": "context_length_exceeded"}
    }
    thinking = sse(delta(None, reasoning_content="Hm."), delta("Hi"), delta(finish="stop"))
    plays = whole(503, {"error": {"message": "busy"}}), whole(400, too_long), stream(*thinking)
    with serving(*plays) as server:
        done = home.run(
            "--base-url", f"{server.url}/v1", "-m", "m", "-r", "long", "-p", "x", "--output-format", "stream-json"
        )
    return fit(done.stdout)


def a_disk_in_trouble(home: Home) -> list[dict]:
    """The sessions are moved away in a turn and are back in the next; then the file is overwritten."""
    away, path = home.folder / "away", home.sessions / "x_chat.toon"
    answers = command(f"mv {home.sessions} {away}"), "Hi", command(f"echo spoilt > {path}"), "Bye"
    with home.start(*home.script(*answers), "-y", "-s", "x", "--input-format", "stream-json") as program:
        rows: list[dict] = []
        for content in ("one", "two", "three"):
            line = {"type": "user", "content": content}
            INPUT.validate(line)
            program.stdin.write(json.dumps(line).encode() + b"\n")
            program.stdin.flush()
            rows += fit(program.stdout.readline().decode())
            while rows[-1]["type"] != "Result":
                rows += fit(program.stdout.readline().decode())
            if away.exists():
                away.rename(home.sessions)
        program.stdin.close()
        rows += fit(program.stdout.read().decode())
    assert [row["exit_code"] for row in rows if row["type"] == "Result"] == [1, 0, 0]
    return rows


def test_every_line_fits_the_schema_and_every_event_occurs(home):
    failed = fit(home.run("-r", "nobody", "-p", "x", "--output-format", "stream-json").stdout)
    rows = [*a_turn_with_tools(home), *a_server_in_trouble(home), *a_disk_in_trouble(home), *failed]
    assert {row["type"] for row in rows} == EVENTS.keys() | OURS
    assert {ref["$ref"].removeprefix("#/$defs/") for ref in SCHEMA["oneOf"]} == EVENTS.keys() | OURS


@pytest.mark.parametrize("name", EVENTS)
def test_the_schema_has_each_event_with_its_fields(name):
    """A new event or field is written into docs/stream-json.schema.json and docs/stream-json.md."""
    told = SCHEMA["$defs"][name]
    fields = {field.name for field in dataclasses.fields(EVENTS[name])}
    assert set(told["properties"]) == set(told["required"]) == fields | {"type"}
    assert told["properties"]["type"] == {"const": name} and told["description"]


def test_the_reasons_are_those_of_the_core():
    reasons = list(typing.get_args(events.TurnReason))
    for name in ("TurnFinished", "Result"):
        assert sorted(SCHEMA["$defs"][name]["properties"]["reason"]["enum"]) == sorted(reasons)
    stops = SCHEMA["$defs"]["Message"]["properties"]["stop_reason"]["enum"]
    assert sorted(stops) == sorted(typing.get_args(messages.StopReason))


def test_our_own_rows_have_the_keys_of_the_schema():
    rows = [streamjson.error_row(None, "why", 1), Report().row(None, 0)]
    for row in rows:
        assert (
            set(row) == set(SCHEMA["$defs"][row["type"]]["properties"]) == set(SCHEMA["$defs"][row["type"]]["required"])
        )


def test_the_page_lists_every_line_with_its_keys():
    listed = dict(re.findall(r"^\| `([A-Z]\w+)` \| [^|]* \| ([^|]*) \|$", PAGE, re.MULTILINE))
    assert listed.keys() == EVENTS.keys() | OURS
    for name, keys in listed.items():
        if name != "Result":
            assert set(re.findall(r"`(\w+)`", keys)) == set(SCHEMA["$defs"][name]["properties"]) - {"type"}, name
    shown = json.loads(re.search(r'\{"type": "Result".*?\}\n', PAGE.replace("\n ", " "))[0])
    assert set(shown) == set(SCHEMA["$defs"]["Result"]["properties"])


def test_what_the_page_says_may_go_in_fits_the_schema():
    lines = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    assert {json.loads(line)["type"] for line in lines} == {"hello", "user", "interrupt", "approval"}
    for line in lines:
        INPUT.validate(json.loads(line))
    for wrong in (
        {"type": "user"},
        {"type": "user", "content": " "},
        {"type": "approval", "call_id": "1"},
        {"type": "x"},
    ):
        assert not INPUT.is_valid(wrong)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_usage_and_steps_are_those_of_the_whole_turn(home):
    call = {"index": 0, "id": "1", "function": {"name": "list_files", "arguments": "{}"}}
    usage = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}}
    asking = sse(delta(None, tool_calls=[call]), delta(finish="tool_calls"), usage)
    with serving(stream(*asking), stream(*hello("Done"))) as server:
        done = home.run("--base-url", f"{server.url}/v1", "-m", "m", "-p", "x", "--output-format", "json")
    [told] = fit(done.stdout)
    assert (told["answer"], told["steps"], told["provider"], told["model"]) == ("Done", 2, "openai", "m")
    assert told["usage"] == {"prompt_tokens": 15, "completion_tokens": 5, "total_tokens": 20}
