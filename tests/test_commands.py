"""The slash commands: their exact words, what they refuse, prefixes and suggestions; and the desk under them."""

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sessionbench import answer, calling, desk_in, run, script, take, texts, user

from scratchy import MemoryStore, SessionManager
from scratchy.commands.advice import at_prompt
from scratchy.commands.dispatch import command_names, dispatch
from scratchy.commands.help import TOPICS
from scratchy.commands.listing import newest, pickable
from scratchy.commands.rows import age
from scratchy.commands.talk import around

ROOT = Path(__file__).parents[1]


class Window:
    """A desk that is asked one line after the other."""

    def __init__(self, folder: Path, session_id: str = "default", store=None, **config) -> None:
        self.folder = folder
        self.desk, self.said = desk_in(folder, session_id, store, **config)
        self.sm = self.desk.manager

    def type(self, line: str, *, busy: bool = False) -> str:
        return run(dispatch(self.desk, line, busy=busy)).text

    def say(self, line: str) -> None:
        run(take(self.desk.conversation, line))

    @property
    def id(self) -> str:
        return self.desk.conversation.session_id

    @property
    def texts(self) -> list:
        return texts(self.desk.conversation.session.messages)


@pytest.fixture
def window(tmp_path):
    made = Window(tmp_path, **script(tmp_path, "Hi", "Yes", "Third", "Fourth"))
    yield made
    run(made.desk.close())


def hold(folder: Path, session_id: str) -> subprocess.Popen:
    code = f"w = sm.store.open({session_id!r}); print('held', flush=True); sys.stdin.read()"
    program = f"import sys\nfrom scratchy import SessionManager\nsm = SessionManager({str(folder)!r})\n{code}"
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout.readline() == "held\n"
    return holder


# -- the documented ones


def test_status_in_its_documented_order(window):
    lines = window.type("/status").split("\n")
    assert lines[0] == "Session ID: default" and lines[1] == "Messages: 1" and lines[4] == "Saved: No"
    window.say("Hello")
    lines = window.type("/info").split("\n")
    assert lines[1] == "Messages: 3" and lines[4] == "Saved: Yes"
    for line, name in ((lines[2], "Created"), (lines[3], "Last Activity")):
        assert re.fullmatch(rf"{name}: \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d", line)
    assert any(line.startswith("Model: scripted") for line in lines)


def test_new_resume_and_back(window):
    window.say("Hello")
    assert window.type("/new research") == "Created new session: 'research'" and window.id == "research"
    assert window.type("/status").split("\n")[4] == "Saved: No"
    window.say("Look")
    assert window.type("/resume default") == "Resumed session: 'default' (3 messages)"
    assert window.texts[1:] == ["Hello", "Hi"]
    assert window.type("/continue research").startswith("Resumed session: 'research' (3")
    assert window.type("/switch default").startswith("Resumed session: 'default'")


def test_an_outcome_tells_that_another_session_is_current(window):
    assert run(dispatch(window.desk, "/new x")).switched and not run(dispatch(window.desk, "/status")).switched


def test_new_alone_makes_an_id_and_an_id_that_exists_is_refused_with_a_hint(window):
    window.say("Hello")
    made = window.type("/new")
    assert re.fullmatch(r"Created new session: 'chat-[\da-f-]+'", made) and window.id in made
    refused = window.type("/new default")
    assert "'default'" in refused and "/resume default" in refused and window.id != "default"
    assert len(window.sm.load_session("default")) == 3


def test_resume_refuses_what_is_not_there_and_keeps_the_current_one(window):
    window.say("Hello")
    assert window.type("/resume nobody") == "Session 'nobody' not found." and window.id == "default"
    window.say("More")
    assert window.texts[-2:] == ["More", "Yes"]


def test_resume_alone_asks_to_pick_one_and_a_line_shows_the_newest(window):
    def shown() -> str:
        assert run(dispatch(window.desk, "/resume")).pick
        return "\n".join(pickable(newest(window.sm), str(window.folder)))

    assert "No sessions" in shown()
    for number in range(22):
        window.sm.save_session(f"s{number:02}", [user("x")])
        os.utime(window.sm.store.folder + f"/s{number:02}_chat.toon", (number, number))
    assert shown().count("messages") == 20 and "  1. s21" in shown() and "s01" not in shown()
    assert "/sessions" in shown() and shown().endswith("Type `/resume ID` to open one.")


