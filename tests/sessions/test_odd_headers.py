"""Headers that somebody else wrote: whatever JSON stands there, no list, search, tree or check-up is lost by it."""

import io
import json
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sessionbench import desk_in, run

from scratchy import compose
from scratchy.commands.dispatch import dispatch
from scratchy.core.stored import Header
from scratchy.sessions.finding import Finder
from scratchy.sessions.project import last_of
from scratchy.sessions.searching import ProjectRecall
from scratchy.shell import branches, doctor, listing, removing, search
from scratchy.terminal.session_rows import SessionRows

STAMP = "2026-11-20T12:36:03.554Z"
KEYS = ("folder", "tags", "parent", "rewind", "formerly", "project", "machine", "machine_from", "model", "provider",
        "endpoint", "found", "title_usage", "context_start")  # fmt: skip
INNER = ("id", "at", "entry", "device", "inode", "born", "root", "prompt_tokens", "completion_tokens")
ODD = (
    ".",
    "..",
    "/",
    "/tmp",
    "/tmp/\0x",
    "/proc/self/cwd",
    "odd",
    "good",
    "m1",
    "private",
    "openai",
    "\x1b[2J",
    "\u202e",
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(ODD)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER) | texts, inner, max_size=3),
    max_leaves=6,
)
metadatas = st.dictionaries(st.sampled_from(KEYS), values, max_size=len(KEYS)) | st.dictionaries(texts, values)


def said(call: Any, *arguments: Any) -> str:
    """What a subcommand printed."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        call(*arguments)
    return out.getvalue()


def ids(text: str) -> set[str]:
    return {row["id"] for row in json.loads(text)}


async def picked(folder: Path, here: Path) -> str:
    """All that the picker draws."""
    rows = SessionRows(Finder(compose.open_folder(folder), str(here)), "odd")
    await rows.start()
    rows.toggle_folders()
    drawn: list[str] = []
    for _ in range(2):  # the second time it knows their words
        for row in rows.finder.rows("", everywhere=True):
            drawn += [rows.line(row, 40), rows.line(row, 120), *rows.about(row), rows.detail(row)]
        await rows._look_closer()
    rows.filter("needle")
    await rows.stop()
    return "\n".join(drawn)


def check_lists(folder: Path, here: Path, known: set[str]) -> None:
    """Whatever reads many sessions at once has all that are known."""
    for wanted in (listing.Wanted(), listing.Wanted(search="o")):
        assert known <= ids(said(listing.list_sessions, folder, here, wanted, True))
    assert "good" in said(listing.list_sessions, folder, here, listing.Wanted(here=True), False)
    assert known <= ids(said(branches.tree, folder, None, True)) and said(branches.tree, folder, "good", False)
    store = compose.open_folder(folder)
    last, _ = last_of(store.list(), here, lambda: "m1")
    assert last is not None
    drawn = run(picked(folder, here))
    assert all(one in drawn for one in known)
    assert "good" in ids(said(search.search_sessions, folder, "needle", 20, True))
    found = ProjectRecall(store, "asks", lambda: {"folder": str(here), "project": {"inode": 1}}).search("needle", False)
    assert "good" in {hit.session_id for hit in found.hits}
    assert json.loads(said(lambda: doctor.doctor(folder, "", fix=False, yes=False, as_json=True)))
    for wanted in (removing.Filter(older_than=1.0), removing.Filter(tag="private")):
        said(removing.delete_sessions, folder, [], wanted, True, False)
    said(removing.empty_trash, folder, None, False, True, False)


def stored(root: Path) -> tuple[Path, Path]:
    here, folder = (root / "here").resolve(), root / "sessions"
    here.mkdir()
    store = compose.open_folder(folder)
    for session_id, metadata in (("good", {"folder": str(here)}), ("other", {"folder": "/other"})):
        with_text(store, session_id, metadata)
    return folder, here


def with_text(store: Any, session_id: str, metadata: dict[str, Any]) -> None:
    writer = store.open(session_id, create=Header(session_id, STAMP, STAMP, metadata=metadata))
    writer.append([{"role": "user", "content": f"needle in {session_id}"}, {"role": "assistant", "content": "yes"}])
    writer.close()


@settings(max_examples=40, deadline=None)
@given(metadatas)
@example({"folder": "/tmp/\0x"})
@example({"tags": 5, "parent": [], "rewind": 7, "formerly": {"a": 1}, "project": "x"})
@example({"title_usage": {"prompt_tokens": "x", "completion_tokens": [1]}, "context_start": "x", "parent": {"id": []}})
@example({"parent": {"id": "odd", "at": "x"}, "rewind": {"entry": ["x"], "at": {}}, "formerly": ["odd", 5, ["good"]]})
def test_any_metadata_takes_nothing_away_and_its_session_opens(metadata: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, here = stored(Path(name))
        with_text(compose.open_folder(folder), "odd", metadata)
        check_lists(folder, here, {"good", "other", "odd"})
        desk, _ = desk_in(Path(name), "odd", compose.open_folder(folder))
        assert "Session ID: odd" in run(dispatch(desk, "/status")).text
        assert "* odd" in run(dispatch(desk, "/tree")).text
        shown = run(dispatch(desk, "/sessions"))
        assert "odd" in shown.text or shown.pick or shown.choose
        for line in ("/redo", "/undo", "/rewind files", "/tag", "/title", "/fork", "/search needle", "/resume good"):
            assert run(dispatch(desk, line)) is not None
        assert desk.conversation.session_id == "good"
        run(desk.close())


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("session_id", "version", "title", "created_at", "metadata", "updated_at", "messages"), values)))  # fmt: skip
def test_any_values_of_the_headers_own_keys_take_no_other_session_away(fields: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, here = stored(Path(name))
        messages = [{"role": "user", "content": "x"}]
        (folder / "odd_chat.toon").write_text(json.dumps({"session_id": "odd", "messages": messages} | fields))
        (folder / "odd_chat.toon").chmod(0o600)
        check_lists(folder, here, {"good", "other"})
