"""Row 5: `import scratchy` beside bare Python, `scratchy --version` beside a bare typer program: whole processes."""

from benchmarks.common import FLOORS, PYTHON, ROOT, Home, Row, interleaved, median, process


def run(*, tiny: bool = False) -> list[Row]:
    rounds = 1 if tiny else 25
    with Home() as home:
        commands = [
            [PYTHON, "-c", "pass"],
            [PYTHON, "-c", "import scratchy"],
            [PYTHON, str(FLOORS / "typer_version.py"), "--version"],
            [PYTHON, str(ROOT / "run_agent.py"), "--version"],
        ]
        taken = interleaved([lambda command=command: process(command, home) for command in commands], rounds)
    rows: list[Row] = []
    for at, kind in enumerate(("wall", "cpu")):
        python, ours, typer, version = (median([one[at] for one in runs]) for runs in taken)
        rows += [
            Row(f"5 import scratchy beside bare Python, {kind}", ours, python, 1.1),
            Row(f"5 scratchy --version beside a bare typer program, {kind}", version, typer, 1.5),
        ]
    return rows
