"""Each benchmark runs, on sizes that only show that it does, and prints a ratio. No time is judged here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import SUBJECTS
from benchmarks.answers import answer, end_of, tokens
from benchmarks.common import HEAD, Row, shown

ROOT = Path(__file__).parent.parent
LINE = re.compile(r"\S.* +[\d.]+ \S+ +(?:[\d.]+ \S+|-) +[\d.]+ +(?:[\d.]+|-)  (?:ok|MISSED|-)")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_benchmark_prints_its_ratios(subject: str) -> None:
    command = [sys.executable, "-m", "benchmarks", "--tiny", subject]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head == HEAD and lines
    for line in lines:
        assert LINE.fullmatch(line.strip()), line


def test_a_row_is_judged_by_its_ratio() -> None:
    assert Row("a", 2.0, 1.0, 2).verdict == "ok"
    assert Row("a", 2.1, 1.0, 2).verdict == "MISSED"
    assert Row("a", 7.0, None, 6).verdict == "MISSED"
    assert Row("a", 7.0, 1.0, None).verdict == "-"
    assert shown(Row("a", 2.1, 1.0, 2)).endswith("2.10       2  MISSED")


def test_an_unknown_subject_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "start" in done.stderr


def test_the_answer_has_the_length_that_was_asked_for() -> None:
    text = answer(1_000)
    assert "".join(tokens(1_000)) == text and text.rstrip().endswith(f"{end_of(1_000)}.")
    assert 1_000 <= len(tokens(1_000)) < 1_400
