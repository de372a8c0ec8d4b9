"""Small makers of what every tool says about itself. Not here: the tools."""

from typing import Any

from scratchy.core.messages import ToolSpec


def spec(name: str, description: str, required: tuple[str, ...], **properties: dict[str, Any]) -> ToolSpec:
    """A tool spec; `properties` are JSON schemas in the order in which the model sees them."""
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def integer(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "description": description, **more}


def flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description, "default": False}
