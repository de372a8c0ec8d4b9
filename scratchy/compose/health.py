"""The check-up: a doctor over a folder of sessions, what surrounds it, and the repair of what was found.

Not imported with its package: only who checks pays for it.
"""

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from scratchy import __version__
from scratchy.config import user_dir, user_file
from scratchy.core.errors import ConfigError, ScratchyError, save_problem
from scratchy.core.findings import Finding, Report
from scratchy.core.ports import Store
from scratchy.store.disk import Disk
from scratchy.store.doctor import Doctor, Progress
from scratchy.store.files import utc_now
from scratchy.store.place import Place
from scratchy.store.surroundings import look_around, make_all_private
from scratchy.system import file_system


def check_sessions(store: Store, ids: Sequence[str] | None = None, progress: Progress | None = None) -> Report:
    """The named sessions, or all. A store without a folder has nothing to check. Nothing is changed.

    Raises: SessionNotFoundError, OSError.
    """
    place = _place(store)
    if place is None:
        return Report([], 0, 0, 0, {"Sessions": "in memory; nothing is written"})
    doctor = Doctor(place)
    findings = list(doctor.check(ids, progress))
    return Report(findings, doctor.sessions, doctor.messages, doctor.size)


def check_all(store: Store, progress: Progress | None = None) -> Report:
    """All sessions, and what lies beside, under and around them. Nothing is changed. Raises: OSError."""
    report = check_sessions(store, None, progress)
    place = _place(store)
    inside = [found for found in report.findings if found.kind != "mode"]  # told once, for all
    around = list(look_around(place)) if place is not None else []
    return report._replace(findings=[*inside, *around, *_state()], facts={**report.facts, **_facts(place)})


def mend(store: Store, report: Report, progress: Progress | None = None) -> Report:
    """What can be repaired, repaired; a session that another process, or this one, has open is left alone, said."""
    place = _place(store)
    if place is None:
        return report
    doctor, findings = Doctor(place), list(report.findings)
    wanted = [number for number, finding in enumerate(findings) if finding.open and finding.mendable]
    for done, number in enumerate(wanted):
        if progress is not None:
            progress(done, len(wanted), 0)
        finding = findings[number]
        try:
            if finding.kind == "modes":
                count = make_all_private(place)
                findings[number] = finding._replace(mended=f"{count:,} private now")
            else:
                findings[number] = doctor.mend(finding)
        except ScratchyError as error:
            findings[number] = finding._replace(advice=f"Not repaired. {error}")
        except OSError as error:
            findings[number] = finding._replace(advice=f"Not repaired: {save_problem(error)}.")
    return report._replace(findings=findings)


def _place(store: Store) -> Place | None:
    folder: str | None = getattr(store, "folder", None)
    return Place(os.path.realpath(folder), Disk(), utc_now) if folder is not None else None


def _facts(place: Place | None) -> dict[str, str]:
    facts = {"Scratchy": f"{__version__}, Python {platform.python_version()}, {platform.system()}"}
    if place is not None:
        facts["Sessions in"] = place.folder + _room(place.folder)
    try:
        facts["Settings"] = f"{user_file()}{'' if user_file().is_file() else ' (none: the defaults)'}"
        facts["State in"] = str(user_dir("state"))
    except ConfigError:
        pass
    return facts


def _room(folder: str) -> str:
    if not os.path.isdir(folder):
        return " (made with the first message)"
    kind = file_system(folder)
    return f" ({kind + ', ' if kind else ''}{shutil.disk_usage(folder).free / 1e9:,.1f} GB free)"


def _state() -> list[Finding]:
    """History, trust and the machine's name are kept there: a problem where they cannot be."""
    try:
        folder = user_dir("state")
    except ConfigError as error:
        return [Finding("state", str(error), problem=True)]
    there = _nearest(folder)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return []
    text = "nothing can be written here: neither the history of lines nor trust is kept"
    return [Finding("state", text, str(folder), advice="Make it yours (chmod, chown).", problem=True)]


def _nearest(folder: Path) -> Path:
    """The folder itself, or the first of its parents that is there."""
    return folder if folder.exists() or folder.parent == folder else _nearest(folder.parent)
