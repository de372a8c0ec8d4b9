"""What a check of the sessions found: values, and their text for the person. Not here: the checks (store/doctor.py)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """One thing that a check found. `problem`: else it is a note, and no harm; `mendable`: a repair knows what to do;
    `mended`: what a repair did. `offset` in bytes; `advice`: what the person may do about it."""

    kind: str
    text: str
    path: str = ""
    session_id: str = ""
    offset: int | None = None
    advice: str = ""
    problem: bool = False
    mendable: bool = False
    mended: str = ""

    @property
    def open(self) -> bool:
        """A problem that is still there."""
        return self.problem and not self.mended

    def row(self) -> dict[str, Any]:
        """For a program: without what is not known."""
        return {key: value for key, value in self._asdict().items() if value not in ("", None)}


class Report(NamedTuple):
    """`size` in bytes of all sessions that were read; `facts`: what surrounds them, name and value."""

    findings: Sequence[Finding]
    sessions: int
    messages: int
    size: int
    facts: Mapping[str, str] = {}

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.open]

    def row(self) -> dict[str, Any]:
        return {
            "ok": not self.problems,
            "sessions": self.sessions,
            "messages": self.messages,
            "size": self.size,
            "problems": [finding.row() for finding in self.findings if finding.problem],
            "notes": [finding.row() for finding in self.findings if not finding.problem],
            "facts": dict(self.facts),
        }


def report_text(report: Report, most: int = 40) -> str:
    """Problems first, then what was mended, then notes (`most` lines of each), the facts and one summary line."""
    mended = [finding for finding in report.findings if finding.mended]
    notes = [finding for finding in report.findings if not finding.problem]
    lines = [
        *_part("Problems", report.problems, most),
        *_part("Mended", mended, most),
        *_part("Notes", notes, most),
        *(f"{name}: {value}" for name, value in report.facts.items()),
    ]
    return "\n".join([*lines, summary(report)])


def summary(report: Report) -> str:
    mended = sum(1 for finding in report.findings if finding.mended)
    notes = sum(1 for finding in report.findings if not finding.problem)
    parts = [counted(len(report.problems), "problem")] if report.problems else ["No problem"]
    parts += [f"{mended} mended"] if mended else []
    parts += [counted(notes, "note")] if notes else []
    read = f"{counted(report.sessions, 'session')} read, {counted(report.messages, 'message')}, {_size(report.size)}"
    return f"{', '.join(parts)}. {read}."


def _part(name: str, findings: Sequence[Finding], most: int) -> Iterator[str]:
    if not findings:
        return
    yield f"{name}:"
    for finding in findings[:most]:
        yield f"  {_line(finding)}"
        if finding.mended or finding.advice:
            yield f"    → {finding.mended or finding.advice}"
    if len(findings) > most:
        yield f"  … and {len(findings) - most:,} more; --json lists them all"
    yield ""


def _line(finding: Finding) -> str:
    who = f"session '{finding.session_id}': " if finding.session_id else ""
    at = f", at byte {finding.offset:,}" if finding.offset is not None else ""
    where = f" ({finding.path}{at})" if finding.path else at
    return f"{who}{finding.text}{where}"


def counted(number: int, thing: str) -> str:
    """`1 note`, `2,000 notes`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
