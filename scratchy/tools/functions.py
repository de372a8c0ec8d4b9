"""Tools out of people's own functions: the schema from signature, type hints and docstring, or one that is given.

Not here: reading docstrings (docstrings.py), and the checks and limits that every tool has (toolset.py).
"""

import asyncio
import inspect
import json
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence, Set
from copy import deepcopy
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Effect, Tool, ToolError, ToolResult
from scratchy.tools.docstrings import parse_docstring

_SIMPLE: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_LEFT_OUT = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def tool_from_function(func: Callable[..., Any]) -> Tool:
    """A tool of the function's name. `*args` and `**kwargs` are left out of its schema.

    A sync function runs in a thread, an async one is awaited; what it raises is a tool result. Raises: TypeError when
    `func` cannot be called, ValueError when its signature cannot be read.
    """
    if not callable(func):
        raise TypeError(f"a tool must be a function, not {type(func).__name__}")
    parameters = [one for one in inspect.signature(func).parameters.values() if one.kind not in _LEFT_OUT]
    description, about = parse_docstring(inspect.getdoc(func) or "")
    hints = _hints(func)
    properties = {one.name: _property(one, hints.get(one.name, Any), about.get(one.name, "")) for one in parameters}
    required = [one.name for one in parameters if one.default is inspect.Parameter.empty]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    name = str(getattr(func, "__name__", type(func).__name__))
    first = [one.name for one in parameters if one.kind is inspect.Parameter.POSITIONAL_ONLY]

    def call(**arguments: Any) -> Any:
        return func(*(arguments.pop(one) for one in first if one in arguments), **arguments)

    function = {"name": name, "description": description or name, "parameters": schema}
    return _Function({"type": "function", "function": function}, call, _is_async(func))


def tool_from_schema(schema: Mapping[str, Any], executor: Callable[..., Any]) -> Tool:
    """A tool from a chat-completions schema, whole (`{"type": "function", "function": …}`) or its inner part alone.

    `executor`, sync or async, is called with the arguments by keyword. Raises: ValueError when the schema names no
    tool, TypeError when `executor` cannot be called.
    """
    inner: Any = schema.get("function", schema)
    if not isinstance(inner, Mapping) or not isinstance(cast("Any", inner).get("name"), str) or not inner["name"]:
        raise ValueError("a tool's schema needs a 'name'")
    if not callable(executor):
        raise TypeError(f"a tool's executor must be a function, not {type(executor).__name__}")
    function: dict[str, Any] = deepcopy(dict(cast("Mapping[str, Any]", inner)))
    if not isinstance(function.setdefault("parameters", {"type": "object", "properties": {}}), dict):
        raise ValueError(f"the parameters of the tool {function['name']!r} must be a JSON schema object")
    return _Function({"type": "function", "function": function}, executor, _is_async(executor))


class _Function:
    def __init__(self, spec: ToolSpec, call: Callable[..., Any], is_async: bool) -> None:
        self.spec: ToolSpec = spec
        self._call = call
        self._is_async = is_async

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        name = self.spec["function"]["name"]
        shown = json.dumps(arguments, ensure_ascii=False, indent=1)
        exact = json.dumps(arguments, sort_keys=True)
        return Effect(json.dumps(arguments, ensure_ascii=False)[:200], f"{name}: {shown}", "this call", exact)

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        arguments = deepcopy(dict(arguments))
        failed, value = await (self._direct(arguments) if self._is_async else self._threaded(arguments))
        if failed:
            raise ToolError(f"{self.spec['function']['name']} failed: {type(value).__name__}: {value}")
        yield ToolResult(as_text(value))

    async def _direct(self, arguments: dict[str, Any]) -> tuple[bool, Any]:
        return await _awaited(self._call(**arguments))

    async def _threaded(self, arguments: dict[str, Any]) -> tuple[bool, Any]:
        def call() -> tuple[bool, Any]:
            # Nothing is raised out of the thread: a StopIteration could not pass through a future.
            try:
                return False, self._call(**arguments)
            except BaseException as error:
                return True, error

        failed, value = await asyncio.to_thread(call)
        return await _awaited(value) if inspect.isawaitable(value) else (failed, value)


async def _awaited(value: Awaitable[Any]) -> tuple[bool, Any]:
    try:
        return False, await value
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return True, error  # the function's own doing: nobody cancelled the turn
    except (Exception, SystemExit) as error:
        return True, error


def as_text(value: Any) -> str:
    """Text as it is, else JSON, else what Python prints."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _is_async(func: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(type(func).__call__)


def _hints(func: Callable[..., Any]) -> dict[str, Any]:
    """Type hints by parameter; those that cannot be resolved stay out, and their parameters take anything."""
    target: Any = func if inspect.isroutine(func) else getattr(func, "func", type(func).__call__)
    try:
        return get_type_hints(target, include_extras=True)
    except Exception:  # a hint may name whatever does not exist
        known: dict[str, Any] = getattr(target, "__annotations__", {})
        return {name: hint for name, hint in known.items() if not isinstance(hint, str)}


def _property(parameter: inspect.Parameter, hint: Any, about: str) -> dict[str, Any]:
    schema = schema_of(hint)
    if about:
        schema["description"] = about
    if parameter.default is not inspect.Parameter.empty:
        try:
            schema["default"] = json.loads(json.dumps(parameter.default, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            return schema  # a default that JSON cannot say: the parameter is merely optional
        if parameter.default is None and "type" in schema and schema["type"] != "null":
            return _or_null(schema)  # `x: int = None` means an optional one
    return schema


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = cast("list[str]", schema["type"] if isinstance(schema["type"], list) else [schema["type"]])
    return schema | {"type": [*kinds, *([] if "null" in kinds else ["null"])]}


def schema_of(hint: Any) -> dict[str, Any]:
    """The JSON schema of a type hint; `{}`, which takes anything, where JSON has no such thing."""
    if hint in (str, bool, int, float, type(None)):
        return {"type": _SIMPLE[hint]}
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        notes = [note for note in inner[1:] if isinstance(note, str)]
        return schema_of(inner[0]) | ({"description": notes[0]} if notes else {})
    if origin is Literal:
        return _literal(inner)
    if origin in (Union, types.UnionType):
        return _union(inner)
    if not isinstance(origin, type):
        return {}
    if issubclass(origin, Mapping):
        return {"type": "object"} | ({"additionalProperties": schema_of(inner[1])} if len(inner) == 2 else {})
    if issubclass(origin, Sequence | Set):
        one = inner[0] if inner and (origin is not tuple or inner[1:] in ((), (...,))) else Any
        return {"type": "array", "items": schema_of(one)}
    return {}


def _literal(values: tuple[Any, ...]) -> dict[str, Any]:
    kinds = {_SIMPLE.get(type(value), "") for value in values}
    return ({"type": kinds.pop()} if len(kinds) == 1 and "" not in kinds else {}) | {"enum": list(values)}


def _union(members: tuple[Any, ...]) -> dict[str, Any]:
    schemas = [schema_of(member) for member in members]
    if not all(schemas):
        return {}
    rest = [schema for schema in schemas if schema != {"type": "null"}]
    if len(rest) == 1 and len(schemas) == 2:
        schema = rest[0] | ({"enum": [*rest[0]["enum"], None]} if "enum" in rest[0] else {})
        return _or_null(schema) if "type" in schema else {"anyOf": schemas}
    if all(set(schema) == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}
