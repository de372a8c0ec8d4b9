"""Files after a rewind: what the agent's tools changed goes back, what anybody else touched stays as it is."""

import errno
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sessionbench import calling
from toolbench import make_tools, run

from scratchy.core.messages import Message
from scratchy.core.session import INTERRUPTED, result
from scratchy.scratchpad import Scratchpad, content_id
from scratchy.sessions.restoring import Plan, apply, net_changes, plan, written_here

NOBODY = 65534


class Bench:
    """A working folder, the tools over it, and the messages that their calls left."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self.pad = Scratchpad(folder / "blobs")
        self.folders = [self.work.resolve()]
        self.tools = make_tools(self.work, self.pad, mode=lambda: "yolo")
        self.messages: list[Message] = []

    def call(self, name: str, **arguments: Any) -> None:
        done = run(self.tools, name, **arguments)
        call_id = f"c{len(self.messages)}"
        answer = result(call_id, name, done.output, is_error=done.is_error)
        if done.files:
            answer["files"] = list(done.files)
        self.messages += [calling(name, arguments, call_id), answer]  # type: ignore[list-item]

    def write(self, name: str, text: str) -> None:
        self.call("create_file", file_path=name, content=text, overwrite=True)

    def plan(self, at: int = 0, **more: Any) -> Plan:
        return plan(self.messages[at:], self.pad, self.folders, **more)

    def restore(self, at: int = 0, **more: Any) -> list[tuple[str, str]]:
        return apply(self.plan(at, **more), self.pad, self.folders)

    def states(self) -> dict[str, str]:
        return {os.path.relpath(file.path, self.work): file.state for file in self.plan().files}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# -- any sequence

NAMES = ("a", "b/x", "b/ü y", "c")
TEXTS = ("", "one\n", "one\r\ntwo\r\n", "two", "grüße 𝄞 one\n")
BYTES = (*(text.encode() for text in TEXTS), b"gr\xfc\xdfe one\n", b"\0binary one")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
        st.tuples(st.just("edit"), st.sampled_from(NAMES), st.sampled_from(["1", "one one"])),
        st.tuples(st.just("delete"), st.sampled_from([*NAMES, "b"]), st.just("")),
        st.tuples(st.just("others write"), st.sampled_from(NAMES), st.sampled_from(BYTES)),
        st.tuples(st.just("others delete"), st.sampled_from(NAMES), st.just("")),
    ),
    max_size=9,
)


class File(NamedTuple):
    data: bytes
    mode: int


Tree = dict[str, File]


def tree(folder: Path) -> Tree:
    return {
        path.relative_to(folder).as_posix(): File(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.is_file()
    }


def step(bench: Bench, kind: str, name: str, what: Any) -> None:
    path = bench.work / name
    match kind:
        case "write":
            bench.write(name, what)
        case "edit":
            bench.call("edit_file", file_path=name, old_text="one", new_text=what, replace_all=True)
        case "delete":
            bench.call("delete_file", file_path=name, recursive=True)
        case "others write":
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(what)
            path.chmod(0o750 if len(what) % 2 else 0o604)
        case _:
            path.unlink(missing_ok=True)


def data_of(file: File | None) -> bytes | None:
    return None if file is None else file.data


def expected(name: str, trees: list[Tree], own: list[bool], at: int) -> tuple[File | None, bool]:
    """Where a file must be after going back to step `at`, told from what was on the disk after each step; and whether
    others were at it without changing its bytes. `own[i]`: step i was a tool's."""
    then, today = trees[at].get(name), trees[-1].get(name)
    left: list[bytes | None] = []  # the bytes that the tools' last change left
    others = False
    for index in range(at, len(own)):
        before, after = trees[index].get(name), trees[index + 1].get(name)
        if own[index] and before != after:
            if left and left[-1] != data_of(before):
                if left[-1] != data_of(then):
                    return today, False
                then, others = before, False  # the tools had changed nothing yet, all in all
            left.append(data_of(after))
        elif before != after:
            others = others or bool(left)
            then = then if left else after  # what others made before the tools' first change is what it goes back to
    if not left or left[-1] != data_of(today):
        return today, False
    return then, others


