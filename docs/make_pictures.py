"""Makes the pictures of the documents: runs the real program in a pseudo-terminal, types, and draws what stands there.

python docs/make_pictures.py [FOLDER]      writes them into FOLDER (docs/pictures if none is given)

The providers demo and scripted answer, so that no model is needed. Needs the extra `dev`.
"""

import json
import os
import re
import sys
import tempfile
import time
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import pexpect
import pyte

ROOT = Path(__file__).resolve().parents[1]
COLUMNS, ROWS = 80, 40
PATIENCE = 30.0
CTRL_D = "\x04"
SHIFT_TAB = "\x1b[Z"
BELOW = r"\n.*context.*"  # the row below the input
CELL, LINE, EDGE, BAR = 8.4, 18, 16, 34  # pixels: a column, a row, the margin, the title's height
BACK, FORE = "#16181d", "#d8dee9"
COLOURS = {
    "black": "#5c6370", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": FORE,
}  # fmt: skip


class Window:
    """A shell in a pseudo-terminal of COLUMNS × ROWS, and the screen that its bytes make."""

    def __init__(self, folder: Path) -> None:
        program = folder / "scratchy"
        program.write_text(f"#!{sys.executable}\nfrom scratchy.cli import main\n\nmain()\n")
        program.chmod(0o755)
        work = folder / "work"
        work.mkdir()
        (work / "notes.md").write_text("The parser: split on newlines only.\nTry it with empty files.\n")
        environment = {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PS1": "$ ",
            "SCRATCHY_SESSIONS_DIR": str(folder / "sessions"),
        }
        self._child: Any = pexpect.spawn("/bin/sh", ["-i"], cwd=work, env=environment, dimensions=(ROWS, COLUMNS))
        self._child.delaybeforesend = None
        self.screen: Any = pyte.Screen(COLUMNS, ROWS)
        self._stream: Any = pyte.ByteStream(self.screen)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close(force=True)

    def type(self, text: str) -> None:
        self._child.send(text.encode())

    def wait_for(self, pattern: str) -> None:
        """Until the text on the screen ends in the pattern and nothing more comes for a moment."""
        until = time.monotonic() + PATIENCE
        while self._read() or not re.search(rf"{pattern}\s*\Z", self.text()):
            if time.monotonic() > until:
                sys.exit(f"waited in vain for {pattern}:\n{self.text()}")

    def _read(self) -> bool:
        """Whether something came within a moment."""
        try:
            self._stream.feed(self._child.read_nonblocking(65536, timeout=0.4))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        return True

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()


def svg_of(screen: Any, title: str) -> str:
    """The screen as a drawing: a text element for each run of cells that look alike, as wide as its cells."""
    rows = [row for number in range(ROWS) if (row := list(_runs(screen.buffer[number]))) or number < screen.cursor.y]
    width, height = COLUMNS * CELL + 2 * EDGE, len(rows) * LINE + BAR + EDGE
    texts = [
        f'<text x="{EDGE + column * CELL:g}" y="{BAR + number * LINE + 14}" textLength="{cells * CELL:g}"{look}>'
        f"{escape(text)}</text>"
        for number, row in enumerate(rows)
        for column, cells, look, text in row
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" role="img" fill="{FORE}" '
        'font-family="Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" xml:space="preserve">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{width:g}" height="{height}" rx="8" fill="{BACK}"/>\n'
        f'<text x="{width / 2:g}" y="21" text-anchor="middle" fill="#8b93a1">{escape(title)}</text>'
    )
    return "\n".join([head, *texts, "</svg>\n"])


def _runs(cells: Any) -> Any:
    """(column, width in cells, attributes, text) of each run of a row; nothing for blanks."""
    for look, run in groupby(range(COLUMNS), lambda column: _look(cells[column])):
        columns = list(run)
        text = "".join(cells[column].data for column in columns)
        start = columns[0] + len(text) - len(text.lstrip())
        stripped = len(text.rstrip()) - len(text)
        if text.strip():
            yield start, columns[-1] + 1 + stripped - start, look, text.strip()


def _look(cell: Any) -> str:
    colour = cell.fg.removeprefix("bright")
    fill = f"#{colour}" if re.fullmatch(r"[0-9a-f]{6}", colour) else COLOURS.get(colour, "")
    looks = {"fill": fill, "font-weight": "bold" * cell.bold, "font-style": "italic" * cell.italics}
    return "".join(f' {name}="{value}"' for name, value in looks.items() if value)


def first_minutes(folder: Path) -> str:
    """Start, a tool call, leave, come back."""
    with Window(folder) as window:
        window.wait_for(r"\$")
        window.type("scratchy --provider demo -s my_project\r")
        window.wait_for(r"Model: demo[\s\S]*You:" + BELOW)
        window.type("read notes.md\r")
        window.wait_for(r"The tool answered:[\s\S]*You:" + BELOW)
        window.type(CTRL_D)
        window.wait_for(r"Resume with:.*\n+\$")
        window.type("scratchy --continue\r")
        window.wait_for(r"Resuming session[\s\S]*Model: demo[\s\S]*You:" + BELOW)
        return svg_of(window.screen, "Scratchy with its demo provider")


def question(folder: Path) -> str:
    """An edit that asks, in the mode in which commands ask and edits do not: the other call of the answer is one."""
    edit = {"file_path": "notes.md", "old_text": "newlines only", "new_text": "\\n and \\r\\n only"}
    calls = [("c1", "edit_file", edit), ("c2", "execute_command", {"command": "git commit -am 'Line ends'"})]
    wanted = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for call_id, name, arguments in calls
    ]
    answer = {"role": "assistant", "content": "I name the line ends, then I commit.", "tool_calls": wanted}
    (folder / "answers.json").write_text(json.dumps([answer, "Done."]))
    with Window(folder) as window:
        window.wait_for(r"\$")
        window.type("clear; scratchy --provider scripted --model ../answers.json -s my_project\r")
        window.wait_for(r"Model: scripted[\s\S]*You:" + BELOW)
        window.type(SHIFT_TAB)
        window.wait_for(r"accept-edits You:" + BELOW)
        window.type("Name the line ends in notes.md and commit\r")
        window.wait_for(r"Run it\?[\s\S]*You:" + BELOW)
        return svg_of(window.screen, "An edit that ran, with its diff, and a command that asks")


PICTURES = {"terminal.svg": first_minutes, "question.svg": question}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("pictures")
    target.mkdir(parents=True, exist_ok=True)
    for name, made in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            (target / name).write_text(made(Path(folder)), encoding="utf-8")
        print(f"wrote {target / name}")


if __name__ == "__main__":
    main()
