"""Makes importable what tests of several rooms share: model_server, ptys, sessionbench, toolbench."""

import pathlib
import sys

for room in ("providers", "terminal", "sessions", "tools"):
    sys.path.append(str(pathlib.Path(__file__).parent / room))
