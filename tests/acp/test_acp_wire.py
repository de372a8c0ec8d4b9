"""The wire to an editor: nothing but messages on stdout, slips of the other side survived, an end within seconds."""

import asyncio
import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from editors import PATIENCE, call
from model_server import delta, sse, stream
from programs import Home, posts, serving

from scratchy.acp.wire import LONGEST, Wire, understood

HELLO = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": 1}}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


class Raw:
    """Lines in, lines out: every one of them must be a message."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.child = child
        self.seen: list[dict[str, Any]] = []

    def send(self, *lines: Any) -> None:
        assert self.child.stdin is not None
        for line in lines:
            self.child.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        self.child.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line.endswith(b"\n"), "it ended"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        self.seen.append(message)
        return message

    def until(self, **fields: Any) -> dict[str, Any]:
        while not fields.items() <= (message := self.receive()).items():
            pass
        return message

    def ask(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return self.until(id=number)

    def new(self, home: Home) -> str:
        return self.ask(1, "session/new", cwd=str(home.work), mcpServers=[])["result"]["sessionId"]

    def prompt(self, name: str, text: str, number: int = 2) -> None:
        params = {"sessionId": name, "prompt": [{"type": "text", "text": text}]}
        self.send({"jsonrpc": "2.0", "id": number, "method": "session/prompt", "params": params})

    def rest(self) -> bytes:
        assert self.child.stdout is not None
        return self.child.stdout.read()


@contextmanager
def talking(home: Home, *arguments: str, **more: Any) -> Iterator[Raw]:
    with open(home.folder / "stderr", "wb") as told:
        child = home.start("acp", *arguments, stderr=told, **more)
        with child:
            try:
                yield Raw(child)
            finally:
                child.kill()


def told(home: Home) -> str:
    return (home.folder / "stderr").read_text()


def test_what_is_no_message_gets_an_answer_and_ends_nothing(home: Home) -> None:
    with talking(home, *home.script("Still here.", "Still here.")) as raw:
        for line, code in (
            (b"{not json", -32700),
            (b"[" * 200_000, -32700),
            (b"\xff\xfe", -32700),
            (b"5", -32600),
            ([HELLO], -32600),
            ({"id": 5, "method": 5}, -32600),
            ({"id": [], "method": "initialize"}, -32600),
            ({"id": 5, "method": "initialize", "params": []}, -32600),
            (b"x" * (LONGEST + 10), -32600),
        ):
            raw.send(line)
            error = raw.receive()["error"]
            assert error["code"] == code and error["message"].endswith("."), error
        raw.send(b"", {"id": 99, "result": {}}, {"id": [], "result": {}}, {"id": 7, "error": "text"}, {"x": 1})
        assert raw.ask(3, "nonsense/method")["error"]["message"] == "There is no method 'nonsense/method' here."
        wrong = raw.ask(4, "session/new", cwd=7)["error"]
        assert wrong["code"] == -32602 and "cwd" in wrong["message"] and "data" not in wrong
        raw.send({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": 7}})
        raw.send({"jsonrpc": "2.0", "method": "nobody/knows"})
        raw.send(HELLO)
        assert raw.until(id=0)["result"]["agentInfo"]["name"] == "scratchy"
        name = raw.new(home)
        raw.prompt(name, "Hi \ud800")  # half of a surrogate pair
        assert raw.until(id=2)["result"] == {"stopReason": "end_turn"}
        raw.prompt(name, "Hi")
        assert raw.until(id=2)["result"] == {"stopReason": "end_turn"}
        raw.child.stdin.close()  # type: ignore[union-attr]
        assert raw.rest() == b"" and raw.child.wait() == 0
    assert "Traceback" not in told(home)


METHODS = [
    "initialize",
    "authenticate",
    "session/new",
    "session/load",
    "session/list",
    "session/prompt",
    "session/cancel",
    "session/set_mode",
    "session/close",
    "session/resume",
    "session/fork",
    "session/set_config_option",
    "fs/read_text_file",
    "$/cancel_request",
    "_own",
]
FIELDS = [
    "sessionId",
    "cwd",
    "prompt",
    "modeId",
    "cursor",
    "methodId",
    "protocolVersion",
    "mcpServers",
    "clientCapabilities",
    "_meta",
]


def nonsense(choose: random.Random, depth: int = 0) -> Any:
    plain = [None, True, -1, 1.5, 10**30, "", "x", "/", "file:///x", "\0", "\ud800", "x" * 1000]
    kinds: list[Any] = [*plain, {"type": "text", "text": "/status"}]
    if depth < 3:
        kinds.append([nonsense(choose, depth + 1) for _ in range(choose.randrange(3))])
        kinds.append({choose.choice(["type", "uri", "self"]): nonsense(choose, depth + 1)})
    return choose.choice(kinds)


def test_every_request_is_answered_whatever_its_parameters(home: Home) -> None:
    choose = random.Random(7)
    sensible = {"cwd": str(home.work), "mcpServers": [], "prompt": [{"type": "text", "text": "Hi"}]}
    with talking(home, *home.script(*["Fine."] * 200)) as raw:
        names = [raw.new(home)]
        asked = range(10, 210)
        for number in asked:
            params = {name: nonsense(choose) for name in FIELDS if choose.random() < 0.5}
            params |= {name: value for name, value in sensible.items() if choose.random() < 0.7}
            if choose.random() < 0.7:
                params["sessionId"] = choose.choice(names)
            raw.send({"jsonrpc": "2.0", "id": number, "method": choose.choice(METHODS), "params": params})
        left = set(asked)
        while left:
            message = raw.receive()
            left.discard(message.get("id", 0))
            assert "unexpected" not in message.get("error", {}).get("message", ""), message
        assert raw.ask(5, "initialize", protocolVersion=1)["result"]["protocolVersion"] == 1
    assert "Traceback" not in told(home)


def test_what_prints_does_not_reach_the_editor(home: Home) -> None:
    """A tool's child writes to what it inherits; a warning of a library is printed."""
    (home.work / ".scratchy").mkdir()
    (home.work / ".scratchy" / "config.toml").write_text('base_url = "http://127.0.0.1:1/v1"\nnonsense = 1\n')
    loud = call("c", "code_execute", code="import os; os.write(1, b'loud'); os.write(2, b'louder')")
    with talking(home, "-y", *home.script(loud, "Done.")) as raw:
        raw.send(HELLO)
        name = raw.new(home)
        raw.prompt(name, "Go")
        assert raw.until(id=2)["result"]["stopReason"] == "end_turn"
        raw.child.stdin.close()  # type: ignore[union-attr]
        assert raw.rest() == b""


