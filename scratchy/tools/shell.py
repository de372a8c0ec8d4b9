"""The tools that run commands and Python code. Not here: how a process is run and ended (process.py).

What runs has the user's full rights: no sandbox is claimed, the person's yes is the protection.
"""

import os
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Effect, ToolError, ToolResult
from scratchy.core.text import reveal_line
from scratchy.permissions import Permissions
from scratchy.system import WINDOWS
from scratchy.tools.process import Ended, Job, run_job
from scratchy.tools.secrets import passed_environment
from scratchy.tools.specs import integer, spec, text


class ExecuteCommand:
    spec: ToolSpec = spec(
        "execute_command",
        "Run a shell command and get its output (stdout and stderr together) and exit code. There is no input and no "
        "terminal. What it leaves running in its process group is ended.",
        ("command",),
        command=text(),
        working_directory=text("The working folder if left out."),
        timeout=integer("Seconds.", default=300, minimum=1),
    )

    def __init__(self, permissions: Permissions, passed: Sequence[str] = ()) -> None:
        self._permissions = permissions
        self._passed = passed

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        command, folder = arguments["command"], self._folder(arguments)
        if "\0" in command:
            raise ToolError("A command cannot hold a NUL character.")
        timeout = int(arguments.get("timeout", 300))
        preview = f"in {reveal_line(str(folder))} (at most {timeout} s):\n{command}"
        return Effect(_first_line(command), preview, "this command", f"{folder}\0{command}")

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        timeout, extra = float(arguments.get("timeout", 300)), passed_environment(self._passed)
        job = Job(_shell(arguments["command"]), self._folder(arguments), timeout, extra=extra)
        async with aclosing(_told(job)) as pieces:
            async for piece in pieces:
                yield piece

    def _folder(self, arguments: Mapping[str, Any]) -> Path:
        folder = self._permissions.resolve(arguments.get("working_directory") or ".")
        if not folder.is_dir():
            raise ToolError(f"{folder} is not a folder.")
        return folder


class CodeExecute:
    spec: ToolSpec = spec(
        "code_execute",
        "Run Python code in the working folder and get what it prints. Each call is a new process: nothing is kept.",
        ("code",),
        code=text(),
        timeout=integer("Seconds.", default=60, minimum=1),
    )

    def __init__(self, permissions: Permissions, passed: Sequence[str] = ()) -> None:
        self._permissions = permissions
        self._passed = passed

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        code, folder = arguments["code"], self._permissions.folder
        preview = f"Python in {reveal_line(str(folder))} (at most {int(arguments.get('timeout', 60))} s):\n{code}"
        return Effect(f"Python: {_first_line(code)}", preview, "this code", f"{folder}\0{code}")

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        # A program read from stdin has no limit of length and leaves no file behind; it is read whole before it runs.
        code = arguments["code"].encode("utf-8")
        job = Job(
            (sys.executable, "-u", "-"),
            self._permissions.folder,
            float(arguments.get("timeout", 60)),
            stdin=code,
            extra={"PYTHONIOENCODING": "utf-8", **passed_environment(self._passed)},
        )
        async with aclosing(_told(job)) as pieces:
            async for piece in pieces:
                yield piece


async def _told(job: Job) -> AsyncGenerator[str | ToolResult, None]:
    """Runs it; the last is the result, in words for the model."""
    async with aclosing(run_job(job)) as pieces:
        async for piece in pieces:
            yield _result(piece, job) if isinstance(piece, Ended) else piece


def _result(ended: Ended, job: Job) -> ToolResult:
    notes: list[str] = []
    if ended.why == "timeout":
        notes.append(f"[stopped after {job.timeout:g} seconds, with all that it started]")
    elif ended.why == "output":
        notes.append(f"[stopped: it printed more than {job.limit} bytes]")
    elif ended.code < 0:
        notes.append(f"[ended by signal {-ended.code}]")
    elif ended.code:
        notes.append(f"[exit code {ended.code}]")
    if ended.stopped and ended.why == "exit":
        notes.append("[what it left running in its process group was ended]")
    if not ended.output and not notes:
        notes.append("[no output, exit code 0]")
    gap = "" if not ended.output or ended.output.endswith("\n") else "\n"
    failed = ended.why != "exit" or ended.code != 0
    return ToolResult(ended.output + gap + "\n".join(notes), is_error=failed)


def _shell(command: str) -> tuple[str, ...]:
    if WINDOWS:
        return (os.environ.get("COMSPEC", "cmd.exe"), "/d", "/s", "/c", command)
    return (shutil.which("bash") or "/bin/sh", "-c", command)


def _first_line(text: str) -> str:
    """One line for the list of what happened; the preview has it whole."""
    first, _, more = text.strip().partition("\n")
    return first[:200] + (" …" if more or len(first) > 200 else "")
