"""Images that are pasted into the prompt, on a real pty, with the real program and a real HTTP server."""

import base64
import contextlib
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest
from model_server import hello, stream, whole
from pictures import png
from programs import ROOT, Home, posts, serving
from ptys import Terminal

PNG = png()
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


@contextmanager
def program(home: Home, url: str, *, path: Path | None = None, **more: str):
    env = {**home.env, "PATH": f"{path}:{home.env['PATH']}" if path else home.env["PATH"], **more}
    with Terminal(
        "--base-url", f"{url}/v1", "-m", "tiny", "-s", "s",
        program=ROOT / "run_agent.py", folder=home.work, columns=100, **env,
    ) as screen:  # fmt: skip
        screen.wait_for("Model: openai")
        yield screen


def sent(server, at: int = -1):
    return posts(server)[at].json["messages"][-1]["content"]


def stored(home: Home):
    return [message for message in home.load("s") or [] if message["role"] == "user"]


def drafts(home: Home) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return (home.sessions / ".s.draft").read_bytes()
    return b""


def images(content):
    return [part["image_url"]["url"] for part in content if part["type"] == "image_url"]


@pytest.mark.parametrize("how", ["'{}'", "{}", "file://{}", "escaped"])
def test_a_dragged_file_is_an_image_in_its_place(tmp_path: Path, how: str):
    home = Home(tmp_path)
    file = home.work / "my cat's.png"
    file.write_bytes(PNG)
    spelled = {
        "'{}'": "'" + str(file).replace("'", "'\\''") + "' ",
        "file://{}": "file://" + str(file).replace(" ", "%20").replace("'", "%27"),
        "escaped": str(file).replace(" ", "\\ ").replace("'", "\\'"),
        "{}": str(file),
    }[how]
    with serving(stream(*hello("A cat."))) as server, program(home, server.url) as screen:
        screen.send("is ")
        screen.paste(spelled)
        screen.wait_for("You: is [Image #1]")
        screen.send(" a cat?\r")
        screen.wait_for("A cat.")
        screen.wait_for("You: is [image: my cat's.png, 640×480,")
        screen.wait_for(lambda: len(home.load("s") or []) == 3)
        (message,) = stored(home)
        text, image = message["content"]
        assert text == {"type": "text", "text": "is [Image #1] a cat?"}
        blob = image["image_url"]["url"].removeprefix("blob:")
        assert (home.sessions / ".blobs" / blob).read_bytes() == PNG
        assert images(sent(server)) == [DATA]
        assert all(set(part) <= {"type", "text", "image_url"} for part in sent(server))


def test_several_files_dragged_at_once_and_one_of_them_deleted(tmp_path: Path):
    home = Home(tmp_path)
    names = [home.work / f"{number}.png" for number in (1, 2, 3)]
    for number, name in enumerate(names, 1):
        name.write_bytes(png(number, number))
    with serving(stream(*hello("Seen."))) as server, program(home, server.url) as screen:
        screen.paste(" ".join(f"'{name}'" for name in names))
        screen.wait_for("[Image #1] [Image #2] [Image #3]")
        screen.send("\x17\x17\r")  # Ctrl-W takes the last words: `#3]` and `[Image`
        screen.wait_for("Seen.")
        assert [url.count("base64") for url in images(sent(server))] == [1, 1]


@pytest.mark.parametrize("text", ["/no/such/cat.png", "/tmp/x.png is there", "cat.png", "/etc/hostname"])
def test_words_about_a_path_stay_words(tmp_path: Path, text: str):
    home = Home(tmp_path)
    with serving(stream(*hello("Words."))) as server, program(home, server.url) as screen:
        screen.send("see ")
        screen.paste(text)
        screen.wait_for(f"You: see {text}")
        screen.send("\r")
        screen.wait_for("Words.")
        assert text in str(sent(server))
        assert stored(home)[0]["content"] == f"see {text}"


@pytest.mark.parametrize("before", ["!file ", "/import ", "see @"])
def test_where_a_path_is_wanted_it_stays_one(tmp_path: Path, before: str):
    home = Home(tmp_path)
    (home.work / "a.png").write_bytes(PNG)
    with serving(stream(*hello())) as server, program(home, server.url) as screen:
        screen.send(before[0])
        screen.wait_for(lambda: screen.line().endswith(before[0]))
        screen.send(before[1:])
        screen.wait_for(before.strip())
        screen.paste(str(home.work / "a.png"))
        screen.wait_for("a.png")
        screen.send(" there")
        screen.wait_for("there")
        assert "[Image #1]" not in screen.text()


