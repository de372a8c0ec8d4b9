"""Tool calls as an editor shows them: kind, title, the files they touch, the text or the diff in them.

Not here: when they are told (updates.py, replay.py).
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from acp import text_block, tool_content, tool_diff_content
from acp.schema import (
    ContentToolCallContent,
    FileEditToolCallContent,
    TerminalToolCallContent,
    ToolCallLocation,
    ToolKind,
)

from scratchy.core.messages import FileChange, ToolCall
from scratchy.core.text import reveal_line

Content = list[ContentToolCallContent | FileEditToolCallContent | TerminalToolCallContent]
Texts = tuple[str | None, str]
"""Of a file, before (None: there was none) and after."""

_KINDS: Mapping[str, ToolKind] = {
    "read_file": "read",
    "create_file": "edit",
    "edit_file": "edit",
    "delete_file": "delete",
    "list_files": "search",
    "search_files": "search",
    "fast_grep": "search",
    "execute_command": "execute",
    "code_execute": "execute",
    "web_search": "fetch",
    "url_fetch": "fetch",
    "scratchpad_read": "read",
    "scratchpad_list": "read",
    "search_sessions": "search",
}
_PATHS = ("file_path", "directory", "working_directory")
_TITLE = 200
_LARGEST_DIFF = 1 << 20  # characters of both texts together


def kind_of(name: str) -> ToolKind:
    return _KINDS.get(name, "other")


def arguments_of(call: ToolCall) -> dict[str, Any] | None:
    """The call's arguments; None where they are no JSON object."""
    try:
        found: Any = json.loads(call["function"]["arguments"], parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def title_of(name: str, summary: str) -> str:
    """One line, what hides or reorders in it shown escaped: by it a person knows what is asked and what runs."""
    told = " ".join(summary.split())
    return reveal_line(f"{name}: {told[:_TITLE]}" if told else name)


def summary_of(call: ToolCall) -> str:
    """What the call is about, where no tool has told it yet."""
    arguments = arguments_of(call)
    if arguments is None:
        return call["function"]["arguments"]
    return next((value for value in arguments.values() if isinstance(value, str)), "")


def locations_of(arguments: Mapping[str, Any] | None, folder: Path) -> list[ToolCallLocation]:
    """The files and folders that the arguments name, absolute."""
    named = [(arguments or {}).get(key) for key in _PATHS]
    line = (arguments or {}).get("start_line")
    return [
        ToolCallLocation(
            path=absolute(path, folder), line=line if isinstance(line, int) and not isinstance(line, bool) else None
        )
        for path in named
        if isinstance(path, str) and path and "\0" not in path
    ]


def absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder / os.path.expanduser(path))


def text_content(text: str) -> Content:
    return [tool_content(text_block(text))] if text else []


def fenced(text: str, language: str) -> str:
    """The text as a block of Markdown, whole and exact: the fence is longer than any in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.removesuffix(chr(10))}\n{fence}"


def passage_diff(name: str, arguments: Mapping[str, Any] | None, folder: Path) -> Content:
    """What an edit would change, as its arguments say it: the passage alone, not the whole file."""
    given = arguments or {}
    path, old, new = given.get("file_path"), given.get("old_text"), given.get("new_text")
    if name == "create_file":
        old, new = None, given.get("content")
    elif name != "edit_file" or not isinstance(old, str):
        return []
    if not isinstance(path, str) or not path or not isinstance(new, str):
        return []
    return [tool_diff_content(absolute(path, folder), new, old)]


def whole_diff(changes: Sequence[FileChange], texts: Callable[[FileChange], Texts | None]) -> Content:
    """What was changed, file by file, with the whole contents that `texts` gives; empty where it cannot, or where they
    are too long. Reads files: for a thread."""
    content: Content = []
    for change in changes:
        found = texts(change)
        if found is None or len(found[0] or "") + len(found[1]) > _LARGEST_DIFF:
            return []
        content.append(tool_diff_content(change["path"], found[1], found[0]))
    return content
