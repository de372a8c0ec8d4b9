"""`--json` is JSON whatever stdout can encode, and whatever stands in a session."""

import json

import pytest
from programs import Home

SAID = "naïve “ß” 🤖 \u202e日本"


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path)
    home.save("x", {"role": "user", "content": SAID}, {"role": "assistant", "content": "Ja"})
    home.run("session", "title", "x", SAID)
    return home


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
@pytest.mark.parametrize(
    "words",
    [
        ["session", "list"], ["session", "show", "x"], ["session", "show", "x", "--around", "1"],
        ["session", "search", "naïve"], ["session", "tree"], ["session", "title", "x"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_it_is_the_same_json_in_every_encoding(home, words, encoding):
    done = home.run(*words, "--json", env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.encode("utf-8", "surrogateescape").decode(encoding))
    assert SAID[:6] in json.dumps(told, ensure_ascii=False) and "\u202e" not in done.stdout
