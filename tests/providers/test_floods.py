"""Servers that never stop, each against a process of its own whose peak of memory is read."""

import asyncio
import gzip
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from model_server import head, serve

FLOODS = {
    "endless line": (b"data: ", b"x" * 65536, ""),
    "endless event": (b"", b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" * 1600, ""),
    "endless answer": (b"", b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"yes" * 99) * 180, ""),
    "endless JSON": (b'{"choices":[', b"{}," * 20_000, ""),
    "gzip bomb": (b"", gzip.compress(b"x" * 2**26)[:-8], "gzip"),
    "gzip bomb of events": (b"", gzip.compress((b": " + b"alive" * 99 + b"\n\n") * 2**17)[:-8], "gzip"),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("status", [200, 500])
def test_a_flood_costs_bounded_memory(flood: str, status: int) -> None:
    """In a process of its own, whose peak is read: under 600 MB with all that a provider imports."""
    program = textwrap.dedent("""
        import asyncio, pathlib, resource, sys
        from scratchy.core.errors import ProviderError
        from scratchy.providers.openai import OpenAIProvider
        async def main():
            provider = OpenAIProvider(sys.argv[1] + "/v1", model="m", tries=1)
            try:
                async for event in provider.stream([{"role": "user", "content": "Hi"}], []):
                    pass
            except ProviderError as error:
                print(error)
            await provider.aclose()
        asyncio.run(main())
        status = pathlib.Path("/proc/self/status")  # ru_maxrss would begin with the peak of the process that forked us
        if status.exists():
            print(int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024)
        else:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """)
    first, again, encoding = FLOODS[flood]
    kind = "application/json" if flood == "endless JSON" else "text/event-stream"
    headers = {"content-type": kind, "transfer-encoding": "chunked"}
    headers |= {"content-encoding": encoding} if encoding else {}

    async def play(request: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, headers))
        for piece in [first, *[again] * 2000]:
            if piece:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
        await asyncio.sleep(3600)

    async def run() -> str:
        async with serve(play) as server:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, server.url, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
            )
            output, _ = await child.communicate()
            assert child.returncode == 0
            return output.decode()

    message, megabytes = asyncio.run(run()).strip().rsplit("\n", 1)
    assert ("answered 500" in message) if status == 500 else ("bytes" in message or "unpack" in message)
    assert int(megabytes) < 300
