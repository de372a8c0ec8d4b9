"""Places, secret files, what was allowed, and which project files are trusted."""

import os
from pathlib import Path

import pytest

from scratchy.core.ports import Effect, ToolError
from scratchy.permissions import Permissions, Trust, is_secret


def test_places_are_compared_resolved(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    (tmp_path / "a" / "out").symlink_to(tmp_path / "ab")
    permissions = Permissions(tmp_path / "a")
    assert permissions.inside(permissions.resolve("x/y")) and permissions.inside(permissions.resolve("."))
    for outside in ("..", "../ab", "out", "out/x", "/", "~"):
        assert not permissions.inside(permissions.resolve(outside))
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert Permissions(tmp_path / "link").inside(permissions.resolve("x"))
    assert Permissions(tmp_path / "a", [tmp_path / "ab"]).inside(tmp_path / "ab" / "x")


def test_paths_that_mean_nothing_are_told(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    for wrong in ("a\0b", "loop/x", "~nobody-of-this-name/x"):
        with pytest.raises(ToolError, match="usable path"):
            Permissions(tmp_path).resolve(wrong)


SECRET = """.env a/.ENV.prod x.pem x/id_ed25519 .aws/config .kube/config k.key
    .git/config mirror.git/config .git/modules/a/config
    .env\u200b id\u2060_rsa"""
COPIES = """.env~ .env.bak id_rsa.BAK id_ed25519.old x.key.orig .netrc.save .env.swp .id_rsa.swp credentials.json.2
    id_rsa2 x.pem.~2~ id_rsa.old.bak~ .git/config~ .kube/config.bak"""
HARMLESS = """.env.example environment.py keys.py config id_rsa.py pem monkey git/config .git/HEAD
    .env.example~ notes.bak keys.py~ config.old a.1 ~ .swp 1"""


@pytest.mark.parametrize("name", (SECRET + " " + COPIES).split())
def test_secret_names(name: str):
    assert is_secret(Path("/home/me") / name)


@pytest.mark.parametrize("name", HARMLESS.split())
def test_harmless_names(name: str):
    assert not is_secret(Path("/home/me") / name)


def test_a_name_without_an_end_costs_no_time():
    assert not is_secret(Path("1" * 2_000_000 + "x"))


def test_always_is_for_this_tool_and_this_target(tmp_path: Path):
    permissions = Permissions(tmp_path)
    effect, other = Effect("s", "p", "this command", "ls"), Effect("s", "p", "this command", "ls -a")
    assert permissions.verdict("run", effect) == "ask" and permissions.remembered() == []
    permissions.remember("run", effect)
    assert permissions.verdict("run", effect) == "run" and permissions.remembered() == [("run", "this command (ls)")]
    assert permissions.verdict("run", other) == permissions.verdict("delete", effect) == "ask"
    permissions.remember("run", Effect("s", "p", "this command", "/folder\0seq 3\nend"))
    assert permissions.remembered()[1] == ("run", "this command (/folder: seq 3\\nend)")
    assert Permissions(tmp_path).verdict("run", effect) == "ask", "it is not kept beyond the session"


READS = Effect("s", "p", "this host", "h", kind="reads")
EDITS = Effect("s", "p", "this folder", "f", kind="edits")
ACTS = Effect("s", "p", "this command", "c")
FREE = Effect("s", "p", "this file", "f", free=True, kind="reads")
ALWAYS_ASKS = Effect("s", "p", "", "", kind="reads")


@pytest.mark.parametrize(
    ("mode", "verdicts"),
    [
        ("ask", "ask ask ask run ask"),
        ("accept-edits", "ask run ask run ask"),
        ("plan", "ask refuse refuse run ask"),
        ("yolo", "run run run run ask"),
    ],
)
def test_what_a_mode_runs_asks_and_refuses(tmp_path: Path, mode: str, verdicts: str):
    permissions = Permissions(tmp_path, mode=lambda: mode)
    effects = (READS, EDITS, ACTS, FREE, ALWAYS_ASKS)
    assert [permissions.verdict("tool", effect) for effect in effects] == verdicts.split()


def test_plan_refuses_also_what_was_allowed_always(tmp_path: Path):
    mode = ["ask"]
    permissions = Permissions(tmp_path, mode=lambda: mode[0])
    permissions.remember("run", ACTS)
    mode[0] = "plan"
    assert permissions.verdict("run", ACTS) == "refuse"
    mode[0] = "ask"
    assert permissions.verdict("run", ACTS) == "run"


@pytest.mark.parametrize("name", ["a.py", "deep/b.md", ".github/x.yml"])
def test_a_file_of_the_folder_may_be_edited(tmp_path: Path, name: str):
    assert Permissions(tmp_path).may_edit(tmp_path / name)


@pytest.mark.parametrize("name", [".git/hooks/pre-commit", ".Git/config", ".scratchy/config.toml", ".env", "../a.py"])
def test_what_rules_a_tool_holds_secrets_or_lies_outside_is_no_edit(tmp_path: Path, name: str):
    assert not Permissions(tmp_path).may_edit(Path(os.path.normpath(tmp_path / name)))


def test_trust_is_for_this_content_in_this_place(tmp_path: Path):
    state, file = tmp_path / "state", tmp_path / "config.toml"
    trust = Trust(state)
    assert not trust.trusted(file, b"a")
    trust.trust(file, b"a")
    trust.trust(tmp_path / "other", b"b")
    assert Trust(state).trusted(file, b"a") and Trust(state).trusted(tmp_path / "other", b"b")
    assert not trust.trusted(file, b"a2") and not trust.trusted(tmp_path / "third", b"a")
    assert (state / "trusted.json").stat().st_mode & 0o777 == 0o600 and os.listdir(state) == ["trusted.json"]


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_a_damaged_list_trusts_nothing(tmp_path: Path, damage: bytes):
    (tmp_path / "trusted.json").write_bytes(damage)
    assert not Trust(tmp_path).trusted(tmp_path / "a", b"a")
    Trust(tmp_path).trust(tmp_path / "a", b"a")
    assert Trust(tmp_path).trusted(tmp_path / "a", b"a")


@pytest.mark.parametrize(
    "name", [".env\u200b", "\u2060.env", "i\u00add_rsa", "id_rsa_work", "secrets.yml", "Secrets.YAML", "tokens.json"]
)
def test_names_that_look_like_a_secrets_and_usual_names_of_secrets_are_judged_so(name: str):
    assert is_secret(Path("/work") / name)


@pytest.mark.parametrize("name", ["secrets.py", "tokens.py", "tokenizer.json", "id.txt", "env.py", "\u200bnotes.md"])
def test_names_beside_them_are_not(name: str):
    assert not is_secret(Path("/work") / name)
