"""What a file tool changes is kept first and told: old bytes, new hash, mode; and what is told when it cannot be."""

import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toolbench import call, collect, failure, make_tools, output, run

from scratchy.core.ports import Ask
from scratchy.scratchpad import DAY, Scratchpad
from scratchy.tools.putback import LARGEST, put, standing
from scratchy.tools.snapshots import MOST_BYTES, MOST_FILES, survey


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


@pytest.fixture
def pad(tmp_path: Path) -> Scratchpad:
    return Scratchpad(tmp_path / "blobs")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def preview(tools, name, **arguments) -> str:
    asked = tools.check(call(name, **arguments))
    assert isinstance(asked, Ask), asked
    return asked.preview


CONTENTS = [b"", b"plain\n", b"one\r\ntwo\r\n", b"gr\xfc\xdfe\n", b"\xef\xbb\xbfbom", "a 𝄞 b\n".encode()]


@pytest.mark.parametrize("old", CONTENTS)
def test_an_edit_and_an_overwrite_tell_old_and_new(work: Path, pad: Scratchpad, old: bytes):
    tools = make_tools(work, pad)
    path = work / "ä b.txt"
    path.write_bytes(old)
    path.chmod(0o640)
    result = run(tools, "create_file", file_path="ä b.txt", content="new\n", overwrite=True)
    assert result.files == [{"path": str(path), "before": hashed(old), "after": hashed(b"new\n"), "mode": 0o640}]
    assert pad.content(hashed(old)) == old and path.read_bytes() == b"new\n"
    result = run(tools, "edit_file", file_path="ä b.txt", old_text="new", new_text="newer")
    assert [one["before"] for one in result.files] == [hashed(b"new\n")]
    assert [one["after"] for one in result.files] == [hashed(b"newer\n")]
    assert {row["type"] for row in pad.list()} == {"snapshot"}


def test_a_new_file_has_no_before(work: Path, pad: Scratchpad):
    result = run(make_tools(work, pad), "create_file", file_path="d/new", content="x")
    assert result.files == [{"path": str(work / "d/new"), "before": None, "after": hashed(b"x"), "mode": None}]
    assert pad.list() == []


def test_a_binary_file_that_is_replaced_is_kept_whole(work: Path, pad: Scratchpad):
    old = os.urandom(4096) + b"\0"
    (work / "b").write_bytes(old)
    run(make_tools(work, pad), "create_file", file_path="b", content="text", overwrite=True)
    assert pad.content(hashed(old)) == old


def test_a_deleted_folder_tells_each_of_its_files(work: Path, pad: Scratchpad):
    (work / "d/e").mkdir(parents=True)
    (work / "d/one").write_bytes(b"1")
    (work / "d/e/two").write_bytes(b"2")
    (work / "d/e/two").chmod(0o755)
    (work / "d/link").symlink_to("one")
    os.mkfifo(work / "d/fifo")
    tools = make_tools(work, pad)
    assert "cannot bring back 2 of them" in preview(tools, "delete_file", file_path="d", recursive=True)
    result = run(tools, "delete_file", file_path="d", recursive=True)
    told = {one["path"]: (one["before"], one["after"], (one["mode"] or 0) & 0o111) for one in result.files}
    assert told == {str(work / "d/e/two"): (hashed(b"2"), None, 0o111), str(work / "d/one"): (hashed(b"1"), None, 0)}
    assert not (work / "d").exists() and pad.content(hashed(b"2")) == b"2"


def test_a_deleted_link_is_not_kept_and_that_is_said(work: Path, pad: Scratchpad):
    (work / "real").write_text("x")
    (work / "link").symlink_to("real")
    os.mkfifo(work / "fifo")
    tools = make_tools(work, pad)
    for name in ("link", "fifo"):
        assert "cannot be undone by /rewind" in preview(tools, "delete_file", file_path=name)
        assert run(tools, "delete_file", file_path=name).files == []
    assert "undone" not in preview(tools, "delete_file", file_path="real")


