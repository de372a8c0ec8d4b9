"""What a session is called: /title and /tag, the same in the shell, --name; rules of titles and tags."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import Home
from sessionbench import desk_in, run, script, take, user

from scratchy.commands.dispatch import dispatch
from scratchy.sessions.naming import LONGEST_TAG, MOST_TAGS, changed_tags, with_tags
from scratchy.store.files import FileStore


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def desk(tmp_path):
    made, _ = desk_in(tmp_path, titles="off", **script(tmp_path, "Hi", "Yes", "Again"))
    yield made
    run(made.close())


def typed(desk, line: str, *, busy: bool = False) -> str:
    return run(dispatch(desk, line, busy=busy)).text


def header(home: Home, session_id: str):
    return FileStore(home.sessions).header(session_id)[0]


# -- rules


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ([], ["+a", "b", "+a"], ["a", "b"]),
        (["a", "b"], ["-a"], ["b"]),
        (["a"], ["-nobody", "+c"], ["a", "c"]),
        ([], ["+straße/2026-11.x_y"], ["straße/2026-11.x_y"]),
        ([], ["+Private", "PRIVATE"], ["private"]),
        (["private"], ["-Private"], []),
        ([], ["+-a"], ["-a"]),
    ],
)
def test_tags_are_added_and_removed_in_order(before, changes, after):
    assert changed_tags(before, changes) == after


@pytest.mark.parametrize("bad", ["+", "", "+a,b", "+a b", "+\x1b", "+\u202ea", "+" + "x" * (LONGEST_TAG + 1), "++a"])
def test_what_can_be_no_tag_is_refused(bad):
    with pytest.raises(ValueError, match="is no tag"):
        changed_tags([], [bad])


def test_there_are_not_too_many_tags_but_what_is_there_may_go():
    full = [f"t{number}" for number in range(MOST_TAGS)]
    with pytest.raises(ValueError, match="20 tags"):
        changed_tags(full, ["+more"])
    assert len(changed_tags([*full, "of", "others"], ["-t0"])) == MOST_TAGS + 1
    assert "tags" not in with_tags({"tags": ["a"], "folder": "/w"}, []) and with_tags({}, ["a"]) == {"tags": ["a"]}


@given(st.lists(st.text(max_size=45)), st.lists(st.text(max_size=45)))
def test_any_words_change_tags_or_are_refused(before, changes):
    try:
        after = changed_tags(before, changes)
    except ValueError:
        return
    assert all(tag in before or 0 < len(tag) <= LONGEST_TAG for tag in after)


# -- in a window


def test_title_is_shown_and_set_before_and_after_the_first_message(desk):
    assert typed(desk, "/title") == "No title yet. `/title TEXT` gives one."
    assert typed(desk, "/title  Before \x1b[31mall\n of it ") == "Title: Before all of it"
    run(take(desk.conversation, "Hello"))
    assert typed(desk, "/title") == "Title: Before all of it"
    assert desk.manager.store.header("default")[0].title == "Before all of it"
    assert typed(desk, "/title " + "x" * 500) == "Title: " + "x" * 199 + "…"
    assert "needs a character" in typed(desk, "/title \u200b")
    assert desk.manager.store.header("default")[0].title == "x" * 199 + "…"
    assert desk.manager.list_sessions()[0]["message_count"] == 3


def test_tags_are_shown_changed_and_private_is_explained_once(desk):
    assert typed(desk, "/tag") == "No tags. `/tag +x` adds one."
    assert typed(desk, "/tag +work +draft") == "Tags: work, draft"
    run(take(desk.conversation, "Hello"))
    assert typed(desk, "/tag -draft") == "Tags: work"
    said = typed(desk, "/tag +private")
    assert said.startswith("Tags: work, private\n") and "no model is told" in said
    assert typed(desk, "/tag +private") == typed(desk, "/tag") == "Tags: work, private"
    assert desk.manager.store.header("default")[0].metadata["tags"] == ["work", "private"]
    assert "'a,b' is no tag" in typed(desk, "/tag +a,b")
    run(take(desk.conversation, "More"))
    assert desk.manager.store.header("default")[0].metadata["tags"] == ["work", "private"]
    assert typed(desk, "/tag -work -private") == "No tags. `/tag +x` adds one."
    assert "tags" not in desk.manager.store.header("default")[0].metadata
    run(take(desk.conversation, "Again"))
    assert "tags" not in desk.manager.store.header("default")[0].metadata


def test_what_a_session_is_called_survives_leaving_it_empty_and_coming_back(desk):
    typed(desk, "/title Mine")
    typed(desk, "/tag +x")
    typed(desk, "/new other")
    assert typed(desk, "/title").startswith("No title") and typed(desk, "/tag").startswith("No tags")
    typed(desk, "/resume default")
    assert typed(desk, "/title") == "Title: Mine" and typed(desk, "/tag") == "Tags: x"
    run(take(desk.conversation, "Hello"))
    stored = desk.manager.store.header("default")[0]
    assert stored.title == "Mine" and stored.metadata["tags"] == ["x"]


def test_in_mid_turn_they_are_shown_and_not_changed(desk):
    assert typed(desk, "/title", busy=True).startswith("No title") and typed(desk, "/tag", busy=True)
    assert "was not run" in typed(desk, "/title X", busy=True) and "was not run" in typed(desk, "/tag +x", busy=True)


def test_status_tells_title_tags_and_added_folders(tmp_path):
    desk, _ = desk_in(tmp_path, add_dirs=(tmp_path / "lib",), **script(tmp_path, "Hi"))
    typed(desk, "/title Mine")
    typed(desk, "/tag +x +y")
    shown = typed(desk, "/status")
    assert "Title: Mine" in shown and "Tags: x, y" in shown and f"Added folders: {tmp_path / 'lib'}" in shown
    run(desk.close())


# -- in the shell


def test_the_shell_renames(home):
    home.save("one", user("x"))
    home.save("two", user("y"))
    assert home.run("session", "rename", "one", "three").stdout == "Renamed session: 'one' is now 'three'\n"
    taken = home.run("session", "rename", "three", "two")
    assert taken.returncode == 1 and "'two' exists already" in taken.stderr and home.ids() == ["three", "two"]
    shown = home.run("session", "rename", "three", "one", "--json")
    assert json.loads(shown.stdout) == {"renamed": "three", "id": "one"} and home.ids() == ["one", "two"]
    assert home.run("session", "rename", "nobody", "x").returncode == 1
    assert home.run("session", "rename", "one", "").returncode == 2


def test_the_shell_titles(home):
    home.save("one", user("x"))
    assert home.run("session", "title", "one").stdout == "No title.\n"
    assert json.loads(home.run("session", "title", "one", "--json").stdout) == {"id": "one", "title": None}
    assert home.run("session", "title", "one", "Two", "words").stdout == "Title: Two words\n"
    set_ = home.run("session", "title", "one", "Evil \x1b[31mred", "--json").stdout
    assert json.loads(set_) == {"id": "one", "title": "Evil red"} and header(home, "one").title == "Evil red"
    assert home.run("session", "title", "one").stdout == "Title: Evil red\n"
    assert home.run("session", "title", "nobody", "x").returncode == 1
    assert home.run("session", "title", "one", "\u200b").returncode == 2
    assert "Evil red" in home.run("session", "list").stdout


def test_the_shell_tags(home):
    home.save("one", user("x"))
    assert home.run("session", "tag", "one").stdout == "No tags.\n"
    assert home.run("session", "tag", "one", "+x", "-y", "+home").stdout == "Tags: x, home\n"
    assert json.loads(home.run("session", "tag", "one", "-home", "--json").stdout) == {"id": "one", "tags": ["x"]}
    said = home.run("session", "tag", "one", "+private", "-x").stdout
    assert said.startswith("Tags: private\n") and "no model is told" in said
    assert header(home, "one").metadata["tags"] == ["private"]
    assert home.run("session", "tag", "one", "+a,b").returncode == 2
    assert home.run("session", "tag", "nobody", "+a").returncode == home.run("session", "tag", "nobody").returncode == 1
    assert home.run("session", "tag", "one", "+a", "--sessions-dir", str(home.folder / "no")).returncode == 1
    assert "Usage" in home.run("session", "tag", "--help").stdout


def test_the_shell_leaves_a_held_session_alone_and_shows_it(home):
    home.save("one", user("x"))
    writer = FileStore(home.sessions).open("one")
    try:
        for arguments in (("rename", "one", "two"), ("title", "one", "x"), ("tag", "one", "+x")):
            refused = home.run("session", *arguments)
            assert refused.returncode == 75 and "one" in refused.stderr
        assert home.run("session", "tag", "one").returncode == home.run("session", "title", "one").returncode == 0
    finally:
        writer.close()
    assert home.ids() == ["one"] and header(home, "one").title is None


# -- flags


def test_name_titles_the_session_at_its_start(home):
    home.run("--provider", "demo", "-n", "My  \x1b[1mtitle", "-s", "one", "-p", "Hello")
    assert header(home, "one").title == "My title"
    home.run("--provider", "demo", "--name", "Other", "-s", "one", stdin="/title\nMore\n")
    assert header(home, "one").title == "Other"
    home.run("--provider", "demo", "-s", "one", "-p", "Still")
    assert header(home, "one").title == "Other"


@pytest.mark.parametrize("value", ["nonsense", "MODELS", "1"])
def test_a_nonsense_value_of_the_variable_is_refused_naming_it(home, value):
    done = home.run("--provider", "demo", "-p", "Hello", env={"SCRATCHY_TITLES": value})
    assert done.returncode == 2 and "SCRATCHY_TITLES" in done.stderr and value in done.stderr and home.ids() == []


@pytest.mark.parametrize(
    ("value", "title"), [("words", "Hello"), ("WORDS", "Hello"), ("model", "Hello"), ("", "Hello"), ("off", None)]
)
def test_each_value_of_the_variable(home, value, title):
    home.run("--provider", "demo", "-s", "one", "-p", "Hello", env={"SCRATCHY_TITLES": value})
    assert header(home, "one").title == title
