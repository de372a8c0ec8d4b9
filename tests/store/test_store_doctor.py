"""The doctor: each kind of damage is named and repaired into a copy of all good messages, the old file kept whole."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_kit import BASE, FaultyDisk, Killed, new, opened_and_strict, save
from test_store_damage import MANY, damages

from scratchy.core.errors import SessionLockedError, SessionNotFoundError
from scratchy.core.findings import Finding
from scratchy.store.disk import Disk
from scratchy.store.doctor import Doctor
from scratchy.store.files import FileStore, utc_now
from scratchy.store.place import Place
from scratchy.store.salvage import Gap, salvage
from scratchy.store.surroundings import REMOTE, look_around, make_all_private
from scratchy.store.toonfile import encode_items
from scratchy.system import file_system


def place(folder: Path, disk: Disk | None = None) -> Place:
    return Place(str(folder), disk or Disk(), utc_now)


def doctor(folder: Path, disk: Disk | None = None) -> Doctor:
    return Doctor(place(folder, disk))


def check(folder: Path, *ids: str) -> list[Finding]:
    return list(doctor(folder).check(ids or None))


def around(folder: Path) -> dict[str, Finding]:
    return {finding.kind: finding for finding in look_around(place(folder))}


def tree(folder: Path) -> dict[str, bytes]:
    """All files but locks, which no content stands in."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock"
    }


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("good")
    save(FileStore(folder), "x", MANY)
    return (folder / "x_chat.toon").read_bytes()


def write(folder: Path, data: bytes, name: str = "x") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}_chat.toon"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def whole_in(data: bytes) -> list[dict]:
    """Those of the thirty that lie whole in these bytes."""
    return [message for message in MANY if encode_items([message]) in data]


def test_each_damaged_file_is_named_kept_and_repaired(tmp_path, good):
    repaired = 0
    for number, (name, data) in enumerate(damages(good).items()):
        folder = tmp_path / str(number)
        path = write(folder, data)
        before = tree(folder)
        found = check(folder)
        assert tree(folder) == before, f"{name}: a check changed something"
        if name == "another id":
            assert [finding.kind for finding in found] == ["foreign"]
            continue
        (damage,) = [finding for finding in found if finding.problem]
        assert (damage.kind, damage.session_id, damage.path) == ("damaged", "x", str(path)), name
        assert damage.offset is not None and 0 <= damage.offset <= len(data), name
        if not damage.mendable:
            assert not whole_in(data), f"{name}: nothing is saved of {len(whole_in(data))} messages"
            continue
        mended = doctor(folder).mend(damage)
        store = FileStore(folder)
        (entry,) = store.trash()
        assert (entry.reason, (folder / ".trash" / entry.name / "x_chat.toon").read_bytes()) == ("repaired", data), name
        assert entry.name in mended.mended
        assert check(folder) == [], name
        messages = opened_and_strict(folder)
        assert messages == store.load("x")[1] and messages, name
        if name not in ("list cut", "table cut"):  # which hold others
            assert messages == whole_in(data), name
        repaired += 1
    assert repaired > 25


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("counts more", 30), ("counts many", 30), ("counts none", 30), ("version text", 30), ("version zero", 30),
        ("metadata text", 30), ("created number", 30), ("key twice", 30), ("torn line", 29), ("not UTF-8", 29),
        ("open quote", 29), ("cut by 1", 29), ("list cut", 1), ("table cut", 2), ("no colon", 29),
    ],
)  # fmt: skip
def test_how_much_of_a_damaged_file_is_kept(tmp_path, good, name, kept):
    path = write(tmp_path, damages(good)[name])
    (damage,) = check(tmp_path)
    doctor(tmp_path).mend(damage)
    header, messages = FileStore(tmp_path).load("x")
    assert len(messages) == kept
    assert header.created_at[:4].isdigit() and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_decodes_of_a_torn_header_is_kept(tmp_path):
    save(FileStore(tmp_path), "x", BASE)
    writer = FileStore(tmp_path).open("x")
    writer.edit(title="A title", metadata={"tags": ["a"], "own": {"deep": 1}})
    writer.close()
    path = tmp_path / "x_chat.toon"
    path.write_bytes(path.read_bytes().replace(b"version: 1", b'version: "'))
    created = FileStore(tmp_path)
    (damage,) = check(tmp_path)
    doctor(tmp_path).mend(damage)
    header, messages = created.load("x")
    assert (header.title, dict(header.metadata)) == ("A title", {"tags": ["a"], "own": {"deep": 1}})
    assert messages == BASE