def test_resume_of_an_unknown_id_names_near_ones_and_opens_none(window):
    for name in ("parser", "painter", "project x"):
        window.sm.save_session(name, [user("x")])
    with window.sm.opened("project x") as writer:
        writer.edit(title="Fix the lexer")
    said = window.type("/resume proj")
    assert said == "Session 'proj' not found. One begins so: 'project x' (Fix the lexer); `/resume project x` opens it."
    assert window.type("/resume fix THE") == said.replace("proj'", "fix THE'", 1)
    assert window.type("/resume pa").endswith("not found. Did you mean 'painter', 'parser'?")
    assert window.type("/resume parsre").endswith("Did you mean 'parser'?")
    assert window.type("/resume nothing like it") == "Session 'nothing like it' not found."
    assert window.id == "default"


def test_sessions_shows_fifty_and_how_many_more_with_title_tags_and_folder(window):
    for number in range(60):
        window.sm.save_session(f"s{number:02}", [user("x")])
    with window.sm.opened("s30") as writer:
        writer.edit(title="Fix \x1b[31mthe\u202e lexer", metadata={"tags": ["one", 2], "folder": "/elsewhere"})
    lines = window.type("/sessions").split("\n")
    assert len(lines) == 51 and lines[-1].startswith("… and 10 more")
    assert "  s30  1 messages, just now  Fix the lexer  #one  (in /elsewhere)" in lines


def test_a_session_opened_here_and_empty_can_be_come_back_to(window):
    window.type("/new a")
    window.type("/new b")
    assert window.type("/resume a") == "Resumed session: 'a' (1 messages)"
    assert {"a", "b", "default"} >= set(window.desk.session_ids()) and window.sm.list_sessions() == []


def test_an_id_is_the_rest_of_the_line(window):
    assert window.type("/new my project: part two ") == "Created new session: 'my project: part two'"
    window.say("Hello")
    window.type("/new other")
    assert window.type("/resume   my project: part two") == "Resumed session: 'my project: part two' (3 messages)"


def test_sessions_lists_all_newest_first_and_marks_the_current_and_the_unreadable(window):
    assert window.type("/sessions").startswith("No sessions")
    window.sm.save_session("older", [user("x")])
    window.say("Hello")
    (window.folder / "sessions" / "bad_chat.toon").write_bytes(b"\0\0")
    lines = window.type("/list").split("\n")
    assert any(re.fullmatch(r"\* default  3 messages, just now  Hello", line) for line in lines)
    assert any("bad" in line and "cannot be read" in line for line in lines)
    assert [re.sub(r"^\W*(\S+).*", r"\1", line) for line in lines if "messages" in line] == ["default", "older"]


def test_clear_keeps_the_system_message_and_restore_undoes_it(window):
    window.say("Hello")
    assert window.type("/clear") == "Cleared session: 'default'"
    assert len(window.sm.load_session("default")) == 1 and len(window.texts) == 1
    window.say("Fresh")
    assert window.type("/restore") == "Restored session: 'default' (3 messages)"
    assert window.texts[1:] == ["Hello", "Hi"]
    window.say("More")
    assert texts(window.sm.load_session("default"))[1:] == ["Hello", "Hi", "More", "Third"]
    assert window.type("/restore default") == "Restored session: 'default' (3 messages)"
    assert window.texts[1:] == ["Fresh", "Yes"]  # what the first restore displaced


def test_delete_of_the_current_one_goes_on_in_a_new_one(window):
    window.say("Hello")
    told = window.type("/delete")
    assert "Deleted session: 'default'" in told and f"Created new session: '{window.id}'" in told
    assert window.id.startswith("chat-") and not window.sm.session_exists("default")
    window.say("On")
    new = window.id
    assert window.type("/restore default") == "Restored session: 'default' (3 messages). `/resume default` opens it."
    assert len(window.sm.list_sessions()) == 2 and window.id == new  # who restores another stays where he is
    window.say("And on")
    assert texts(window.sm.load_session("default"))[1:] == ["Hello", "Hi"] and window.texts[-2] == "And on"