@pytest.mark.parametrize("how", ["eof", "SIGTERM", "SIGINT", "SIGHUP"])
def test_it_ends_with_its_input_or_by_a_signal_and_what_had_come_is_stored(home: Home, how: str) -> None:
    half = stream(*sse(delta("Half an answer"), done=False), end="hang")
    number = 0 if how == "eof" else getattr(signal, how)
    with serving(half) as server:
        with talking(home, "--base-url", f"{server.url}/v1", "--model", "tiny") as raw:
            raw.send(HELLO)
            name = raw.new(home)
            raw.prompt(name, "Hi")
            while raw.receive().get("params", {}).get("update", {}).get("sessionUpdate") != "agent_message_chunk":
                pass
            if number:
                raw.child.send_signal(number)
            else:
                raw.child.stdin.close()  # type: ignore[union-attr]
            assert b'"stopReason":"cancelled"' in raw.rest()
            assert raw.child.wait(PATIENCE) == (128 + number if number else 0)
        assert len(posts(server)) == 1
    stored = home.load(name)
    assert stored is not None and stored[-1]["content"] == "Half an answer" and stored[-1]["stop_reason"] == "aborted"
    assert "Traceback" not in told(home)


def test_it_ends_when_nobody_reads_and_when_a_question_is_open(home: Home) -> None:
    asks = call("c", "execute_command", command="touch made")
    with talking(home, *home.script(asks, "x" * 1000)) as raw:
        raw.send(HELLO)
        name = raw.new(home)
        raw.prompt(name, "Go")
        raw.until(method="session/request_permission")
        raw.child.stdout.close()  # type: ignore[union-attr]
        raw.prompt(name, "More")  # its answer meets the closed pipe
        assert raw.child.wait(PATIENCE) == 0
    stored = home.load(name)
    assert stored is not None and stored[-1]["content"] == "not run: the turn was interrupted"
    assert "Traceback" not in told(home)