def test_what_is_too_big_is_not_kept_and_that_is_said(work: Path, pad: Scratchpad):
    with (work / "big").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    (work / "many").mkdir()
    for number in range(MOST_FILES + 1):
        (work / "many" / str(number)).touch()
    tools = make_tools(work, pad)
    assert "cannot be undone by /rewind: more than 50 MB" in preview(tools, "delete_file", file_path="big")
    assert "more than 1000 files" in preview(tools, "delete_file", file_path="many", recursive=True)
    for name in ("big", "many"):
        assert run(tools, "delete_file", file_path=name, recursive=True).files == []
    assert not (work / "big").exists() and not (work / "many").exists() and pad.list() == []


def test_what_cannot_be_restored_is_said_before(work: Path, pad: Scratchpad, tmp_path: Path):
    (tmp_path / "outside").write_text("x")
    (work / "inside").write_text("x")
    tools = make_tools(work, pad)
    edit = {"old_text": "x", "new_text": "y"}
    assert "outside" in preview(tools, "edit_file", file_path=str(tmp_path / "outside"), **edit).splitlines()[-1]
    assert "undone" not in preview(tools, "edit_file", file_path="inside", **edit)
    assert "undone" not in preview(tools, "create_file", file_path="new", content="x")
    assert "undone" not in preview(
        make_tools(work, pad, add_dirs=[tmp_path]), "edit_file", file_path="../outside", **edit
    )
    bare = make_tools(work)
    assert preview(bare, "edit_file", file_path="inside", **edit).endswith("keeps no old versions of files.")
    assert run(bare, "edit_file", file_path="inside", **edit).files == []
    assert run(tools, "edit_file", file_path=str(tmp_path / "outside"), **edit).files  # kept all the same


def test_a_name_that_is_no_utf8_is_not_kept_and_that_is_said(work: Path, pad: Scratchpad):
    (work / "d").mkdir()
    (work / "d" / os.fsdecode(b"\xff")).write_text("x")
    (work / "d/good").write_text("y")
    tools = make_tools(work, pad)
    assert "cannot bring back 1 of them" in preview(tools, "delete_file", file_path="d", recursive=True)
    assert [one["path"] for one in run(tools, "delete_file", file_path="d", recursive=True).files] == [
        str(work / "d/good")
    ]
    assert "not UTF-8" in preview(tools, "create_file", file_path="\udcfe", content="x")
    assert run(tools, "create_file", file_path="\udcfe", content="x").files == []
    assert (work / os.fsdecode(b"\xfe")).read_text() == "x"


def test_nothing_is_changed_that_could_not_be_kept(work: Path, tmp_path: Path):
    (tmp_path / "blobs").write_text("a file where the folder should be")
    tools = make_tools(work, Scratchpad(tmp_path / "blobs"))
    (work / "a").write_text("old")
    assert "Nothing was changed" in failure(tools, "edit_file", file_path="a", old_text="old", new_text="new")
    assert "Nothing was deleted" in failure(tools, "delete_file", file_path="a")
    assert (work / "a").read_text() == "old"
    output(tools, "create_file", file_path="new", content="x")  # a new file needs no blob


def test_a_failed_write_tells_no_change(work: Path, pad: Scratchpad):
    (work / "file").write_text("x")
    result = run(make_tools(work, pad), "create_file", file_path="file/below", content="x")
    assert result.is_error and not result.files


def test_a_result_carries_its_files_through_the_toolset_even_when_its_output_is_clipped(work: Path, tmp_path: Path):
    pad = Scratchpad(tmp_path / "blobs", threshold=10)
    (work / "a").write_text("old")
    _, result = asyncio.run(collect(make_tools(work, pad), call("delete_file", file_path="a")))
    assert "kept in the scratchpad" in result.output and len(result.files) == 1


