"""`scratchy doctor` and `scratchy session verify`: the report, the question before a repair, the exit code.

Not here: the checks (store/doctor.py), the flags (cli.py, session_cli.py).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from scratchy import compose
from scratchy.compose import health
from scratchy.core.findings import Finding, Report, report_text, summary
from scratchy.core.text import reveal
from scratchy.shell.printing import Progress, agreed, asking, say, say_json


def doctor(folder: Path | None, config_error: str, *, fix: bool, yes: bool, as_json: bool) -> int:
    """0 when no problem is left. `folder` None: where sessions are kept is not known, `config_error` says why."""
    if folder is None:
        report = Report([], 0, 0, 0)
    else:
        store = compose.open_folder(folder)
        with Progress("checked") as progress:
            report = health.check_all(store, progress)
        if fix and any(found.mendable for found in report.problems) and _may_repair(report, yes=yes, as_json=as_json):
            with Progress("repaired") as progress:
                report = health.mend(store, report, progress)
    if config_error:
        advice = "" if folder else "Sessions were not checked: where they are kept is not known before that is mended."
        broken = Finding("config", config_error, advice=advice, problem=True)
        report = report._replace(findings=[broken, *report.findings])
    return _show(report, as_json)


def verify(folder: Path, ids: Sequence[str], as_json: bool) -> int:
    """0 when no problem is in these sessions, or in any. Raises: SessionNotFoundError."""
    with Progress("checked") as progress:
        report = health.check_sessions(compose.open_folder(folder), ids or None, progress)
    return _show(report, as_json)


def _show(report: Report, as_json: bool) -> int:
    if as_json:
        say_json(report.row(), indent=2)
    else:
        say(reveal(report_text(report)))
    return 1 if report.problems else 0


def _may_repair(report: Report, *, yes: bool, as_json: bool) -> bool:
    if yes:
        return True
    out = None if as_json else asking()
    if out is None:
        print("Nothing was repaired: give --yes where nobody can be asked.", file=sys.stderr)
        return False
    for found in report.problems:
        print(reveal(f"{found.session_id or found.path}: {found.text}\n  → {found.advice}"), file=out)
    print(summary(report), file=out)
    return agreed("Repair what can be? What is replaced goes to the trash.", out)
