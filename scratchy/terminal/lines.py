"""The short lines around an answer: prompt, header, tool call, notice, error. No rich, no prompt_toolkit.

All take text as a model or tool wrote it and make it harmless. Not here: Markdown (render), diffs, the live part.
"""

from scratchy.core.errors import save_problem
from scratchy.core.images import shown
from scratchy.core.text import clean, reveal
from scratchy.terminal.theme import sgr, used


def paint(text: str, role: str) -> str:
    """`text` as the theme in use shows this role."""
    codes = sgr(used().looks[role])
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def dimmed(text: str) -> str:
    """Painted lines, each as a whole less bright."""
    lines = text.removesuffix("\n").split("\n")
    return "".join("\x1b[2m" + line.replace("\x1b[0m", "\x1b[0;2m") + "\x1b[0m\n" if line else "\n" for line in lines)


def user_lines(prompt: str, text: str) -> str:
    return paint(prompt, "prompt") + clean(shown(text)) + "\n"


def header(session_id: str) -> str:
    return paint(f"[{reveal(session_id)}] 🤖 Assistant:", "header") + "\n"


def notice(text: str) -> str:
    return paint(clean(text), "notice") + "\n"


def error(text: str) -> str:
    return paint(clean(text), "error") + "\n"


def unsaved_reason(failure: Exception) -> str:
    """Why a line could not be stored: `not saved: no space`, with the file or folder where the system named it."""
    if not isinstance(failure, OSError):
        return str(failure)
    return f"not saved: {save_problem(failure)}" + (f" ({failure.filename})" if failure.filename else "")


def one_line(text: str) -> str:
    """All of `text` on one line, harmless."""
    return " ".join(clean(text).split())


def call_words(text: str) -> str:
    """The name of a call, or what it does, on one line: what hides or reorders is shown escaped, as in an approval."""
    return reveal(one_line(text))


def duration(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{milliseconds} ms" if milliseconds < 1000 else f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def tool_end(ran: bool, is_error: bool, milliseconds: int | None) -> str:
    """How a call ended: `12 ms`, `failed · 12 ms`, `not run`."""
    if not ran:
        return "not run"
    words = ["failed"] if is_error else []
    return " · ".join([*words, duration(milliseconds)] if milliseconds is not None else words)


def first_line(text: str) -> str:
    """The first line of a result that says something, on one line of bounded length."""
    line = next((line for line in text.split("\n") if line.strip()), "")
    return one_line(line)[:300]


def tool_line(name: str, summary: str, is_error: bool, end: str) -> str:
    """A finished tool call: `✓ read_file notes.txt · 12 ms`."""
    what = call_words(name)
    rest = call_words(summary)
    rest = rest.removeprefix(what).lstrip() if rest.startswith(f"{what} ") else rest
    mark = paint("✗", "bad") if is_error else paint("✓", "good")
    return f"{mark} {paint(what, 'name')} {rest} {paint(f'· {end}', 'notice') if end else ''}".rstrip() + "\n"


def overwritten(text: str) -> str:
    """`text` as a terminal would have left it: of a line that was written over again and again, the last state."""
    if "\r" not in text:
        return text
    return "\n".join(_last_state(line) for line in text.replace("\r\n", "\n").split("\n"))


def _last_state(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part.strip()), "") if "\r" in line else line
