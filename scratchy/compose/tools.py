"""Toolsets, and what the model is told about itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scratchy.config import Config
    from scratchy.core.ports import Editor, Tool
    from scratchy.scratchpad import Scratchpad
    from scratchy.tools.sessions import Recall
    from scratchy.tools.toolset import Tools


def open_tools(
    folder: Path, scratchpad: "Scratchpad | None", *, mode: Callable[[], str] = lambda: "ask",
    mentioned: Callable[[str], bool] = lambda _: False, with_defaults: bool = True,
    recall: "Recall | None" = None, editor: "Editor | None" = None, config: "Config | None" = None,
) -> "Tools":  # fmt: skip
    """A toolset over `folder`; `mentioned` tells whether a scratchpad id occurs in the session's messages; `recall`
    finds what was said in other sessions; `mode` is what runs unasked (see Permissions); `editor` has files open whose
    unsaved text counts; `config` names more folders, keys that are never shown, and those that children get."""
    from scratchy.permissions import Permissions
    from scratchy.tools.builtin import default_tools
    from scratchy.tools.toolset import Tools

    keys, passed = (config.secrets, config.pass_env) if config is not None else ((), ())
    permissions = Permissions(folder, config.add_dirs if config is not None else (), mode)
    tools = default_tools(permissions, scratchpad, mentioned, recall, editor, passed) if with_defaults else []
    return Tools(tools, permissions=permissions, scratchpad=scratchpad, keys=keys)


def tool_from_function(func: Callable[..., Any]) -> "Tool":
    from scratchy.tools.functions import tool_from_function

    return tool_from_function(func)


def tool_from_schema(schema: Mapping[str, Any], executor: Callable[..., Any]) -> "Tool":
    from scratchy.tools.functions import tool_from_schema

    return tool_from_schema(schema, executor)


def system_message(config: "Config") -> str:
    """The system message of a new session: the person's own, else the usual one with the instructions of the config."""
    from scratchy import knowledge

    return config.system if config.system is not None else knowledge.system_message("general", config.instructions)


def role_message(role: str) -> str:
    """The role's prompt. Raises: ValueError naming the roles, for an unknown one."""
    from scratchy import knowledge

    return knowledge.system_message(role)


def message_context(folder: Path, mode: str = "ask") -> str:
    """What rides with a user's message: today's date, the working folder, and that nothing is changed in plan mode."""
    from datetime import datetime

    from scratchy import knowledge
    from scratchy.core.modes import PLAN

    return knowledge.message_context(datetime.now(), str(folder), planning=mode == PLAN)


def modes(config: "Config") -> tuple[str, ...]:
    """The modes that the person may go through: yolo only where the program was started with it."""
    from scratchy.core.modes import MODES, YOLO

    return tuple(mode for mode in MODES if mode != YOLO or config.yolo)
