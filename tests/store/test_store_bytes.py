"""Any bytes in a session file: no call raises anything but our errors, and nothing is changed without a kept copy."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_kit import NEXT, save

from scratchy import SessionManager
from scratchy.core.errors import ScratchyError
from scratchy.store.disk import Disk
from scratchy.store.doctor import Doctor
from scratchy.store.files import FileStore, utc_now
from scratchy.store.index import Index
from scratchy.store.place import Place
from scratchy.store.surroundings import look_around
from scratchy.store.watch import Watch

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "x\\n - y"}'}}
MESSAGES = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "a\n  - b: c\n\u2028\u0085 \x1b[31m ü 日本 🎉"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "messages[3]:\n  - role: user\n", "is_error": True},
    {"role": "assistant", "content": "- [ ] x", "usage": {"prompt_tokens": 1}, "deep": [[1, [2.5, None]], {"a": {}}]},
]
JSON = b'{"session_id": "x", "created_at": "2026-01-01T00:00:00", "messages": [{"role": "user", "content": "hi"}]}'
TABLE = b"session_id: x\nversion: 1\nmessages[2]{role,content}:\n  user,a\n  assistant,b\n"


def real_files() -> list[bytes]:
    """As our writers leave them, and as others write them."""
    folder = Path(tempfile.mkdtemp())
    try:
        store = FileStore(folder)
        made = [JSON, TABLE, JSON.replace(b"\n", b"\r\n"), TABLE.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + JSON]
        for since, count in ((0, 1), (1, 3), (3, 5)):
            save(store, "x", MESSAGES[since:count])
            made.append((folder / "x_chat.toon").read_bytes())
            writer = store.open("x")
            writer.edit(title="T", metadata={"parent": {"id": "p", "at": 1}, "rewind": {"entry": "e"}, "tags": ["t"]})
            writer.close()
            made.append((folder / "x_chat.toon").read_bytes())
        return made
    finally:
        shutil.rmtree(folder)


REAL = real_files()
PIECES = [
    b"\0", b"\0" * 4096, b"\n", b"\n\n", b"\r\n", b"  - ", b"  -\n", b"    ", b"messages[9]:",
    b"messages[2]:         \n",
    b"version: 2\n", b'"', b"\\", b"\xff", b"\xed\xa0\x80", b"- - - -", b"[", b"{", b": ", b"9" * 400, b"\x85", b"\t",
    b"session_id: y\n", b"metadata: 3\n", b"created_at: []\n", b"  - role: user\n    content: spliced in\n", b"1e999",
]  # fmt: skip


@st.composite
def broken(draw: Callable) -> bytes:
    """A real file: cut, with pieces changed, taken out, put in, doubled, or joined with another."""
    data = draw(st.sampled_from(REAL))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.sampled_from([0, 1, 2, 20, 300, 4096])))
        match draw(st.sampled_from(["cut", "head", "put", "out", "flip", "twice", "splice"])):
            case "cut":
                data = data[:at]
            case "head":
                data = data[at:]
            case "put":
                data = data[:at] + draw(st.sampled_from(PIECES)) + data[at:]
            case "out":
                data = data[:at] + data[to:]
            case "flip":
                data = data[:at] + bytes(byte ^ (1 << draw(st.integers(0, 7))) for byte in data[at:to]) + data[to:]
            case "twice":
                data = data[:to] + data[at:]
            case _:
                other = draw(st.sampled_from(REAL))
                data = data[:at] + other[draw(st.integers(0, len(other))) :]
    return data


any_bytes = st.one_of(st.binary(max_size=300), broken())


def calm(call: Callable[[], object]) -> bool:
    """Whether it worked. Only our errors, and the system's, may come out of it."""
    try:
        call()
    except (ScratchyError, OSError):
        return False
    return True


