"""Files that are no sessions, and good ones that others wrote: an error of ours or the exact content, never less."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
import toon_format
from store_kit import BASE, NEXT, START, new, opened_and_strict, save

from scratchy.core.errors import SessionCorruptedError, SessionNotFoundError, SessionVersionError
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
from scratchy.store.toonfile import encode_header, encode_items

MANY = [{"role": "user", "content": f"number {number}: " + "words and words " * 40} for number in range(30)]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("good")
    save(FileStore(folder), "x", MANY)
    return (folder / "x_chat.toon").read_bytes()


def damages(data: bytes) -> dict[str, bytes]:
    """Each is certain to be damage: what is in it cannot be the thirty messages."""
    end = len(data)
    body = data.index(b"  - ")
    made = {f"cut at {cut}": data[:cut] for cut in (0, 1, 10, 60, body - 25, body - 1, body, body + 7)}
    made |= {f"cut {number}/20": data[: end * number // 20] for number in range(1, 20)}
    made |= {f"cut by {back}": data[: end - back] for back in (1, 2, 50, 300)}
    pages = [at for at in range(0, end, 4096)]
    made |= {f"zeroed {at}": data[:at] + bytes(min(4096, end - at)) + data[at + 4096 :] for at in pages}
    made |= {
        f"flipped {at}": data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 4096]) + data[at + 4096 :]
        for at in pages
    }
    made |= {
        "counts more": data.replace(b"messages[30]:", b"messages[31]:"),
        "counts many": data.replace(b"messages[30]:", b"messages[99]:"),
        "counts none": data.replace(b"messages[30]:", b"messages[xx]:"),
        "another id": data.replace(b"session_id: x", b"session_id: y"),
        "version text": data.replace(b"version: 1", b"version: a"),
        "version zero": data.replace(b"version: 1", b"version: 0"),
        "metadata text": data.replace(b"metadata:", b"metadata: 7"),
        "created number": data.replace(f'created_at: "{START}"'.encode(), b"created_at: 12"),
        "key twice": data.replace(b"version: 1\n", b"version: 1\nversion: 1\n"),
        "no text": bytes(range(256)) * 20,
        "only zeros": bytes(9000),
        "only newlines": b"\n" * 50,
        "torn line": data.replace(b'\n    content: "number 7', b'\n   content: "number 7'),
        "no colon": data.replace(b'    content: "number 7:', b'    content "number 7'),
        "not UTF-8": data.replace(b"number 7", b"number \xff"),
        "open quote": data.replace(b'content: "number 7', b'content: "number" 7'),
        "JSON cut": b'{"session_id": "x", "messages": [{"role": "user", "con',
        "JSON list of text": b'["a", "b"]',
        "JSON number": b"7",
        "JSON without messages": b'{"session_id": "x"}',
        "JSON messages object": b'{"messages": {"a": 1}}',
        "JSON deep": b"[" * 200_000,
        "table cut": b"session_id: x\nmessages[3]{role,content}:\n  user,a\n  user,b\n",
        "list cut": b"session_id: x\nmessages[2]:\n  - role: user\n    content: a\n",
        "text": b"Dear diary,\ntoday I lost a file.\n",
    }
    return made


def refuse_everywhere(folder: Path, error: type[Exception] = SessionCorruptedError) -> None:
    store = FileStore(folder)
    for call in (store.load, lambda name: store.open(name), lambda name: store.open(name, create=new())):
        with pytest.raises(error) as caught:
            call("x")
        assert "'x'" in str(caught.value) and "x_chat.toon" in str(caught.value)


def test_damaged_files(tmp_path, good):
    cases = damages(good)
    assert len(cases) > 60
    wrong = []
    for number, (name, data) in enumerate(cases.items()):
        if data == good:
            wrong.append(f"{name}: changes nothing")
            continue
        folder = tmp_path / str(number)
        save(FileStore(folder), "other", BASE)
        path = folder / "x_chat.toon"
        path.write_bytes(data)
        try:
            refuse_everywhere(folder)
        except pytest.fail.Exception as failed:
            wrong.append(f"{name}: {failed}")
        if path.read_bytes() != data:
            wrong.append(f"{name}: was touched")
        store = FileStore(folder)
        rows = {row.session_id: row for row in store.list()}
        if len(rows) != 2 or not store.exists("x") or store.load("other")[1] != BASE:
            wrong.append(f"{name}: other sessions suffer")
        store.delete("x")
        if [found.read_bytes() for found in (folder / ".trash").rglob("*_chat.toon")] != [data]:
            wrong.append(f"{name}: not moved to the trash as it was")
    assert wrong == []


def test_one_flipped_byte_is_an_error_or_changes_no_count(tmp_path, good):
    path = tmp_path / "x_chat.toon"
    store = FileStore(tmp_path)
    for at in range(0, len(good), 37):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x80]) + good[at + 1 :])
        with pytest.raises(SessionCorruptedError):
            store.load("x")


def place_folder(path: Path) -> None:
    path.mkdir()


def place_full_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("kept")


def place_link(path: Path) -> None:
    target = path.parent / "target"
    save(FileStore(path.parent), "target", BASE)
    path.symlink_to(target.with_name("target_chat.toon"))


def place_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def place_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("place", [place_folder, place_full_folder, place_link, place_dangling, place_fifo])
def test_what_is_no_file(tmp_path, place):
    path = tmp_path / "x_chat.toon"
    place(path)
    kind = stat.S_IFMT(path.lstat().st_mode)
    refuse_everywhere(tmp_path)
    store = FileStore(tmp_path)
    (row,) = [row for row in store.list() if row.session_id == "x"]
    assert row.error and row.header is None and store.exists("x")
    assert stat.S_IFMT(path.lstat().st_mode) == kind
    entry = store.delete("x")
    assert entry is not None and not os.path.lexists(path)
    assert store.restore(entry.name) == "x"
    assert stat.S_IFMT(path.lstat().st_mode) == kind
    save(store, "y", BASE)
    assert opened_and_strict(tmp_path, "y") == BASE


@pytest.mark.parametrize(
    "data",
    [
        b'session_id: x\nversion: 999\ncreated_at: ""\nmetadata:\nmessages[1]:\n  - role: user\n',
        b'{"session_id": "x", "version": 999, "messages": []}',
        b"session_id: x\nversion: 999\nnew things <<\n",
        b'session_id: x\nversion: 2\ncreated_at: a\nmetadata:\nupdated_at: "2026-11-20T12:36:03.554Z"\n'
        b"messages[0]:        \n",
    ],
)
def test_a_future_version(tmp_path, data):
    path = tmp_path / "x_chat.toon"
    path.write_bytes(data)
    refuse_everywhere(tmp_path, SessionVersionError)
    with pytest.raises(SessionVersionError, match=r"made by a newer Scratchy \(version (999|2)\)"):
        FileStore(tmp_path).rename("x", "y")
    assert path.read_bytes() == data and [row.error != "" for row in FileStore(tmp_path).list()] == [True]


DOCUMENT = {"session_id": "x", "created_at": "2025-11-22T20:30:15Z", "own": {"a": [1]}, "messages": BASE}
FOREIGN = {
    "table": toon_format.dumps(DOCUMENT).encode(),
    "order": toon_format.dumps(dict(reversed(DOCUMENT.items()))).encode(),
    "list": b'session_id: x\nmessages[1]:\n  - role: user\n    content: "1"',
    "BOM": b"\xef\xbb\xbf" + toon_format.dumps(DOCUMENT).encode(),
    "CRLF": toon_format.dumps(DOCUMENT).replace("\n", "\r\n").encode(),
    "JSON": json.dumps(DOCUMENT, indent=2).encode(),
    "JSON compact": json.dumps(DOCUMENT).encode(),
    "JSON messages": json.dumps(BASE).encode(),
    "JSON BOM": b"\xef\xbb\xbf" + json.dumps(DOCUMENT).encode(),
    "ours, BOM": b"\xef\xbb\xbf" + encode_header(Header("x", START, START), len(BASE)) + encode_items(BASE),
    "JSON without role": b'{"messages": [{"content": [1, null]}]}',
    "empty list": b"session_id: x\nmessages: []\n",
    "odd content": b'{"messages": [{"role": "user", "content": 7}, {"role": "user", "content": null}]}',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_read_and_written_anew_once(tmp_path, name):
    data = FOREIGN[name]
    path = tmp_path / "x_chat.toon"
    path.write_bytes(data)
    store = FileStore(tmp_path)
    expected = BASE if b"second line" in data else store.load("x")[1]
    assert store.load("x")[1] == expected == store.tail("x", 50)[1]
    assert (store.header("x")[1], store.list()[0].error, path.read_bytes()) == (len(expected), "", data)
    writer = store.open("x")
    assert len(writer.notices) == 1 and writer.load() == expected
    writer.close()
    assert [found.read_bytes() for found in (tmp_path / ".trash").rglob("x_chat.toon")] == [data]
    inode = path.stat().st_ino
    save(store, "x", [NEXT])
    assert path.stat().st_ino == inode and opened_and_strict(tmp_path) == [*expected, NEXT]
    if b"own" in data:
        assert dict(store.load("x")[0].extra) == {"own": {"a": [1]}}
        assert store.load("x")[0].created_at == "2025-11-22T20:30:15Z"


def test_naive_local_times_of_older_files_become_utc(tmp_path):
    (tmp_path / "x_chat.toon").write_text('{"created_at": "2025-11-22T20:30:15", "messages": []}')
    created = FileStore(tmp_path).load("x")[0].created_at
    assert created.startswith("2025-11-2") and created.endswith("Z")


def test_garbage_dates_harm_nothing(tmp_path):
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    (tmp_path / "y_chat.toon").write_text('{"created_at": "baddate", "updated_at": "9999-99", "messages": []}')
    assert {row.session_id for row in store.list()} == {"x", "y"}
    store.open("y").close()
    assert store.load("y")[0].created_at == "baddate"


def test_plain_names_of_older_scratchy(tmp_path):
    (tmp_path / "MyProject_chat.toon").write_text(json.dumps({"session_id": "MyProject", "messages": BASE}))
    store = FileStore(tmp_path)
    assert store.load("MyProject")[1] == BASE
    assert [(row.session_id, row.foreign) for row in store.list()] == [("MyProject", False)]
    save(store, "MyProject", [NEXT])
    save(store, "myproject", BASE)
    assert store.load("MyProject")[1] == [*BASE, NEXT] and store.load("myproject")[1] == BASE
    assert store.delete("MyProject") is not None and not store.exists("MyProject")


def test_a_conflict_copy_is_foreign_and_never_merged(tmp_path):
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    copy = tmp_path / "x (conflict)_chat.toon"
    copy.write_bytes((tmp_path / "x_chat.toon").read_bytes())
    save(store, "x", [NEXT])
    assert sorted((row.session_id, row.foreign, row.count) for row in store.list()) == [
        ("x", False, 4),
        ("x (conflict)", True, 3),
    ]
    with pytest.raises(SessionNotFoundError):
        store.load("x (conflict)")
    assert store.load("x")[1] == [*BASE, NEXT]


def test_the_tail_after_a_power_cut_may_be_anything(tmp_path):
    save(FileStore(tmp_path), "x", BASE)
    path = tmp_path / "x_chat.toon"
    good = path.read_bytes()
    for tail in (b"\0", b"\0" * 5000, b"  - role: a\n\0\0\0", b"garbage", b"\n\n", b"  -", b"\xff" * 99, good):
        path.write_bytes(good + tail)
        store = FileStore(tmp_path)
        assert store.load("x")[1] == BASE == store.tail("x", 9)[1]
        writer = store.open("x")
        assert len(writer.notices) == 1
        writer.close()
        assert path.read_bytes() == good and tail in [kept.read_bytes() for kept in tmp_path.glob(".x.tail-*")]


def test_modes_whatever_the_umask(tmp_path):
    old = os.umask(0)
    try:
        for mask in (0, 0o777):
            os.umask(mask)
            folder = tmp_path / str(mask) / "deep" / "sessions"
            store = FileStore(folder)
            save(store, "x", BASE)
            writer = store.open("x")
            writer.replace([NEXT], "cleared")
            writer.edit(title="t")
            writer.close()
            store.delete("x")
            for path in [folder.parent.parent, folder.parent, folder, *folder.rglob("*")]:
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    finally:
        os.umask(old)


def test_a_file_that_changes_under_its_holder(tmp_path):
    store = FileStore(tmp_path)
    path = tmp_path / "x_chat.toon"
    save(store, "x", BASE)
    writer = store.open("x")

    def mended() -> None:
        writer.append([NEXT])
        expected.append(NEXT)
        assert len(writer.notices) == 1
        writer.notices.clear()
        assert store.load("x")[1] == expected

    expected = list(BASE)
    path.unlink()
    mended()
    path.rename(tmp_path / "away")
    path.write_text("something else")
    mended()
    with path.open("ab") as file:
        file.write(b"  - role: stranger\n")
    mended()
    assert len(store.trash()) == 2
    path.write_text("")
    with pytest.raises(SessionCorruptedError):
        writer.append([NEXT])
    writer.replace(expected, "replaced")
    assert store.load("x")[1] == expected
    tmp_path.rename(tmp_path.with_name("moved"))
    with pytest.raises(FileNotFoundError) as caught:
        writer.append([NEXT])
    assert caught.value.errno == errno.ENOENT and str(tmp_path) in str(caught.value) and not tmp_path.exists()
    tmp_path.with_name("moved").rename(tmp_path)
    writer.append([NEXT])
    writer.close()
    assert opened_and_strict(tmp_path) == [*expected, NEXT]


def test_a_file_overwritten_in_place_with_the_same_size(tmp_path):
    store = FileStore(tmp_path)
    path = tmp_path / "x_chat.toon"
    save(store, "x", BASE)
    writer = store.open("x")
    before, inode = path.read_bytes(), path.stat().st_ino

    def overwrite(data: bytes) -> None:
        with path.open("r+b") as file:
            file.write(data)
        os.utime(path, ns=(1, 1))  # a clock's step may be longer than this test
        assert (path.stat().st_size, path.stat().st_ino) == (len(data), inode)

    overwrite(before)
    writer.append([NEXT])
    assert writer.notices == [] and path.stat().st_ino == inode and store.load("x")[1] == [*BASE, NEXT]
    os.utime(path, ns=(1, 1))
    writer.append([NEXT])
    assert writer.notices == [] and path.stat().st_ino == inode and store.load("x")[1] == [*BASE, NEXT, NEXT]
    garbage = b"garbage\n" * 999
    overwrite(garbage[: path.stat().st_size])
    with pytest.raises(SessionCorruptedError, match="overwritten by another program"):
        writer.append([NEXT])
    assert len(writer.notices) == 1 and len(store.trash()) == 1
    writer.replace(BASE, "replaced")
    writer.close()
    assert opened_and_strict(tmp_path) == BASE
