"""Every Python snippet of the user guide for sessions, word for word, each in a fresh folder with a real server."""

import ast
import asyncio
import inspect
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from model_server import hello, serve, stream, whole

from scratchy import SessionManager
from scratchy.core.stored import Header

START = """
from scratchy import Agent, SessionManager
agent = Agent()
sm = SessionManager()
session_id = "my_project"
user_input = "Hello"
"""

SNIPPETS = {
    "creating sessions": '''
from scratchy import Agent

agent = Agent()
agent.load_default_tools()

# Chat in default session
await agent.chat("Hello", session_id="default")

# Chat in named session
await agent.chat("Hello", session_id="my_project")
''',
    "persistence": '''
from scratchy import SessionManager

sm = SessionManager()

# Save session
session = agent.get_session("my_project")
sm.save_session("my_project", session.messages)

# Load session
messages = sm.load_session("my_project")
if messages:
    session.messages = messages
''',
    "many sessions": '''
from scratchy import Agent, SessionManager

agent = Agent()
sm = SessionManager()

# Work with multiple sessions
sessions = ["project_a", "project_b", "research"]

for session_id in sessions:
    # Load or create session
    if sm.session_exists(session_id):
        messages = sm.load_session(session_id)
        session = agent.get_session(session_id)
        session.messages = messages
    
    # Work with session
    await agent.chat("Status update?", session_id=session_id)
    
    # Save
    session = agent.get_session(session_id)
    sm.save_session(session_id, session.messages)
''',
    "metadata": '''
# List all sessions with metadata
sessions = sm.list_sessions()

for s in sessions:
    print(f"ID: {s['id']}")
    print(f"Created: {s['created_at']}")
    print(f"Messages: {s['message_count']}")
    print()
''',
    "custom directory": '''
# Use custom directory
sm = SessionManager("my_custom_sessions/")
''',
    "cleanup": '''
# Delete old sessions
sessions = sm.list_sessions()
for s in sessions:
    if s['message_count'] == 0:
        sm.delete_session(s['id'])
''',
    "export": '''
import json

# Export session to JSON
messages = sm.load_session("my_project")
with open("export.json", "w") as f:
    json.dump(messages, f, indent=2)
''',
    "import": '''
import json

# Import session from JSON
with open("import.json", "r") as f:
    messages = json.load(f)

sm.save_session("imported_session", messages)
''',
    "descriptive ids": '''
# Good
session_id = "customer_support_2025_11_22"
session_id = "code_review_auth_module"

# Avoid
session_id = "session1"
session_id = "temp"
''',
    "regular cleanup": '''
# Clean up empty or old sessions periodically
from datetime import datetime, timedelta

sessions = sm.list_sessions()
cutoff = datetime.now() - timedelta(days=30)

for s in sessions:
    created = datetime.fromisoformat(s['created_at'])
    if created < cutoff:
        sm.delete_session(s['id'])
''',
    "auto-save": '''
# Always save after important interactions
response = await agent.chat(user_input, session_id=session_id)
session = agent.get_session(session_id)
sm.save_session(session_id, session.messages)
''',
    "isolation": '''
# Use separate sessions for different contexts
await agent.chat("Debug this code", session_id="debugging")
await agent.chat("Write documentation", session_id="docs")
await agent.chat("Research topic", session_id="research")
''',
    "not found": '''
if not sm.session_exists(session_id):
    print(f"Session '{session_id}' not found")
    # Create new session
    agent.get_session(session_id)
''',
    "corrupted": '''
try:
    messages = sm.load_session(session_id)
except Exception as e:
    print(f"Error loading session: {e}")
    # Delete and recreate
    sm.delete_session(session_id)
    agent.get_session(session_id)
''',
    "large": '''
# Check session size
session = agent.get_session(session_id)
if len(session.messages) > 100:
    # Clear old messages, keep recent
    session.messages = session.messages[-50:]
    sm.save_session(session_id, session.messages)
''',
}  # fmt: skip


