"""Ids of channels: ordinary ids, one a conversation, read back as they were made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchy.sessions.channels import channel_of, resolve_session_id

PARTS = st.text(st.sampled_from("ab:%3A25"), min_size=1, max_size=6)


def test_the_documented_id():
    assert resolve_session_id("cli", "local") == "agent:main:cli:local"
    assert resolve_session_id("matrix", "@hao:example.org", "helper") == "agent:helper:matrix:@hao:example.org"


@given(first=st.tuples(PARTS, PARTS, PARTS), second=st.tuples(PARTS, PARTS, PARTS))
def test_no_two_conversations_share_an_id(first, second):
    assert (resolve_session_id(*first) == resolve_session_id(*second)) == (first == second)
    assert channel_of(resolve_session_id(*first)) == first[0]


@pytest.mark.parametrize("other", ["default", "agent:main:cli", "agent:main::x", "agent::cli:x", "a:b:c:d", ""])
def test_other_ids_have_no_channel(other):
    assert channel_of(other) is None


def test_parts_must_be_there():
    for bad in (("", "x"), ("x", ""), ("x", "y", "")):
        with pytest.raises(ValueError, match="empty"):
            resolve_session_id(*bad)
    with pytest.raises(TypeError):
        resolve_session_id("telegram", 42)  # type: ignore[arg-type]
