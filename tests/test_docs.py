"""The documents: what they show is run, what they list is compared with the code, where they point to is there."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import test_house
import typer.main
from typer.core import TyperGroup

import scratchy
from scratchy import cli, config
from scratchy.commands.dispatch import COMMANDS
from scratchy.compose import PROVIDERS

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if path.name != "benchmarks.md"  # its commands take minutes
)
VARIABLE = re.compile(r"\b(?:SCRATCHY|OPENAI|OLLAMA)_[A-Z_]+\b")
RUN = ("python", "console")
SHOWN = ("text", "toml", "yaml")  # not run
SETS_UP = ("start", "start with uv", "tests")
"""Markers of the blocks that make an environment. Not run here: `.ci/run` takes the first and the last from the README
and runs them, the second is compared with the first."""


class Block(NamedTuple):
    language: str
    text: str
    marker: str


def blocks(page: Path) -> Iterator[Block]:
    found = re.finditer(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    for match in found:
        yield Block(match[2], match[3], match[1] or "")


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(block.language == language for block in blocks(page))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As on a new machine where somebody chose the demo provider; the program is called `scratchy`."""
    kept = {name: value for name, value in os.environ.items() if name in ("SYSTEMROOT", "LANG", "TMPDIR")}
    program = tmp_path / "bin" / "scratchy"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom scratchy.cli import main\n\nmain()\n")
    program.chmod(0o755)
    (tmp_path / "home" / ".config" / "scratchy").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "scratchy" / "config.toml").write_text('provider = "demo"\n')
    (tmp_path / "work").mkdir()
    return kept | {
        "HOME": str(tmp_path / "home"),
        "PATH": os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "SCRATCHY_SESSIONS_DIR": str(tmp_path / "work" / "session_history"),
    }


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What it printed. stdin is empty; an exit code but 0 fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout


# -- what is shown is run