@settings(max_examples=400 if os.environ.get("CI_LONG") else 60, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(BYTES)), steps=STEPS, data=st.data())
def test_going_back_to_any_point(start: dict[str, bytes], steps: list[tuple[str, str, Any]], data: st.DataObject):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for name, content in start.items():
            step(bench, "others write", name, content)
        trees, lengths = [tree(bench.work)], [0]
        for one in steps:
            step(bench, *one)
            trees.append(tree(bench.work))
            lengths.append(len(bench.messages))
        own = [not kind.startswith("others") for kind, _, _ in steps]
        at = data.draw(st.integers(0, len(steps)))
        bench.restore(lengths[at])
        now = tree(bench.work)
        for name in {*now, *(name for one in trees for name in one)}:
            wanted, others = expected(name, trees, own, at)
            assert data_of(now.get(name)) == data_of(wanted), (name, at)
            assert now.get(name) == wanted or others, (name, at)
        if all(own[at:]):
            bench.restore(lengths[at], forward=True)
            assert {name: file.data for name, file in tree(bench.work).items()} == {
                name: file.data for name, file in trees[-1].items()
            }


# -- what is never touched


def test_a_file_that_others_changed_since_is_left(bench: Bench):
    (bench.work / "a").write_text("then")
    bench.write("a", "agent")
    bench.write("b", "agent")
    (bench.work / "a").write_text("person")
    assert bench.states() == {"a": "changed", "b": "ready"}
    assert bench.restore() == [(str(bench.work / "b"), "deleted")]
    assert (bench.work / "a").read_text() == "person" and not (bench.work / "b").exists()


def test_a_file_that_others_changed_between_two_calls_is_left(bench: Bench):
    bench.write("a", "one")
    (bench.work / "a").write_text("person")
    bench.write("a", "two")
    assert bench.states() == {"a": "changed"} and bench.restore() == []


def test_what_changes_between_plan_and_restoring_is_left(bench: Bench):
    bench.write("a", "agent")
    bench.write("b", "agent")
    planned = bench.plan()
    (bench.work / "a").write_text("person")
    (bench.work / "b").unlink()
    assert [what for _, what in apply(planned, bench.pad, bench.folders)] == ["changed", "changed"]
    assert (bench.work / "a").read_text() == "person" and not (bench.work / "b").exists()


def test_a_link_in_the_files_place_is_left_and_not_followed(bench: Bench):
    secret = bench.work.parent / "secret"
    secret.write_text("agent")
    (bench.work / "a").write_text("then")
    bench.write("a", "agent")
    (bench.work / "a").unlink()
    (bench.work / "a").symlink_to(secret)
    assert bench.states() == {"a": "link"} and bench.restore() == []
    assert secret.read_text() == "agent" and (bench.work / "a").is_symlink()


def test_a_link_in_a_folders_place_is_not_followed(bench: Bench):
    """Not for a plan, and not when it is put there after the plan."""
    bench.write("d/e/a", "agent")
    planned = bench.plan()
    away = bench.work.parent / "away"
    (bench.work / "d").rename(away)
    (bench.work / "d").symlink_to(away)
    assert bench.states() == {"d/e/a": "link"}
    assert [what for _, what in apply(planned, bench.pad, bench.folders)] == ["link"]
    assert (away / "e/a").read_text() == "agent"


def test_a_path_outside_is_not_touched_however_it_is_spelt(bench: Bench):
    outside = bench.work.parent / "outside"
    bench.call("create_file", file_path=str(outside), content="agent")
    bench.write("a", "agent")
    after = bench.messages[-1]["files"][0]["after"]
    spelt = [f"{bench.work}/../outside", "outside", "", str(bench.work), f"{bench.work}/a/../../outside", "/", "a\0b"]
    bench.messages[-1]["files"] = [{"path": path, "before": None, "after": after, "mode": None} for path in spelt]
    assert {file.state for file in bench.plan().files} == {"outside"} and bench.restore() == []
    assert outside.read_text() == "agent" and (bench.work / "a").exists()
    added = [*bench.folders, bench.work.parent.resolve()]
    ready = plan(bench.messages[:2], bench.pad, added)
    assert apply(ready, bench.pad, added) == [(str(outside), "deleted")] and not outside.exists()


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "folder on the way"])
def test_what_is_no_file_is_left(bench: Bench, kind: str):
    bench.write("d/a", "agent")
    path = bench.work / "d/a"
    path.unlink()
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        case _:
            (bench.work / "d").rmdir()
            (bench.work / "d").write_text("a file now")
    assert bench.states() == {"d/a": "other"} and bench.restore() == []
    assert os.path.lexists(path) or (bench.work / "d").read_text() == "a file now"


