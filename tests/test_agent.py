"""The Python API: what the user guide and section S promise of Agent, with scripted models and real files."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from model_server import delta, hello, serve, sse, stream, whole
from programs import serving

from scratchy import Agent, AgentSession, MemoryStore, ScriptedProvider, SessionConflictError, SessionManager
from scratchy.core.errors import ConfigError, ProviderError, ProviderUnavailableError, SessionCorruptedError
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore

ROOT = Path(__file__).parents[1]


def run(coroutine):
    return asyncio.run(coroutine)


def texts(messages) -> list:
    return [message.get("content") for message in messages]


def calling(name: str, arguments="{}", call_id: str = "c1") -> dict:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


@pytest.fixture
def sm(tmp_path, monkeypatch) -> SessionManager:
    monkeypatch.chdir(tmp_path)
    return SessionManager(tmp_path / "s")


def agent_of(sm, *answers, **more) -> Agent:
    return Agent(llm=ScriptedProvider(answers), sessions=sm, **more)


def elsewhere(sm, code: str) -> None:
    program = f"from scratchy import SessionManager\nsm = SessionManager({sm.store.folder!r})\n{code}"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=30)


# -- chat and sessions


def test_chat_answers_and_both_messages_are_on_disk(sm):
    agent = agent_of(sm, "Hi", "Yes")
    assert run(agent.chat("Hello")) == "Hi"
    stored = sm.load_session("default")
    assert [m["role"] for m in stored] == ["system", "user", "assistant"] and texts(stored)[1:] == ["Hello", "Hi"]
    assert run(agent.chat("More", session_id="default")) == "Yes"
    assert sm.list_sessions()[0]["message_count"] == 5 and sm.trash() == []


def test_my_name_is_sent_after_a_restart(sm):
    run(agent_of(sm, "Nice to meet you").chat("My name is Hao", session_id="me"))
    provider = ScriptedProvider(["Hao"])
    run(Agent(llm=provider, sessions=SessionManager(sm.store.folder)).chat("What's my name?", session_id="me"))
    assert "My name is Hao" in texts(provider.requests[0]["messages"])


def test_a_new_session_holds_its_system_message_and_is_stored_with_its_first_line(sm):
    agent = agent_of(sm, "Hi")
    session = agent.get_session("x")
    assert isinstance(session, AgentSession) and [m["role"] for m in session.messages] == ["system"]
    assert not sm.session_exists("x") and session is agent.get_session("x")
    assert agent.get_session().session_id == "default"
    run(agent.chat("Hello", session_id="x"))
    assert sm.session_exists("x") and agent.get_session("x") is session
    assert texts(sm.load_session("x")) == texts(session.messages)
    assert abs(session.created_at.timestamp() - _created(sm, "x")) < 0.01


def _created(sm, session_id: str) -> float:
    return sm.session(session_id).created_at.timestamp()


def test_get_session_loads_what_is_stored_and_refuses_what_cannot_be_read(sm):
    sm.save_session("x", [{"role": "user", "content": "Hello"}])
    agent = agent_of(sm, "Hi")
    assert texts(agent.get_session("x").messages) == ["Hello"]
    (Path(sm.store.folder) / "bad_chat.toon").write_bytes(b"\0\0")
    for call in (lambda: agent.get_session("bad"), lambda: run(agent.chat("Hello", session_id="bad"))):
        with pytest.raises(SessionCorruptedError, match="bad"):
            call()
    for bad in ("", "a\0b", "\ud800"):
        with pytest.raises(ValueError):
            agent.get_session(bad)


def test_roles_and_system_messages(sm):
    provider = ScriptedProvider(["a", "b"])
    run(Agent(llm=provider, role="engineer", sessions=sm).chat("Hello", session_id="x"))
    run(Agent(llm=provider, system_message="Only rhymes.", sessions=sm).chat("Hello", session_id="y"))
    engineer, rhymes = (request["messages"][0]["content"] for request in provider.requests)
    assert "engineer" in engineer and rhymes == "Only rhymes."
    with pytest.raises(ValueError, match="general"):
        Agent(role="king", sessions=sm)


def test_the_stored_system_message_wins_unless_another_is_given(sm):
    run(agent_of(sm, "a", system_message="First.").chat("Hello", session_id="x"))
    provider = ScriptedProvider(["b", "c"])
    run(Agent(llm=provider, sessions=sm).chat("More", session_id="x"))
    assert provider.requests[0]["messages"][0]["content"] == "First."
    run(Agent(llm=provider, sessions=sm, system_message="Second.").chat("More", session_id="x"))
    assert provider.requests[1]["messages"][0]["content"] == "Second."
    assert sm.load_session("x")[0]["content"] == "Second." and len(sm.trash()) == 1


def test_clear_session_keeps_the_system_message_here_and_on_disk(sm):
    agent = agent_of(sm, "Hi", "Yes")
    session = agent.get_session("x")
    run(agent.chat("Hello", session_id="x"))
    agent.clear_session("x")
    assert [m["role"] for m in session.messages] == ["system"] == [m["role"] for m in sm.load_session("x")]
    assert [e.reason for e in sm.trash()] == ["cleared"]
    run(agent.chat("More", session_id="x"))
    assert texts(sm.load_session("x"))[1:] == ["More", "Yes"]


def test_clearing_an_unknown_session_does_nothing(sm):
    agent = agent_of(sm)
    agent.clear_session("nobody")
    assert not sm.session_exists("nobody") and sm.trash() == []


def test_clear_session_works_without_opening_it_first(sm):
    run(agent_of(sm, "Hi").chat("Hello", session_id="x"))
    agent_of(sm).clear_session("x")
    assert len(sm.load_session("x")) == 1


def test_the_agents_own_store_may_be_memory():
    manager = SessionManager(store=MemoryStore())
    run(agent_of(manager, "Hi").chat("Hello"))
    assert len(manager.load_session("default")) == 3


# -- who changed what


def test_changes_of_messages_are_saved_first(sm):
    agent = agent_of(sm, "a", "b", "c")
    run(agent.chat("one"))
    session = agent.get_session()
    session.messages = session.messages[-1:]
    session.add_message({"role": "user", "content": "put in"})
    run(agent.chat("two"))
    assert texts(sm.load_session("default")) == ["a", "put in", "two", "b"]
    assert [entry.reason for entry in sm.trash()] == ["replaced"]


def test_changes_on_disk_are_read_into_the_same_list(sm):
    agent = agent_of(sm, "a", "b")
    run(agent.chat("one"))
    messages = agent.get_session().messages
    elsewhere(sm, "sm.append_message('default', {'role': 'user', 'content': 'theirs'})")
    run(agent.chat("two"))
    assert agent.get_session().messages is messages
    assert texts(messages)[1:] == ["one", "a", "theirs", "two", "b"] == texts(sm.load_session("default"))[1:]


def test_changes_on_both_sides_are_a_conflict_that_writes_nothing(sm):
    agent = agent_of(sm, "a", "b")
    run(agent.chat("one"))
    agent.get_session().add_message({"role": "user", "content": "ours"})
    elsewhere(sm, "sm.append_message('default', {'role': 'user', 'content': 'theirs'})")
    stored = sm.store.load("default")[1]
    with pytest.raises(SessionConflictError, match="default"):
        run(agent.chat("two"))
    assert sm.store.load("default")[1] == stored and sm.trash() == []


def test_many_sessions_of_one_agent_notice_what_another_process_did(sm):
    agent = agent_of(sm, *("answer" for _ in range(20)), "last")
    for number in range(20):
        run(agent.chat("one", session_id=f"s{number}"))
    elsewhere(sm, "sm.append_message('s0', {'role': 'user', 'content': 'theirs'})")
    run(agent.chat("two", session_id="s0"))
    assert texts(sm.load_session("s0"))[1:] == ["one", "answer", "theirs", "two", "last"]


def test_a_manager_of_the_same_process_and_the_agent_go_hand_in_hand(sm):
    agent = agent_of(sm, "a", "b", "c")
    other = SessionManager(sm.store.folder)
    run(agent.chat("one"))
    other.save_session("default", agent.get_session().messages)
    run(agent.chat("two"))
    session = agent.get_session()
    session.messages = session.messages[-2:]
    other.save_session("default", session.messages)
    run(agent.chat("three"))
    assert texts(other.load_session("default")) == ["two", "b", "three", "c"]


@pytest.mark.parametrize("here", [True, False])
def test_a_session_that_was_deleted_begins_anew(sm, here):
    agent = agent_of(sm, "a", "b")
    run(agent.chat("secret"))
    messages = agent.get_session().messages
    if here:
        sm.delete_session("default")
    else:
        elsewhere(sm, "sm.delete_session('default')")
    run(agent.chat("two"))
    assert agent.get_session().messages is messages
    assert texts(sm.load_session("default"))[1:] == ["two", "b"] and messages[0]["role"] == "system"


# -- failures


def test_a_failed_model_call_leaves_one_user_message(sm):
    agent = agent_of(sm, ProviderUnavailableError("down"), ProviderUnavailableError("down"), "Hi")
    for _ in range(2):
        with pytest.raises(ProviderError):
            run(agent.chat("Hello"))
        assert texts(sm.load_session("default"))[1:] == ["Hello"] == texts(agent.get_session().messages)[1:]
    assert run(agent.chat("Hello")) == "Hi" and texts(sm.load_session("default"))[1:] == ["Hello", "Hi"]


def test_an_unknown_provider_is_a_value_error_that_lists_the_names(sm):
    with pytest.raises(ValueError, match=r"'gpt'.*openai, ollama, local, demo"):
        Agent(llm="gpt", sessions=sm)
    with pytest.raises(TypeError, match="chat"):
        Agent(llm=object(), sessions=sm)
    assert Agent(llm="OpenAI", sessions=sm) and Agent(llm="DEMO", sessions=sm)


def test_a_missing_key_is_named(sm, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        run(Agent(llm="openai", sessions=sm).chat("Hello"))
    assert sm.load_session("default") is None  # nothing can be sent until it is settled: said again, it stands once


def test_a_folder_that_is_gone_is_an_os_error_and_the_answer_stays_in_memory(sm):
    folder = Path(sm.store.folder)

    def gone(messages, tools):
        folder.rename(folder.with_name("moved"))
        return "Hi"

    agent = agent_of(sm, gone, "Yes")
    with pytest.raises(OSError):
        run(agent.chat("Hello"))
    assert texts(agent.get_session().messages)[1:] == ["Hello", "Hi"]
    folder.with_name("moved").rename(folder)
    run(agent.chat("More"))
    assert texts(sm.load_session("default"))[1:] == ["Hello", "Hi", "More", "Yes"]


def test_a_call_that_could_not_be_stored_is_an_error_though_the_next_save_worked(sm):
    disk = FullDisk()
    manager, ran = SessionManager(store=FileStore(sm.store.folder, disk=disk)), []

    def full(messages, tools):
        disk.failures = 1
        return calling("touch")

    def touch() -> str:
        """Touch."""
        ran.append(1)
        return "touched"

    agent = agent_of(manager, full, "Done.")
    agent.register_tool_from_function(touch)
    with pytest.raises(OSError, match="disk says no"):
        run(agent.chat("Go"))
    assert not ran and [m["role"] for m in manager.load_session("default")][-2:] == ["assistant", "tool"]


class FullDisk(Disk):
    """Refuses so many writes."""

    failures = 0

    def write(self, handle: int, data: bytes, offset: int) -> int:
        if self.failures:
            self.failures -= 1
            raise OSError(28, "the disk says no")
        return super().write(handle, data, offset)


def test_a_program_that_cleans_nothing_up_ends_without_a_word(sm, tmp_path):
    code = (
        "import asyncio\nfrom scratchy import Agent, SessionManager\n"
        f"sm = SessionManager({sm.store.folder!r})\nagent = Agent(llm='openai', model='m', sessions=sm)\n"
        "agent.load_default_tools()\n"
        "for _ in range(2):\n    print(asyncio.run(agent.chat('Hello')))\n"
    )
    with serving(stream(*hello("Hi"))) as server:
        env = dict(os.environ) | {"OPENAI_BASE_URL": f"{server.url}/v1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=env, check=False
        )
    assert (done.stdout, done.stderr) == ("Hi\nHi\n", "")


# -- waiting


def test_two_chats_in_one_session_wait_and_different_sessions_run_at_once(sm):
    running = {"now": 0, "most": 0}

    class Slow:
        async def chat(self, messages, tools=None):
            running["now"] += 1
            running["most"] = max(running["most"], running["now"])
            await asyncio.sleep(0.1)
            running["now"] -= 1
            return {"content": f"{len(messages)}"}

    agent = Agent(llm=Slow(), sessions=sm)

    async def same():
        return await asyncio.gather(*(agent.chat(f"line {number}", session_id="x") for number in range(3)))

    async def different():
        return await asyncio.gather(*(agent.chat("line", session_id=f"s{number}") for number in range(3)))

    assert sorted(run(same())) == ["2", "4", "6"] and running["most"] == 1
    assert [m["role"] for m in sm.load_session("x")[1:]] == ["user", "assistant"] * 3
    assert run(different()) == ["2", "2", "2"] and running["most"] == 3


def test_a_held_session_does_not_stop_the_loop(sm):
    sm.save_session("held", [])
    code = "w = sm.store.open('held'); print('held', flush=True); sys.stdin.read()"
    program = f"import sys\nfrom scratchy import SessionManager\nsm = SessionManager({sm.store.folder!r})\n{code}"
    agent = agent_of(sm, "Hi")

    async def ticks() -> list[float]:
        gaps, last = [], time.monotonic()
        for _ in range(20):
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
        return gaps

    async def main():
        return await asyncio.gather(agent.chat("Hello", session_id="held"), ticks(), return_exceptions=True)

    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        refused, gaps = run(main())
        holder.stdin.close()
    assert str(holder.pid) in str(refused) and max(gaps) < 0.4  # the lock is tried for 0.5 s
    assert run(agent.chat("Hello", session_id="held")) == "Hi"


def test_asyncio_run_again_and_again_with_one_agent_and_a_real_server(sm, monkeypatch):
    async def main():
        async with serve(stream(*hello("one"))) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
            agent = Agent(llm="openai", model="m", sessions=sm)
            answers = []
            for _ in range(2):
                answers.append(await asyncio.to_thread(lambda: asyncio.run(agent.chat("Hello"))))
            answers.append(await agent.chat("Again"))
            await agent.cleanup()
            return answers, [request.json for request in server.requests if request.method == "POST"]

    answers, requests = run(main())
    assert answers == ["one"] * 3 and [len(request["messages"]) for request in requests] == [2, 4, 6]


def test_without_llm_the_environment_chooses_and_the_header_tells(sm, monkeypatch):
    async def main():
        models = whole(200, {"object": "list", "data": [{"id": "tiny"}]})
        async with serve(models, stream(*hello("Hi"))) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
            monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-key")
            agent = Agent(sessions=sm)
            answer = await agent.chat("Hello")
            await agent.cleanup()
            return answer

    assert run(main()) == "Hi"
    metadata = sm.session("default").metadata
    assert metadata["provider"] == "openai" and metadata["model"] == "tiny" and metadata["found"] is True
    assert metadata["folder"] == str(Path.cwd())
    assert b"sk-secret" not in b"".join(p.read_bytes() for p in Path(sm.store.folder).rglob("*") if p.is_file())


# -- tools


def weather(city: str, days: int = 1) -> str:
    """The weather of a city.

    Args:
        city: its name
        days: how many
    """
    return f"sunny in {city} for {days}"


def test_tools_from_functions_sync_and_async(sm):
    async def later(text: str) -> str:
        """Say it later."""
        await asyncio.sleep(0)
        return text.upper()

    provider = ScriptedProvider([calling("weather", {"city": "Hanoi"}), calling("later", {"text": "hi"}), "Done."])
    agent = Agent(llm=provider, sessions=sm)
    agent.register_tool_from_function(weather)
    agent.register_tool_from_function(later)
    assert run(agent.chat("Go")) == "Done."
    results = [m for m in sm.load_session("default") if m["role"] == "tool"]
    assert texts(results) == ["sunny in Hanoi for 1", "HI"]
    schema = provider.requests[0]["tools"][0]["function"]
    assert schema["name"] == "weather" and schema["parameters"]["required"] == ["city"]
    assert schema["description"].startswith("The weather of a city.")


@pytest.mark.parametrize(
    ("result", "expected"),
    [({"a": [1, None]}, '"a"'), (None, ""), (5, "5"), (object(), "object"), (b"\xff", ""), (float("nan"), "")],
)
def test_what_a_tool_returns_is_a_result_whatever_it_is(sm, result, expected):
    def give():
        """Give it."""
        return result

    agent = agent_of(sm, calling("give"), "Done.")
    agent.register_tool_from_function(give)
    assert run(agent.chat("Go")) == "Done."
    tool = next(m for m in sm.load_session("default") if m["role"] == "tool")
    assert isinstance(tool["content"], str) and expected in tool["content"]


@pytest.mark.parametrize("raised", [ValueError("no such city"), KeyError("x"), RuntimeError(), SystemExit(3)])
def test_a_tool_that_raises_is_a_result(sm, raised):
    def fail() -> str:
        """Fail."""
        raise raised

    async def fail_later() -> str:
        """Fail later."""
        raise raised

    agent = agent_of(sm, calling("fail"), calling("fail_later"), "Done.")
    agent.register_tool_from_function(fail)
    agent.register_tool_from_function(fail_later)
    assert run(agent.chat("Go")) == "Done."
    results = [m for m in sm.load_session("default") if m["role"] == "tool"]
    assert len(results) == 2 and all(m["is_error"] for m in results)


def test_custom_tools_and_calls_that_mean_nothing(sm):
    schema = {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
            },
        },
    }
    provider = ScriptedProvider(
        [calling("add", {"a": 2, "b": 3}), calling("add", "{not json"), calling("nothing"), "Done."]
    )
    agent = Agent(llm=provider, sessions=sm)
    agent.add_custom_tool(schema, lambda a, b: a + b)
    assert run(agent.chat("Go")) == "Done."
    results = [m for m in sm.load_session("default") if m["role"] == "tool"]
    assert texts(results)[0] == "5" and [m.get("is_error", False) for m in results] == [False, True, True]


def test_default_tools_are_loaded_once_and_run_without_a_callback(sm, tmp_path):
    agent = agent_of(sm, calling("create_file", {"file_path": "made.txt", "content": "made"}), "Done.")
    assert run(agent.get_all_tools()) == []
    agent.load_default_tools()
    agent.load_default_tools()
    names = [spec["function"]["name"] for spec in run(agent.get_all_tools())]
    assert len(names) == len(set(names)) and {
        "read_file", "create_file", "edit_file", "delete_file", "list_files", "search_files", "fast_grep",
        "execute_command", "code_execute", "web_search", "url_fetch", "scratchpad_read", "scratchpad_list",
        "search_sessions",
    } == set(names)  # fmt: skip
    assert run(agent.chat("Go")) == "Done." and (tmp_path / "made.txt").read_text() == "made"


def test_callbacks_and_approvals(sm, tmp_path):
    told = []

    async def approve(session_id, name, args):
        told.append(("approval", session_id, name, dict(args)))
        args["content"] = "meddled"
        return args["file_path"] == "yes.txt"

    def make(name: str):
        return calling("create_file", {"file_path": name, "content": "x"})

    agent = agent_of(sm, make("yes.txt"), make("no.txt"), "Done.")
    agent.load_default_tools()
    agent.set_callbacks(
        on_tool_start=lambda *given: told.append(("start", *given)),
        on_tool_end=lambda *given: told.append(("end", *given)),
        on_tool_approval=approve,
        on_final_message=lambda *given: told.append(("final", *given)),
    )
    run(agent.chat("Go", session_id="x"))
    assert (tmp_path / "yes.txt").read_text() == "x" and not (tmp_path / "no.txt").exists()
    assert told[0] == ("approval", "x", "create_file", {"file_path": "yes.txt", "content": "x"})
    assert told[1][:3] == ("start", "x", "create_file") and told[2][:3] == ("end", "x", "create_file")
    assert isinstance(told[2][3], str) and told[-1] == ("final", "x", "Done.")
    refused = [m for m in sm.load_session("x") if m["role"] == "tool"][1]
    assert refused["is_error"] and "no" in refused["content"]


def test_callbacks_may_be_async_and_one_that_raises_leaves_a_whole_session(sm):
    told = []

    async def end(*given):
        await asyncio.sleep(0)
        told.append(given)

    agent = agent_of(sm, calling("weather", {"city": "Hue"}), "Done.", calling("weather", {"city": "Hue"}), "Again.")
    agent.register_tool_from_function(weather)
    agent.set_callbacks(on_tool_end=end)
    run(agent.chat("Go"))
    assert told == [("default", "weather", "sunny in Hue for 1")]

    def broken(*given):
        raise ZeroDivisionError

    agent.set_callbacks(on_tool_start=broken)
    with pytest.raises(ZeroDivisionError):
        run(agent.chat("Go on"))
    stored = sm.load_session("default")
    assert (
        stored[-1]["role"] == "tool" and stored[-1]["is_error"] and texts(stored) == texts(agent.get_session().messages)
    )


def test_the_limit_of_steps(sm):
    told = []
    agent = agent_of(sm, *(calling("weather", {"city": str(n)}, f"c{n}") for n in range(9)), max_iterations=3)
    agent.register_tool_from_function(weather)
    agent.set_callbacks(on_final_message=lambda *given: told.append(given))
    assert run(agent.chat("Go")) == "Max iterations reached."
    stored = sm.load_session("default")
    assert [m["role"] for m in stored] == ["system", "user", *["assistant", "tool"] * 3]
    assert texts(stored)[-1] == "sunny in 2 for 1" and "Max iterations reached." not in texts(stored)


# -- providers of users


@pytest.mark.parametrize(
    "answer",
    [
        {"content": "Hi"},
        {"role": "assistant", "content": "Hi", "tool_calls": None},
        {"content": "Hi", "tool_calls": []},
        SimpleNamespace(content="Hi", tool_calls=None),
        SimpleNamespace(content="Hi"),
        SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content="Hi", tool_calls=None))]),
        {"choices": [{"message": {"content": "Hi"}}]},
        {"content": [{"type": "text", "text": "Hi"}]},
    ],
)
def test_a_provider_object_may_answer_in_any_shape(sm, answer):
    class Mine:
        async def chat(self, messages, tools=None):
            assert messages[-1]["role"] == "user" and tools is None
            return answer

    assert run(Agent(llm=Mine(), sessions=sm).chat("Hello")) == "Hi"
    assert texts(sm.load_session("default"))[1:] == ["Hello", "Hi"]


@pytest.mark.parametrize(
    "call",
    [
        {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Hue"}'}},
        {"function": {"name": "weather", "arguments": {"city": "Hue"}}},
        {"id": "1", "name": "weather", "arguments": {"city": "Hue"}},
        SimpleNamespace(id="1", function=SimpleNamespace(name="weather", arguments='{"city": "Hue"}')),
    ],
)
def test_a_provider_objects_calls_may_have_any_shape(sm, call):
    class Mine:
        async def chat(self, messages, tools=None):
            if messages[-1]["role"] == "tool":
                return {"content": messages[-1]["content"]}
            assert tools[0]["function"]["name"] == "weather"
            return SimpleNamespace(content=None, tool_calls=[call])

    agent = Agent(llm=Mine(), sessions=sm)
    agent.register_tool_from_function(weather)
    assert run(agent.chat("Hello")) == "sunny in Hue for 1"
    stored = sm.load_session("default")
    assert stored[2]["tool_calls"][0]["id"] == stored[3]["tool_call_id"]
    json.dumps(stored)


@pytest.mark.parametrize("answer", [None, 5, {}, object()])
def test_a_provider_object_that_answers_nonsense_is_a_provider_error(sm, answer):
    class Mine:
        async def chat(self, messages, tools=None):
            return answer

    with pytest.raises(ProviderError, match="Mine"):
        run(Agent(llm=Mine(), sessions=sm).chat("Hello"))
    assert texts(sm.load_session("default"))[1:] == ["Hello"]


def test_big_tool_output_rests_in_the_scratchpad_and_is_read_back(sm):
    def big() -> str:
        """Big."""
        return "x" * 20_000 + "needle"

    def read(messages, tools):
        entry = messages[-1]["content"].split("kept in the scratchpad as ")[1][:32]
        return calling("scratchpad_read", {"id": entry, "offset": 20_000})

    agent = agent_of(sm, calling("big"), read, lambda messages, tools: messages[-1]["content"])
    agent.load_default_tools()
    agent.register_tool_from_function(big)
    assert "needle" in run(agent.chat("Go"))
    stored = [m for m in sm.load_session("default") if m["role"] == "tool"]
    assert len(stored[0]["content"]) < 5000


def test_what_a_server_streams_is_stored_with_its_calls(sm, monkeypatch):
    async def main():
        call = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city": "Hue"}'}}
        first = sse(delta(None, role="assistant", tool_calls=[call]), delta(finish="tool_calls"))
        async with serve(whole(404, {}), stream(*first), stream(*hello("Sunny"))) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
            agent = Agent(llm="openai", model="m", api_key="sk-x", sessions=sm)
            agent.register_tool_from_function(weather)
            answer = await agent.chat("Weather?")
            await agent.cleanup()
            return answer, [request for request in server.requests if request.method == "POST"]

    answer, requests = run(main())
    assert answer == "Sunny" and requests[0].headers["authorization"] == "Bearer sk-x"
    assert [m["role"] for m in requests[1].json["messages"]] == ["system", "user", "assistant", "tool"]
    assert sm.session("default").metadata["provider"] == "openai"


def test_what_another_object_here_stored_between_two_chats_stays(sm):
    agent, other = agent_of(sm, "one", "two"), agent_of(sm, "three")
    run(agent.chat("a", "s"))
    sm.append_message("s", {"role": "user", "content": "beside"})
    run(other.chat("b", "s"))
    run(agent.chat("c", "s"))
    stored = [message["content"] for message in sm.load_session("s") or []][1:]
    assert stored == ["a", "one", "beside", "b", "three", "c", "two"] and sm.trash() == []
