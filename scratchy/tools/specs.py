"""Small makers of what every tool says about itself. Not here: the tools."""

from typing import Any

from scratchy.core.messages import ToolSpec


def spec(name: str, description: str, required: tuple[str, ...], **properties: dict[str, Any]) -> ToolSpec:
    """A tool spec; `properties` are JSON schemas in the order in which the model sees them.

    Every request carries all specs: what a name says needs no description, and what one tool said no other repeats.
    """
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        parameters["required"] = list(required)
    parameters["additionalProperties"] = False
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def text(description: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "string", **({"description": description} if description else {}), **more}


def integer(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "description": description, **more}


def flag() -> dict[str, Any]:
    """Off when left out; the tool's description says what it does."""
    return {"type": "boolean"}
