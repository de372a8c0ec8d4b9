"""The child process of the `local` provider: llama.cpp's HTTP server from the xllamacpp wheel, for one parent.

Run as a file, so it imports nothing of ours. Standard input: one line of JSON with `model` (path), `key`, `context`
(tokens), `threads`, `sampling`; then nothing, and its end (the parent is gone, however it went) ends this process.
Standard output: one line of JSON, `url` or `error`. Standard error: the server's log, errors only.
"""

import importlib
import json
import os
import sys
import threading
from typing import Any

xllamacpp: Any = importlib.import_module("xllamacpp")  # untyped; its absence ends this process, and the parent tells it


def main() -> None:
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        server = _serve(settings)
        told = {"url": server.listening_address}
    except Exception as error:
        told = {"error": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    if "error" not in told:
        threading.Event().wait()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # at once: native threads are not waited for


def _serve(settings: dict[str, Any]) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.api_keys = [settings["key"]]
    params.n_ctx = settings["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.port = 0
    params.use_jinja = True
    params.ui = False
    params.verbosity = 1
    params.cache_ram_mib = 0  # one conversation: the slot's own cache serves it
    if sampling := settings["sampling"]:
        params.sampling.temp = sampling["temperature"]
        params.sampling.penalty_repeat = sampling["repeat_penalty"]
        params.n_predict = sampling["longest_answer"]
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
