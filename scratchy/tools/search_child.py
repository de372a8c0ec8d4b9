"""A program: lists or searches files, asked by one JSON object on stdin. It runs in a process of its own, so that a
pattern that never ends, or a disk that hangs, is stopped by ending it.

Request: `{"do": "list", folder, pattern, recursive, most}` prints names, each ended by NUL; `{"do": "search", folder,
pattern, wanted, literal, ignore_case, most}` prints `path NUL line:text`, a line each, as ripgrep does. With exit
code 2, stdout says why.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pathspec

from scratchy.permissions import is_secret

_LONGEST_LINE = 400
_BLOCK = 1 << 20

Rules = tuple[str, pathspec.GitIgnoreSpec]


def main() -> int:
    request: dict[str, Any] = json.load(sys.stdin)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        if request["do"] == "list":
            _list(request)
        else:
            _search(request)
    except (re.error, OSError, RecursionError) as error:
        print(error)
        return 2
    return 0


def _list(request: dict[str, Any]) -> None:
    root = Path(request["folder"])
    rows = walk(root) if request["recursive"] else _flat(root)
    for _, row in zip(range(request["most"]), (row for row in rows if _fits(row, request["pattern"])), strict=False):
        sys.stdout.write(f"{row}\0")


def _fits(name: str, pattern: str) -> bool:
    name = name.rstrip("/")
    pattern = pattern.removeprefix("./")
    last = name.rpartition("/")[2]
    return fnmatch(last, pattern) or fnmatch(name, pattern) or fnmatch(name, pattern.replace("**/", ""))


def _flat(root: Path) -> Iterator[str]:
    with os.scandir(root) as entries:
        rows = [entry.name + ("/" if entry.is_dir() else "") for entry in entries]
    yield from sorted(rows)


def walk(root: Path) -> Iterator[str]:
    """Every path below `root`, with `/` between, folders ending in one, sorted; no link is followed. What the
    .gitignore files from `root`'s repository down name is left out, and `.git` itself."""
    yield from _walk(root, "", _rules_above(root))


def _walk(folder: Path, prefix: str, rules: tuple[Rules, ...]) -> Iterator[str]:
    rules = (*rules, *rules_in(folder))
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError:
        return  # a folder that may not be read is left out, as ripgrep does
    for name, is_folder in found:
        row = f"{prefix}{name}/" if is_folder else f"{prefix}{name}"
        if name == ".git" or ignored(folder / name, is_folder, rules):
            continue
        yield row
        if is_folder:
            yield from _walk(folder / name, row, rules)


def rules_in(folder: Path) -> tuple[Rules, ...]:
    try:
        lines = (folder / ".gitignore").read_text("utf-8", "replace").splitlines()
        return ((f"{folder}{os.sep}", pathspec.GitIgnoreSpec.from_lines(lines)),)
    except (OSError, ValueError):
        return ()


def _rules_above(root: Path) -> tuple[Rules, ...]:
    """Those of the folders over `root`, up to the one that holds `.git`; none outside a repository."""
    above: list[Path] = []
    folder = root
    while not (folder / ".git").exists():
        if folder.parent == folder:
            return ()
        folder = folder.parent
        above.append(folder)
    return tuple(rule for place in reversed(above) for rule in rules_in(place))


def ignored(path: Path, is_folder: bool, rules: tuple[Rules, ...]) -> bool:
    """The innermost .gitignore that says anything decides."""
    for base, spec in reversed(rules):
        told = spec.check_file(str(path)[len(base) :].replace(os.sep, "/") + ("/" if is_folder else "")).include
        if told is not None:
            return told
    return False


def _search(request: dict[str, Any]) -> None:
    root = Path(request["folder"])
    wanted = re.escape(request["wanted"]) if request["literal"] else request["wanted"]
    found = re.compile(wanted.encode(), re.IGNORECASE if request["ignore_case"] else 0)
    left = request["most"]
    if root.is_dir():
        rows = (row for row in walk(root) if not row.endswith("/"))
        files = ((row, root / row) for row in rows if fnmatch(row.rpartition("/")[2], request["pattern"]))
    else:
        files = iter([(root.name, root)])
    for row, path in files:
        if is_secret(path) and path != root:
            continue
        for number, line in _hits(path, found):
            text = line.decode("utf-8", "replace")[:_LONGEST_LINE].replace("\0", "")
            print(f"{row}\0{number}:{text}", flush=True)
            left -= 1
            if left <= 0:
                return


def _hits(path: Path, wanted: re.Pattern[bytes]) -> Iterator[tuple[int, bytes]]:
    """Line numbers, from 1, and lines in which it is found; nothing of what is binary, no file or not readable."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode) or b"\0" in file.read(8192):
            return
        file.seek(0)
        for number, line in enumerate(iter(lambda: file.readline(_BLOCK), b""), 1):
            if wanted.search(line.rstrip(b"\r\n")):
                yield number, line.rstrip(b"\r\n")


if __name__ == "__main__":
    sys.exit(main())
