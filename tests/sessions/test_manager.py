"""SessionManager: what a save writes, refuses and keeps; two processes; two managers."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sessionbench import answer, texts, user

import scratchy
from scratchy import MemoryStore, SessionConflictError, SessionCorruptedError, SessionLockedError, SessionManager
from scratchy.core.errors import ConfigError, SessionNotFoundError, SessionVersionError
from scratchy.store.files import FileStore

ROOT = Path(__file__).parents[2]
TWO = [user("Hello"), answer("Hi")]


@pytest.fixture(params=["files", "memory"])
def manager(request, tmp_path):
    return SessionManager(tmp_path / "s") if request.param == "files" else SessionManager(store=MemoryStore())


@pytest.fixture
def sm(tmp_path) -> SessionManager:
    return SessionManager(tmp_path / "s")


def elsewhere(folder: Path, code: str) -> str:
    """Run `code` in another process, with a manager `sm` over the same folder; what it prints."""
    program = f"import os, sys\nfrom scratchy import SessionManager\nsm = SessionManager({str(folder)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def content(sm: SessionManager, session_id: str) -> bytes:
    return next(Path(sm.store.folder).glob(f"{session_id}_chat.toon")).read_bytes()


def test_what_is_saved_is_loaded_listed_and_deleted(manager):
    assert manager.load_session("x") is None and not manager.session_exists("x") and manager.list_sessions() == []
    manager.save_session("x", TWO)
    assert manager.load_session("x") == TWO and manager.session_exists("x")
    [row] = manager.list_sessions()
    assert (row["id"], row["message_count"]) == ("x", 2)
    assert datetime.now() - timedelta(minutes=1) < datetime.fromisoformat(row["created_at"]) <= datetime.now()
    assert datetime.fromisoformat(row["last_activity"]).tzinfo is None
    assert manager.delete_session("x") is True and manager.delete_session("x") is False
    assert manager.load_session("x") is None and [e.reason for e in manager.trash()] == ["deleted"]


def test_the_newest_activity_is_listed_first_and_created_at_survives_saves(manager):
    manager.save_session("a", TWO)
    manager.save_session("b", TWO)
    created = {row["id"]: row["created_at"] for row in manager.list_sessions()}
    manager.save_session("a", [*TWO, user("More")])
    assert [row["id"] for row in manager.list_sessions()] == ["a", "b"]
    manager.save_session("a", [])
    assert {row["id"]: row["created_at"] for row in manager.list_sessions()} == created


def test_a_session_without_messages_is_saved_listed_and_deletable(manager):
    manager.save_session("empty", [])
    assert manager.load_session("empty") == [] and manager.list_sessions()[0]["message_count"] == 0
    assert manager.delete_session("empty")


def test_saving_the_same_again_writes_nothing(sm):
    sm.save_session("x", TWO)
    path = Path(sm.store.folder) / "x_chat.toon"
    before = path.stat()
    sm.save_session("x", [dict(reversed(message.items())) for message in TWO])
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns) and sm.trash() == []


def test_saving_more_appends_and_keeps_nothing_in_the_trash(sm):
    sm.save_session("x", TWO)
    inode = (Path(sm.store.folder) / "x_chat.toon").stat().st_ino
    sm.save_session("x", [*TWO, user("More")])
    assert (Path(sm.store.folder) / "x_chat.toon").stat().st_ino == inode and sm.trash() == []
    assert sm.load_session("x") == [*TWO, user("More")]


@pytest.mark.parametrize("changed", [TWO[:1], [], [user("Other"), answer("Hi")], TWO[1:]])
def test_what_a_save_drops_or_changes_stays_in_the_trash(manager, changed):
    manager.save_session("x", TWO)
    manager.save_session("x", changed)
    assert manager.load_session("x") == changed
    [entry] = manager.trash()
    assert (entry.session_id, entry.count, entry.reason) == ("x", 2, "replaced")
    assert manager.restore("x") == "x" and manager.load_session("x") == TWO


@pytest.mark.parametrize(
    "bad",
    [
        "text", b"bytes", {"role": "user"}, None, 5, [1], ["x"], [None], [{}], [{"content": "x"}], [{"role": None}],
        [{"role": 3}], [user("ok"), {"role": ""}], [user("ok"), {"role": "user", "content": object()}],
        [{"role": "user", "content": {1: 2}}], [{"role": "user", "content": {1, 2}}],
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_and_touches_nothing(sm, bad):
    sm.save_session("x", TWO)
    before = content(sm, "x")
    for session_id in ("x", "new"):
        with pytest.raises((TypeError, ValueError)):
            sm.save_session(session_id, bad)
    assert content(sm, "x") == before and sm.trash() == [] and not sm.session_exists("new")


def test_a_message_nested_too_deeply_is_refused(sm):
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises((TypeError, ValueError)):
        sm.save_session("x", [{"role": "user", "content": nested}])
    with pytest.raises((TypeError, ValueError)):
        sm.append_message("x", {"role": "user", "content": nested})
    assert not sm.session_exists("x")
    while nested:
        nested = nested.pop()  # or freeing it recurses


@pytest.mark.parametrize("bad", ["", "a\0b", "a\nb", "\x7f", "\x85", "\ud800", "x" * 1001, "a\u202eb"])
def test_bad_ids_are_value_errors_everywhere(manager, bad):
    for call in (
        lambda: manager.save_session(bad, TWO),
        lambda: manager.load_session(bad),
        lambda: manager.session_exists(bad),
        lambda: manager.delete_session(bad),
        lambda: manager.append_message(bad, TWO[0]),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("bad", [None, 5, b"x", ["x"]])
def test_an_id_that_is_no_string_is_a_type_error(manager, bad):
    for call in (lambda: manager.save_session(bad, TWO), lambda: manager.load_session(bad)):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("session_id", ["a/b", "../x", "Case", "agent:main:cli:local", "ü", "con", ".x", "a b", "-r"])
def test_any_other_id_works_and_stays_in_the_folder(sm, session_id):
    sm.save_session(session_id, TWO)
    assert sm.load_session(session_id) == TWO and [row["id"] for row in sm.list_sessions()] == [session_id]
    assert {path.parent for path in Path(sm.store.folder).rglob("*_chat.toon")} == {Path(sm.store.folder)}


def test_what_json_has_not_is_saved_as_json_has_it_and_the_second_save_writes_nothing(manager):
    odd = [user("lone \ud800"), {"role": "user", "content": [float("nan"), float("inf"), ("a", ("b",))]}]
    manager.save_session("x", odd)
    stamp = manager.store.stamp("x")
    manager.save_session("x", odd)
    assert manager.load_session("x") == [user("lone \ufffd"), {"role": "user", "content": [None, None, ["a", ["b"]]]}]
    manager.save_session("x", odd)
    assert manager.store.stamp("x") == stamp and manager.trash() == []


def test_messages_handed_in_and_out_are_nobody_elses(manager):
    given = [user("Hello")]
    manager.save_session("x", given)
    given[0]["content"] = "changed"
    manager.save_session("x", given)
    assert manager.load_session("x") == [user("changed")] and len(manager.trash()) == 1
    loaded = manager.load_session("x")
    loaded[0]["content"] = "again"
    manager.save_session("x", loaded)
    assert manager.load_session("x") == [user("again")]


def test_append_message_makes_the_session_and_adds_to_its_end(manager):
    manager.append_message("x", user("Hello"))
    manager.append_message("x", answer("Hi"))
    assert manager.load_session("x") == TWO
    manager.save_session("x", TWO)
    assert manager.trash() == []
    with pytest.raises(TypeError):
        manager.append_message("x", "text")


def test_two_managers_of_one_process_share_what_they_saw(tmp_path):
    first, second = SessionManager(tmp_path / "s"), SessionManager(str(tmp_path) + "/./s/")
    assert first.store is second.store
    first.save_session("x", TWO)
    second.save_session("x", [*TWO, user("More")])
    first.save_session("x", [*TWO, user("More"), answer("Yes")])
    assert len(second.load_session("x")) == 4 and second.trash() == []


def test_a_change_in_another_process_is_not_overwritten(sm):
    folder = Path(sm.store.folder)
    sm.save_session("x", TWO)
    pid = elsewhere(folder, "sm.append_message('x', {'role': 'user', 'content': 'theirs'}); print(os.getpid())")
    before = content(sm, "x")
    with pytest.raises(SessionConflictError, match=rf"'x'.*\b{pid}\b") as refused:
        sm.save_session("x", [*TWO, user("ours")])
    assert refused.value.pid == int(pid) and isinstance(refused.value, SessionLockedError)
    assert content(sm, "x") == before and sm.trash() == []
    loaded = sm.load_session("x")
    sm.save_session("x", [*loaded, user("ours")])
    assert texts(sm.load_session("x")) == ["Hello", "Hi", "theirs", "ours"]


def test_a_session_deleted_in_another_process_conflicts_until_it_is_loaded(sm):
    sm.save_session("x", TWO)
    elsewhere(Path(sm.store.folder), "sm.delete_session('x')")
    with pytest.raises(SessionConflictError):
        sm.save_session("x", TWO)
    assert sm.load_session("x") is None
    sm.save_session("x", TWO)
    assert sm.load_session("x") == TWO


def test_appending_beside_another_process_does_not_hide_its_change(sm):
    sm.save_session("x", TWO)
    elsewhere(Path(sm.store.folder), "sm.append_message('x', {'role': 'user', 'content': 'theirs'})")
    sm.append_message("x", user("ours"))
    assert texts(sm.load_session("x")) == ["Hello", "Hi", "theirs", "ours"]
    elsewhere(Path(sm.store.folder), "sm.append_message('x', {'role': 'user', 'content': 'again'})")
    sm.append_message("x", user("more"))
    with pytest.raises(SessionConflictError):
        sm.save_session("x", TWO)


def test_a_process_that_never_looked_replaces_and_the_trash_keeps(sm):
    sm.save_session("x", TWO)
    elsewhere(Path(sm.store.folder), "sm.save_session('x', [{'role': 'user', 'content': 'theirs'}])")
    assert sm.load_session("x") == [user("theirs")]
    assert [(entry.session_id, entry.count) for entry in sm.trash()] == [("x", 2)]


def test_a_process_that_never_looked_writes_nothing_when_all_is_the_same(sm):
    sm.save_session("x", TWO)
    stamp = sm.store.stamp("x")
    elsewhere(Path(sm.store.folder), f"sm.save_session('x', {TWO!r})")
    assert sm.store.stamp("x") == stamp and sm.trash() == []


def test_a_held_session_is_refused_within_a_second_and_names_the_holder(sm):
    sm.save_session("x", TWO)
    code = "w = sm.store.open('x'); print('held', flush=True); sys.stdin.read()"  # until our end of the pipe closes
    program = f"import sys\nfrom scratchy import SessionManager\nsm = SessionManager({sm.store.folder!r})\n{code}"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        for call in (lambda: sm.save_session("x", []), lambda: sm.delete_session("x")):
            with pytest.raises(SessionLockedError, match=rf"'x'.*\b{holder.pid}\b") as refused:
                call()
            assert refused.value.pid == holder.pid
        assert sm.load_session("x") == TWO
        holder.stdin.close()
    sm.save_session("x", [])


def test_deleting_then_saving_conflicts_with_nobody(manager):
    manager.save_session("x", TWO)
    manager.delete_session("x")
    manager.save_session("x", [user("new")])
    assert manager.load_session("x") == [user("new")]


def test_more_sessions_than_are_remembered_still_conflict_and_still_compare(tmp_path):
    sm = SessionManager(tmp_path / "s")
    for number in range(20):
        sm.save_session(f"s{number}", TWO)
    assert not sm.changed_here("s0", TWO) and sm.changed_here("s0", TWO[:1])
    stamp = sm.store.stamp("s0")
    sm.save_session("s0", TWO)
    assert sm.store.stamp("s0") == stamp
    elsewhere(tmp_path / "s", "sm.save_session('s1', [])")
    with pytest.raises(SessionConflictError):
        sm.save_session("s1", TWO)


@pytest.mark.parametrize(
    ("bytes_", "error"),
    [
        (b"", SessionCorruptedError),
        (b"\0" * 5000, SessionCorruptedError),
        (b"no session at all", SessionCorruptedError),
        (b"session_id: x\nversion: 999\nmessages[0]:\n", SessionVersionError),
    ],
)
def test_what_cannot_be_read_is_never_touched_and_the_others_go_on(sm, bytes_, error):
    sm.save_session("good", TWO)
    path = Path(sm.store.folder) / "x_chat.toon"
    path.write_bytes(bytes_)
    with pytest.raises(error, match=r"'x'.*x_chat\.toon") as refused:
        sm.load_session("x")
    assert refused.value.session_id == "x"
    with pytest.raises(SessionCorruptedError):
        sm.save_session("x", TWO)
    assert path.read_bytes() == bytes_ and sm.session_exists("x")
    assert [row["id"] for row in sm.list_sessions()] == ["good"]
    assert {info.session_id: bool(info.error) for info in sm.infos()} == {"good": False, "x": True}
    assert sm.delete_session("x") and not sm.session_exists("x")


def test_a_file_of_another_form_is_loaded_and_saved_without_a_conflict(sm):
    folder = Path(sm.store.folder)
    old = {"session_id": "x", "created_at": "2025-11-22T20:30:15", "messages": TWO}
    (folder / "x_chat.toon").write_text(json.dumps(old))
    assert sm.load_session("x") == TWO
    assert sm.list_sessions()[0]["created_at"].startswith("2025-11-22T20:30:15")
    sm.save_session("x", [*TWO, user("More")])
    assert sm.load_session("x") == [*TWO, user("More")]
    assert sm.list_sessions()[0]["created_at"].startswith("2025-11-22T20:30:15")


def test_rename_and_restore(manager):
    manager.save_session("x", TWO)
    manager.rename("x", "y")
    assert manager.load_session("x") is None and manager.load_session("y") == TWO
    manager.save_session("y", [])
    manager.restore("y")
    manager.save_session("y", [*TWO, user("More")])
    assert len(manager.load_session("y")) == 3
    with pytest.raises(SessionNotFoundError, match="nobody"):
        manager.restore("nobody")


def test_a_directory_or_a_store_but_not_both_and_only_known_kinds(tmp_path):
    with pytest.raises(ValueError):
        SessionManager(tmp_path, store="memory://")
    with pytest.raises(ConfigError, match="memory://"):
        SessionManager(store="mongodb://x")
    assert SessionManager(store=f"file://{tmp_path}/f%20g").store.folder == str(tmp_path / "f g")


def test_the_folder_is_made_and_private(tmp_path):
    old = os.umask(0o022)
    try:
        sm = SessionManager(tmp_path / "deep" / "s")
        assert (tmp_path / "deep" / "s").is_dir()
        sm.save_session("x", TWO)
        sm.save_session("x", [])
    finally:
        os.umask(old)
    made = [tmp_path / "deep" / "s", *(tmp_path / "deep" / "s").rglob("*")]
    assert {oct(path.stat().st_mode & 0o777) for path in made if path.is_dir()} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in made if path.is_file()} == {"0o600"}


def test_the_usual_folder_is_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCHY_SESSIONS_DIR", str(tmp_path / "env"))
    SessionManager().save_session("x", TWO)
    assert (tmp_path / "env" / "x_chat.toon").exists()
    assert isinstance(SessionManager().store, FileStore) and scratchy.SessionManager is SessionManager
