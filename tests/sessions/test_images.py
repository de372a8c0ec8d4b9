"""Images of a conversation: judged by their bytes, kept beside it, sent as bytes or as a note, moved with it."""

import asyncio
import base64
import json
import os

import pytest
from pictures import gif, jpeg, png, webp
from sessionbench import SYSTEM, answer, calling, converse, desk_in, files, run, script, scripted, take, user

from scratchy import compose
from scratchy.core.errors import ImagesRefusedError, ProviderError
from scratchy.core.events import Notice, TextDelta, ThinkingDelta
from scratchy.core.images import mark
from scratchy.core.loop import ONLY_THOUGHT
from scratchy.providers.wrapped import WrappedProvider
from scratchy.scratchpad import DAY, Scratchpad
from scratchy.sessions.branches import fork_session, last_turns
from scratchy.sessions.exchange import export_session, import_session
from scratchy.sessions.finding import Finder
from scratchy.sessions.images import LARGEST, image_part, is_image
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.searching import Searching
from scratchy.sessions.titles import ask

PNG = png()
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def pad(tmp_path):
    return compose.open_scratchpad(files(tmp_path / "s"))


def talk(tmp_path, pad, provider, **engine):
    return converse(files(tmp_path / "s"), provider, blob=pad.content, **engine)


def content(provider, at=-1):
    return provider.requests[at]["messages"][-1]["content"]


# -- what may be handed in


@pytest.mark.parametrize(
    ("data", "about"),
    [(png(3, 4), "a.svg, 3×4, 1 kB"), (jpeg(), "a.svg, 640×480, 1 kB"), (gif(), "a.svg, 640×480, 1 kB"),
     (webp(), "a.svg, 640×480, 1 kB")],
)  # fmt: skip
def test_an_image_is_known_by_its_bytes_and_not_by_its_name(tmp_path, pad, data, about):
    path = tmp_path / "a.svg"
    path.write_bytes(data)
    part = image_part(pad, path)
    blob = part["image_url"]["url"].removeprefix("blob:")
    assert part == {"type": "image_url", "image_url": {"url": f"blob:{blob}"}, "about": about}
    assert pad.content(blob) == data
    assert is_image(path)
    assert image_part(pad, data)["about"] == about.removeprefix("a.svg, ")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<svg/>", "'a.png' is no PNG, JPEG, GIF or WebP image."),
        (PNG[:-40], "'a.png' is a PNG image that is cut off."),
        (png(padding=LARGEST), "'a.png' is larger than 5 MB, the most that is sent. Make it smaller first."),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(tmp_path, pad, data, why):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r".") as failure:
        image_part(pad, tmp_path / "a.png")
    assert str(failure.value) == why
    assert pad.stats()["entries"] == 0


def test_what_is_no_file_is_not_opened(tmp_path, pad):
    os.mkfifo(tmp_path / "a.png")
    assert not is_image(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"'a\.png' is no file"):
        image_part(pad, tmp_path / "a.png")
    with pytest.raises(FileNotFoundError):
        image_part(pad, tmp_path / "none.png")


def test_a_name_hides_nothing_and_fits_a_line(pad):
    about = image_part(pad, PNG, "a\x1b[31m]\n\u202e" + "x" * 100 + ".png")["about"]
    assert about.startswith("…x") and about.endswith(".png, 640×480, 2 kB")
    assert image_part(pad, PNG, "a[\x1b]\n\u202e.png")["about"] == "a(\\x1b) \\u202e.png, 640×480, 2 kB"


# -- what is sent


def test_the_bytes_are_on_disk_before_the_line_and_go_out_as_bytes(tmp_path, pad):
    provider = scripted(calling("look", {}), "A cat.", "Still.")

    def look() -> str:
        """Look."""
        return "seen"

    conversation = converse(files(tmp_path / "s"), provider, look, blob=pad.content)
    part = image_part(pad, PNG, "cat.png")
    run(take(conversation, f"What is {mark(part)}?"))
    run(take(conversation, "Sure?"))
    stored = conversation.session.messages[1]["content"]
    assert stored == [{"type": "text", "text": "What is [Image #1]?"}, part]
    first = provider.requests[0]["messages"]
    assert first[1]["content"] == [stored[0], {"type": "image_url", "image_url": {"url": DATA}}]
    for request in provider.requests[1:]:  # the prefix stays the same bytes
        assert json.dumps(request["messages"][: len(first)]) == json.dumps(first)
    run(conversation.close())