def test_delete_of_another_and_of_nobody(window):
    window.sm.save_session("x", [user("x")])
    assert window.type("/delete x").startswith("Deleted session: 'x'") and window.id == "default"
    assert window.type("/delete x") == "Session 'x' not found."
    assert window.type("/delete").startswith("Deleted session: 'default'")  # never stored: only left


def test_a_damaged_session_can_be_deleted_and_never_becomes_current(window):
    path = window.folder / "sessions" / "bad_chat.toon"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\0\0")
    refused = window.type("/resume bad")
    assert "'bad'" in refused and "cannot be read" in refused and str(path) in refused and window.id == "default"
    assert "`/doctor fix`" in refused and "`/delete bad`" in refused and "`scratchy" not in refused
    assert path.read_bytes() == b"\0\0"
    assert "/resume bad" in window.type("/new bad")
    assert window.type("/delete bad").startswith("Deleted session: 'bad'") and not path.exists()


def test_rename_gives_the_session_another_id(window):
    window.say("Hello")
    assert window.type("/rename") == "Name the new id: `/rename ID`."
    assert window.type("/rename research") == "Renamed session: 'default' is now 'research'"
    window.say("More")
    assert window.id == "research" and [row["id"] for row in window.sm.list_sessions()] == ["research"]
    assert window.texts[1:] == ["Hello", "Hi", "More", "Yes"]
    window.sm.save_session("taken", [user("x")])
    assert "exists already" in window.type("/rename taken") and window.id == "research"
    window.say("Still here")
    assert window.sm.load_session("taken") == [user("x")]


def test_rename_before_the_first_message(window):
    assert window.type("/rename research") == "Renamed session: 'default' is now 'research'"
    assert window.desk.session_ids() == [] and window.sm.list_sessions() == []
    window.say("Hello")
    assert [row["id"] for row in window.sm.list_sessions()] == ["research"]


def test_trash_lists_what_was_deleted(window):
    assert window.type("/trash") == "The trash is empty."
    window.say("Hello")
    window.type("/clear")
    assert re.search(r"default  3 messages, cleared  \(`/restore \S+-default`\)\n1 entries, ", window.type("/trash"))
    assert "nobody" in window.type("/restore nobody")


def test_history_and_system(window):
    assert "Model: " in window.type("/model")
    window.say("Hello")
    assert window.type("/history 2") == ("#1 You: Hello\n\n#2 Assistant: Hi\n\n1 message before: `/history 2 before 1`")
    assert window.type("/history 99999999999999999999").startswith("#0 System: ")
    for nonsense in ("x", "-1", "²", "before", "3 before", "3 before x", "3before4x"):
        assert "/history 20" in window.type(f"/history {nonsense}")
    assert window.type("/history 3 before 0") == "No messages there."
    assert window.type("/system") == window.texts[0]


def test_history_pages_backwards_without_loading_the_session(tmp_path):
    sm = SessionManager(tmp_path / "sessions")
    sm.save_session("long", [user(f"m{number}") for number in range(200)])
    window = Window(tmp_path, "long", **script(tmp_path, "Hi"))
    loaded = len(window.texts)
    seen, line = [], "/history 30"
    while line:
        text = window.type(line)
        page = re.findall(r"^#(\d+) You: m(\d+)$", text, re.MULTILINE)
        assert all(number == content for number, content in page)
        seen = [int(number) for number, _ in page] + seen
        after = re.search(r"\n\n(\d+) messages? before: `(/history 30 before \d+)`$", text)
        assert (after is None) == (seen[0] == 0) and (after is None or int(after[1]) == seen[0])
        line = after[2] if after else ""
    assert seen == list(range(200)) and len(window.texts) == loaded < 200
    assert window.type("/history 2 before 151").startswith("#149 You: m149\n\n#150 You: m150")  # across what is loaded
    window.say("New")
    assert "#200 You: New\n\n#201 Assistant: Hi" in window.type("/history 2")
    run(window.desk.close())


