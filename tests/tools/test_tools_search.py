"""Listing and searching real folders: with our own child process, and with ripgrep where it is installed."""

import os
from pathlib import Path

import pytest
from toolbench import failure, output

from scratchy.permissions import Permissions
from scratchy.tools.search import ListFiles, SearchFiles, find_ripgrep
from scratchy.tools.toolset import Tools

PROGRAMS = [None] + ([find_ripgrep()] if find_ripgrep() else [])


def make(folder: Path, ripgrep: str | None = None) -> Tools:
    permissions = Permissions(folder)
    both = [SearchFiles(permissions, literal, ripgrep) for literal in (False, True)]
    return Tools([ListFiles(permissions), *both], permissions=permissions)


def tree(folder: Path) -> Path:
    files = {
        "a.py": "def one(): pass\nx = 'needle (1)'\n",
        "b.txt": "needle (1) here\nNEEDLE\n",
        "sub/c.py": "needle (1)\n",
        "sub/.gitignore": "secret.*\n!kept.log\n",
        "sub/secret.txt": "needle (1)",
        "sub/kept.log": "needle (1)",
        "build/out.py": "needle (1)",
        ".gitignore": "build/\n*.log\n",
        ".git/config": "needle (1)",
        ".github/ci.yml": "needle (1)",
        ".env": "TOKEN=needle (1)",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "binary").write_bytes(b"\0needle (1)")
    os.mkfifo(folder / "fifo")
    (folder / "link").symlink_to("/etc")
    return folder


def hits(told: str) -> list[str]:
    return sorted(line.split(": ")[0] for line in told.splitlines()[1:] if not line.startswith("["))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_literal_search_leaves_out_ignored_binary_and_secret_files(tmp_path: Path, program: str | None):
    told = output(make(tree(tmp_path), program), "fast_grep", keyword="needle (1)")
    assert hits(told) == [".github/ci.yml:1", "a.py:2", "b.txt:1", "sub/c.py:1", "sub/kept.log:1"]
    assert "TOKEN" not in told and ", 5 in all" in told


@pytest.mark.parametrize("program", PROGRAMS)
def test_backups_of_secret_files_and_the_repositorys_configuration_are_left_out(tmp_path: Path, program: str | None):
    (tmp_path / ".git").mkdir()
    for name in (".env~", "id_rsa.bak", ".git/config", ".git/config.old", "credentials.json.1", "open.txt~"):
        (tmp_path / name).write_text("needle\n")
    tools = make(tmp_path, program)
    for name, argument in (("fast_grep", "keyword"), ("search_files", "pattern")):
        assert hits(output(tools, name, **{argument: "needle"})) == ["open.txt~:1"]
        assert hits(output(tools, name, **{argument: "needle"}, directory=".git")) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_regex_search_with_its_options(tmp_path: Path, program: str | None):
    tools = make(tree(tmp_path), program)
    assert hits(output(tools, "search_files", pattern=r"^needle \(\d\)", directory="sub")) == ["c.py:1", "kept.log:1"]
    assert hits(output(tools, "search_files", pattern="needle$", ignore_case=True)) == ["b.txt:2"]
    assert hits(output(tools, "search_files", pattern="needle", file_pattern="*.py")) == ["a.py:2", "sub/c.py:1"]
    assert hits(output(tools, "search_files", pattern="one", directory="a.py")) == ["a.py:1"]
    assert "Nothing found" in output(tools, "search_files", pattern="nowhere")
    assert "search failed" in failure(tools, "search_files", pattern="(")
    assert "does not exist" in failure(tools, "search_files", pattern="x", directory="none")


@pytest.mark.parametrize("program", PROGRAMS)
def test_many_hits_and_long_lines_are_bounded(tmp_path: Path, program: str | None):
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("needle\n" * 90)
    (tmp_path / "long").write_text("needle" * 200_000)
    told = output(make(tmp_path, program), "fast_grep", keyword="needle", directory="long")
    assert len(told) < 2000
    told = output(make(tmp_path, program), "fast_grep", keyword="needle")
    assert told.startswith("The first 300 hits") and len(told.splitlines()) == 301


def test_a_pattern_that_never_ends_is_stopped(tmp_path: Path):
    (tmp_path / "a").write_text("a" * 60 + "!\n")
    permissions = Permissions(tmp_path)
    tool = SearchFiles(permissions, literal=False, ripgrep=None, seconds=1.0)
    told = output(Tools([tool], permissions=permissions), "search_files", pattern="(a+)+$")
    assert "stopped after 1 seconds" in told


def test_listing_one_folder_and_below(tmp_path: Path):
    tools = make(tree(tmp_path))
    flat = output(tools, "list_files").splitlines()[1:]
    assert flat == sorted(flat) and {"a.py", "sub/", "build/", ".env", "fifo", "link/"} <= set(flat)
    below = output(tools, "list_files", recursive=True).splitlines()[1:]
    assert "sub/c.py" in below and "sub/kept.log" in below and not {"build/out.py", "sub/secret.txt"} & set(below)
    assert not any(row.startswith((".git/", "link/")) for row in below)
    assert output(tools, "list_files", pattern="*.py", recursive=True).splitlines()[1:] == ["a.py", "sub/c.py"]
    assert output(tools, "list_files", pattern="**/*.py", recursive=True).splitlines()[1:] == ["a.py", "sub/c.py"]
    assert output(tools, "list_files", pattern="sub/*.py", recursive=True).splitlines()[1:] == ["sub/c.py"]
    assert "Nothing in" in output(tools, "list_files", pattern="*.rs")
    assert "not a folder" in failure(tools, "list_files", directory="a.py")


def test_a_listing_is_bounded(tmp_path: Path):
    for number in range(1005):
        (tmp_path / f"{number:04}").touch()
    told = output(make(tmp_path), "list_files")
    assert told.startswith("The first 1000 entries") and len(told.splitlines()) == 1001


def test_names_that_are_no_text_do_no_harm(tmp_path: Path):
    (tmp_path / os.fsdecode(b"bad\xff")).write_text("needle")
    tools = make(tmp_path)
    assert "bad" in output(tools, "list_files") and ", 1 in all" in output(tools, "fast_grep", keyword="needle")


def test_the_rules_of_the_repository_hold_in_its_subfolder(tmp_path: Path):
    tree(tmp_path)
    (tmp_path / "sub/x.log").write_text("needle")
    told = output(make(tmp_path / "sub"), "fast_grep", keyword="needle")
    assert hits(told) == ["c.py:1", "kept.log:1"]


def test_nothing_is_imported_from_the_folder(tmp_path: Path):
    for name in ("json.py", "pathspec.py", "scratchy.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the folder')\n")
    assert ", 3 in all" in output(make(tmp_path), "list_files", recursive=True)