def test_another_name_of_the_file_keeps_its_content(bench: Bench):
    (bench.work / "a").write_text("then")
    bench.write("a", "agent")
    os.link(bench.work / "a", bench.work.parent / "other")
    bench.restore()
    assert (bench.work / "a").read_text() == "then" and (bench.work.parent / "other").read_text() == "agent"


@pytest.mark.parametrize(
    ("metadata", "count"),
    [
        ({"machine": "m1"}, 4),
        ({"machine": "m1", "machine_from": 2}, 2),
        ({"machine": "m1", "machine_from": 9}, 0),
        ({"machine": "m1", "machine_from": -5}, 4),
        ({"machine": "m1", "machine_from": "0"}, 0),
        ({"machine": "m1", "machine_from": True}, 0),
        ({"machine": "m2", "machine_from": 0}, 0),
        ({}, 0),
    ],
)
def test_what_another_machine_wrote_down_is_not_gone_by(bench: Bench, metadata: dict[str, Any], count: int):
    bench.write("a", "agent")
    bench.write("b", "agent")
    messages, foreign = written_here(bench.messages, 0, metadata, "m1")
    assert messages == bench.messages[4 - count :] and foreign == (4 - count) // 2
    assert written_here(bench.messages, 0, {"machine": ""}, "") == ([], 2)
    later, foreign = written_here(bench.messages[3:], 3, metadata, "m1")
    assert later == bench.messages[3:][: 1 if count else 0] and foreign == (0 if count else 1)


def test_the_mode_of_a_file_that_comes_back_is_shown(bench: Bench):
    path = bench.work / "run"
    path.write_text("then")
    path.chmod(0o755)
    bench.call("delete_file", file_path="run")
    assert bench.plan().files[0].diff.startswith("mode 755\n--- /dev/null")


def test_a_missing_or_damaged_blob_is_said(bench: Bench):
    (bench.work / "a").write_text("then")
    bench.write("a", "agent")
    planned = bench.plan()
    (blob,) = [bench.pad.directory / row["id"] for row in bench.pad.list()]
    blob.write_text("tampered")
    assert bench.states() == {"a": "missing blob"}
    blob.unlink()
    assert bench.states() == {"a": "missing blob"}
    assert [what for _, what in apply(planned, bench.pad, bench.folders)] == ["missing blob"]
    assert (bench.work / "a").read_text() == "agent"


def test_what_others_wrote_into_the_session_is_data(bench: Bench):
    """A file change of another shape is none."""
    bench.write("a", "agent")
    good = bench.messages[-1]["files"][0]
    wrong: list[Any] = [
        None,
        3,
        [],
        {},
        {**good, "path": 3},
        {**good, "mode": -1},
        {**good, "mode": "x"},
        {**good, "after": 1},
    ]
    for files in (None, "x", {}, wrong):
        assert net_changes([*bench.messages[:-1], {**bench.messages[-1], "files": files}]).files == []  # type: ignore
    sly = {**good, "before": "../../etc/passwd", "mode": 0o4755}
    bench.messages[-1]["files"] = [sly]  # type: ignore[list-item]
    assert bench.states() == {"a": "missing blob"}


# -- what is restored, exactly


def test_todays_content_is_kept_as_a_blob_first(bench: Bench):
    (bench.work / "a").write_text("then")
    bench.write("a", "agent's own text")
    after = bench.messages[-1]["files"][0]["after"]
    assert after is not None
    with pytest.raises(LookupError):
        bench.pad.content(after)
    bench.restore()
    assert bench.pad.content(after) == b"agent's own text"


def test_a_deleted_folder_comes_back_with_modes_and_bytes(bench: Bench):
    (bench.work / "d/e").mkdir(parents=True)
    (bench.work / "d/e/run").write_bytes(b"\xff\0\r\n")
    (bench.work / "d/e/run").chmod(0o750)
    (bench.work / "d/empty").touch(0o400)
    before = tree(bench.work)
    bench.call("delete_file", file_path="d", recursive=True)
    assert not (bench.work / "d").exists()
    assert sorted(what for _, what in bench.restore()) == ["restored", "restored"]
    assert tree(bench.work) == before
    bench.restore(forward=True)
    assert tree(bench.work) == {}


