"""/help: topics that fit a screen, each command in exactly one of them."""

import asyncio

import pytest

from scratchy.commands import help as told
from scratchy.commands.dispatch import COMMANDS, dispatch
from scratchy.terminal.folding import folded


def shown(line: str) -> str:
    return asyncio.run(dispatch(None, line, busy=True)).text  # type: ignore[arg-type] - /help needs no desk


def test_every_command_is_in_exactly_one_topic():
    named = [name for topic in told.TOPICS for name in topic.commands]
    assert len(named) == len(set(named))
    assert [entry.name for entry in COMMANDS if entry.name not in named] == [], "add it to a topic in commands/help.py"


@pytest.mark.parametrize("line", ["/help", *(f"/help {topic.name}" for topic in told.TOPICS)])
def test_it_fits_a_screen_and_is_readable_on_a_narrow_one(line):
    text = shown(line)
    assert len(folded(text, 80).splitlines()) <= 23
    narrow = folded(text, 40).splitlines()
    assert max(map(len, narrow)) <= 40 and len(narrow) <= 46
    assert all(len(word) <= 40 for word in text.split())


def test_topics_and_commands_are_found_by_their_beginning():
    assert shown("/help").startswith("Type a message") and "back: /rewind" in shown("/help")
    assert shown("/help BACK") == shown("/help ba") and shown("/help back").startswith("/rewind [n]: Go back")
    assert shown("/help sessions").count("\n") > 3 and shown("/help /sessions").count("\n") == 0
    assert shown("/help undo") == shown("/help /undo") and shown("/help info") == shown("/help /status")
    assert "Full name needed" in shown("/help /delete") and "Ctrl-R" in shown("/help keys")
    assert shown("/help re").count("\n") >= 3
    for nobody in ("nobody", "/nobody", "/"):
        assert shown(f"/help {nobody}").startswith(f"/help knows no topic and no command '{nobody}'.")
        assert all(topic.name in shown(f"/help {nobody}") for topic in told.TOPICS)