def test_history_tells_a_tool_call_on_one_line(tmp_path):
    calls = calling("edit_file", {"file_path": "a.txt", "new_text": "x\ny" * 100, "count": 2})["tool_calls"]
    odd = {"id": "c2", "type": "function", "function": {"name": "odd", "arguments": "no\njson {"}}
    SessionManager(tmp_path / "sessions").save_session(
        "s", [user("Do"), {"role": "assistant", "content": None, "tool_calls": [*calls, odd]}]
    )
    window = Window(tmp_path, "s", **script(tmp_path))
    lines = window.type("/history").split("\n")
    assert lines[2] == "#1 Assistant:" and lines[4] == "→ odd no json {"
    assert re.fullmatch(r"→ edit_file a\.txt new_text=x yx yx .*… count=2", lines[3]) and len(lines) == 5
    run(window.desk.close())


def test_messages_around_a_number(tmp_path):
    sm = SessionManager(tmp_path / "sessions")
    sm.save_session("long", [user(f"m{number}") for number in range(100)])
    text = around(sm.store, "long", 50)
    assert text.split("\n\n")[0] == "#47 You: m47" and "→ #50 You: m50" in text and text.endswith("#53 You: m53")
    assert around(sm.store, "long", 0).startswith("→ #0 You: m0") and around(sm.store, "long", 99).endswith(
        "#99 You: m99"
    )
    assert "no message 100" in around(sm.store, "long", 100)


def test_status_tells_title_tags_and_parent(tmp_path):
    sm = SessionManager(tmp_path / "sessions")
    sm.save_session("child", [user("Hello")])
    with closing(sm.store.open("child")) as writer:
        parent = {"id": "mother", "at": 4}
        writer.edit(title="A title", metadata={"tags": ["x", "y"], "parent": parent, "folder": "/elsewhere"})
    window = Window(tmp_path, "child", **script(tmp_path))
    told = window.type("/status")
    for line in ("Title: A title", "Tags: x, y", "Parent: mother, forked at message 4", "Was held in: /elsewhere"):
        assert line in told.split("\n")
    run(window.desk.close())


def test_tools_copy_and_exit(window):
    lines = window.type("/tools").split("\n")
    assert {line.split(":")[0] for line in lines} >= {"read_file", "execute_command", "scratchpad_read"}
    assert "no answer" in window.type("/copy")
    window.say("Hello")
    assert run(dispatch(window.desk, "/copy")).copy == "Hi"
    assert run(dispatch(window.desk, "/exit")).quit and run(dispatch(window.desk, "/quit")).quit


def test_export_writes_json_or_markdown_once(window):
    window.say("Hello")
    assert window.type("/export").split("\n")[0] == f"Exported 3 messages to {window.folder / 'default.json'}"
    assert (window.folder / "default.json").stat().st_mode & 0o777 == 0o600
    assert "exists already" in window.type("/export")
    window.type("/export notes of today.md")
    assert (window.folder / "notes of today.md").read_text().startswith("# default\n")
    assert ".json, .jsonl, .md" in window.type("/export notes.pdf")
    assert "failed: " in window.type("/export missing/folder.json")
    assert window.type("/export ~nobody-here/x.json")


def test_model_shows_and_chooses(window):
    assert window.type("/model").startswith("Model: scripted · ")
    assert window.type("/model demo") == "Model: demo · demo"
    window.say("Hello")
    assert window.sm.session("default").metadata["provider"] == "demo"
    refused = window.type("/model ollama/none")
    assert refused and window.desk.provider.name == "demo"


