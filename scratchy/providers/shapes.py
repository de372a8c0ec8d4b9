"""Readers of JSON that nobody vouches for: each gives an empty value where the shape is another. No I/O."""

import json
from typing import Any, NoReturn, cast


def record(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int | None:
    """A count: an int, or a float without a fraction; never a bool, never negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 2**53 and value == int(value) else None


def parse(source: str | bytes) -> Any:
    """The JSON value, or None for whatever is not JSON. Deep nesting and endless numbers are "not JSON" too."""
    try:
        return _DECODER.decode(
            source if isinstance(source, str) else source.decode(json.detect_encoding(source), "surrogatepass")
        )
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)  # made once: a stream parses thousands of small texts


def encode(value: Any) -> bytes:
    """Compact UTF-8; a lone surrogate, which UTF-8 cannot carry, goes out as `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def arguments_text(arguments: Any) -> str:
    """A tool call's arguments as the string that messages hold, whether a server gave a string or an object."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False) if arguments is not None else ""


def arguments_object(arguments: str) -> dict[str, Any]:
    """The arguments as an object; `{}` for what is no JSON object: servers answer 4xx or 5xx to anything else.

    The transcript keeps what the model wrote, and the tool's result tells the model that its arguments did not parse.
    """
    value = record(parse(arguments))
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return {}
    return value
