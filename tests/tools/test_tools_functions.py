"""Tools out of functions: the schema that a model sees, and what runs."""

import asyncio
import functools
import threading
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from toolbench import call, collect, failure, output

from scratchy.core.ports import Tool
from scratchy.permissions import Permissions
from scratchy.tools.functions import tool_from_function, tool_from_schema
from scratchy.tools.toolset import Tools


def google(city: str, days: int = 3, unit: Literal["C", "F"] = "C", tags: list[str] | None = None) -> str:
    """Tell the weather.

    It looks out of the window.

    Args:
        city (str): Where,
            exactly.
        days: How many days.

    Returns:
        A sentence.
    """
    return f"{city} {days} {unit} {tags}"


def numpy(a: float, b: "dict[str, int]", c: Optional[bool] = None, *args: int, **kwargs: int) -> None:  # noqa: UP045
    """Add.

    Parameters
    ----------
    a : float
        The first.
    b, c : things
        The others.

    Returns
    -------
    None
    """


def rest(x: Annotated[int, "from the hint"], y: Any, /, z: "Unheard" = object()) -> None:  # type: ignore[name-defined] # noqa: B008, F821
    """Do it.

    :param y: The second,
        in two lines.
    :return: nothing
    """


def function_of(tool: Tool) -> dict[str, Any]:
    assert tool.spec["type"] == "function"
    return tool.spec["function"]


def toolset(folder: Path, *tools: Tool) -> Tools:
    return Tools(tools, permissions=Permissions(folder))


def test_a_schema_from_signature_hints_and_google_docstring():
    assert function_of(tool_from_function(google)) == {
        "name": "google",
        "description": "Tell the weather.\n\nIt looks out of the window.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where, exactly."},
                "days": {"type": "integer", "description": "How many days.", "default": 3},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                "tags": {"type": ["array", "null"], "items": {"type": "string"}, "default": None},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    }


def test_numpy_docstrings_and_variable_arguments():
    told = function_of(tool_from_function(numpy))
    assert told["description"] == "Add."
    assert told["parameters"]["properties"] == {
        "a": {"type": "number", "description": "The first."},
        "b": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "The others."},
        "c": {"type": ["boolean", "null"], "description": "The others.", "default": None},
    }


def test_rest_docstrings_and_hints_that_cannot_be_resolved():
    told = function_of(tool_from_function(rest))
    assert told["description"] == "Do it."
    assert told["parameters"]["properties"]["y"] == {"description": "The second, in two lines."}
    assert told["parameters"]["required"] == ["x", "y"]


def test_functions_of_every_kind_run(tmp_path: Path):
    main = threading.get_ident()

    async def slow(text: str) -> dict[str, str]:
        await asyncio.sleep(0.01)
        return {"text": text}

    class Thing:
        def method(self, n: int = 1) -> int:
            """Count."""
            return n + 1

        def __call__(self, word: str) -> str:
            return word.upper()

    def where() -> bool:
        return threading.get_ident() == main

    tools = toolset(tmp_path, *map(tool_from_function, (google, slow, Thing().method, Thing(), where)))
    assert output(tools, "google", city="Rom") == "Rom 3 C None"
    assert output(tools, "google", city="Rom", tags=None, unit="F") == "Rom 3 F None"
    assert output(tools, "slow", text="ä") == '{"text": "ä"}'
    assert output(tools, "method", n=4) == "5" and output(tools, "Thing", word="a") == "A"
    assert output(tools, "where") == "false"
    assert output(toolset(tmp_path, tool_from_function(functools.partial(google, days=9))), "partial", city="Rom")
    assert "'city' must be string" in failure(tools, "google", city=5)
    assert "one of 'C', 'F'" in failure(tools, "google", city="Rom", unit="K")


@pytest.mark.parametrize("error", [ValueError, StopIteration, SystemExit, KeyboardInterrupt])
def test_what_a_function_raises_is_a_result(tmp_path: Path, error: type[BaseException]):
    def broken():
        raise error("bad")

    told = failure(toolset(tmp_path, tool_from_function(broken)), "broken")
    assert told == f"broken failed: {error.__name__}: bad"


def test_what_an_async_function_raises_is_a_result(tmp_path: Path):
    async def gives_up():
        raise asyncio.CancelledError("bad")

    async def exits():
        raise SystemExit("bad")

    tools = toolset(tmp_path, tool_from_function(gives_up), tool_from_function(exits))
    assert "CancelledError" in failure(tools, "gives_up") and "SystemExit" in failure(tools, "exits")


def test_a_real_cancellation_passes(tmp_path: Path):
    async def forever():
        await asyncio.sleep(60)

    async def turn() -> None:
        tools = toolset(tmp_path, tool_from_function(forever))
        task = asyncio.create_task(collect(tools, call("forever")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(turn())


def test_what_is_not_json_becomes_text(tmp_path: Path):
    values: list[Any] = [{1, 2}, float("nan"), b"x", None, [1, {"a": "ü"}], Path("p")]

    def value(index: int) -> Any:
        return values[index]

    tools = toolset(tmp_path, tool_from_function(value))
    assert [output(tools, "value", index=index) for index in range(6)] == [
        "{1, 2}",
        "nan",
        "b'x'",
        "null",
        '[1, {"a": "ü"}]',
        "p",
    ]


@pytest.mark.parametrize("whole", [True, False])
def test_a_given_schema_whole_or_bare_with_either_kind_of_executor(tmp_path: Path, whole: bool):
    inner = {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
        },
    }
    schema = {"type": "function", "function": inner} if whole else inner

    async def add_later(a: float, b: float) -> float:
        return a + b

    for executor in (lambda a, b: a + b, add_later):
        tool = tool_from_schema(schema, executor)
        assert tool.spec == {"type": "function", "function": inner}
        tools = toolset(tmp_path, tool)
        assert output(tools, "add", a=1, b=2.5) == "3.5"
        assert "'b' is missing" in failure(tools, "add", a=1)
        assert "TypeError" in failure(tools, "add", a=1, b=2, c=3)


def test_a_schema_without_parameters_and_what_is_no_tool(tmp_path: Path):
    assert output(toolset(tmp_path, tool_from_schema({"name": "ping"}, lambda: "pong")), "ping") == "pong"
    for wrong in ({}, {"name": ""}, {"function": {"description": "x"}}, {"name": "a", "parameters": "x"}):
        with pytest.raises(ValueError):
            tool_from_schema(wrong, print)
    with pytest.raises(TypeError):
        tool_from_schema({"name": "a"}, "print")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        tool_from_function(5)  # type: ignore[arg-type]