@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_python_blocks_are_one_program_that_runs(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    program = "\n".join(block.text for block in blocks(page) if block.language == "python")
    (tmp_path / "work" / "page.py").write_text(program, encoding="utf-8")
    run([sys.executable, "-W", "error", "page.py"], tmp_path / "work", environment)


@pytest.mark.parametrize("page", pages_with("console"), ids=name_of)
def test_console_blocks_print_what_they_show(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    for block in blocks(page):
        if block.language != "console":
            continue
        assert block.text.startswith("$ "), f"{name_of(page)}: {block.text}"
        for entry in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, shown = entry.partition("\n")
            printed = run(["bash", "-o", "pipefail", "-c", command], tmp_path / "work", environment)
            pattern = re.escape(shown.strip()).replace("…", r"[\s\S]*")
            assert not shown or re.fullmatch(pattern, printed.strip()), f"{command}\n{printed}"


def test_what_sets_up_is_what_ci_runs() -> None:
    readme = {block.marker: block.text.strip() for block in blocks(ROOT / "README.md") if block.marker}
    assert list(readme) == list(SETS_UP)
    script = (ROOT / ".ci" / "run").read_text()
    assert 'marked "start"' in script and 'marked "tests"' in script
    assert all("\n" not in command for command in readme.values()), "one command line each"
    without_uv = readme["start with uv"].replace("uv venv -q .venv", "python3 -m venv .venv")
    assert without_uv.replace("uv pip", ".venv/bin/pip") == readme["start"]
    assert readme["start"].endswith(".venv/bin/python run_agent.py")
    assert readme["tests"].endswith(".venv/bin/python -m pytest")


def test_every_block_is_of_a_kind_that_is_known() -> None:
    for page in PAGES:
        for block in blocks(page):
            known = block.language in RUN + SHOWN or (block.language == "bash" and block.marker in SETS_UP)
            assert known, f"{name_of(page)}: neither run nor known to be shown only:\n{block.text}"
        assert page.read_text().count("```") == 2 * len(list(blocks(page))), name_of(page)


def test_the_pictures_are_runs_of_the_program(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_pictures.py"), str(tmp_path)], check=True, timeout=55, cwd=tmp_path
    )
    for name in ("terminal.svg", "question.svg"):
        made, kept = (words_of(folder / name) for folder in (tmp_path, ROOT / "docs" / "pictures"))
        assert made == kept, "the screen changed: run docs/make_pictures.py"
        assert "canned answers, no model is behind them." in kept or "Run it?" in kept


def words_of(picture: Path) -> str:
    """The text in a drawing; times, estimates and the folder of that run left out."""
    texts = (element.text or "" for element in xml.parse(picture).iter("{http://www.w3.org/2000/svg}text"))
    return re.sub(r"\d[\d.]* m?s\b|~[\d,]+ tokens|/\S+/work\b", "", " ".join(texts))


# -- what is listed is what there is


def tables(page: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Each table of a page with the heading above it: its rows without the head, cells without blanks around them."""
    heading = ""
    rows: list[list[str]] = []
    for line in [*(ROOT / "docs" / page).read_text().splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
        elif rows:
            yield heading, rows[2:]
            rows = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


def table(page: str, under: str) -> list[list[str]]:
    return next(rows for heading, rows in tables(page) if heading == under)


def names(cell: str) -> list[str]:
    """The first word of each `…` in a cell."""
    return [code.split()[0] for code in re.findall(r"`([^`]+)`", cell)]


def spellings(command: Any) -> list[str]:
    return sorted({name for parameter in command.params for name in parameter.opts if name.startswith("-")})


def test_the_flags_are_those_of_the_program() -> None:
    shown = sorted(name for flag, _ in table("commands.md", "Flags") for name in names(flag))
    assert shown == sorted([*spellings(typer.main.get_command(cli.app)), "-h", "--help"])


def subcommands(group: TyperGroup, before: str = "") -> Iterator[tuple[str, Any]]:
    """Each command and group below this one, with the words that call it."""
    for name, command in group.commands.items():
        yield before + name, command
        if isinstance(command, TyperGroup):
            yield from subcommands(command, f"{before}{name} ")


def test_the_subcommands_are_those_of_the_program() -> None:
    program = typer.main.get_command(cli.app)
    assert isinstance(program, TyperGroup)
    there = [name for name, command in subcommands(program) if not isinstance(command, TyperGroup)]
    shown = [re.split(r" \[?[A-Z]", cell.strip("`"))[0] for cell, _ in table("commands.md", "Subcommands")]
    assert sorted(shown) == sorted(there)


def test_the_exit_codes_are_those_of_the_program() -> None:
    there = [cli.DONE, cli.FAILED, cli.USAGE, cli.TRY_AGAIN, cli.INTERRUPTED]
    assert [int(code) for code, _ in table("commands.md", "Exit codes")] == there


def test_the_slash_commands_are_those_of_the_program() -> None:
    shown = [(names(cell), meaning) for cell, meaning in table("commands.md", "Slash commands")]
    assert [there for there, _ in shown] == [
        [f"/{name}" for name in (entry.name, *entry.aliases)] for entry in COMMANDS
    ]
    for entry, (cell, meaning) in zip(COMMANDS, table("commands.md", "Slash commands"), strict=True):
        assert cell.startswith(f"`/{entry.name} {entry.argument}`" if entry.argument else f"`/{entry.name}`"), cell
        assert ("Full name needed" in meaning) == entry.removes, cell


def test_settings_and_providers_are_those_of_the_program() -> None:
    keys = next(rows for _, rows in tables("configuration.md") if rows[0][0] == "`provider`")
    assert sorted(names(cell)[0] for cell, _ in keys) == sorted(config.KEYS)
    assert sorted(names(cell)[0] for cell, _ in table("configuration.md", "Providers")) == sorted(PROVIDERS)
    free = re.search(r"Its (.*?)\s+are used as they are", (ROOT / "docs" / "configuration.md").read_text(), re.DOTALL)
    assert free and tuple(names(free[1])) == config.FREE_IN_PROJECT


def test_environment_variables_are_those_that_the_code_reads() -> None:
    shown = {
        name for cell, _ in table("configuration.md", "Environment") for name in names(cell.replace("`, `", "` `"))
    }
    named = {name for path in test_house.MODULES for name in VARIABLE.findall(path.read_text())}
    there = named - {"OPENAI_URL", "OPENAI_DEFAULT", "SCRATCHY_TOKEN"}  # constants; a key that is only kept secret
    assert {name for name in shown if name.startswith(("SCRATCHY", "OPENAI", "OLLAMA"))} == there


def test_the_arrows_are_those_that_the_house_test_holds() -> None:
    shown = {
        room.strip("`"): set() if cell == "nothing of ours" else set(cell.split(", "))
        for room, cell in table("architecture.md", "Arrows")
    }
    assert shown == test_house.ALLOWED


def test_the_rooms_of_the_plan_are_those_that_are_there() -> None:
    plan = next(block.text for block in blocks(ROOT / "docs" / "architecture.md"))
    shown = set(re.findall(r"^  (\w+(?:\.py|/))", plan, re.MULTILINE))
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "scratchy").iterdir()}
    assert shown == there - {"__main__.py", "py.typed", "__pycache__/"}
    for room in ("core", "sessions"):
        part = re.search(rf"^  {room}/.*\n((?:    .*\n)+)", plan, re.MULTILINE)
        assert part
        assert set(re.findall(r"^    (\w+\.py)", part[1], re.MULTILINE)) == {
            path.name for path in (ROOT / "scratchy" / room).glob("*.py") if path.name != "__init__.py"
        }


def test_the_python_page_names_all_that_is_public() -> None:
    page = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in scratchy.__all__ if name not in page and name != "__version__"] == []


def test_flags_that_a_page_speaks_of_exist() -> None:
    program = typer.main.get_command(cli.app)
    assert isinstance(program, TyperGroup)
    every = [program, *(command for _, command in subcommands(program))]
    there = {name for command in every for name in spellings(command)} | {"--help"}
    for page in PAGES:
        calls = re.findall(r"(?:scratchy|run_agent\.py) [^\n`|]*", page.read_text())
        flags = {flag for call in calls for flag in re.findall(r"(?<=\s)--[a-z][a-z-]*", call)}
        assert flags <= there, name_of(page)


# -- what is pointed to is there


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name_of(page)} → {target}"
        assert not anchor or anchor in anchors(there), f"{name_of(page)} → {target}"


def test_a_test_that_a_promise_names_is_there() -> None:
    page = (ROOT / "docs" / "promises.md").read_text()
    named = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)", page)
    assert len(named) > 20
    for test, path in named:
        tree = ast.parse((ROOT / path).read_text())
        there = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert test in there, f"{path} has no {test}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            linked = (page.parent / target).resolve()
            todo += sorted(linked.glob("*.md")) if linked.is_dir() else [linked] if linked.suffix == ".md" else []
    assert [name_of(page) for page in PAGES if page not in seen] == []


def test_decisions_are_numbered_and_short() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", page.name)
        assert len(page.read_text().splitlines()) <= 16, page.name


def test_the_changelog_names_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version == scratchy.__version__
    assert re.search(rf"^## \[?{re.escape(version)}\]?", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_no_file_tells_where_it_was_made() -> None:
    """Folders of one machine, and hosts that packages came from, have no place in a repository."""
    homes = r"/(?:home|Users)/(?!hao\b|user\b|me\b)[a-z]\w+/|/root/|C:\\Users"
    hosts = r"files\.pythonhosted\.org|//pypi\.|/simple/|index-url"
    here = "|".join(re.escape(str(folder)) for folder in (ROOT, sys.prefix, Path.home()) if len(Path(folder).parts) > 2)
    pattern = re.compile("|".join(part for part in (homes, hosts, here) if part))
    for path in repository_files():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = pattern.search(text)
        assert not found, f"{name_of(path)}: {found[0]}"


def repository_files() -> list[Path]:
    """What belongs to the project, in a checkout and in an unpacked source distribution alike."""
    tops = ["scratchy", "tests", "docs", "benchmarks", ".ci"]
    inside = [path for top in tops for path in (ROOT / top).rglob("*") if path.is_file()]
    loose = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in (".md", ".toml", ".py")]
    return [path for path in [*inside, *loose] if "__pycache__" not in path.parts]