# -- finding them


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        ("/STATUS", "Session ID"), ("/stat", "Session ID"), ("/Hist", "#0 System: You"), ("/tra", "The trash"),
        ("/sess", "No sessions"), ("/li", "No sessions"), ("/in", "Session ID"), ("/h", "'/h' could be"),
        ("/re", "'/re' could be"), ("/cle", "Type the whole name: /clear"), ("/del", "Type the whole name: /delete"),
        ("/statsu", "Unknown command '/statsu'. Did you mean /status?"), ("/xyzzy", "Unknown command '/xyzzy'. /help"),
        ("/", "Unknown command '/'"), ("/help stat", "/status (/info): "), ("/help nobody", ""),
    ],
)  # fmt: skip
def test_case_prefixes_and_suggestions(window, typed, begins):
    assert window.type(typed).startswith(begins)


def test_help_names_all_and_each_has_its_words(window):
    shown = "".join(window.type(f"/help {topic.name}") for topic in TOPICS)
    for name in command_names():
        assert name in shown
    assert {"/help", "/status", "/info", "/sessions", "/list", "/new", "/resume", "/continue", "/switch", "/clear",
            "/rename", "/delete", "/trash", "/restore", "/history", "/model", "/tools", "/copy", "/export", "/import",
            "/system", "/search", "/title", "/tag", "/fork", "/branch", "/rewind", "/redo", "/undo", "/tree",
            "/doctor", "/permissions", "/cost", "/editor", "/theme", "/exit",
            "/quit"} == set(command_names())  # fmt: skip


@pytest.mark.parametrize("line", ["/new x", "/resume x", "/clear", "/delete", "/rename x", "/restore", "/model demo"])
def test_in_mid_turn_what_changes_or_switches_is_refused(window, line):
    assert "not in the middle of a turn" in window.type(line, busy=True) and window.id == "default"


@pytest.mark.parametrize("line", ["/help", "/status", "/sessions", "/history", "/tools", "/trash", "/model", "/system"])
def test_in_mid_turn_what_only_reads_runs(window, line):
    assert "not in the middle" not in window.type(line, busy=True)


@pytest.mark.parametrize("bad", ["a\u202eb", "a\x1bb", "x" * 1001, "\ud800"])
@pytest.mark.parametrize("command", ["/new", "/resume", "/rename", "/delete", "/restore"])
def test_bad_ids_are_a_sentence_and_change_nothing(window, command, bad):
    window.say("Hello")
    assert window.type(f"{command} {bad}") and window.id == "default"
    assert [row["id"] for row in window.sm.list_sessions()] == ["default"] and window.sm.trash() == []


# -- others, and disks that fail


def test_a_session_held_elsewhere_is_refused_with_the_holders_pid(window):
    window.say("Hello")
    window.sm.save_session("theirs", [user("x")])
    holder = hold(window.folder / "sessions", "theirs")
    try:
        for line in ("/resume theirs", "/delete theirs"):
            assert re.search(rf"'theirs'.*\b{holder.pid}\b", window.type(line)) and window.id == "default"
    finally:
        holder.communicate("")
    window.say("More")
    assert window.texts[-2:] == ["More", "Yes"]


def test_this_window_holds_its_session_against_others(window):
    folder = str(window.folder / "sessions")
    code = f"from scratchy import SessionManager\nSessionManager({folder!r}).delete_session('default')"
    window.say("Hello")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert f"process {os.getpid()}" in done.stderr and "SessionLockedError" in done.stderr
    window.type("/new other")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_unsaved_answer_is_not_left_behind(tmp_path):
    window = Window(tmp_path, **script(tmp_path, calling("execute_command", {"command": "mv sessions moved"}), "Done"))
    window.say("Go")
    assert window.desk.conversation.unsaved == "folder missing"
    for line in ("/new other", "/rename other", "/restore"):
        assert window.type(line) and window.id == "default"
    (tmp_path / "sessions").exists() and (tmp_path / "sessions").rename(tmp_path / "made")
    (tmp_path / "moved").rename(tmp_path / "sessions")
    assert window.type("/new other") == "Created new session: 'other'"
    assert [m["role"] for m in window.sm.load_session("default")][-1] == "tool"
    run(window.desk.close())


