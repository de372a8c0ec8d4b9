"""`python -m benchmarks SUBJECT…` prints a line a figure; `all` runs every subject; `--tiny` only shows it runs."""

import sys
from importlib import import_module

from benchmarks.common import HEAD, shown

SUBJECTS = (
    "start", "memory", "import", "oneshot", "append", "save", "load", "list", "stream", "step", "resume", "search",
    "picker", "echo", "mentions", "peers",
)  # fmt: skip
MODULES = {"import": "imports", "list": "listing"}


def main(arguments: list[str]) -> int:
    tiny = "--tiny" in arguments
    asked = [name for name in arguments if name != "--tiny"]
    wanted = SUBJECTS if asked == ["all"] else tuple(asked)
    if not wanted or not set(wanted) <= set(SUBJECTS):
        print(f"usage: python -m benchmarks [--tiny] all | {' | '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    print(HEAD, flush=True)
    for name in wanted:
        for row in import_module(f"benchmarks.{MODULES.get(name, name)}").run(tiny=tiny):
            print(shown(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