def test_json_that_is_cut_gives_the_messages_before_the_cut(tmp_path):
    text = b'{"session_id": "x", "title": "T", "messages": [{"role": "user", "content": "a"}, {"role": "assis'
    write(tmp_path, text)
    (damage,) = check(tmp_path)
    doctor(tmp_path).mend(damage)
    header, messages = FileStore(tmp_path).load("x")
    assert (header.title, messages) == ("T", [{"role": "user", "content": "a"}])


def test_a_hole_longer_than_what_is_read_at_once(tmp_path, good):
    at = good.index(b'  - role: user\n    content: "number 12:')
    path = write(tmp_path, good[:at] + bytes(5 << 20) + good[at:])
    handle = os.open(path, os.O_RDONLY)
    saved = salvage(Disk(), handle)
    os.close(handle)
    assert saved.kept == 28 and [type(gap) for gap in saved.gaps] == [Gap]
    (damage,) = check(tmp_path)
    doctor(tmp_path).mend(damage)
    assert opened_and_strict(tmp_path) == [*MANY[:11], *MANY[13:]][:28]


def test_what_no_copy_can_be_made_of_is_left_alone(tmp_path):
    for number, data in enumerate((b"", bytes(9000), b"Dear diary,\n  - no message\n", b"7", b'{"session_id": "x"}')):
        path = write(tmp_path / str(number), data)
        (damage,) = check(tmp_path / str(number))
        assert damage.problem and not damage.mendable and "`scratchy session delete x`" in damage.advice
        assert path.read_bytes() == data


def test_what_is_no_file_is_a_problem_and_not_opened(tmp_path):
    (tmp_path / "folder_chat.toon").mkdir()
    os.mkfifo(tmp_path / "fifo_chat.toon")
    (tmp_path / "link_chat.toon").symlink_to("/etc/passwd")
    found = {finding.session_id: finding.text for finding in check(tmp_path)}
    assert {name: "stands in the place" in text for name, text in found.items()} == dict.fromkeys(
        ("folder", "fifo", "link"), True
    )


def test_future_foreign_and_tails_are_notes(tmp_path, good):
    write(tmp_path, good + b"  - role: us")
    write(tmp_path, b"session_id: new\nversion: 999\nmessages[0]:\n", "new")
    write(tmp_path, good, "x (conflict)")
    write(tmp_path, good, "x (1)")
    found = check(tmp_path)
    assert sorted((finding.kind, finding.problem) for finding in found) == [
        ("foreign", False), ("foreign", False), ("future", False), ("tail", False),
    ]  # fmt: skip


def test_what_a_transcript_refers_to(tmp_path):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    gone, there = "0" * 32, "1" * 32
    (tmp_path / ".blobs").mkdir(0o700)
    (tmp_path / ".blobs" / there).write_text("kept")
    messages = [
        {"role": "user", "content": f"[kept in the scratchpad as {gone}. …kept in the scratchpad as {there}."},
        {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "c2"}]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "tool", "tool_call_id": "c9", "content": "of nobody", "files": [{"path": "/p", "before": "2" * 32}]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "blob:" + "3" * 32}}]},
    ]
    store = FileStore(tmp_path)
    save(store, "x", messages)
    writer = store.open("x")
    writer.edit(metadata={"parent": {"id": "nobody", "at": 3}, "rewind": {"entry": "20200101T000000.000Z-x", "at": 2}})
    writer.close()
    found = {finding.kind: finding for finding in check(tmp_path)}
    assert set(found) == {"transcript", "blob", "parent", "rewind"}
    assert not any(finding.problem for finding in found.values())
    assert found["transcript"].text == "1 unanswered tool call, 1 stray tool result, 1 empty answer"
    assert found["blob"].text.startswith("3 ") and there not in found["blob"].text


def test_a_parent_that_was_renamed_or_deleted_is_not_lost(tmp_path):
    store = FileStore(tmp_path)
    for number, parent in enumerate(("renamed", "deleted", "living")):
        save(store, parent, BASE)
        save(store, f"child{number}", BASE)
        writer = store.open(f"child{number}")
        writer.edit(metadata={"parent": {"id": parent, "at": 1}})
        writer.close()
    store.rename("renamed", "renamed2")
    store.delete("deleted")
    assert check(tmp_path) == []


# -- repair, and who holds the session

