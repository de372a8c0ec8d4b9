"""A program: the names of all files below its one argument, each ended by NUL, near ones first.

It is started for each walk, so it imports next to nothing until a .gitignore turns up. No link is followed; what the
.gitignore files below the folder name is left out, and `.git` itself.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main(top: str) -> None:
    waiting: list[tuple[str, str, tuple[Any, ...]]] = [(top, "", ())]
    while waiting:
        found: list[tuple[str, str, tuple[Any, ...]]] = []
        for folder, prefix, rules in waiting:
            found += _folder(folder, prefix, rules)
        waiting = found
        sys.stdout.buffer.flush()


def _folder(folder: str, prefix: str, rules: tuple[Any, ...]) -> list[tuple[str, str, tuple[Any, ...]]]:
    """Print a folder's files; the folders in it, with the rules that hold there."""
    try:
        with os.scandir(folder) as entries:
            kinds = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_file()) for entry in entries]
    except OSError:
        return []
    if any(name == ".gitignore" for name, _, _ in kinds):
        rules = (*rules, *import_module("scratchy.tools.search_child").rules_in(Path(folder)))
    if rules:
        ignored = import_module("scratchy.tools.search_child").ignored
        kinds = [kind for kind in kinds if not ignored(Path(folder, kind[0]), kind[1], rules)]
    names = [f"{prefix}{name}\0" for name, is_folder, is_file in kinds if is_file and not is_folder]
    sys.stdout.buffer.write(os.fsencode("".join(names)))
    below = (name for name, is_folder, _ in kinds if is_folder and name != ".git")
    return [(f"{folder}{os.sep}{name}", f"{prefix}{name}/", rules) for name in below]


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads any more
