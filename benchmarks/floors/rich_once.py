"""The floor of streaming: rich renders the whole answer once. Prints CPU in µs, and the bytes that it made."""

import sys
import time
from io import StringIO

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.answers import answer


def rendered(text: str) -> int:
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(Markdown(text))
    return len(console.file.getvalue().encode())  # type: ignore[attr-defined]


rendered(answer(200))
started = time.process_time()
size = rendered(answer(int(sys.argv[1])))
print((time.process_time() - started) * 1e6, size)
