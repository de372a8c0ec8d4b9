"""How a subcommand prints and asks: a sentence or one JSON document, in what stdout can encode; how far it is."""

import codecs
import json
import os
import sys
import time
from typing import Any, TextIO

from scratchy.core.findings import counted
from scratchy.core.text import escaped_json


def tell(as_json: bool, row: Any, sentence: str) -> None:
    if as_json:
        say_json(row)
    else:
        say(sentence)


def say_json(value: Any, indent: int | None = None) -> None:
    """Valid JSON, whatever stdout can encode and whatever is in a file: NaN and the infinities become texts."""
    in_ascii = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=in_ascii, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=str)
        text = json.dumps(finite, indent=indent, ensure_ascii=in_ascii)
    say(escaped_json(text))


def say(text: str) -> None:
    """Ends the program quietly when nobody reads on (`… | head`)."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains again
        raise SystemExit(0) from None


def asking() -> TextIO | None:
    """Where a question can be asked and seen, not in what somebody pipes on; None: nobody can be asked."""
    if not sys.stdin.isatty():
        return None
    return next((stream for stream in (sys.stderr, sys.stdout) if stream.isatty()), None)


def agreed(question: str, out: TextIO) -> bool:
    """Ask there; only `y` or `yes` is a yes, the end of the input is none."""
    print(f"{question} (y/N): ", end="", file=out, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Progress:
    """One line on a terminal that is painted over, ten times a second at most, once the work takes a while."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._next = time.monotonic() + 0.5
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, total: int, messages: int) -> None:
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            self._next, self._shown = now + 0.1, True
            read = f", {counted(messages, 'message')}" if messages else ""
            print(f"\r{done:,} of {counted(total, 'session')} {self._word}{read} ", end="", file=sys.stderr, flush=True)