def test_without_a_folder_nothing_is_saved_and_status_says_so(tmp_path):
    window = Window(tmp_path, store=MemoryStore(), **script(tmp_path, "Hi"))
    window.say("Hello")
    status = window.type("/status")
    assert "Messages: 3" in status and "Saved: No" in status and "memory" in status
    folder = window.desk.scratchpad.directory
    window.desk.scratchpad.maybe_store("x", "y" * 20_000)
    assert folder.exists() and not (tmp_path / "sessions").exists()
    window.desk.scratchpad.remove_folder()
    run(window.desk.close())


def test_an_explicit_system_message_replaces_the_stored_one_and_that_is_said(tmp_path):
    first = Window(tmp_path, **script(tmp_path, "Hi"))
    first.say("Hello")
    run(first.desk.close())
    settings = script(tmp_path, "Yes")
    settings["sources"] = {**settings["sources"], "system": "flag"}
    again = Window(tmp_path, system="Only rhymes.", **settings)
    run(again.desk.settle())
    again.say("More")
    assert texts(again.sm.load_session("default"))[0] == "Only rhymes."
    assert any("system message" in line for line in again.said) and len(again.sm.trash()) == 1
    run(again.desk.close())


def test_ages():
    from datetime import datetime, timedelta

    now = datetime.now()
    assert age(now) == "just now" and age(now - timedelta(hours=2)) == "2 hours ago"
    assert age(now - timedelta(days=1)) == "1 day ago"
    assert age(now + timedelta(days=400)) == f"{now + timedelta(days=400):%Y-%m-%d}"
    assert age(datetime(1, 1, 1)) == "0001-01-01" or age(datetime(1, 1, 1)).startswith("1-")


def test_what_the_desk_says_of_answers(window):
    run(window.desk.announce())
    assert window.said and window.said[0].startswith("Model: scripted · ") and "chosen by a flag" in window.said[0]
    assert answer("x")["role"] == "assistant"


def test_clearing_twice_hides_nothing_and_any_entry_of_the_trash_comes_back(window):
    window.say("Hello")
    window.type("/clear")
    window.type("/clear")
    assert [entry.count for entry in window.sm.trash()] == [3]
    window.say("Fresh")
    window.type("/clear")
    oldest = window.sm.trash()[-1]
    assert window.type(f"/restore {oldest.name}") == "Restored session: 'default' (3 messages)"
    assert window.texts[1:] == ["Hello", "Hi"]


def test_advice_at_the_prompt_names_slash_commands():
    told = "Say `scratchy session delete -- '-it'\\''s'` or `scratchy doctor --fix`, or `scratchy session watch x`."
    assert at_prompt(told) == "Say `/delete -it's` or `/doctor fix`, or `scratchy session watch x`."
    assert at_prompt("`scratchy doctor`, `scratchy session import '/a b.toon'`") == "`/doctor`, `/import /a b.toon`"


@pytest.mark.parametrize("line", ["/delete", "/rename other", "/fork", "/rewind 1", "/undo", "/new", "/clear"])
def test_a_folder_that_is_moved_away_is_told_by_each_command_and_none_is_made(window, line):
    window.say("Hello")
    folder = window.folder / "sessions"
    folder.rename(window.folder / "moved")
    assert f"folder is missing ({folder})" in window.type(line) and not folder.exists() and window.id == "default"
    (window.folder / "moved").rename(folder)
    window.say("More")
    assert [(info.session_id, info.count) for info in window.sm.infos()] == [("default", 5)]


def test_a_file_that_is_removed_is_written_anew_before_a_command_acts_on_it(window):
    window.say("Hello")
    (window.folder / "sessions" / "default_chat.toon").unlink()
    assert window.type("/delete").startswith("Deleted session: 'default'") and "written anew" in window.said[-1]
    assert [entry.count for entry in window.sm.trash()] == [3]
    window.type("/restore default")
    assert len(window.sm.load_session("default")) == 3


def test_a_file_that_is_removed_is_written_anew_before_its_rename(window):
    window.say("Hello")
    (window.folder / "sessions" / "default_chat.toon").unlink()
    assert window.type("/rename other") == "Renamed session: 'default' is now 'other'"
    window.say("More")
    assert len(window.sm.load_session("other")) == 5