def test_a_blob_is_read_and_encoded_once_for_all_steps(tmp_path, pad):
    read = []

    def blob(blob_id):
        read.append(blob_id)
        return pad.content(blob_id)

    provider = scripted("One.", "Two.", "Three.")
    conversation = converse(files(tmp_path / "s"), provider, blob=blob)
    for line in (mark(image_part(pad, PNG)), "two", "three"):
        run(take(conversation, line))
    assert len(read) == 1
    run(conversation.close())


def test_a_model_that_does_not_see_gets_a_note_and_the_person_is_told_once(tmp_path, pad):
    provider = scripted("Blind.", "Blind.", sees=False)
    conversation = talk(tmp_path, pad, provider)
    told = run(take(conversation, f"What is {mark(image_part(pad, PNG, 'cat.png'))}?"))
    assert [event.text for event in told if isinstance(event, Notice)] == [
        "scripted does not see images; it is told that they are there, and their names."
    ]
    assert not any(isinstance(event, Notice) for event in run(take(conversation, "Sure?")))
    assert provider.requests[0]["messages"][1]["content"] == (
        "What is [Image #1]?\n\n[image cat.png, 640×480, 2 kB: not sent, this model does not see images]"
    )
    run(conversation.close())


def test_another_model_in_the_middle_of_a_session(tmp_path, pad):
    seeing, blind = scripted("A cat.", "A cat."), scripted("Blind.", sees=False)
    conversation = talk(tmp_path, pad, seeing)
    run(take(conversation, mark(image_part(pad, PNG))))
    run(conversation.close())
    for provider, sent in ((blind, False), (seeing, True)):
        conversation = talk(tmp_path, pad, provider)
        run(take(conversation, "And?"))
        assert ("data:image" in json.dumps(provider.requests[-1])) is sent
        run(conversation.close())


def test_a_blob_that_is_gone_or_damaged_is_a_note(tmp_path, pad):
    provider = scripted("What?", "What?")
    gone, damaged = image_part(pad, PNG), image_part(pad, png(1, 1))
    (pad.directory / gone["image_url"]["url"].removeprefix("blob:")).unlink()
    (pad.directory / damaged["image_url"]["url"].removeprefix("blob:")).write_bytes(b"other")
    conversation = talk(tmp_path, pad, provider)
    run(take(conversation, f"{mark(gone)} {mark(damaged)}"))
    assert content(provider).split("\n\n")[1:] == [
        "[image 640×480, 2 kB: it was here, and cannot be found any more]",
        "[image 1×1, 1 kB: it was here, and cannot be found any more]",
    ]
    run(conversation.close())


def test_inline_images_of_other_programs_stay_and_are_sent_as_they_are(tmp_path, pad):
    provider = scripted("A cat.")
    inline = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": DATA, "detail": "low"}}]}
    store = files(tmp_path / "s")
    SessionManager(store=store).save_session("s", [SYSTEM, inline, answer("Yes.")])
    conversation = talk(tmp_path, pad, provider)
    run(take(conversation, "And?"))
    assert provider.requests[0]["messages"][1]["content"] == inline["content"]
    assert conversation.session.messages[1] == inline
    run(conversation.close())


class Texts:
    """Knows texts only, as many programs' own providers."""

    def __init__(self):
        self.asked = []

    async def chat(self, messages, tools=None):
        self.asked.append(messages)
        return {"content": messages[-1]["content"].upper()}