HOLDER = """
import sys
from scratchy.store.files import FileStore
writer = FileStore(sys.argv[1]).open("x")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_held_session_is_named_and_left_alone(tmp_path, good):
    path = write(tmp_path, good)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        path.write_bytes(good.replace(b"messages[30]:", b"messages[31]:"))
        (damage,) = check(tmp_path)
        assert damage.problem and not damage.mendable and f"process {holder.pid}" in damage.advice
        assert str(holder.pid) in around(tmp_path)["held"].text
        with pytest.raises(SessionLockedError) as caught:
            doctor(tmp_path).mend(damage)
        assert caught.value.pid == holder.pid and FileStore(tmp_path).trash() == []
        holder.send_signal(signal.SIGSTOP)
        os.waitpid(holder.pid, os.WUNTRACED)
        assert "stopped" in around(tmp_path)["held"].text and f"kill -CONT {holder.pid}" in check(tmp_path)[0].advice
    finally:
        holder.kill()
        holder.communicate()
    (damage,) = check(tmp_path)
    assert damage.mendable and "held" not in around(tmp_path)


def test_what_this_process_has_open_is_left_alone(tmp_path, good):
    path = write(tmp_path, good)
    writer = FileStore(tmp_path).open("x")
    path.write_bytes(good.replace(b"messages[30]:", b"messages[31]:"))
    (damage,) = check(tmp_path)
    with pytest.raises(SessionLockedError, match="open in this window"):
        doctor(tmp_path).mend(damage)
    writer.close()
    assert "kept 30" in doctor(tmp_path).mend(damage).mended
    assert doctor(tmp_path).mend(damage).mended == "it is whole by now"
    (tmp_path / "x_chat.toon").unlink()
    with pytest.raises(SessionNotFoundError):
        doctor(tmp_path).mend(damage)


@pytest.mark.parametrize("error", [0, errno.EIO, errno.ENOSPC], ids=["killed", "EIO", "ENOSPC"])
def test_a_repair_that_is_cut_short_loses_nothing_and_can_be_done_again(tmp_path, good, error):
    data = good.replace(b'\n    content: "number 7', b'\n   content: "number 7')
    for at in range(1, 100):
        folder = tmp_path / str(at)
        path = write(folder, data)
        (damage,) = check(folder)
        disk = FaultyDisk()
        repair = doctor(folder, disk)
        disk.arm(at, error)
        try:
            repair.mend(damage)
            cut = False
        except (Killed, OSError):
            cut = True
        reached = disk.reached
        kept = [entry.read_bytes() for entry in folder.glob(".trash/*/x_chat.toon")]
        assert path.read_bytes() == data or data in kept, at
        for finding in check(folder):
            doctor(folder).mend(finding)
        assert opened_and_strict(folder) == [*MANY[:7], *MANY[8:]], at
        assert data in [entry.read_bytes() for entry in folder.glob(".trash/*/x_chat.toon")], at
        if not reached:
            assert not cut
            return
    pytest.fail("a repair has no end")


FIXER = """
import sys
sys.argv = ["scratchy", "doctor", "--fix", "--yes", "--sessions-dir", sys.argv[1]]
from scratchy.cli import main
print("go", flush=True)
main()
"""


def test_kills_in_the_middle_of_a_fix(tmp_path, good):
    chance = random.Random(3)
    data = good.replace(b'\n    content: "number 7', b'\n   content: "number 7')
    ids = [f"s{number}" for number in range(40)]
    for session_id in ids:
        write(tmp_path, data.replace(b"session_id: x", f"session_id: {session_id}".encode()), session_id)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*_chat.toon")}
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{FIXER}"
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        time.sleep(chance.uniform(0, 0.4))
        process.kill()
        process.communicate()
        for name, old in before.items():
            assert old in [(tmp_path / name).read_bytes(), *(p.read_bytes() for p in tmp_path.glob(f".trash/*/{name}"))]
    for finding in check(tmp_path):
        doctor(tmp_path).mend(finding)
    store = FileStore(tmp_path)
    assert all(store.load(session_id)[1] == [*MANY[:7], *MANY[8:]] for session_id in ids)


PEAKS = """
import sys
from scratchy.store.disk import Disk
from scratchy.store.doctor import Doctor
from scratchy.store.files import utc_now
from scratchy.store.place import Place

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

for folder in sys.argv[1:]:
    doctor = Doctor(Place(folder, Disk(), utc_now))
    for finding in list(doctor.check()):
        doctor.mend(finding)
    print(peak())
