"""What a request sends: healed, joined, trimmed. Properties: whatever the transcript, what goes out is sendable."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scratchy.core.context import Context, heal
from scratchy.core.errors import ContextOverflowError
from scratchy.core.session import INTERRUPTED, AgentSession, missing_results


def user(text: str, **more: Any) -> Any:
    return {"role": "user", "content": text, **more}


def answer(text: str = "", *calls: str) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call in calls
        ]
    return message


def tool(call: str, text: str = "ok") -> Any:
    return {"role": "tool", "tool_call_id": call, "name": "f", "content": text}


def test_a_missing_result_is_added_where_it_belongs() -> None:
    healed = heal([user("a"), answer("", "1", "2"), tool("2"), user("b")])
    assert [m["role"] for m in healed] == ["user", "assistant", "tool", "tool", "user"]
    assert healed[3].get("tool_call_id") == "1" and healed[3].get("content") == INTERRUPTED


def test_orphan_and_second_results_and_empty_answers_are_dropped() -> None:
    healed = heal([user("a"), tool("9"), answer("", "1"), tool("1"), tool("1", "again"), answer(""), answer("done")])
    assert [m.get("content") for m in healed] == ["a", "", "ok", "done"]


def test_neighbouring_user_messages_are_joined_and_context_comes_first() -> None:
    healed = heal([user("a", context="[today]"), user("b")])
    assert [m.get("content") for m in healed] == ["[today]\n\na\n\nb"]
    assert "context" not in healed[0]


def test_the_prompt_stands_in_front_only_without_a_system_message() -> None:
    plain = Context("be kind")
    plain.extend([user("a")])
    assert plain.request()[0] == {"role": "system", "content": "be kind"}
    own = Context("be kind")
    own.extend([{"role": "system", "content": "mine"}, user("a")])
    assert [m.get("content") for m in own.request()] == ["mine", "a"]


def test_trim_drops_the_oldest_whole_turns_but_never_the_last() -> None:
    context = Context("s")
    messages = [m for n in range(10) for m in (user(f"question {n}"), answer(f"answer {n}"))]
    context.extend([*messages, user("last")])
    dropped, start = context.trim(ContextOverflowError("", prompt_tokens=1000, window=900))
    assert 1 <= dropped < 10 and messages[start] == user(f"question {dropped}")
    assert [m.get("content") for m in context.request()][:2] == ["s", f"question {dropped}"]
    while dropped:
        dropped, _ = context.trim(ContextOverflowError(""))
    assert [m.get("content") for m in context.request()] == ["s", "last"]


def test_missing_results_of_the_end_only() -> None:
    assert [m.get("tool_call_id") for m in missing_results([user("a"), answer("", "1", "2"), tool("1")])] == ["2"]
    assert missing_results([user("a"), answer("", "1"), tool("1"), answer("fine")]) == []


def test_what_servers_refuse_for_ever_goes_out_mended_and_stays_stored_as_it_is() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "bad name!", "arguments": "\0"}}
    empty = {"id": "2", "type": "function", "function": {"name": "", "arguments": "{}"}}
    stored: list[Any] = [
        user("a\0b"),
        {"role": "assistant", "content": "", "tool_calls": [call, empty]},
        tool("1"),
        tool("2"),
    ]
    stored[2]["name"] = "bad name!"
    sent = heal(stored)
    assert sent[0].get("content") == "a\ufffdb" and sent[2].get("name") == "bad_name_"
    assert [c["function"]["name"] for c in sent[1].get("tool_calls", [])] == ["bad_name_", "unnamed"]
    assert stored[1]["tool_calls"][0]["function"]["name"] == "bad name!" and stored[0]["content"] == "a\0b"


def test_clear_keeps_the_system_message() -> None:
    session = AgentSession("x", [{"role": "system", "content": "s"}, user("a")])
    session.clear_history()
    assert session.messages == [{"role": "system", "content": "s"}]
    session.clear_history(keep_system=False)
    assert session.messages == []


ids = st.sampled_from(["1", "2", "3"])
transcripts = st.lists(
    st.one_of(
        st.builds(user, st.text(max_size=3)),
        st.builds(answer, st.text(max_size=3)),
        st.builds(lambda text, calls: answer(text, *calls), st.text(max_size=3), st.lists(ids, unique=True)),
        st.builds(tool, ids),
        st.just({"role": "system", "content": "s"}),
    ),
    max_size=12,
)


@given(transcripts)
def test_whatever_the_transcript_every_call_is_answered_once_in_place(messages: list[Any]) -> None:
    healed = heal(messages)
    open_calls: list[str] = []
    previous = ""
    for message in healed:
        if message["role"] == "tool":
            assert message.get("tool_call_id") in open_calls
            open_calls.remove(str(message.get("tool_call_id")))
        else:
            assert not open_calls
            assert not (message["role"] == previous == "user")
        if message["role"] == "assistant":
            open_calls = [call["id"] for call in message.get("tool_calls", [])]
            assert open_calls or str(message.get("content")).strip()
        previous = message["role"]
    assert not open_calls


@given(transcripts, st.integers(0, 12))
def test_feeding_in_two_parts_is_feeding_at_once(messages: list[Any], cut: int) -> None:
    context = Context()
    context.extend(messages[:cut])
    context.extend(messages[cut:])
    assert context.request() == heal(messages)


def test_calls_that_were_stored_one_by_one_are_sent_as_parallel_ones() -> None:
    def asks(call_id: str, content: str | None = None) -> Any:
        call = {"id": call_id, "type": "function", "function": {"name": "a", "arguments": "{}"}}
        return {"role": "assistant", "content": content, "tool_calls": [call]}

    def answers(call_id: str) -> Any:
        return {"role": "tool", "tool_call_id": call_id, "name": "a", "content": call_id}

    sent: Any = heal([user("Hi"), asks("1", "Look"), asks("2"), answers("2"), answers("1")])
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    assert sent[1]["content"] == "Look" and [call["id"] for call in sent[1]["tool_calls"]] == ["1", "2"]
    again = heal([asks("1"), asks("1"), answers("1")])  # the same id again: not parallel
    assert [message["role"] for message in again] == ["assistant", "tool", "assistant", "tool"]
