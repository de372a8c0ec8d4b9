"""Makes the helpers that tests of several rooms use importable: model_server (tests/providers), ptys (tests/terminal)."""

import pathlib
import sys

for room in ("providers", "terminal", "sessions"):
    sys.path.append(str(pathlib.Path(__file__).parent / room))