"""


def test_memory_does_not_grow_with_the_session(tmp_path, good):
    body = good[good.index(b"  - ") :]
    times = (40 << 20) // len(body)
    large = good.replace(b"messages[30]:       ", f"messages[{30 * times}]:".ljust(20).encode())[: -len(body)]
    write(tmp_path / "small", damages(good)["torn line"])
    write(tmp_path / "large", large + body * times)
    write(tmp_path / "torn", large + body * (times // 2) + b"garbage\n" + body * (times // 2))
    folders = [str(tmp_path / name) for name in ("small", "large", "torn")]
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{PEAKS}"
    done = subprocess.run([sys.executable, "-c", program, *folders], capture_output=True, text=True, check=True)
    small, *others = map(int, done.stdout.split())
    assert max(others) - small < 20_000, done.stdout  # kilobytes; each file has 40,000
    assert FileStore(tmp_path / "large").trash() == [] and check(tmp_path / "torn") == []
    assert FileStore(tmp_path / "torn").header("x")[1] == 30 * (times // 2 * 2) - 1


# -- what lies around sessions


def test_a_good_folder_has_no_findings(tmp_path):
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    store.delete("x")
    save(store, "x", BASE)
    assert check(tmp_path) == [] and around(tmp_path).keys() <= {"space", "network"}
    assert list(look_around(place(tmp_path / "missing"))) == [] == check(tmp_path / "missing")


def test_modes_are_told_once_and_mended(tmp_path):
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    store.delete("x")
    save(store, "x", BASE)
    loose = [path for path in (*tmp_path.rglob("*"),) if not path.is_symlink()]
    for path in loose:
        path.chmod(0o755 if path.is_dir() else 0o644)
    finding = around(tmp_path)["modes"]
    assert finding.problem and finding.mendable and f"and {len(loose) - 1} more" in finding.text
    assert {found.kind for found in check(tmp_path, "x")} == {"mode"}
    assert make_all_private(place(tmp_path)) == len(loose)
    assert "modes" not in around(tmp_path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in loose} == {0o600, 0o700}
    tmp_path.chmod(0o777)
    assert around(tmp_path)["mode"].problem
    tmp_path.chmod(0o700)


def test_strays_copies_trash_and_index(tmp_path):
    save(FileStore(tmp_path), "x", BASE)
    for name in (
        ".gone.draft", ".gone.tail-123", ".gone.lock", ".x.tmp", "gone_transcript.jsonl", "x_chat (conflict 2).toon",
        "x_chat.sync-conflict-20260101-120000-ABCDEFG.toon", "x_chat (somebody's conflicted copy 2026-01-01).toon",
        ".x.draft", "x_events.jsonl",
    ):  # fmt: skip
        (tmp_path / name).touch(0o600)
    (tmp_path / ".trash").mkdir(0o700)
    (tmp_path / ".trash" / "20200101T000000.000Z-y").mkdir(0o700)
    (tmp_path / ".index.sqlite").write_bytes(b"no database " * 99)
    (tmp_path / ".index.sqlite").chmod(0o600)
    found = list(look_around(place(tmp_path)))
    strays = " ".join(finding.text for finding in found if finding.kind == "stray")
    assert all(name in strays for name in (".gone.draft", ".gone.tail-123", ".gone.lock", ".x.tmp", "gone_transcript"))
    assert ".x.draft" not in strays and "x_events" not in strays
    assert sum(finding.kind == "copy" for finding in found) == 3
    assert {"copy", "trash", "index"} <= {finding.kind for finding in found}
    assert not any(finding.problem for finding in found)


def test_the_wrong_ids_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SessionNotFoundError):
        check(tmp_path, "nobody")
    with pytest.raises(ValueError, match="must not be empty"):
        check(tmp_path, "")
    assert list(tmp_path.iterdir()) == [] and new("x").session_id == "x"


WRITER = """
import sys
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
store = FileStore(sys.argv[1])
number = 0
while True:
    writer = store.open("x", create=Header("x", "", ""))
    for _ in range(20):
        number += 1
        writer.append([{"role": "user", "content": f"{number} " + "z" * (number * 131 % 9000)}])
        if number % 7 == 0:
            writer.edit(title=f"title {number}")
        if number % 31 == 0:
            writer.cut(writer.count // 2)
    writer.close()
    if number == 40:
        print("go", flush=True)
"""


def test_a_check_beside_a_live_writer_finds_no_problem(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == b"go\n"
        for _ in range(400):
            assert [finding for finding in check(tmp_path) if finding.problem] == []
    finally:
        writer.kill()
        writer.communicate()


def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(tmp_path):
    if Path("/proc/self/mounts").exists():
        assert file_system("/proc/self") == "proc" and file_system(str(tmp_path))
    assert all(REMOTE.match(kind) for kind in ("nfs4", "cifs", "smb3", "fuse.sshfs", "9p"))
    assert not any(REMOTE.match(kind) for kind in ("ext4", "btrfs", "tmpfs", "overlay", "fuse.ntfs-3g", ""))
