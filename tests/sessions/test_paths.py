"""Which paths fit what is typed: git's and others', best first, as they are now, and without holding the loop."""

import asyncio
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from scratchy.sessions.paths import Paths

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def find(folder: Path, typed: str, *, added: Sequence[Path] = (), recent: Sequence[str] = ()) -> list[str]:
    async def ask() -> list[str]:
        return [path async for some in Paths(folder, added, lambda: recent).find(typed) for path in some]

    return asyncio.run(ask())


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env=os.environ | GIT)


@pytest.fixture(params=["plain", "git"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same files, known to git or not; `.gitignore` holds in both."""
    folder = tmp_path / "tree"
    make(folder, "README.md", "src/parser.py", "src/lexer.py", "docs/readme-parts.md", "build/parser.o", "new/file.txt")
    (folder / ".gitignore").write_text("build/\n")
    if request.param == "git":
        git(folder, "init", "-q")
        git(folder, "add", "README.md", "src", "docs")
    return folder


def test_what_fits_best_comes_first(tree: Path) -> None:
    assert find(tree, "read") == ["README.md", "docs/readme-parts.md"]
    assert find(tree, "parser") == ["src/parser.py"]
    assert find(tree, "sp")[0] == "src/parser.py"
    assert find(tree, "file.txt") == ["new/file.txt"]  # git does not know it yet
    assert find(tree, "src/")[:2] == ["src/lexer.py", "src/parser.py"] and find(tree, "xyz") == []
    assert find(tree, "docs") == ["docs/", "docs/readme-parts.md"]


def test_nothing_typed_lists_the_folder_what_was_mentioned_lately_first(tree: Path) -> None:
    assert find(tree, "") == ["README.md", "build/", "docs/", "new/", "src/"]
    assert find(tree, "", recent=["src/lexer.py", "gone.py"])[:2] == ["src/lexer.py", "README.md"]
    assert find(tree, "er", recent=["src/lexer.py"])[0] == "src/lexer.py"


def test_what_is_ignored_is_found_by_its_folder(tree: Path) -> None:
    assert find(tree, "parser.o") == []
    assert find(tree, "build/") == ["build/parser.o"]


def test_hidden_names_want_a_dot(tree: Path) -> None:
    make(tree, ".hidden/x")
    assert ".hidden/" not in find(tree, "") and ".gitignore" in find(tree, ".giti")
    assert find(tree, "./.h") == ["./.hidden/"]


def test_other_places(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path / "other", "beside.md")
    beside = str(tmp_path / "other" / "beside.md")
    assert find(tree, "~/oth") == ["~/other/"] and find(tree, "../other/") == ["../other/beside.md"]
    assert find(tree, f"{tmp_path}/other/b") == [beside]
    assert find(tree, "beside", added=[tmp_path / "other"]) == [beside]


def test_odd_names(tmp_path: Path) -> None:
    odd = ["a b.txt", "語.md", "😀.txt", "new\nline", "e\u0301.txt", 'qu"ote', "x\x1b[2J"]
    make(tmp_path, *odd)
    (tmp_path / os.fsdecode(b"bytes\xff")).write_text("")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "around").symlink_to(".")
    (tmp_path / "gone").symlink_to("nowhere")
    assert set(find(tmp_path, "")) == {*odd, "bytes\udcff", "around/"}
    assert find(tmp_path, "語") == ["語.md"] and find(tmp_path, "bytes") == ["bytes\udcff"]
    assert find(tmp_path, "newline") == ["new\nline"]


def test_a_folder_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "open/a.txt", "shut/a.txt")
    (tmp_path / "shut").chmod(0)
    try:
        found = find(tmp_path, "a.txt")
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert found[0] == "open/a.txt"
    assert find(tmp_path / "nowhere", "a") == find(tmp_path, "nowhere/") == []


def test_what_is_gone_is_not_offered_and_what_is_new_is(tree: Path) -> None:
    async def ask() -> None:
        paths = Paths(tree)

        async def found(typed: str) -> list[str]:
            return [path async for some in paths.find(typed) for path in some]

        assert await found("lexer") == ["src/lexer.py"]
        (tree / "src" / "lexer.py").rename(tree / "src" / "lexer2.py")
        until = time.monotonic() + 30
        while await found("lexer") != ["src/lexer2.py"]:
            assert time.monotonic() < until
            await asyncio.sleep(0.2)

    asyncio.run(ask())


def test_git_runs_nothing_of_the_repository(tree: Path, tmp_path: Path) -> None:
    if (tree / ".git").exists():
        hook = tmp_path / "hook"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
        hook.chmod(0o700)
        git(tree, "config", "core.fsmonitor", str(hook))
    assert find(tree, "parser") and not (tmp_path / "ran").exists()


def test_a_large_tree_is_looked_through_in_slices(tmp_path: Path) -> None:
    names = [
        f"{folder}/{name}_{number}.txt" for folder in "abcdefgh" for name in ("core", "util") for number in range(250)
    ]
    make(tmp_path, *names)

    async def ask() -> None:
        paths, turns = Paths(tmp_path), 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        other = asyncio.ensure_future(turn())
        found = [some async for some in paths.find("core_1")]
        other.cancel()
        assert turns > 3 and sum(map(len, found)) >= 20
        async for _ in paths.find("util"):
            break  # as when the next key comes

    asyncio.run(ask())