def test_a_file_that_was_deleted_and_made_anew_gets_its_permissions_back(bench: Bench):
    path = bench.work / "run"
    path.write_text("the same")
    path.chmod(0o755)
    bench.call("delete_file", file_path="run")
    bench.write("run", "the same")
    assert not path.stat().st_mode & 0o111
    (file,) = bench.plan().ready
    assert file.diff.startswith("mode 755 instead of 6")
    bench.restore()
    assert path.stat().st_mode & 0o777 == 0o755 and bench.plan().files == []


def test_what_others_made_of_a_file_that_was_as_before_is_where_it_goes_back_to(bench: Bench):
    bench.write("a", "one")
    bench.call("delete_file", file_path="a")
    (bench.work / "a").write_text("person")
    bench.write("a", "two")
    bench.restore()
    assert (bench.work / "a").read_text() == "person"


def test_a_file_keeps_its_owner(bench: Bench):
    path = bench.work / "a"
    path.write_text("then")
    if not os.geteuid():  # only root can make it somebody else's
        os.chown(path, NOBODY, NOBODY)
    owner = path.stat()[4:6]
    bench.write("a", "agent")
    assert path.stat()[4:6] == owner
    bench.restore()
    assert path.stat()[4:6] == owner and path.read_text() == "then"


def test_the_diff_leads_from_today_to_then(bench: Bench):
    (bench.work / "a").write_text("one\ntwo\n")
    bench.call("edit_file", file_path="a", old_text="two", new_text="three")
    bench.write("empty", "")
    (bench.work / "bin").write_bytes(b"\0" * 9)
    bench.write("bin", "text")
    diffs = {os.path.basename(file.path): file.diff for file in bench.plan().files}
    path = bench.work / "a"
    assert diffs["a"] == f"--- {path}\n+++ {path}\n@@ -1,2 +1,2 @@\n one\n-three\n+two\n"
    assert "+++ /dev/null" in diffs["empty"] and "4 bytes become 9" in diffs["bin"]


def test_commands_and_what_is_not_known_are_counted(bench: Bench):
    bench.call("execute_command", command="true")
    bench.call("execute_command", command="exit 3")
    bench.call("code_execute", code="pass")
    refused = result("r1", "execute_command", "not run: the user said no")
    bench.messages += [calling("execute_command", {"command": "x"}, "r1"), refused]  # type: ignore[list-item]
    bench.call("execute_command", wrong="x")
    (bench.work / "link").symlink_to("a")
    bench.call("delete_file", file_path="link")
    bench.call("edit_file", file_path="nothing", old_text="x", new_text="y")
    cut = [
        calling("create_file", {"file_path": "half", "content": "x"}, "h1"),
        result("h1", "create_file", INTERRUPTED),
    ]
    bench.messages += cut  # type: ignore[arg-type]
    planned = bench.plan()
    assert planned.commands == 3 and planned.ready == []
    assert [(file.path, file.state) for file in planned.files] == [("link", "no snapshot"), ("half", "interrupted")]


# -- when the disk refuses

RESTORE = """
import json, os, sys
import scratchy.tools.putback  # before another user may not read it
from pathlib import Path
from scratchy.scratchpad import Scratchpad, content_id
from scratchy.sessions.restoring import apply, plan
work, pad, limit, user = Path(sys.argv[1]), Scratchpad(sys.argv[2]), int(sys.argv[4]), int(sys.argv[5])
messages = json.loads(Path(sys.argv[3]).read_text())
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if user and not os.geteuid():
    os.setuid(user)
for path, what in apply(plan(messages, pad, [work]), pad, [work]):
    print(os.path.basename(path), what, sep=": ")
"""


