"""The question before a tool call, asked line by line: for plain mode and for one answer on a terminal.

Not here: the drawn question (approve.py). What was typed before the question is dropped; a key or a line answers.
"""

from collections.abc import Callable

from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval
from scratchy.core.text import reveal
from scratchy.terminal.input import LineInput


def nobody(request: ApprovalRequested) -> Approval:
    """The answer where there is no one to ask."""
    how = "Start with --yolo to run such calls unasked." if request.scope else "Such calls ask each time."
    return Approval(False, message=f"nobody can be asked here: stdin is no terminal. {how}")


async def ask(request: ApprovalRequested, lines: LineInput, write: Callable[[str], None]) -> Approval:
    """Show the call, whole and exact, and read y, a, n or e. The end of the input is a no."""
    shown = reveal(request.preview.removesuffix("\n")).replace("\n", "\n| ")
    write(f"The model asks to run {reveal(request.name)}:\n| {shown}\n")
    lines.drop_typed()
    always = f", a always for {reveal(request.scope)}" if request.scope else ""
    keys = "y/a/n/e" if always else "y/n/e"
    while True:
        with lines.keys():
            write(f"Allow? y once{always}, n no, e no with a word to the model ({keys}): ")
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
