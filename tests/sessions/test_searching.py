"""What the model may look up in earlier conversations: its project, its server; asked for, wider each time; never what
is private. And the person's own search, which finds everything.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sessionbench import answer, calling, desk_in, run, script, take, user

from scratchy import Agent, MemoryStore, SessionManager, compose
from scratchy.commands.dispatch import dispatch
from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval, Approve
from scratchy.core.stored import Header
from scratchy.providers.scripted import ScriptedProvider

START = "2026-11-20T09:00:29.483Z"
SERVER = compose.endpoint_of(compose.provider_url("scripted", None))
SECRET = "sk-very-secret-1234567890"


class Person:
    """Answers approvals in order, and keeps what was asked."""

    def __init__(self, *answers: Approval) -> None:
        self.answers = list(answers)
        self.asked: list[ApprovalRequested] = []

    async def __call__(self, request: ApprovalRequested) -> Approval:
        self.asked.append(request)
        return self.answers.pop(0)


YES, ALWAYS, NO = Approval(True), Approval(True, always=True), Approval(False)


class Window:
    """A desk in `folder`; its model calls search_sessions with these arguments, one call a turn."""

    def __init__(self, folder: Path, *calls: dict[str, Any], store: Any = None, **config: Any) -> None:
        answers = [part for call in calls for part in (calling("search_sessions", call), answer("ok"))]
        self.desk, _ = desk_in(folder, store=store, **script(folder, *answers), **config)
        self.store = self.desk.manager.store
        self.folder = folder

    def session(self, session_id: str, *texts: str, title: str | None = None, **metadata: Any) -> None:
        facts = {"folder": str(self.folder), "endpoint": SERVER, **metadata}
        writer = self.store.open(session_id, create=Header(session_id, START, START, title, facts))
        writer.append([user(text) for text in texts])
        writer.close()

    async def turns(self, person: Approve | None, count: int = 1) -> list[str]:
        """What the model got, a text a call."""
        self.desk.approve = person
        for number in range(count):
            await take(self.desk.conversation, f"go {number}")
        return [str(m["content"]) for m in self.desk.conversation.session.messages if m.get("role") == "tool"]


def test_always_covers_this_project_for_the_session(tmp_path):
    window = Window(tmp_path, {"query": "parser"}, {"query": "lexer"}, {"query": "nothing"})
    window.session("old", "the parser broke", "then the lexer", title="Parsing")
    person = Person(ALWAYS)
    first, second, third = run(window.turns(person, 3))
    assert first.startswith("old “Parsing”") and "message 0, user: the parser broke" in first
    assert "the lexer" in second and "No earlier conversation" in third
    (asked,) = person.asked
    assert "parser" in asked.preview and "this project" in asked.preview
    run(window.desk.close())


def test_a_no_is_a_no_and_a_yes_is_for_once(tmp_path):
    window = Window(tmp_path, {"query": "parser"}, {"query": "parser"}, {"query": "parser"})
    window.session("old", "the parser broke")
    person = Person(NO, YES, NO)
    first, second, third = run(window.turns(person, 3))
    assert "said no" in first and "broke" not in first and "broke" in second
    assert "said no" in third and "broke" not in third and len(person.asked) == 3
    run(window.desk.close())


def test_reach_is_the_project_and_the_server_and_never_private(tmp_path, monkeypatch):
    window = Window(tmp_path, {"query": "needle"}, {"query": "needle", "everywhere": True})
    window.session("here", "needle here")
    window.session("elsewhere", "needle elsewhere", folder="/another/project", title="Other work")
    window.session("forger", "needle forged", folder="/a\n  nice (y/n)", title="Odd\n  title")
    window.session("other_server", "needle of another server", endpoint="abc")
    window.session("hidden", "needle hidden", tags=["private"])
    for number, odd in enumerate((".", "", "/proc/self/cwd", "\0", 5)):
        window.session(f"odd{number}", "needle of no folder", folder=odd)
    window.session("imported", "needle of nowhere", folder=None, endpoint=None)
    person = Person(YES, YES)
    monkeypatch.chdir(tmp_path)
    near, wide = run(window.turns(person, 2))
    assert "here" in near and near.count("needle") == 1
    assert wide.count("needle") == 10 and "hidden" not in wide
    shown = person.asked[1].preview
    assert "forger “Odd\\n  title” in /a\\n  nice (y/n)\n" in shown + "\n"
    assert "elsewhere “Other work” in /another/project" in shown and f"here in {tmp_path}" in shown
    assert "other_server" in shown and "imported in an unknown folder" in shown and "hidden" not in shown
    found = run(dispatch(window.desk, "/search hidden"))
    assert [row.line for row in found.choose.rows] == ["/search @0 hidden"]  # the person's own search finds it
    run(window.desk.close())


def test_always_never_covers_a_wider_search(tmp_path):
    near, wide = {"query": "needle"}, {"query": "needle", "everywhere": True}
    window = Window(tmp_path, near, wide, wide, wide, near)
    window.session("elsewhere", "needle", folder="/another")
    person = Person(ALWAYS, ALWAYS, ALWAYS, NO)
    _, first, second, third, _ = run(window.turns(person, 5))
    assert "needle" in first and "needle" in second and "said no" in third
    assert len(person.asked) == 4
    run(window.desk.close())


def test_what_a_wider_search_gave_is_not_found_here_by_a_later_one(tmp_path):
    wide, near = {"query": "needle", "everywhere": True}, {"query": "needle"}
    window = Window(tmp_path, wide)
    window.session("elsewhere", "needle of another project", folder="/another")
    (given,) = run(window.turns(Person(YES)))
    (result,) = [m for m in window.desk.conversation.session.messages if m["role"] == "tool"]
    run(window.desk.close())
    assert "of another project" in given and result["name"] == "search_sessions"
    later = Window(tmp_path, near, store=window.store)
    writer = window.store.open(
        "before", create=Header("before", START, START, None, {"folder": str(tmp_path), "endpoint": SERVER})
    )
    writer.append([result])
    writer.close()
    *_, again = run(later.turns(Person(YES)))
    assert "of another project" not in again
    run(later.desk.close())


def test_what_was_not_shown_is_not_given(tmp_path):
    window = Window(tmp_path, {"query": "needle", "everywhere": True})
    window.session("shown", "needle one", folder="/another")

    async def slow_yes(request: ApprovalRequested) -> Approval:
        assert "shown" in request.preview
        window.session("late", "needle two", folder="/another")
        writer = window.store.open("shown")
        writer.append([user("needle three")])
        writer.close()
        return YES

    (given,) = run(window.turns(slow_yes))
    assert "needle one" in given and "needle two" not in given
    run(window.desk.close())


def test_a_session_made_private_while_the_person_thinks_is_not_given(tmp_path):
    window = Window(tmp_path, {"query": "needle", "everywhere": True})
    window.session("shown", "needle one", folder="/another")

    async def slow_yes(request: ApprovalRequested) -> Approval:
        writer = window.store.open("shown")
        writer.edit(metadata={"tags": ["private"]})
        writer.close()
        return YES

    (given,) = run(window.turns(slow_yes))
    assert "needle one" not in given
    run(window.desk.close())


def test_the_session_that_asks_is_left_out_and_keys_are_redacted(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    window = Window(tmp_path, {"query": "token"})
    window.session("old", f"the token is {SECRET}")
    (given,) = run(window.turns(Person(YES)))
    assert "[key]" in given and SECRET not in given and "default" not in given
    run(window.desk.close())


def test_yolo_covers_this_project_and_no_wider_search(tmp_path):
    near, wide = {"query": "needle"}, {"query": "needle", "everywhere": True}
    window = Window(tmp_path, near, wide, wide, yolo=True)
    window.session("here", "needle here")
    window.session("elsewhere", "needle elsewhere", folder="/another")
    person = Person(YES, NO)
    first, second, third = run(window.turns(person, 3))
    assert "needle here" in first and "needle elsewhere" in second and "said no" in third
    assert len(person.asked) == 2 and not person.asked[0].scope
    run(window.desk.close())


def test_where_nobody_can_be_asked_a_wider_search_is_refused(tmp_path):
    window = Window(tmp_path, {"query": "needle", "everywhere": True}, yolo=True)
    window.session("elsewhere", "needle elsewhere", folder="/another")
    (given,) = run(window.turns(None))
    assert "elsewhere" not in given and "nobody can be asked" in given
    run(window.desk.close())


def test_sessions_in_memory_are_searched_too(tmp_path):
    window = Window(tmp_path, {"query": "needle"}, store=MemoryStore())
    window.session("old", "a needle")
    (given,) = run(window.turns(Person(YES)))
    assert "a needle" in given
    run(window.desk.close())


def test_an_agent_of_a_program_has_it_and_is_asked_each_time(tmp_path):
    sessions = SessionManager(tmp_path / "sessions")
    writer = sessions.store.open("old", create=Header("old", START, START, None, {"folder": str(Path.cwd())}))
    writer.append([user("a needle")])
    writer.close()
    call = calling("search_sessions", {"query": "needle"})
    agent = Agent(ScriptedProvider([call, answer("one"), call, answer("two")]), sessions=sessions)
    agent.load_default_tools()
    asked: list[str] = []

    async def approve(session_id: str, name: str, arguments: Any) -> bool:
        asked.append(name)
        return True

    agent.set_callbacks(on_tool_approval=approve)

    async def talk() -> None:
        assert await agent.chat("first", "new") == "one"
        assert await agent.chat("second", "new") == "two"
        await agent.cleanup()

    asyncio.run(talk())
    given = [m["content"] for m in sessions.load_session("new") or [] if m["role"] == "tool"]
    assert len(given) == 2 and all("a needle" in text for text in given)
    assert asked == ["search_sessions"] * 2


# -- /search


@pytest.fixture
def window(tmp_path):
    made = Window(tmp_path)
    made.session("parser # 1", "zero", "one", "two", "three needle \x1b[31mred", "four", "five", "six", "seven")
    yield made
    run(made.desk.close())


def test_rows_jump_to_the_message_among_its_neighbours(window):
    outcome = run(dispatch(window.desk, "/search needle"))
    (row,) = outcome.choose.rows
    assert "1 passage" in outcome.choose.title and "needle" in row.label and row.label.startswith("parser # 1 · ")
    assert row.line == "/search @3 parser # 1" and "message 3, user" in row.detail and str(window.folder) in row.detail
    text = run(dispatch(window.desk, row.line)).text
    assert "→ #3" in text and "#0" in text and "#6" in text and "#7" not in text
    assert text.endswith("`/resume parser # 1` goes on with this session.")
    assert "\x1b" not in row.label and "\x1b" not in row.detail


def test_what_cannot_be_found_is_said(window):
    assert run(dispatch(window.desk, "/search absent")).text == "Nothing found for: absent"
    assert "Say what to look for" in run(dispatch(window.desk, "/search")).text
    assert "nothing to search for" in run(dispatch(window.desk, "/search !!!")).text
    assert "has no message 99" in run(dispatch(window.desk, "/search @99 parser # 1")).text
    assert run(dispatch(window.desk, "/search @3 nobody")).text == "Nothing found for: @3 nobody"


def test_it_runs_in_mid_turn_and_finds_the_current_session(window):
    run(window.desk.resume("parser # 1"))
    outcome = run(dispatch(window.desk, "/search needle", busy=True))
    assert len(outcome.choose.rows) == 1
    assert "/resume" not in run(dispatch(window.desk, outcome.choose.rows[0].line)).text


def test_titles_are_found(window):
    window.session("t", "nothing", title="On needles")
    labels = [row.label for row in run(dispatch(window.desk, "/search needle")).choose.rows]
    assert any(label.startswith("t · ") and label.endswith("On needles") for label in labels) and len(labels) == 2
