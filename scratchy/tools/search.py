"""The tools that list and search files. Not here: walking and matching, which a child process does (search_child.py,
or ripgrep where it is installed), so that a slow pattern or a hung disk can be stopped like any command.
"""

import shutil
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Effect, ToolError, ToolResult
from scratchy.permissions import Permissions, is_secret
from scratchy.tools.files import as_judged, reading
from scratchy.tools.process import Ended, Job, finished, python_job
from scratchy.tools.specs import flag, spec, text
from scratchy.tools.spots import refuse_moved

_SECONDS = 30.0
_MOST_HITS = 300
_MOST_NAMES = 1000
_MOST_OUTPUT = 4 << 20
_LONGEST_LINE = 400
_DIRECTORY = text(default=".")


class ListFiles:
    spec: ToolSpec = spec(
        "list_files",
        "List a folder; folders end in /. With recursive=true also what lies below, without what .gitignore names.",
        (),
        directory=_DIRECTORY,
        pattern=text("Shell pattern for names, e.g. *.py", default="*"),
        recursive=flag(),
    )

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        given = arguments.get("directory", ".")
        folder = self._permissions.resolve(given)
        return reading(self._permissions, folder, given, "list", partial(self._list, folder, arguments))

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        async for piece in as_judged(self, arguments):
            yield piece

    async def _list(self, folder: Path, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        refuse_moved(folder)
        if not folder.is_dir():
            raise ToolError(f"{folder} is not a folder.")
        request = {"do": "list", "folder": str(folder), "pattern": arguments.get("pattern", "*")}
        request |= {"recursive": bool(arguments.get("recursive", False)), "most": _MOST_NAMES + 1}
        ended = await _child(request)
        if ended.code and ended.why == "exit":
            raise ToolError(f"{folder} could not be listed: {ended.output.strip()}")
        names = ended.output.split("\0")[:-1]
        lines = [f"Entries in {folder}, {len(names)} in all:" if names else f"Nothing in {folder} matches."]
        lines += names[:_MOST_NAMES]
        if len(names) > _MOST_NAMES:
            lines[0] = f"The first {_MOST_NAMES} entries in {folder} (there are more: take a pattern or a subfolder):"
        yield ToolResult("\n".join([*lines, *_ending(ended, _SECONDS)]))


class SearchFiles:
    """Both searching tools: `search_files` takes a regular expression, `fast_grep` a literal text."""

    def __init__(self, permissions: Permissions, literal: bool, ripgrep: str | None, seconds: float = _SECONDS) -> None:
        self._permissions = permissions
        self._literal = literal
        self._ripgrep = ripgrep
        self._seconds = seconds
        self.spec: ToolSpec = _GREP if literal else _SEARCH

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        directory, verb = arguments.get("directory", "."), f"search for {self._wanted(arguments)!r} in"
        folder = self._permissions.resolve(directory)
        effect = reading(self._permissions, folder, directory, verb, partial(self._search, folder, arguments))
        return replace(effect, summary=f"{self._wanted(arguments)!r} in {directory}")

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        async for piece in as_judged(self, arguments):
            yield piece

    async def _search(self, folder: Path, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        refuse_moved(folder)
        wanted = self._wanted(arguments)
        if not folder.exists():
            raise ToolError(f"{folder} does not exist.")
        if not wanted or "\0" in wanted:
            raise ToolError("There is nothing to search for.")
        names, any_case = arguments.get("file_pattern", "*"), bool(arguments.get("ignore_case", False))
        if self._ripgrep:
            job = _ripgrep_job(self._ripgrep, wanted, folder, names, any_case, self._literal)
            ended = await finished(replace(job, timeout=self._seconds))
        else:
            request = {"do": "search", "folder": str(folder), "pattern": names, "wanted": wanted}
            request |= {"literal": self._literal, "ignore_case": any_case, "most": _MOST_HITS + 1}
            ended = await _child(request, self._seconds)
        if ended.why == "exit" and ended.code not in (0, 1) and "\0" not in ended.output:
            raise ToolError(f"The search failed: {ended.output.strip()[:2000]}")
        yield ToolResult("\n".join([*_told(ended, folder), *_ending(ended, self._seconds)]))

    def _wanted(self, arguments: Mapping[str, Any]) -> str:
        return arguments["keyword" if self._literal else "pattern"]


_SEARCH: ToolSpec = spec(
    "search_files",
    "Search file contents for a regular expression, line by line; hits as path:line: text. Files that .gitignore "
    "names, binary files and files with secrets are left out.",
    ("pattern",),
    pattern=text(),
    directory=_DIRECTORY,
    file_pattern=text("Shell pattern for file names, e.g. *.py", default="*"),
    ignore_case=flag(),
)
_GREP: ToolSpec = spec(
    "fast_grep",
    "As search_files, for a literal text.",
    ("keyword",),
    keyword=text(),
    directory=_DIRECTORY,
)


def _ripgrep_job(program: str, wanted: str, folder: Path, names: str, any_case: bool, literal: bool) -> Job:
    options = ["--no-config", "--null", "--line-number", "--no-heading", "--with-filename", "--color=never"]
    options += ["--sort=path", "--hidden", "--glob=!.git", "--no-messages", "--max-count=100"]
    options += ["--no-require-git", f"--max-columns={_LONGEST_LINE}", "--max-columns-preview"]
    options += ["--fixed-strings"] if literal else ["--engine=auto"]
    options += ["--ignore-case"] if any_case else []
    # A type, unlike a glob, does not bring back what .gitignore leaves out.
    options += [] if names == "*" else [f"--type-add=wanted:{names}", "--type=wanted"]
    base, inside = (folder, ".") if folder.is_dir() else (folder.parent, f"./{folder.name}")
    return Job((program, *options, f"--regexp={wanted}", "--", inside), base, _SECONDS, limit=_MOST_OUTPUT)


async def _child(request: Mapping[str, Any], seconds: float = _SECONDS) -> Ended:
    return await finished(python_job("scratchy.tools.search_child", request, seconds, _MOST_OUTPUT))


def _told(ended: Ended, folder: Path) -> list[str]:
    """`path\\0line:text` of ripgrep and of our child, as lines for the model; secret files are left out."""
    base = folder if folder.is_dir() else folder.parent
    hits: list[str] = []
    hidden: set[str] = set()
    for row in ended.output.split("\n"):
        name, found, rest = row.partition("\0")
        if not found:
            continue
        name = name.removeprefix("./").removeprefix(".\\")
        if is_secret(base / name) and base / name != folder:
            hidden.add(name)
        else:
            line, _, content = rest.rstrip("\r").partition(":")
            hits.append(f"{name}:{line}: {content[: _LONGEST_LINE * 2]}")
    lines = [
        f"Hits in {folder}, {len(hits)} in all:" if hits else f"Nothing found in {folder}.",
        *hits[:_MOST_HITS],
    ]
    if len(hits) > _MOST_HITS:
        lines[0] = f"The first {_MOST_HITS} hits in {folder} (there are more: search more narrowly):"
    if hidden:
        lines.append(f"[{len(hidden)} files that often hold keys or passwords were left out]")
    return lines


def _ending(ended: Ended, seconds: float) -> list[str]:
    if ended.why == "timeout":
        return [f"[stopped after {seconds:g} seconds; this is not all]"]
    return ["[stopped, too much was found; this is not all]"] if ended.why == "output" else []


def find_ripgrep() -> str | None:
    return shutil.which("rg")