class Guide:
    """Runs snippets in one namespace, as a notebook would, against a server that answers everything."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.requests: list[Any] = []

    def run(self, *snippets: str) -> None:
        async def main() -> None:
            async with serve(models, stream(*hello("Hi there"))) as server:
                # The one play that is not a stream: the list of models.
                server.next_play = lambda: models if server.requests[-1].method == "GET" else stream(*hello("Hi there"))
                with pytest.MonkeyPatch.context() as environment:
                    environment.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
                    for snippet in snippets:
                        await self._execute(snippet)
                self.requests = [request.json for request in server.requests if request.method == "POST"]

        models = whole(200, {"object": "list", "data": [{"id": "tiny"}]})
        asyncio.run(main())

    async def _execute(self, snippet: str) -> None:
        code = compile(snippet, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, self.names)
        if inspect.isawaitable(result):
            await result


@pytest.fixture
def guide(tmp_path, monkeypatch) -> Guide:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCHY_SESSIONS_DIR", str(tmp_path / "sessions"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("OPENAI_API_KEY", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Guide()


@pytest.fixture
def sm(guide) -> SessionManager:
    return SessionManager()


def messages(count: int) -> list[dict]:
    return [{"role": "user" if number % 2 else "assistant", "content": f"m{number}"} for number in range(count)]


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name != "import"])
def test_it_runs_in_an_empty_folder(guide, sm, name):
    guide.run(START, SNIPPETS[name])


def test_chats_are_stored_under_their_ids(guide, sm):
    guide.run(SNIPPETS["creating sessions"])
    assert {row["id"] for row in sm.list_sessions()} == {"default", "my_project"}
    assert [m["content"] for m in sm.load_session("my_project")][1:] == ["Hello", "Hi there"]
    assert (Path("sessions") / "my_project_chat.toon").is_file()


def test_save_and_load_go_round(guide, sm):
    guide.run(START, SNIPPETS["auto-save"], SNIPPETS["persistence"], SNIPPETS["auto-save"])
    assert [m["role"] for m in sm.load_session("my_project")] == ["system", *["user", "assistant"] * 2]
    assert [m["role"] for m in guide.requests[1]["messages"]] == ["system", "user", "assistant", "user"]
    assert sm.trash() == []


def test_many_sessions_go_on_where_they_were(guide, sm):
    guide.run(SNIPPETS["many sessions"])
    guide.run(SNIPPETS["many sessions"])
    assert {row["id"]: row["message_count"] for row in sm.list_sessions()} == {
        "project_a": 5, "project_b": 5, "research": 5,
    }  # fmt: skip
    assert sm.trash() == []


def test_metadata_is_printed(guide, sm, capsys):
    sm.save_session("a", messages(3))
    guide.run(START, SNIPPETS["metadata"])
    shown = capsys.readouterr().out
    assert "ID: a\n" in shown and "Messages: 3\n" in shown
    created = shown.split("Created: ")[1].split("\n")[0]
    assert datetime.now() - timedelta(minutes=1) < datetime.fromisoformat(created) <= datetime.now()


def test_a_custom_directory_is_made(guide, tmp_path):
    guide.run(START, SNIPPETS["custom directory"])
    assert (tmp_path / "my_custom_sessions").is_dir()


def test_empty_sessions_are_cleaned_up(guide, sm):
    sm.save_session("empty", [])
    sm.save_session("full", messages(2))
    guide.run(START, SNIPPETS["cleanup"])
    assert [row["id"] for row in sm.list_sessions()] == ["full"]


def test_export_and_import_are_plain_json(guide, sm):
    sm.save_session("my_project", messages(3))
    guide.run(START, SNIPPETS["export"])
    assert json.loads(Path("export.json").read_text()) == messages(3)
    Path("export.json").rename("import.json")
    guide.run(START, SNIPPETS["import"])
    assert sm.load_session("imported_session") == messages(3)


def test_sessions_older_than_thirty_days_are_cleaned_up(guide, sm):
    old = (datetime.now().astimezone() - timedelta(days=31)).isoformat()
    writer = sm.store.open("old", create=Header("old", old, old))
    writer.append(messages(1))
    writer.close()
    sm.save_session("young", messages(1))
    guide.run(START, SNIPPETS["regular cleanup"])
    assert [row["id"] for row in sm.list_sessions()] == ["young"]


def test_sessions_are_isolated(guide, sm):
    guide.run(START, SNIPPETS["isolation"])
    assert [len(request["messages"]) for request in guide.requests] == [2, 2, 2]
    assert len(sm.list_sessions()) == 3


def test_a_missing_session_is_made_in_memory(guide, sm, capsys):
    guide.run(START, SNIPPETS["not found"], 'await agent.chat("Hello", session_id=session_id)')
    assert "Session 'my_project' not found" in capsys.readouterr().out
    assert len(sm.load_session("my_project")) == 3


def test_a_corrupted_session_is_deleted_and_made_anew(guide, sm, capsys):
    Path("sessions").mkdir()
    Path("sessions/my_project_chat.toon").write_bytes(b"\0broken")
    guide.run(START, SNIPPETS["corrupted"], 'await agent.chat("Hello", session_id=session_id)')
    assert "Error loading session: Session 'my_project' cannot be read" in capsys.readouterr().out
    assert len(sm.load_session("my_project")) == 3
    [entry] = sm.trash()
    assert entry.session_id == "my_project"


def test_a_large_session_keeps_its_recent_messages_and_the_trash_the_rest(guide, sm):
    sm.save_session("my_project", messages(120))
    guide.run(START, SNIPPETS["large"], 'await agent.chat("More", session_id=session_id)')
    assert [m["content"] for m in sm.load_session("my_project")] == [
        *(m["content"] for m in messages(120)[-50:]), "More", "Hi there",
    ]  # fmt: skip
    assert [entry.count for entry in sm.trash()] == [120]
    assert guide.requests[0]["messages"][0]["role"] == "system"
