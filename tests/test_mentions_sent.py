"""Mentions in the real program: what an HTTP server is sent, now and after a resume, in faces without a screen."""

import json
from pathlib import Path
from typing import Any

import pytest
from model_server import Server, hello, stream
from programs import Home, posts, serving


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    (made.work / "notes.md").write_text("the zebra\n")
    return made


def flags(server: Server) -> tuple[str, ...]:
    return "--provider", "openai", "--model", "tiny", "--base-url", f"{server.url}/v1"


def sent(server: Server, number: int = -1) -> list[Any]:
    return posts(server)[number].json["messages"]


ATTACHED = '@notes.md\n\n<attached name="@notes.md">\nthe zebra\n\n</attached>'


def test_the_text_goes_with_the_line_and_the_same_bytes_after_a_resume(home: Home) -> None:
    with serving(stream(*hello("Good."))) as server:
        done = home.run(*flags(server), "-s", "one", "-p", "look at @notes.md")
        assert done.returncode == 0 and done.stdout == "Good.\n", done.stderr
        assert "@notes.md attached (10 bytes)" in done.stderr
        first = sent(server)
        assert first[-1]["content"].endswith(f"look at {ATTACHED}")
        (home.work / "notes.md").write_text("changed\n")
        assert home.run(*flags(server), "-s", "one", "-p", "and now?").returncode == 0
        assert sent(server)[: len(first)] == first
    stored = next(message for message in home.load("one") or [] if message["role"] == "user")
    assert stored["content"] == "look at @notes.md"
    assert stored["attached"] == [{"name": "@notes.md", "text": "the zebra\n"}]


def test_the_plain_face_and_a_pipe_of_json_send_it_too(home: Home) -> None:
    with serving(stream(*hello("Good."))) as server:
        plain = home.run(*flags(server), "-s", "plain", stdin="@notes.md\n")
        assert "@notes.md attached (10 bytes)" in plain.stdout and sent(server)[-1]["content"].endswith(ATTACHED)
        line = json.dumps({"type": "user", "content": "@notes.md"}) + "\n"
        piped = home.run(*flags(server), "-s", "pipe", "--input-format", "stream-json", stdin=line)
        assert piped.returncode == 0, piped.stderr
        assert sent(server)[-1]["content"].endswith(ATTACHED)


def test_another_conversation_and_a_private_one(home: Home) -> None:
    with serving(stream(*hello("Good."))) as server:
        home.run(*flags(server), "-s", "old", "-p", "the needle")
        home.run(*flags(server), "-s", "new", "-p", "as in @session:old")
        quoted = sent(server)[-1]["content"]
        assert '<attached name="@session:old">' in quoted and "The person: the needle" in quoted
        home.run("session", "tag", "old", "+private")
        done = home.run(*flags(server), "-s", "newer", "-p", "as in @session:old")
        assert "needle" not in json.dumps(sent(server)) and "is private" in done.stderr


def test_what_is_shown_and_exported_names_it(home: Home) -> None:
    with serving(stream(*hello("Good."))) as server:
        home.run(*flags(server), "-s", "one", "-p", "look at @notes.md")
    assert "[attached: @notes.md]\nthe zebra" in home.run("session", "show", "one").stdout
    around = home.run("session", "show", "one", "--around", "1").stdout
    assert "[attached: @notes.md, 10 characters]" in around
    markdown = home.run("session", "export", "one", "-", "--format", "md").stdout
    assert "Attached `@notes.md`:\n\n```\nthe zebra\n" in markdown
    html = home.run("session", "export", "one", "-", "--format", "html").stdout
    assert "<summary>Attached @notes.md</summary>" in html
    home.run("session", "export", "one", "one.json")
    home.run("session", "import", "one.json", "--session", "two")
    assert home.load("two") == home.load("one")
    assert "look at @notes.md" in home.run("session", "search", "look").stdout
    assert "@notes" not in home.run("session", "search", "zebra").stdout  # the file's word, not the conversation's
