"""An answer of 20,000 tokens: nothing is lost, nothing stands twice, and what is typed meanwhile shows."""

import re
from pathlib import Path

from ptys import Terminal

_SECTION = """## Part {n}: about mark{n}a

Words of mark{n}b, **bold mark{n}c** and `code`, then a long line that goes on and on until it must be broken somewhere.

- item mark{n}d
  1. deep mark{n}e

| what | 列 |
|------|----|
| mark{n}f | 値 🎉 |

```python
def f{n}(): return "mark{n}g"
```

> quoted mark{n}h

"""
_MARKS = "abcdefgh"


def answer(characters: int) -> tuple[str, int]:
    parts: list[str] = []
    while sum(map(len, parts)) < characters:
        parts.append(_SECTION.format(n=len(parts)))
    return "".join(parts) + "The very end.\n", len(parts)


def test_twenty_thousand_tokens_stand_once_and_in_order(tmp_path: Path) -> None:
    text, parts = answer(80_000)
    (tmp_path / "answer.md").write_text(text, encoding="utf-8")
    with Terminal(columns=100, rows=30) as terminal:
        terminal.ready()
        terminal.send(f"stream {tmp_path / 'answer.md'} 20000\r")
        typed = ""
        for letter in "typed while it streams":
            typed += letter
            terminal.send(letter)
            terminal.wait_for(lambda typed=typed: terminal.prompt().split("\n")[0].endswith(typed.strip()))
        terminal.wait_for("The very end.")
        terminal.wait_for(lambda: "Esc to interrupt" not in terminal.text())
        shown = terminal.text()
        found = re.findall(r"mark(\d+)([a-h])", shown)
        assert found == [(str(number), mark) for number in range(parts) for mark in _MARKS]
        assert terminal.prompt().split("\n")[0] == "typed while it streams"