def test_a_file_that_is_no_image_is_said_and_stays_a_path(tmp_path: Path):
    home = Home(tmp_path)
    (home.work / "a.png").write_bytes(b"no picture at all")
    with serving(stream(*hello())) as server, program(home, server.url) as screen:
        screen.paste(str(home.work / "a.png"))
        screen.wait_for("'a.png' is no PNG, JPEG, GIF or WebP image")
        screen.wait_for(lambda: "[Image #1]" not in screen.prompt())
        assert "a.png" in screen.text()


@pytest.mark.parametrize("key", ["\x16", "\x1b[200~\x1b[201~"])
def test_the_clipboards_image(tmp_path: Path, key: str):
    home = Home(tmp_path)
    tools, shot = tmp_path / "tools", tmp_path / "shot.png"
    tools.mkdir()
    shot.write_bytes(PNG)
    fake = tools / "xclip"
    fake.write_text(f'#!/bin/sh\n[ "$4" = image/png ] && exec cat "{shot}"\nexit 1\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    with (
        serving(stream(*hello("Seen."))) as server,
        program(home, server.url, path=tools, DISPLAY=":7", WAYLAND_DISPLAY="", SSH_CONNECTION="") as screen,
    ):
        screen.send(key)
        screen.wait_for("You: [Image #1]")
        screen.send("\r")
        screen.wait_for("Seen.")
        assert images(sent(server)) == [DATA]


def test_a_clipboard_without_an_image_is_said(tmp_path: Path):
    home = Home(tmp_path)
    with (
        serving(stream(*hello())) as server,
        program(home, server.url, DISPLAY="", WAYLAND_DISPLAY="", PATH="/nonexistent") as screen,
    ):
        screen.send("\x16")
        screen.wait_for("There is no image in the clipboard.")


def test_a_draft_keeps_its_image_and_a_queued_line_too(tmp_path: Path):
    home = Home(tmp_path)
    (home.work / "a.png").write_bytes(PNG)
    with serving(stream(*hello("Seen."))) as server:
        with program(home, server.url) as screen:
            screen.send("first\r")
            screen.wait_for("Seen.")
            screen.send("what is ")
            screen.paste(str(home.work / "a.png"))
            screen.wait_for("You: what is [Image #1]")
            screen.wait_for(lambda: b", blob:" in drafts(home))
        (home.work / "a.png").unlink()
        with program(home, server.url) as screen:
            screen.wait_for("You: what is [Image #1]")
            screen.send("?\r")
            screen.wait_for(lambda: len(posts(server)) == 2)
            screen.wait_for(lambda: len(stored(home)) == 2)
            assert images(sent(server)) == [DATA]
            screen.wait_for(lambda: b"blob" not in drafts(home))


def test_a_line_that_waits_keeps_its_image(tmp_path: Path):
    home = Home(tmp_path)
    (home.work / "a.png").write_bytes(PNG)
    with (
        serving(stream(*hello("Slowly."), pause=0.3), stream(*hello("Seen."))) as server,
        program(home, server.url) as screen,
    ):
        screen.send("first\r")
        screen.wait_for(lambda: len(posts(server)) == 1)
        screen.paste(str(home.work / "a.png"))
        screen.wait_for("[Image #1]")
        screen.send("\r")
        screen.wait_for("Seen.")
        assert images(sent(server)) == [DATA]


def test_a_server_that_takes_no_images_is_explained_and_the_session_goes_on(tmp_path: Path):
    home = Home(tmp_path)
    (home.work / "a.png").write_bytes(PNG)
    refusal = whole(500, {"error": {"code": 500, "message": "image input is not supported - hint: mmproj"}})
    with serving(refusal, stream(*hello("Blind."))) as server, program(home, server.url) as screen:
        screen.paste(str(home.work / "a.png"))
        screen.wait_for("[Image #1]")
        screen.send("\r")
        screen.wait_for("tiny takes no images")
        screen.wait_for("your message is kept")
        screen.send("and now?\r")
        screen.wait_for("Blind.")
        screen.wait_for("tiny does not see images")
        lines = screen.text().splitlines()
        told = next(at for at, line in enumerate(lines) if line.startswith("tiny does not see images"))
        assert lines[told + 1] == "[s] 🤖 Assistant:"
        assert len(posts(server)) == 2
        assert "image_url" not in str(sent(server))
        assert "not sent, this model does not see images" in str(sent(server))