def bytes_in(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reading(folder: Path) -> list[Callable[[], object]]:
    store = FileStore(folder)
    manager = SessionManager(store=store)
    place = Place(str(folder), Disk(), utc_now)
    return [
        lambda: store.load("x"),
        lambda: store.header("x"),
        lambda: store.tail("x", 2),
        lambda: store.tail("x", 2, before=1),
        lambda: list(store.items("x")),
        lambda: store.stamp("x"),
        lambda: store.exists("x"),
        store.list,
        store.trash,
        lambda: manager.load_session("x"),
        lambda: manager.session("x"),
        manager.list_sessions,
        manager.infos,
        lambda: manager.load_recent_history("x"),
        lambda: Index(store).search("user spliced"),
        lambda: manager.export_session("x", folder / "out.json"),
        lambda: manager.export_session("x", folder / "out.md"),
        lambda: manager.export_session("x", folder / "out.html"),
        lambda: list(Doctor(place).check()),
        lambda: list(look_around(place)),
        lambda: [list(watch.look()) for watch in [Watch(store, "x")] for _ in range(2)],
    ]


def writing(folder: Path) -> dict[str, Callable[[], object]]:
    store = FileStore(folder)
    manager = SessionManager(store=store)

    def opened() -> None:
        store.open("x").close()

    def fixed() -> None:
        doctor = Doctor(Place(str(folder), Disk(), utc_now))
        for finding in list(doctor.check()):
            if finding.mendable:
                doctor.mend(finding)

    def append() -> None:
        manager.append_message("x", NEXT)

    return {
        "open": opened,
        "append": append,
        "save": lambda: manager.save_session("x", MESSAGES[:2]),
        "fix": fixed,
        "rename": lambda: store.rename("x", "y"),
        "delete": lambda: [store.delete("x"), store.restore(store.trash()[0].name)],
        "fork": lambda: store.fork("x", store.header("x")[0]._replace(session_id="z")),
    }


@settings(max_examples=300 if os.environ.get("CI_LONG") else 80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=any_bytes)
def test_reading_any_bytes_raises_our_errors_only_and_changes_nothing(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "x_chat.toon"
        path.write_bytes(data)
        save(FileStore(folder), "other", MESSAGES)
        for call in reading(folder):
            calm(call)
        assert path.read_bytes() == data
        assert "other" in [row["id"] for row in SessionManager(folder).list_sessions()]


@settings(max_examples=300 if os.environ.get("CI_LONG") else 60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=any_bytes, order=st.permutations(["open", "append", "save", "fix", "rename", "delete", "fork"]))
def test_no_write_changes_any_bytes_without_a_kept_copy(data, order):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x_chat.toon").write_bytes(data)
        readable = calm(lambda: FileStore(folder).load("x"))
        first = FileStore(folder).load("x")[1] if readable else None
        for step in order[:3]:
            calm(writing(folder)[step])
            assert is_kept(folder, data, first), step


def is_kept(folder: Path, data: bytes, messages: list | None) -> bool:
    """The bytes themselves lie somewhere; or, appended to or with another header, all their messages in order do, and
    what was cut off behind them."""
    there = bytes_in(folder)
    if data in there:
        return True
    store = FileStore(folder)
    files = [*folder.glob("*_chat.toon"), *folder.glob(".trash/*/*_chat.toon")]
    return messages is not None and any(starts_with(store, path, messages) for path in files) and tail_kept(data, there)


def starts_with(store: FileStore, path: Path, messages: list) -> bool:
    with tempfile.TemporaryDirectory() as name:
        for session_id in ("x", "y", "z"):
            shutil.copy(path, Path(name) / f"{session_id}_chat.toon")
            with suppress(ScratchyError, OSError):
                if FileStore(name).load(session_id)[1][: len(messages)] == messages:
                    return True
    return False


def tail_kept(data: bytes, there: set[bytes]) -> bool:
    """What follows the last counted message of a file in our form lies beside it, if that is not nothing."""
    tails = [kept for kept in there if kept and data.endswith(kept)]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x_chat.toon"
        for kept in [b"", *tails]:
            path.write_bytes(data.removesuffix(kept) if kept else data)
            with suppress(ScratchyError, OSError):
                writer = FileStore(name).open("x")
                notices = list(writer.notices)
                writer.close()
                if not any("cut off" in notice for notice in notices):
                    return True
    return False


@pytest.mark.parametrize("data", REAL)
def test_each_real_file_is_read_by_all(tmp_path, data):
    (tmp_path / "x_chat.toon").write_bytes(data)
    assert all(calm(call) for call in reading(tmp_path))
    place = Place(str(tmp_path), Disk(), utc_now)
    assert not [found for found in Doctor(place).check() if found.kind == "damaged"]


@settings(max_examples=300 if os.environ.get("CI_LONG") else 80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=any_bytes)
def test_the_doctor_calls_damaged_what_cannot_be_loaded_and_nothing_else(data):
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "x_chat.toon").write_bytes(data)
        found = list(Doctor(Place(name, Disk(), utc_now)).check())
        kinds = {finding.kind for finding in found} & {"damaged", "foreign", "future", "no file"}
        assert calm(lambda: FileStore(name).load("x")) == (not kinds), found


def test_every_cut_of_a_real_file_loses_only_what_was_cut(tmp_path):
    data = REAL[-1]
    for at in itertools.chain(range(0, 40), range(40, len(data), 7)):
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "x_chat.toon").write_bytes(data[:at])
        doctor = Doctor(Place(str(folder), Disk(), utc_now))
        for finding in list(doctor.check()):
            if finding.mendable:
                doctor.mend(finding)
                kept = FileStore(folder).load("x")[1]
                assert kept[:-1] == MESSAGES[: len(kept) - 1] and kept[-1].items() <= MESSAGES[len(kept) - 1].items()
        assert is_kept(folder, data[:at], None)
