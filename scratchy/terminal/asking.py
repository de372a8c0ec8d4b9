"""The question before a tool call, asked line by line: for plain mode and for one answer on a terminal.

Not here: the drawn question (approve.py). What was typed before the question is dropped; a key or a line answers.
"""

from collections.abc import Callable

from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval
from scratchy.core.text import reveal, reveal_line
from scratchy.terminal.barred import rows, told_height
from scratchy.terminal.input import LineInput

_BELOW = 2  # rows that the question takes


def nobody(request: ApprovalRequested) -> Approval:
    """The answer where there is no one to ask."""
    how = "Start with --yolo to run such calls unasked." if request.scope else "Such calls ask each time."
    return Approval(False, message=f"nobody can be asked here: stdin is no terminal. {how}")


async def ask(request: ApprovalRequested, lines: LineInput, write: Callable[[str], None]) -> Approval:
    """Show the call, whole and exact, and read y, a, n or e. The end of the input is a no."""
    columns, height = lines.size()
    shown = rows(request.preview.removesuffix("\n"), columns - 3)
    write(f"The model asks to run {reveal_line(request.name)}:\n| " + "\n| ".join(shown) + "\n")
    lines.drop_typed()
    always = f", a always for {reveal_line(request.scope)}" if request.scope else ""
    above = told_height(len(shown) + 1, height - _BELOW)
    keys = "y/a/n/e" if always else "y/n/e"
    while True:
        with lines.keys():
            question = f"Allow?{above} y once{always}, n no, e no with a word to the model ({keys}):"
            write("\n".join(rows(question, columns - 2)) + " ")
            typed = await lines.key() or "n"
        write(f"{reveal(typed)[:20]}\n")
        match typed.lower():
            case "y" | "yes":
                return Approval(True)
            case "a" | "always" if always:
                return Approval(True, always=True)
            case "n" | "no" | "\x1b" | "\x04":
                return Approval(False)
            case "e":
                write("Say to the model: ")
                return Approval(False, message=(await lines.line() or "").strip())
            case _:
                continue
