"""The tools on offer to a model: checks a call, runs it, clips what comes out. Nothing here raises but cancellation.

Not here: what the tools do (a file each), and asking the person (the loop).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

from scratchy.core.events import ToolOutput
from scratchy.core.messages import ToolCall, ToolSpec
from scratchy.core.ports import Ask, Effect, Refuse, Run, Tool, ToolError, ToolResult, Verdict
from scratchy.permissions import Permissions
from scratchy.scratchpad import Scratchpad
from scratchy.tools.schema import problem_of
from scratchy.tools.secrets import Redactor, key_values, redact

_CLIP = 16_384
_SHOWN = 65_536
PLANNING = (
    "not run: this is plan mode, in which nothing is changed or run. Say what you would do; the user leaves plan mode "
    "when it shall be done."
)


class Tools:
    """A `Toolset`. `scratchpad` None: big output is clipped. `keys`: secret values besides those in the environment."""

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        *,
        permissions: Permissions,
        scratchpad: Scratchpad | None = None,
        keys: Iterable[str] = (),
    ) -> None:
        self._tools: dict[str, Tool] = {}
        self._permissions = permissions
        self._scratchpad = scratchpad
        self._keys = tuple(keys)
        self._judged: tuple[ToolCall, Effect] | None = None  # exactly this is allowed, and runs
        for tool in tools:
            self.add(tool)

    @property
    def folder(self) -> Path:
        return self._permissions.folder

    def add(self, tool: Tool) -> None:
        """One more; a tool of the same name is replaced in its place."""
        self._tools[tool.spec["function"]["name"]] = tool

    def remembered(self) -> list[tuple[str, str]]:
        """Tool and, in words, what the person allowed it for the rest of this session."""
        return self._permissions.remembered()

    def names(self) -> list[str]:
        return list(self._tools)

    def specs(self) -> list[ToolSpec]:
        return [tool.spec for tool in self._tools.values()]

    async def checked(self, call: ToolCall) -> Verdict:
        return await asyncio.to_thread(self.check, call)

    def check(self, call: ToolCall) -> Verdict:
        """What `checked` says, for a thread: an edit reads its file."""
        try:
            tool, arguments = self._parse(call)
            effect = tool.effect(arguments)
            self._judged = call, effect
        except Exception as error:  # whatever a tool does wrong is the model's to know, not the turn's to die of
            return Refuse(_failure(call, error, key_values(self._keys)))
        match self._permissions.verdict(call["function"]["name"], effect):
            case "run":
                return Run(arguments, effect.summary)
            case "ask":
                return Ask(arguments, effect.summary, effect.preview, effect.scope)
            case "refuse":
                return Refuse(ToolResult(PLANNING, is_error=True), effect.summary)

    def remember(self, call: ToolCall) -> None:
        effect = self._judged_of(call) or self._effect(call)
        if effect is not None:
            self._permissions.remember(call["function"]["name"], effect)

    async def run(self, call: ToolCall) -> AsyncGenerator[ToolOutput | ToolResult, None]:
        keys = key_values(self._keys)
        redactor = Redactor(keys)
        result: ToolResult | None = None
        try:
            tool, arguments = self._parse(call)
            judged = self._judged_of(call)
            act = judged.act if judged is not None else None
            async with aclosing(act() if act is not None else tool.run(arguments)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, ToolResult):
                        result = piece
                    elif text := redactor.feed(piece):
                        yield ToolOutput(call["id"], text)
            if rest := redactor.rest():
                yield ToolOutput(call["id"], rest)
        except Exception as error:
            result = _failure(call, error, keys)
        self._judged = None  # it may hold whole files
        yield self._clipped(call["function"]["name"], result or ToolResult(""), keys)

    def _judged_of(self, call: ToolCall) -> Effect | None:
        return self._judged[1] if self._judged is not None and self._judged[0] is call else None

    def _effect(self, call: ToolCall) -> Effect | None:
        try:
            tool, arguments = self._parse(call)
            return tool.effect(arguments)
        except Exception:
            return None  # there is nothing to remember: the call cannot run

    def _parse(self, call: ToolCall) -> tuple[Tool, dict[str, Any]]:
        name, text = call["function"]["name"], call["function"]["arguments"]
        tool = self._tools.get(name)
        if tool is None:
            raise ToolError(f"There is no tool {name[:100]!r}. The tools are: {', '.join(self._tools) or 'none'}.")
        try:
            arguments: Any = json.loads(text, parse_constant=_refuse_constant) if text.strip() else {}
        except RecursionError:
            raise ToolError(f"The arguments of {name} are nested too deep.") from None
        except ValueError as error:
            raise ToolError(f"The arguments of {name} are not valid JSON ({error}). Send one JSON object.") from None
        if not isinstance(arguments, dict):
            raise ToolError(f"The arguments of {name} must be one JSON object.")
        schema: dict[str, Any] = tool.spec["function"].get("parameters") or {}
        problem = problem_of(arguments, schema)
        if problem:
            raise ToolError(f"The arguments of {name} do not fit: {problem}.")
        return tool, cast("dict[str, Any]", arguments)

    def _clipped(self, name: str, result: ToolResult, keys: list[str]) -> ToolResult:
        output, display = redact(result.output, keys), redact(result.display, keys)
        shown = clip(display or output, _SHOWN)
        return ToolResult(self._fitted(name, output), shown, result.is_error, result.files)

    def _fitted(self, name: str, output: str) -> str:
        if self._scratchpad is None:
            return clip(output, _CLIP)
        try:
            return self._scratchpad.maybe_store(name, output)
        except OSError as error:
            reason = error.strerror or str(error)
            return clip(output, self._scratchpad.threshold) + f"\n[the whole output could not be stored: {reason}]"


def clip(text: str, limit: int) -> str:
    """At most about `limit` UTF-8 bytes: the beginning and the end, saying what is left out between."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    half = max((limit - 100) // 2, 0)
    head, tail = data[:half].decode("utf-8", "ignore"), data[len(data) - half :].decode("utf-8", "ignore")
    return f"{head}\n[… {len(data) - 2 * half} of {len(data)} bytes left out …]\n{tail}"


def _failure(call: ToolCall, error: Exception, keys: list[str]) -> ToolResult:
    text = str(error) if isinstance(error, ToolError) else f"{call['function']['name']} failed: {_told(error)}"
    return ToolResult(clip(redact(text, keys), _CLIP), is_error=True)


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