def test_a_full_disk_leaves_the_old_file(work: Path, tmp_path: Path):
    """As in the stores' tests: a limit on the size of files stands for a disk that takes no more."""
    program = """
import asyncio, resource, signal, sys
sys.path[:0] = [sys.argv[3]]
from pathlib import Path
from toolbench import make_tools, run
from scratchy.scratchpad import Scratchpad
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tools = make_tools(Path(sys.argv[1]), Scratchpad(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for name, more in (("edit_file", {"old_text": "a", "new_text": "b"}), ("delete_file", {})):
    result = run(tools, name, file_path="a", **more)
    print(result.is_error, list(result.files), result.output)
"""
    (work / "a").write_text("a" + "x" * 5000)
    done = subprocess.run(
        [sys.executable, "-c", program, str(work), str(tmp_path / "blobs"), str(Path(__file__).parent)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.startswith("True [] Nothing was ") for line in lines), done.stdout
    assert os.strerror(errno.EFBIG) in lines[0]
    assert (work / "a").read_text() == "a" + "x" * 5000


FAILING = """
import errno, os, sys
sys.path[:0] = [sys.argv[3]]
from pathlib import Path
from toolbench import make_tools, run
from scratchy.scratchpad import Scratchpad
work = Path(sys.argv[1])
left = [2]
def fail(event, arguments):
    if event == "open" and str(arguments[0]) == "." or event == "os.remove" and not left[0]:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(arguments[0]))
    left[0] -= event == "os.remove"
tools = make_tools(work, Scratchpad(sys.argv[2]))
sys.addaudithook(fail)
for result in (run(tools, "edit_file", file_path="a", old_text="old", new_text="new"),
               run(tools, "delete_file", file_path="d", recursive=True)):
    print(result.is_error, len(result.files), result.output)
"""


def test_what_was_done_is_told_where_the_rest_failed(work: Path, tmp_path: Path):
    """The name of a written file cannot be synced; of five files only two can be deleted."""
    here = Path(__file__)
    (work / "a").write_text("old")
    (work / "d").mkdir()
    for number in range(5):
        (work / "d" / str(number)).write_text(f"file {number}")
    done = subprocess.run(
        [sys.executable, "-c", FAILING, str(work), str(tmp_path / "blobs"), str(here.parent)],
        env=os.environ | {"PYTHONPATH": str(here.parents[2])}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    edited, deleted = done.stdout.splitlines()
    assert edited.startswith("False 1 Edited") and "power cut" in edited and (work / "a").read_text() == "new"
    assert deleted.startswith("True 2 Deleted only a part of") and len(list((work / "d").iterdir())) == 3


KILLED = """
import os, sys
sys.path[:0] = [sys.argv[2]]
from pathlib import Path
from toolbench import make_tools, run
from scratchy.scratchpad import Scratchpad

NAMES = ("os.rename", "os.remove", "os.mkdir", "os.chmod", "os.truncate")

def child(folder, step):
    work, left = folder / "work", [step]
    def count(event, arguments):
        if event in NAMES or (event == "open" and str(folder) in str(arguments[0])):
            left[0] -= 1
            if not left[0]:
                os._exit(9)
    work.mkdir(parents=True)
    for name in ("edit_file", "delete_file"):
        (work / name).write_text(f"old {name}")
    tools = make_tools(work, Scratchpad(folder / "blobs"))
    sys.addaudithook(count)
    assert not run(tools, "edit_file", file_path="edit_file", old_text="old", new_text="new").is_error
    assert not run(tools, "delete_file", file_path="delete_file").is_error

for step in range(1, 200):
    pid = os.fork()
    if not pid:
        child(Path(sys.argv[1]) / str(step), step)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 9:
        break
print(step)
"""


def test_killed_at_any_step_the_old_bytes_are_in_their_place_or_in_a_blob(tmp_path: Path):
    """At each call that opens a file or changes a name, the process ends as by SIGKILL."""
    here = Path(__file__)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(here.parent)],
        env=os.environ | {"PYTHONPATH": str(here.parents[2])}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    steps = int(done.stdout)
    assert 10 < steps < 199 and not done.stderr
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        for name in ("edit_file", "delete_file"):
            path, old = folder / "work" / name, f"old {name}".encode()
            there = path.read_bytes() if path.exists() else None
            if there != old:
                assert there in (None, f"new {name}".encode())
                assert Scratchpad(folder / "blobs").content(hashed(old)) == old
    assert not (tmp_path / str(steps) / "work/delete_file").exists()


def test_interrupted_while_it_is_kept_nothing_is_deleted(work: Path, pad: Scratchpad):
    (work / "d").mkdir()
    for number in range(400):
        (work / "d" / str(number)).write_text(f"file {number}")
    tools = make_tools(work, pad)

    async def main() -> None:
        deleting = asyncio.ensure_future(collect(tools, call("delete_file", file_path="d", recursive=True)))
        while not pad.stats()["entries"]:
            await asyncio.sleep(0)
        deleting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deleting

    asyncio.run(main())  # waits for the thread
    assert len(list((work / "d").iterdir())) == 400 and pad.stats()["entries"] < 400


def test_surveying_counts_without_following_links(work: Path):
    (work / "d/e").mkdir(parents=True)
    (work / "d/e/f").write_text("123")
    (work / "d/way").symlink_to("/")
    found = survey(work / "d")
    assert (found.files, found.size, found.left, found.entries) == ([work / "d/e/f"], 3, 1, 3)
    assert survey(work / "d/e/f").entries == 0


@pytest.mark.parametrize("then", [b"then", None])
def test_who_writes_while_a_file_is_put_back_wins(work: Path, then: bytes | None):
    """At the last moment: after it was looked at, before it is replaced."""
    path = work / "a"
    path.write_bytes(b"agent")
    kept: list[bytes] = []

    def keep(data: bytes) -> None:
        kept.append(data)
        path.unlink()
        path.write_bytes(b"person")

    assert put(str(path), [work], hashed(b"agent"), then, 0o600, keep) == "changed"
    assert path.read_bytes() == b"person" and kept == [b"agent"] and [p.name for p in work.iterdir()] == ["a"]


def test_who_makes_a_file_while_it_is_put_back_wins(work: Path):
    assert put(str(work / "d/a"), [work], None, b"then", 0o640, lambda _: None) == ""
    assert (work / "d/a").read_bytes() == b"then" and (work / "d/a").stat().st_mode & 0o777 == 0o640
    assert put(str(work / "d/a"), [work], None, b"other", None, lambda _: None) == "changed"
    assert (work / "d/a").read_bytes() == b"then"


def test_setuid_is_not_given_back(work: Path):
    assert put(str(work / "a"), [work], None, b"then", 0o4755, lambda _: None) == ""
    assert (work / "a").stat().st_mode & 0o7777 == 0o755


def test_a_file_too_large_to_be_a_tools_is_not_read(work: Path):
    with (work / "big").open("wb") as file:
        file.truncate(LARGEST + 1)
    assert standing(str(work / "big"), [work]).kind == "changed"


def test_snapshots_are_found_by_id_and_checked(pad: Scratchpad):
    entry = pad.keep(b"\xff\0data", "edit_file")
    assert pad.content(entry) == b"\xff\0data" and entry == hashed(b"\xff\0data")
    with pytest.raises(LookupError):
        pad.read(entry)
    with pytest.raises(LookupError):
        pad.content("0" * 32)
    (pad.directory / entry).write_bytes(b"\xff\0dat!")
    with pytest.raises(LookupError):
        pad.content(entry)
    assert pad.keep(b"\xff\0data") == entry and pad.content(entry) == b"\xff\0data"  # mended


def test_a_young_snapshot_is_never_pruned(pad: Scratchpad):
    young, old = pad.keep(b"young"), pad.keep(b"old")
    yesterday = time.time() - DAY - 60
    os.utime(pad.directory / old, (yesterday, yesterday))
    assert pad.prune(max_age=0, max_bytes=0) == 1 and pad.content(young) == b"young"
    with pytest.raises(LookupError):
        pad.content(old)


def test_the_same_bytes_as_output_and_as_snapshot_are_kept_as_snapshot(tmp_path: Path):
    pad = Scratchpad(tmp_path / "blobs", threshold=1)
    pad.maybe_store("tool", "the bytes")
    entry = pad.keep(b"the bytes", "edit_file")
    pad.maybe_store("tool", "the bytes")
    assert [(row["id"], row["type"]) for row in pad.list()] == [(entry, "snapshot")]
    assert pad.prune(max_bytes=0) == 0 and pad.read(entry) == "the bytes"
