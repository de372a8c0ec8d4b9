"""The scratchpad on a real disk."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scratchy.scratchpad import Scratchpad, type_of


def filled(folder: Path, *texts: str) -> tuple[Scratchpad, list[str]]:
    """A scratchpad with these texts, the first the oldest, and their ids."""
    pad = Scratchpad(folder / "pad", threshold=10)
    ids: list[str] = []
    for age, text in zip(range(len(texts), 0, -1), texts, strict=True):
        told = pad.maybe_store("tool", text)
        ids.append(next(row["id"] for row in pad.list() if row["id"] in told))
        when = time.time() - 1000 * age
        os.utime(folder / "pad" / ids[-1], (when, when))
    return pad, ids


def test_up_to_the_threshold_it_is_the_content_itself(tmp_path: Path):
    pad = Scratchpad(tmp_path / "pad", threshold=4)
    assert pad.maybe_store("t", "abcd") == "abcd"
    assert pad.maybe_store("t", "ää") == "ää"
    assert not (tmp_path / "pad").exists()
    assert pad.maybe_store("t", "äää") != "äää"
    assert pad.list()[0]["size"] == 6
    assert Scratchpad(str(tmp_path)).threshold == 16384


def test_the_reference_tells_id_size_and_preview(tmp_path: Path):
    pad = Scratchpad(tmp_path / "pad", threshold=4)
    told = pad.maybe_store("read_file", "the text " * 1000)
    entry = pad.list()[0]
    assert entry["id"] in told and "9000" in told and "the text" in told and "scratchpad_read" in told
    assert len(told) < 1200
    assert entry == {"id": entry["id"], "tool": "read_file", "type": "text", "size": 9000, "preview": entry["preview"]}
    assert len(entry["id"]) >= 8 and set(entry["id"]) <= set("0123456789abcdef")


def test_the_same_content_is_stored_once(tmp_path: Path):
    pad = Scratchpad(tmp_path / "pad", threshold=4)
    assert pad.maybe_store("a", "same text") == pad.maybe_store("a", "same text")
    assert pad.stats() == {"entries": 1, "bytes": 9}
    assert Scratchpad(tmp_path / "pad").list() == pad.list()


def test_reading_counts_characters(tmp_path: Path):
    pad, (entry,) = filled(tmp_path, "äöü€𝄞 and more\ud800")
    assert pad.read(entry) == "äöü€𝄞 and more\ud800"
    assert pad.read(entry, 3, 2) == "€𝄞" and pad.read(entry, 99) == "" and pad.read(entry, 0, 0) == ""


@pytest.mark.parametrize("wrong", ["", "0" * 32, "../pad", "x" * 32, "\0", "a" * 5000])
def test_an_unknown_id_is_a_lookup_error(tmp_path: Path, wrong: str):
    pad, _ = filled(tmp_path, "some long text")
    with pytest.raises(LookupError):
        pad.read(wrong)
    with pytest.raises(LookupError):
        Scratchpad(tmp_path / "none").read("0" * 32)


def test_a_link_in_an_entrys_place_is_not_followed(tmp_path: Path):
    pad, _ = filled(tmp_path, "some long text")
    (tmp_path / "pad" / ("a" * 32)).symlink_to("/etc/hostname")
    with pytest.raises(LookupError):
        pad.read("a" * 32)
    assert pad.stats()["entries"] == 1


def test_a_link_in_the_folders_place_is_not_written_through(tmp_path: Path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "pad").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="A link stands"):
        Scratchpad(tmp_path / "pad", threshold=1).maybe_store("t", "a long text")
    assert not list((tmp_path / "theirs").iterdir())


def test_files_are_private_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        pad, _ = filled(tmp_path, "some long text")
    finally:
        os.umask(before)
    assert pad.directory.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in pad.directory.iterdir()] == [0o600, 0o600]


def test_types():
    assert type_of(json.dumps({"a": 1})) == type_of(" [1, 2]") == "json"
    assert type_of("# Title\n\ntext") == type_of("a\n```\ncode") == "markdown"
    assert type_of("[not json") == type_of("plain # text") == type_of("[" * 100_000) == "text"


def test_pruning_by_age_keeps_what_is_referred_to(tmp_path: Path):
    pad, (old, middle, new) = filled(tmp_path, "the oldest text", "the middle text", "the newest text")
    assert pad.prune() == 0
    assert pad.prune(max_age=1500, keep={old}) == 1
    assert {row["id"] for row in pad.list()} == {old, new} and middle not in os.listdir(pad.directory)


def test_pruning_by_size_takes_the_oldest_first(tmp_path: Path):
    pad, (_, middle, new) = filled(tmp_path, "x" * 100, "y" * 100, "z" * 100)
    assert pad.prune(max_bytes=250) == 1
    assert [row["id"] for row in pad.list()] == [new, middle]
    assert pad.prune(max_bytes=0, keep=[new]) == 1 and [row["id"] for row in pad.list()] == [new]


def test_storing_again_makes_young(tmp_path: Path):
    pad, (old,) = filled(tmp_path, "the oldest text")
    pad.maybe_store("tool", "the oldest text")
    assert pad.prune(max_age=500) == 0 and pad.list()[0]["id"] == old


def test_clear_leaves_nothing(tmp_path: Path):
    pad, _ = filled(tmp_path, "the oldest text", "the newest text")
    pad.clear()
    assert pad.list() == [] and pad.stats() == {"entries": 0, "bytes": 0} and os.listdir(pad.directory) == []
    Scratchpad(tmp_path / "none").clear()


def test_what_cannot_be_stored_is_an_os_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Scratchpad(tmp_path / "file", threshold=1).maybe_store("t", "text")


TEMPORARY = """
import sys
from scratchy.scratchpad import Scratchpad
pads = [Scratchpad.temporary() for _ in range(2)]
pads[0].keep(b"what a tool said")
print(pads[0].directory, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_with_the_next_start_and_what_a_living_one_has_stays(tmp_path: Path):
    def started() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", TEMPORARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[1], env=os.environ | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip

    def folder_of(program: "subprocess.Popen[str]") -> Path:
        assert program.stdout is not None
        return Path(program.stdout.readline().strip())

    (tmp_path / "scratchy-mine.pad").mkdir()  # none of ours: it has no lock
    with started() as killed, started() as living:
        left, kept = folder_of(killed), folder_of(living)
        assert left.parent == kept.parent == tmp_path and left.stat().st_mode & 0o777 == 0o700
        killed.kill()
        killed.wait()
        assert left.exists()
        with started() as last:
            own = folder_of(last)
            assert not left.exists() and len(list(kept.iterdir())) == 3
            last.communicate()
        living.communicate()
    assert not own.exists() and [path.name for path in tmp_path.iterdir()] == ["scratchy-mine.pad"]
