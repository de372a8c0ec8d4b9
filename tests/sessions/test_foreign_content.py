"""Sessions that somebody else wrote: content of any shape, images that lie elsewhere. They stay usable, do no harm."""

import base64

import pytest
from pictures import png
from sessionbench import SYSTEM, answer, converse, files, run, scripted, take

from scratchy.core.context import heal
from scratchy.core.prices import estimated
from scratchy.sessions.manager import SessionManager

TEXT = {"type": "text", "text": "a"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(png()).decode()}}


def sent_of(tmp_path, content, *, sees=None):
    """What the model gets for a stored message of the user, through a whole turn that is counted."""
    store = files(tmp_path / "s")
    SessionManager(store=store).save_session("s", [SYSTEM, {"role": "user", "content": content}, answer("ok")])
    provider = scripted("Fine.", sees=sees)
    conversation = converse(store, provider, blob=lambda _: b"")
    run(take(conversation, "go"))
    assert conversation.session.messages[-1]["content"] == "Fine."
    assert conversation.session.messages[1]["content"] == content
    run(conversation.close())
    return provider.requests[0]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ([7], []),
        ([None, TEXT, 7, [TEXT], {"type": "text", "text": 5}, {"type": 5}, {"type": "image_url"}, {}], [TEXT]),
        (["a", {"text": "a"}], [TEXT, TEXT]),
        ([{"type": "text", "text": "a\0"}], [{"type": "text", "text": "a\ufffd"}]),
        ({"a": 1}, "{'a': 1}"),
        (7, "7"),
    ],
)
def test_content_of_any_shape_is_sent_as_what_a_server_takes(tmp_path, content, sent):
    assert sent_of(tmp_path, content) == sent
    assert estimated([{"role": "user", "content": content}]) >= 4


def test_a_context_of_any_shape_is_no_part_of_what_is_sent():
    assert heal([{"role": "user", "content": [TEXT], "context": [7]}])[0]["content"] == [TEXT]


def test_what_is_well_formed_is_handed_on_as_it_is():
    message = {"role": "user", "content": [TEXT, IMAGE, {"type": "input_audio", "input_audio": {"data": ""}}]}
    assert heal([message])[0] is message


@pytest.mark.parametrize("sees", [True, None])
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/x",
        "https://example.org/cat.png",
        "data:text/html;base64,PGI+",
        "data:image/png;base64,PGI+aGVsbG88L2I+",
        "data:image/svg+xml,<svg/>",
        "data:image/png;base64,é",
        " data:image/png;base64,iVBORw0KGgo=",
    ],
)
def test_no_server_is_sent_to_an_address_that_a_session_names(tmp_path, url, sees):
    away = {"type": "image_url", "image_url": {"url": url}, "about": "cat.png"}
    note = "[image cat.png: not sent, its bytes are not in this session]"
    assert sent_of(tmp_path / "1", [TEXT, away], sees=sees) == f"a\n\n{note}"
    assert sent_of(tmp_path / "2", [TEXT, away, IMAGE], sees=sees) == [TEXT, {"type": "text", "text": note}, IMAGE]