def test_a_file_is_an_input_like_any_other(home: Home) -> None:
    (home.folder / "said").write_text(json.dumps(HELLO) + "\n" + json.dumps({"id": 1, "method": "session/list"}))
    with open(home.folder / "said", "rb") as given, talking(home, stdin=given) as raw:
        assert [raw.receive()["id"] for _ in range(2)] == [0, 1]
        assert raw.rest() == b"" and raw.child.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provider", "nonsense", "acp"), "nonsense"),
        (("acp", "--provider", "nonsense"), "nonsense"),
        (("acp", "--approval-mode", "nonsense"), "--approval-mode"),
    ],
)
def test_nonsense_is_refused_at_the_start(home: Home, words: tuple[str, ...], said: str) -> None:
    done = home.run(*words)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


@pytest.mark.parametrize("words", [("-y", "acp"), ("acp", "--approval-mode", "yolo")])
def test_flags_stand_on_either_side_and_what_is_under_way_is_answered_at_the_end(
    home: Home, words: tuple[str, ...]
) -> None:
    lines = [HELLO, {"id": 1, "method": "session/new", "params": {"cwd": str(home.work), "mcpServers": []}}]
    done = home.run(*words, stdin="\n".join(map(json.dumps, lines)))
    assert json.loads(done.stdout.splitlines()[1])["result"]["modes"]["currentModeId"] == "yolo"


def test_without_the_sdk_the_pip_line_is_said(home: Home) -> None:
    import sys

    hide = "import sys; sys.modules['acp'] = None; sys.argv[1:] = ['acp']; import scratchy.cli; scratchy.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", hide], env=home.env, cwd=home.work, capture_output=True, text=True, timeout=40
    )
    assert done.returncode == 2 and 'pip install "scratchy[acp]"' in done.stderr


# -- the wire alone


async def finish(wire: Wire) -> None:
    await wire.ended.wait()
    await wire.finish()


def test_messages_go_out_in_order_as_strict_json_however_slowly_they_are_read() -> None:
    async def run() -> list[dict[str, Any]]:
        into, out = os.pipe(), os.pipe()
        wire = Wire(into[0], out[1])
        sent = [{"number": number, "text": "\ud800é" * 5000} for number in range(400)]

        async def send() -> None:
            for message in sent:
                await wire.send(message)

        def read() -> bytes:
            with open(out[0], "rb") as file:
                return b"".join(file.readline() for _ in sent)

        _, data = await asyncio.gather(send(), asyncio.to_thread(read))
        await wire.close()
        with pytest.raises(ConnectionError):
            await wire.send({})
        os.close(into[1])
        ending = asyncio.create_task(finish(wire))
        assert await wire.receive() is None
        await ending
        os.close(out[1])
        os.close(into[0])
        return [json.loads(line) for line in data.decode().splitlines()]

    got = asyncio.run(run())
    assert [one["number"] for one in got] == list(range(400)) and got[0]["text"].startswith("?é")


def test_lines_of_any_cut_are_messages() -> None:
    async def run() -> list[Any]:
        into, out = os.pipe(), os.pipe()
        wire = Wire(into[0], out[1])
        lines = b"".join(json.dumps({"id": number, "method": "m" * number}).encode() + b"\r\n" for number in range(50))

        def write() -> None:
            for start in range(0, len(lines), 7):
                os.write(into[1], lines[start : start + 7])
            os.close(into[1])

        async def answer() -> list[Any]:
            got = []
            while (message := await wire.receive()) is not None:
                await wire.send({"id": message["id"], "result": {}})
                got.append(message["id"])
            return got

        got, *_ = await asyncio.gather(answer(), asyncio.to_thread(write), finish(wire))
        await wire.close()
        for end in (into[0], *out):
            os.close(end)
        return got

    assert asyncio.run(run()) == list(range(50))


def test_an_answer_that_fits_no_question_is_dropped() -> None:
    for line in (b'{"id": [], "result": 1}', b'{"id": 1}', b'{"id": 1, "error": "x"}', b"{}"):
        assert understood(line) == (None, None)
    assert understood(b'{"id": 1, "error": {"code": 1}}')[0] == {"id": 1, "error": {"code": 1}}