def restored_by(bench: Bench, *, limit: int = 0, user: int = 0) -> list[str]:
    """By a process of its own: with a limit on the size of its files, or as somebody who is not root."""
    told = bench.work.parent / "messages.json"
    told.write_text(json.dumps(bench.messages))
    told.chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-c", RESTORE, *map(str, (bench.folders[0], bench.pad.directory, told, limit, user))],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_full_disk_leaves_what_is_there(bench: Bench):
    (bench.work / "big").write_text("then" * 1000)
    (bench.work / "small").write_text("then")
    bench.write("big", "agent")
    bench.write("small", "agent")
    assert restored_by(bench, limit=2000) == [f"big: {os.strerror(errno.EFBIG)}", "small: restored"]
    assert tree(bench.work)["big"].data == b"agent" and sorted(tree(bench.work)) == ["big", "small"]


def test_read_only_files_and_folders_are_left():
    """Root may write anywhere: its tests let somebody else do it, in a folder that is his."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for name in ("file", "d/inside", "free"):
            (bench.work / name).parent.mkdir(exist_ok=True)
            (bench.work / name).write_text("then")
            bench.write(name, "agent")
        (bench.work / "file").chmod(0o444)
        (bench.work / "d").chmod(0o555)
        if not os.geteuid():
            for path in (Path(folder), *Path(folder).rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        try:
            told = dict(line.split(": ", 1) for line in restored_by(bench, user=NOBODY))
        finally:
            (bench.work / "d").chmod(0o755)
        now = {name: file.data for name, file in tree(bench.work).items()}
    assert told == {"file": "The file is read-only", "inside": os.strerror(errno.EACCES), "free": "restored"}
    assert now == {"file": b"agent", "d/inside": b"agent", "free": b"then"}


MOST_STEPS = 80
KILLED = """
import json, os, sys
from pathlib import Path
import scratchy.tools.putback
from scratchy.scratchpad import Scratchpad, content_id
from scratchy.sessions.restoring import apply, plan

NAMES = ("os.rename", "os.remove", "os.mkdir", "os.chmod")

def child(folder, step):
    work, pad, left = (folder / "work").resolve(), Scratchpad(folder / "blobs"), [step]
    def count(event, arguments):
        if event in NAMES or event == "open":
            left[0] -= 1
            if not left[0]:
                os._exit(9)
    planned = plan(json.loads((folder / "messages.json").read_text()), pad, [work])
    sys.addaudithook(count)
    assert [what for _, what in apply(planned, pad, [work])] == ["restored", "deleted", "restored"]

for folder in sorted(Path(sys.argv[1]).iterdir(), key=lambda folder: int(folder.name)):
    pid = os.fork()
    if not pid:
        child(folder, int(folder.name))
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 9:
        break
print(folder.name)
"""


def test_killed_at_any_step_a_file_is_as_it_was_or_as_it_was_then(tmp_path: Path):
    first = tmp_path / "1"
    first.mkdir()
    bench = Bench(first)
    (bench.work / "edited").write_text("then edited")
    (bench.work / "d").mkdir()
    (bench.work / "d/gone").write_text("then gone")
    bench.write("edited", "agent edited")
    bench.write("made", "agent made")
    bench.call("delete_file", file_path="d", recursive=True)
    told = json.dumps(bench.messages)
    for step in range(1, MOST_STEPS):
        folder = tmp_path / str(step)
        if step > 1:
            shutil.copytree(first, folder)
        (folder / "messages.json").write_text(told.replace(f"{first}/", f"{folder}/"))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    last = int(done.stdout)
    assert 10 < last < MOST_STEPS - 1 and not done.stderr
    for step in range(1, last + 1):
        bench = Bench(tmp_path / str(step))
        bench.messages = json.loads((tmp_path / str(step) / "messages.json").read_text())
        now = {name: file.data for name, file in tree(bench.work).items() if not name.endswith(".tmp")}
        assert now.get("edited") in (b"then edited", b"agent edited")
        assert now.get("made") in (None, b"agent made") and now.get("d/gone") in (None, b"then gone")
        for change in bench.messages[1]["files"] + bench.messages[3]["files"]:  # nothing is lost: it is kept first
            there = now.get(os.path.basename(change["path"]))
            if there is None or content_id(there) != change["after"]:
                assert content_id(bench.pad.content(str(change["after"]))) == change["after"]
        if step == last:
            assert now == {"edited": b"then edited", "d/gone": b"then gone"}
        else:  # once more finishes it
            bench.restore()
            now = {name: file.data for name, file in tree(bench.work).items() if not name.endswith(".tmp")}
            assert now == {"edited": b"then edited", "d/gone": b"then gone"}
