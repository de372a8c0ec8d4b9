"""`--help`: one screen that names every flag and subcommand and no other; short help with an example below it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from programs import Home
from typer.core import TyperGroup

from scratchy import cli
from scratchy.shell.usage import USAGE

PROGRAM = typer.main.get_command(cli.app)


def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*before, name))
        else:
            yield *before, name


def test_it_fits_a_screen():
    lines = USAGE.split("\n")
    assert len(lines) <= 23 and max(map(len, lines)) <= 79 and all(line == line.rstrip() for line in lines)


def test_every_flag_is_in_the_usage_and_no_other():
    flags = {name for parameter in PROGRAM.params for name in parameter.opts if name.startswith("-")}
    examples = ("-m",)  # shown again in an example
    told = re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", USAGE)
    assert set(told) == flags | {"-h", "--help"}, "write it into scratchy/shell/usage.py"
    assert {flag for flag in told if told.count(flag) > 1} <= {"-s", "-c", "-p", "--help", *examples}


def test_every_subcommand_is_in_the_usage_and_no_other():
    _, _, part = USAGE.partition("Commands")
    told = part.replace("each has its own --help", "")
    groups = {words[0] for words in commands(PROGRAM)} | {words[1] for words in commands(PROGRAM) if len(words) > 1}
    assert set(re.findall(r"\w+", told)) == groups, "write it into scratchy/shell/usage.py"


def test_both_spellings_print_it_and_start_nothing(tmp_path):
    home = Home(tmp_path)
    for flag in ("-h", "--help"):
        done = home.run(flag)
        assert (done.returncode, done.stdout, done.stderr) == (0, USAGE + "\n", "")
    assert not home.sessions.exists() and not home.state.exists()


@pytest.mark.parametrize("words", list(commands(PROGRAM)), ids=" ".join)
def test_the_help_of_a_subcommand_is_short_and_has_an_example(tmp_path, words):
    shown = Home(tmp_path).run(*words, "--help", env={"COLUMNS": "80"}).stdout
    assert len(shown.splitlines()) <= 23 and max(map(len, shown.splitlines())) <= 80
    assert re.search(rf"Example[^:]*: (?:.*\$\()?scratchy {' '.join(words)}\b", " ".join(shown.split()))


def test_help_is_found_as_a_word_too_and_a_slip_is_noticed(tmp_path):
    home = Home(tmp_path)
    assert home.run("help").stdout == USAGE + "\n"
    assert home.run("help", "session", "show").stdout == home.run("session", "show", "--help").stdout
    for slip, meant in (("modles", "models"), ("sesion", "session")):
        done = home.run(slip, "list")
        assert done.returncode == 2 and f"Did you mean '{meant}'?" in done.stderr
