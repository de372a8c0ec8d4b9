"""`scratchy session watch`: a session that another window holds, shown as it grows. Ctrl-C ends it, with 0.

Not here: what is new in it (store/watch.py), the flags (session_cli.py).
"""

import sys
import time
from pathlib import Path

from scratchy import compose
from scratchy.commands.telling import messages_text
from scratchy.core.text import clean, reveal
from scratchy.shell.printing import say, say_json
from scratchy.store.watch import New, Watch

PAUSE = 0.5


def watch(folder: Path, session_id: str, as_json: bool) -> int:
    """0 when the person stops it, or when the session is deleted. Raises: SessionNotFoundError."""
    try:
        store = compose.open_folder(folder)
        watching = Watch(store, session_id)
        pid = store.holder(session_id)
        who = f", which process {pid} has open" if pid else ", which nobody has open now"
        _note(f"Watching session '{session_id}'{who}. Ctrl-C ends the watch, nothing else.")
        while True:
            for news in watching.look():
                if isinstance(news, New):
                    if as_json:
                        say_json(news.message)
                    else:
                        say(clean(messages_text([news.message], news.number)) + "\n")
                else:
                    _note(news.text)
                    if news.over:
                        return 0
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        return 0


def _note(text: str) -> None:
    print(reveal(text), file=sys.stderr, flush=True)
