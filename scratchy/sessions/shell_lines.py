"""What the person runs at the prompt (`!command`), and what the model is told of it at the next turn.

Not here: which lines these are and how they look (terminal), how a command is run (tools.at_prompt).
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from scratchy.compose.commands import redacted, run_at_prompt
from scratchy.core.events import Event
from scratchy.sessions.desk import Desk

if TYPE_CHECKING:
    from scratchy.compose.commands import Ran


def run(desk: Desk, command: str) -> "AsyncGenerator[str | Ran, None]":
    """In the current session's folder: what it prints as it comes, then `Ran`. Nothing is stored. Raises: OSError or
    ValueError when it cannot be started."""
    return run_at_prompt(command, desk.config)


async def tell(desk: Desk, command: str, output: str, ending: str) -> list[Event]:
    """Store command and output as what the person says, for the next turn; big output rests in the scratchpad.
    Raises: OSError, ScratchyError when it could not be stored."""
    head = f"$ {redacted(command, desk.config)}\n[I ran this at the prompt, in {desk.config.folder}: {ending}]"
    output = (await asyncio.to_thread(desk.scratchpad.maybe_store, "shell", output)).strip("\n")
    return await desk.conversation.note(f"{head}\n{output}" if output.strip() else f"{head}\n[no output]")
