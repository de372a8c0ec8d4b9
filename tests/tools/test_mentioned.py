"""What a mention may read: bounded, inside, through no link out, and nothing that waits or does things when opened."""

import os
from pathlib import Path

import pytest

from scratchy.system import open_beneath
from scratchy.tools.mentioned import Mentioned, Seen

MOST = 1000


def look(folder: Path, name: str, most: int = MOST, *added: Path) -> Seen:
    return Mentioned(folder, added).look(name, most)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_a_text_is_read_within_bounds(work: Path) -> None:
    (work / "notes.md").write_text("hello\n")
    seen = look(work, "notes.md")
    assert (seen.kind, seen.text, seen.read, seen.size) == ("text", "hello\n", 6, 6)
    (work / "big.txt").write_text("line of text\n" * 1000)
    big = look(work, "big.txt")
    assert big.read <= MOST and big.text.endswith("text\n") and big.size == 13_000
    (work / "wide.txt").write_text("語" * 1000)
    assert look(work, "wide.txt").text == "語" * 333
    (work / "empty").write_text("")
    assert look(work, "empty") == Seen("text", work / "empty")


def test_odd_contents(work: Path) -> None:
    (work / "latin").write_bytes("caf\xe9".encode("latin-1"))
    (work / "late").write_bytes(b"x" * 9000 + b"\0y")
    (work / "blob").write_bytes(b"\0\1\2")
    assert look(work, "latin").text == "café"
    assert look(work, "late", 20_000).text == "x" * 9000 + "\ufffdy"
    assert (look(work, "blob").kind, look(work, "blob").size) == ("binary", 3)


def test_known_keys_are_not_given(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
    (work / "run.sh").write_text("export K=sk-secret-0123456789\n")
    assert look(work, "run.sh").text == "export K=[key]\n"


def test_a_folder_gives_its_names(work: Path) -> None:
    (work / "src" / "deep").mkdir(parents=True)
    (work / "src" / "a\x1bb\n.py").write_text("")
    assert look(work, "src/").text == "a\\x1bb\\n.py\ndeep/"
    for number in range(600):
        (work / "src" / "deep" / f"{number:03}").write_text("")
    many = look(work, "src/deep")
    assert (many.read, many.size) == (500, 600) and many.text.splitlines()[0] == "000"


def test_what_lies_outside_is_not_read(work: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.txt").write_text("outside")
    (work / "link").symlink_to(other / "x.txt")
    (work / "way").symlink_to(other)
    for name in ("../other/x.txt", str(other / "x.txt"), "link", "way/x.txt", "way/", "/", "~"):
        assert look(work, name).kind == "outside", name
    assert look(work, str(other / "x.txt"), MOST, other).text == "outside"
    assert look(work, "way/x.txt", MOST, other).text == "outside"
    (work / "inner").symlink_to("notes")
    (work / "notes").write_text("inside")
    assert look(work, "inner").text == "inside"


def test_secrets_by_name_are_not_read(work: Path) -> None:
    for name in (".env", "server.pem", "id_rsa.bak"):
        (work / name).write_text("secret")
        assert look(work, name) == Seen("secret", work / name)
    (work / "harmless").symlink_to(".env")
    (work / "key.pem").unlink(missing_ok=True)
    (work / "key.pem").symlink_to("notes")
    (work / "notes").write_text("")
    assert look(work, "harmless").kind == "secret" == look(work, "key.pem").kind


def test_nothing_waits_and_nothing_raises(work: Path) -> None:
    os.mkfifo(work / "fifo")
    (work / "around").symlink_to("around")
    (work / "self").symlink_to(".")
    (work / "gone").symlink_to("nowhere")
    (work / "file").write_text("x")
    assert look(work, "fifo").kind == "other"
    assert look(work, "self/self/file").text == "x"
    for name in ("around", "gone", "nothing", "file/x", "a\0b", "x" * 5000, "~nobody-such/x", "\udcff"):
        assert look(work, name).kind == "absent", name
    assert look(work, "/dev/null").kind == "outside"


def test_what_changes_between_the_look_and_the_opening_is_not_followed(work: Path, tmp_path: Path) -> None:
    """The race, at its end: names that were judged are links, or pipes, by now."""
    (tmp_path / "secret").write_text("secret")
    (work / "folder").symlink_to(tmp_path)
    (work / "file").symlink_to(tmp_path / "secret")
    os.mkfifo(work / "fifo")
    for path in (work / "folder" / "secret", work / "file", work / "fifo", work / "none"):
        with pytest.raises(OSError):
            open_beneath(work, path)
