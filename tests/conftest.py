"""Makes importable what tests of several rooms share: model_server, ptys, sessionbench."""

import pathlib
import sys

for room in ("providers", "terminal", "sessions"):
    sys.path.append(str(pathlib.Path(__file__).parent / room))
