"""Checks request bodies against the types of the official SDKs, which are oracles here and never run-time dependencies.

`complaints("openai", body)` is empty when the body is what the SDK's own types allow: no unknown key, none missing, no
wrong type. The openai package describes requests as TypedDicts, which are walked here (pydantic lets unknown keys of a
TypedDict pass); the ollama package has models, which are made strict.
"""

import collections.abc
import types
import typing
from typing import Any, Union

import ollama._types
import typing_extensions
from openai.types.chat import completion_create_params as openai_params
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


def complaints(kind: str, body: dict[str, Any]) -> list[str]:
    if kind == "openai":
        return _walk(openai_params.CompletionCreateParamsStreaming, body, "body")
    found = _strictly(ollama._types.ChatRequest, body, "body")  # it takes any mapping for the parts below
    for key, model in (("messages", ollama._types.Message), ("tools", ollama._types.Tool)):
        for number, part in enumerate(body.get(key, [])):
            found += _strictly(model, _with_images(part), f"{key}[{number}]")
    return found


def _with_images(message: dict[str, Any]) -> dict[str, Any]:
    """The SDK's images are objects that it writes as the base64 they hold."""
    if "images" not in message:
        return message
    images = [ollama._types.Image(value=image) for image in message["images"]]
    assert [image.serialize_model() for image in images] == message["images"]
    return {**message, "images": images}


def _strictly(model: type[BaseModel], value: Any, at: str) -> list[str]:
    strict = type(f"Strict{model.__name__}", (model,), {"model_config": ConfigDict(extra="forbid")})
    try:
        TypeAdapter(strict).validate_python(value)
    except ValidationError as error:
        return [f"{at}.{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return []


def _walk(kind: Any, value: Any, at: str) -> list[str]:
    kind = _bare(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in (Any, object):
        return []
    if typing_extensions.is_typeddict(kind):
        return _walk_keys(kind, value, at)
    if origin in (Union, types.UnionType):
        return _walk_union(inner, value, at)
    if origin is typing.Literal:
        return [] if value in inner else [f"{at}: {value!r} is none of {inner}"]
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [one for number, part in enumerate(value) for one in _walk(inner[0], part, f"{at}[{number}]")]
    wanted = {None: type(None), float: (int, float), dict: dict, collections.abc.Mapping: dict}.get(
        origin or kind, kind
    )
    right = isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))
    return [] if right else [f"{at}: {value!r} is no {kind}"]


def _walk_keys(kind: Any, value: Any, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: not an object"]
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    # Not __required_keys__: the SDK postpones its annotations, so that Required[...] was not seen when it was filled.
    required = [key for key, hint in hints.items() if typing.get_origin(hint) is typing_extensions.Required]
    found = [f"{at}.{key}: missing" for key in required if key not in value]
    for key, part in value.items():
        found += _walk(hints[key], part, f"{at}.{key}") if key in hints else [f"{at}.{key}: unknown key"]
    return found


def _walk_union(members: tuple[Any, ...], value: Any, at: str) -> list[str]:
    """What the best-fitting member complains of; one whose role or type is the value's counts as meant."""
    tried = [(member, _walk(member, value, at)) for member in members]
    if any(not found for _, found in tried):
        return []
    meant = [found for member, found in tried if _is_meant(member, value)]
    return min(meant or [found for _, found in tried], key=len)


def _is_meant(member: Any, value: Any) -> bool:
    if not (typing_extensions.is_typeddict(member) and isinstance(value, dict)):
        return False
    hints = typing_extensions.get_type_hints(member)
    return any(value.get(key) in typing.get_args(hints[key]) for key in ("role", "type") if key in hints)


def _bare(kind: Any) -> Any:
    wrappers = (typing_extensions.Required, typing_extensions.NotRequired, typing.Annotated)
    while typing.get_origin(kind) in wrappers:
        kind = typing.get_args(kind)[0]
    return kind.__value__ if isinstance(kind, typing_extensions.TypeAliasType) else kind
