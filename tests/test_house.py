"""The house: import arrows between rooms, sizes of files and functions, imports inside functions, no mocks in tests."""

import ast
import pathlib
import re
import statistics
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "scratchy"
LEAVES = {"http", "system"}
ALLOWED = {
    "core": set[str](),
    "http": set[str](),
    "system": set[str](),
    "config": {"core", "system"},
    "scratchpad": {"core", "system"},
    "permissions": {"core", "system"},
    "knowledge": {"core"},
    "providers": {"core", "http", "system"},
    "tools": {"core", "http", "scratchpad", "permissions", "system"},
    "store": {"core", "system"},
    "interchange": {"core"},
    "compose": {
        "config", "knowledge", "scratchpad", "permissions", "providers", "tools", "store", "interchange", "core",
        "system",
    },
    "sessions": {"compose", "scratchpad", "core"},
    "agent": {"sessions", "compose", "config", "core", "scratchpad"},
    "commands": {"sessions", "config", "permissions", "core"},
    "terminal": {"sessions", "commands", "config", "core", "system"},
    "acp": {"sessions", "commands", "config", "core"},
}  # fmt: skip
# the entry: may import every room
COMMAND_LINE = {
    "cli",
    "session_cli",
    "setup_cli",
    "starting",
    "failing",
    "shell",
    "logs",
    "__main__",
    "__init__",
}  # the entry: may import every room
MAY_IMPORT_IN_FUNCTIONS = {
    "cli.py", "session_cli.py", "setup_cli.py", "compose/commands.py", "compose/exchange.py", "compose/files.py",
    "compose/imports.py", "compose/mentions.py", "compose/stores.py", "compose/prices.py", "compose/providers.py",
    "compose/searching.py", "compose/tools.py", "terminal/repl.py",
}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: pathlib.Path) -> set[str]:
    """Rooms that a module imports, at every depth: in functions and for type checkers too."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "scratchy" else [module]
        rooms |= {name.split(".")[1] for name in names if name.startswith("scratchy.")}
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_it_may(path: pathlib.Path) -> None:
    room = room_of(path)
    if room in COMMAND_LINE:
        return
    assert imported_rooms(path) - ALLOWED[room] - {room, "__version__"} == set()


def test_core_uses_the_standard_library_only_and_touches_no_disk_or_clock() -> None:
    forbidden = {
        "os",
        "pathlib",
        "time",
        "random",
        "uuid",
        "socket",
        "httpx",
        "toons",
        "subprocess",
        "logging",
        "asyncio",
    }
    for path in (PACKAGE / "core").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & forbidden, path


def test_imports_stand_at_the_top_except_where_a_room_is_asked_for() -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).as_posix() in MAY_IMPORT_IN_FUNCTIONS:
            continue
        functions = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        hidden = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert not hidden, f"{path}:{hidden[0].lineno}"


def test_files_and_functions_stay_small() -> None:
    lengths: list[int] = []
    for path in MODULES:
        text = path.read_text()
        assert text.count("\n") <= 400, f"{path} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 50, f"{path}:{node.lineno} {node.name} has {length} lines"
                lengths.append(length)
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


def test_every_module_says_what_lives_there() -> None:
    for path in MODULES:
        if path.name in ("__init__.py", "__main__.py"):
            continue
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_tests_patch_nothing() -> None:
    pattern = re.compile(
        r"\bMock\(|\bpatch\(|\bmonkeypatch\.(?!setenv|delenv|chdir)|unittest\.mock|\bskip(?:if)?\(|\bxfail\b"
    )
    for path in (ROOT / "tests").rglob("*.py"):
        if path != pathlib.Path(__file__):
            assert not pattern.search(path.read_text()), path


def test_faces_without_a_screen_do_not_load_one() -> None:
    """One answer for a script must not pay for the prompt: prompt_toolkit and rich cost more than the request."""
    for face in ("oneshot", "plain"):
        program = (
            f"import sys, scratchy.terminal.{face}; print([m for m in ('prompt_toolkit', 'rich') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]", face
