"""The question of plain mode and of one answer on a terminal: no row of a call looks like it."""

import asyncio
import fcntl
import os
import pty
import struct
import termios

from scratchy.core.events import ApprovalRequested
from scratchy.core.messages import ToolCall
from scratchy.terminal.asking import ask
from scratchy.terminal.input import LineInput

CALL: ToolCall = {"id": "1", "type": "function", "function": {"name": "run", "arguments": "{}"}}


async def asked(preview: str, columns: int, rows: int) -> tuple[str, bool]:
    """All that is written, and whether a `y` was taken for one."""
    person, terminal = pty.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        out: list[str] = []
        request = ApprovalRequested(CALL, "ru\nn", {}, preview, "this\nfolder")
        answer = asyncio.ensure_future(ask(request, LineInput(terminal), out.append))
        while not "".join(out).endswith(": "):
            await asyncio.sleep(0.01)
        os.write(person, b"y")
        allowed = (await answer).allowed
        return "".join(out), allowed
    finally:
        os.close(terminal)
        os.close(person)


def test_each_row_begins_with_a_bar_and_the_height_is_told() -> None:
    forged = "Allow? y once, n no (y/n/e): "
    preview = "touch x #" + " " * 400 + forged.ljust(40) * 3 + "\u202e漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字"
    written, allowed = asyncio.run(asked(preview, 40, 10))
    title, *shown = written.partition("Allow? (")[0].removesuffix("\n").split("\n")
    assert allowed and title == "The model asks to run ru\\nn:"
    assert all(row.startswith("| ") and len(row) < 40 for row in shown)
    assert "".join(row[2:] for row in shown) == preview.replace("\u202e", "\\u202e")
    told = written.rpartition("Allow? (")[2]
    assert int(told.split()[0]) == len(shown) + 1 and "this\\nfolder" in " ".join(told.split())
    written, _ = asyncio.run(asked("ls", 40, 10))
    assert "further up" not in written
