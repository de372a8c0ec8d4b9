"""Do arguments fit a tool's parameters? The part of JSON Schema that tool specs use; not a whole validator.

Checked: type, enum, const, anyOf/oneOf, required, properties, additionalProperties, items, minimum, maximum.
What is not known here is not checked.
"""

from collections.abc import Mapping
from typing import Any, cast

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
    "number": (int, float),
    "integer": (int,),
}


def problem_of(value: Any, schema: Mapping[str, Any], where: str = "") -> str | None:
    """The first thing that does not fit, naming its field; None when all fits. `schema` is nested as deep as it likes,
    `value` is followed only as far as the schema describes it."""
    for check in (_choice_problem, _type_problem, _value_problem, _object_problem, _array_problem):
        problem = check(value, schema, where)
        if problem:
            return problem
    return None


def _choice_problem(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    choices: Any = schema.get("anyOf") or schema.get("oneOf")
    if not isinstance(choices, list) or not choices:
        return None
    problems = [problem_of(value, choice, where) for choice in cast("list[Mapping[str, Any]]", choices)]
    return None if None in problems else " or ".join(dict.fromkeys(str(problem) for problem in problems))


def _type_problem(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    wanted: Any = schema.get("type")
    names = cast("list[str]", wanted if isinstance(wanted, list) else [wanted] if isinstance(wanted, str) else [])
    if not names or any(_is_a(value, name) for name in names):
        return None
    return f"{_field(where)} must be {' or '.join(names)}, not {_kind_of(value)}"


def _is_a(value: Any, name: str) -> bool:
    kinds = _KINDS.get(name)
    if kinds is None:
        return True
    if isinstance(value, bool):
        return name == "boolean"
    # JSON has one kind of number: 3.0 is an integer, too.
    return isinstance(value, kinds) or (name == "integer" and isinstance(value, float) and value.is_integer())


def _kind_of(value: Any) -> str:
    return next((name for name in _KINDS if name != "integer" and _is_a(value, name)), type(value).__name__)


def _value_problem(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    allowed: Any = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(allowed, list) and not any(_same(value, one) for one in cast("list[Any]", allowed)):
        return f"{_field(where)} must be one of {', '.join(map(repr, cast('list[Any]', allowed)))}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, int | float) and value < low:
            return f"{_field(where)} must be at least {low}"
        if isinstance(high, int | float) and value > high:
            return f"{_field(where)} must be at most {high}"
    return None


def _same(left: Any, right: Any) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _object_problem(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    properties: Mapping[str, Any] = schema.get("properties") or {}
    for name in cast("list[str]", schema.get("required") or []):
        if name not in fields:
            return f"{_field(_join(where, name))} is missing"
    extra: Any = schema.get("additionalProperties", True)
    for name, item in fields.items():
        inner: Any = properties.get(name, extra)
        if inner is False:
            return f"{_field(_join(where, name))} is unknown; known: {', '.join(properties) or 'none'}"
        if isinstance(inner, dict):
            problem = problem_of(item, cast("dict[str, Any]", inner), _join(where, name))
            if problem:
                return problem
    return None


def _array_problem(value: Any, schema: Mapping[str, Any], where: str) -> str | None:
    items: Any = schema.get("items")
    if not isinstance(value, list) or not isinstance(items, dict):
        return None
    for index, item in enumerate(cast("list[Any]", value)):
        problem = problem_of(item, cast("dict[str, Any]", items), f"{where}[{index}]")
        if problem:
            return problem
    return None


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _field(where: str) -> str:
    return f"'{where}'" if where else "the arguments"