class Refuses:
    """A server that says nothing of images before it gets one."""

    name, model, supports_tools, window = "own", "m", True, None

    def __init__(self):
        self.sees = None
        self.requests = []

    async def prepare(self): ...
    async def aclose(self): ...

    async def stream(self, messages, tools):
        self.requests.append(messages)
        if "data:image" in json.dumps(messages):
            self.sees = False
            raise ImagesRefusedError("host answered 400: no images here")
        async for item in scripted("Fine.").stream(messages, tools):
            yield item


def test_a_refusal_is_explained_once_and_the_line_can_be_sent_again(tmp_path, pad):
    provider = Refuses()
    conversation = talk(tmp_path, pad, provider)
    line = f"What is {mark(image_part(pad, PNG))}?"
    with pytest.raises(
        ProviderError, match=r"m takes no images \(host answered 400: no images here\)\. Send the line again"
    ):
        run(take(conversation, line))
    events = run(take(conversation, line))
    assert conversation.session.messages[-1]["content"] == "Fine."
    assert [message["role"] for message in conversation.session.messages] == ["system", "user", "assistant"]
    assert any(isinstance(event, Notice) and "does not see images" in event.text for event in events)
    run(conversation.close())


def test_older_images_are_left_out_at_once_by_a_server_that_refuses_them(tmp_path, pad):
    conversation = talk(tmp_path, pad, scripted("A cat."))
    run(take(conversation, mark(image_part(pad, PNG))))
    run(conversation.close())
    provider = Refuses()
    conversation = talk(tmp_path, pad, provider)
    events = run(take(conversation, "And?"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Fine."]
    assert len(provider.requests) == 2
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "m does not see images; it is told that they are there, and their names."
    ]
    run(conversation.close())


@pytest.mark.parametrize("same", [True, False])
def test_another_run_gets_past_an_image_that_was_refused(tmp_path, pad, same):
    line = f"What is {mark(image_part(pad, PNG))}?"
    conversation = talk(tmp_path, pad, Refuses())
    with pytest.raises(ProviderError, match="takes no images"):
        run(take(conversation, line))
    run(conversation.close())
    provider = Refuses()  # which knows nothing of the run before
    conversation = talk(tmp_path, pad, provider)
    events = run(take(conversation, line if same else "Only text now"))
    assert conversation.session.messages[-1]["content"] == "Fine."
    assert sum(isinstance(event, Notice) for event in events) == 1
    if not same:  # a new image is a new question
        run(conversation.close())
        conversation = talk(tmp_path, pad, Refuses())
        with pytest.raises(ProviderError, match="takes no images"):
            run(take(conversation, f"And {mark(image_part(pad, PNG))}?"))
    run(conversation.close())


def test_a_programs_own_provider_goes_on_working(tmp_path, pad):
    own = Texts()
    conversation = talk(tmp_path, pad, WrappedProvider(own))
    with pytest.raises(ProviderError, match="takes no images"):
        run(take(conversation, mark(image_part(pad, PNG))))
    run(take(conversation, "hello"))
    assert "not sent, this model does not see images" in json.dumps(own.asked[-1])
    run(conversation.close())


# -- where a session goes, its images go


def with_image(tmp_path, **more):
    """A desk whose session holds one image, and what its part is."""
    desk, _ = desk_in(tmp_path, "s", titles="words", **script(tmp_path, "A cat.", "Still."))
    part = image_part(desk.scratchpad, PNG, "cat.png")
    run_desk(desk, take(desk.conversation, f"Who is {mark(part)}?"))
    return desk, part


def run_desk(desk, work):
    async def all_of_it():
        try:
            return await work
        finally:
            await desk.close()

    return asyncio.run(all_of_it())


def bytes_in(folder, blob_id):
    return Scratchpad(folder / ".blobs").content(blob_id)


def test_pruning_spares_what_is_young_or_named(tmp_path, pad):
    young, old = (image_part(pad, data)["image_url"]["url"].removeprefix("blob:") for data in (PNG, gif()))
    os.utime(pad.directory / old, (1, 1))
    assert pad.prune(max_age=DAY, keep=[old]) == 0
    assert pad.prune(max_age=0) == 1
    assert pad.content(young) == PNG


def test_a_session_moves_with_its_images(tmp_path):
    desk, part = with_image(tmp_path)
    blob, sessions = part["image_url"]["url"].removeprefix("blob:"), desk.manager
    sessions.rename("s", "t")
    fork_session(sessions.store, "t", "u")
    sessions.delete_session("t")
    sessions.restore("t")
    for session_id in ("t", "u"):
        messages = sessions.load_session(session_id)
        assert messages[1]["content"][1] == part
        assert bytes_in(tmp_path / "sessions", blob) == PNG


@pytest.mark.parametrize("suffix", ["json", "toon", "html", "md", "jsonl"])
def test_exports_carry_or_name_it(tmp_path, suffix):
    desk, part = with_image(tmp_path)
    path, blob = tmp_path / f"out.{suffix}", part["image_url"]["url"].removeprefix("blob:")
    done = export_session(desk.manager.store, "s", path, full=suffix == "json", pad=desk.scratchpad)
    text = path.read_text()
    match suffix:
        case "html":
            assert f'<img alt="cat.png, 640×480, 2 kB" src="{DATA}">' in text
            assert "Kept beside" not in text
        case "md":
            assert "Who is [image: cat.png, 640×480, 2 kB]?" in text
        case "jsonl":
            assert part["about"] in text and blob in text
            assert any("1 image in the scratchpad did not come along" in note for note in done.notes)
        case _:
            other = files(tmp_path / "other")
            pad = compose.open_scratchpad(other)
            import_session(other, path, pad=pad)
            assert SessionManager(store=other).load_session("s")[1]["content"][1] == part
            assert pad.content(blob) == PNG


def test_lists_previews_titles_and_the_search_show_that_there_is_one(tmp_path):
    desk, _ = with_image(tmp_path)
    store = desk.manager.store
    (info,) = desk.manager.infos()
    assert info.header.title == "Who is [image]?"
    assert Finder(store, str(tmp_path)).looks([info])["s"].first == "Who is [image]?"
    assert [turn.text for turn in run(last_turns(desk, 3))] == ["Who is [image: cat.png, 640×480, 2 kB]?"]
    found = run(Searching(store).search("image"))
    assert found.hits


# -- thinking


def test_what_is_thought_is_told_and_not_stored(tmp_path, pad):
    conversation = talk(tmp_path, pad, scripted({"reasoning": "Hm, so.", "content": "Yes."}))
    events = run(take(conversation, "Hi"))
    assert "".join(event.text for event in events if isinstance(event, ThinkingDelta)) == "Hm, so."
    assert "Hm" not in json.dumps(conversation.session.messages)
    run(conversation.close())


def test_an_answer_that_is_only_thought_is_said_and_does_no_harm(tmp_path, pad):
    provider = scripted({"reasoning": "Hm.", "content": ""}, "Yes.")
    conversation = talk(tmp_path, pad, provider)
    events = run(take(conversation, "Hi"))
    assert [event.text for event in events if isinstance(event, Notice)] == [ONLY_THOUGHT]
    run(take(conversation, "Well?"))
    assert [message["role"] for message in provider.requests[-1]["messages"]] == ["system", "user"]
    run(conversation.close())


def test_interrupted_while_it_thinks_only_the_line_is_kept(tmp_path, pad):
    provider = scripted({"reasoning": "Hm. " * 50, "content": "Yes."}, delay=0.01)
    conversation = talk(tmp_path, pad, provider)

    async def interrupt():
        async for event in conversation.turn("Hi"):
            if isinstance(event, ThinkingDelta):
                return

    run(interrupt())
    assert [message["role"] for message in files(tmp_path / "s").load("s")[1]] == ["system", "user"]
    run(conversation.close())


def test_a_title_is_no_thought(tmp_path):
    provider = scripted({"reasoning": "Let me think of a title.", "content": "Cats"}, {"reasoning": "So " * 3000})
    messages = [user("Hi"), answer("Yes.")]
    assert run(ask(provider, messages)).title == "Cats"
    rambled = run(ask(provider, messages))
    assert rambled.title is None
    assert rambled.usage["completion_tokens"] >= 1000
