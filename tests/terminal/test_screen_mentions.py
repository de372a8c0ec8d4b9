"""Mentions at the drawn prompt, in the real program on a pty: the menu as one types, Tab, Enter, Esc, any width."""

from pathlib import Path

import pytest
from programs import Home
from ptys import PATIENCE, ROOT, Terminal

pytestmark = pytest.mark.timeout(8 * PATIENCE)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    for name in ("notes.md", "src/parser.py", "src/lexer.py", "a b.txt", "語" * 30 + ".md"):
        (made.work / name).parent.mkdir(exist_ok=True)
        (made.work / name).write_text("the content\n")
    return made


def start(home: Home, columns: int = 80, rows: int = 24) -> Terminal:
    flags = ("--cwd", str(home.work), "--provider", "demo")
    return Terminal(*flags, program=ROOT / "run_agent.py", columns=columns, rows=rows, **home.env)


def ready(terminal: Terminal) -> None:
    terminal.wait_for("Model: demo")
    terminal.wait_for(lambda: terminal.line().startswith("[default]"))


def shown(terminal: Terminal) -> str:
    """The screen, a wide character once."""
    return "\n".join(line.rstrip() for line in terminal.screen.display)


def menu(terminal: Terminal) -> list[str]:
    """The rows below the line that the cursor is in."""
    rows = [line.strip() for line in terminal.screen.display[terminal.screen.cursor.y + 1 :]]
    return [row for row in rows if row]


def test_the_menu_shows_as_one_types_and_enter_takes_without_sending(home: Home) -> None:
    with start(home) as terminal:
        ready(terminal)
        terminal.send("see @")
        terminal.wait_for(lambda: any("notes.md" in row for row in menu(terminal)))
        terminal.send("pars")
        terminal.wait_for(lambda: "src/parser.py" in menu(terminal))
        terminal.send("\t")
        terminal.wait_for(lambda: terminal.line().endswith("see @src/parser.py"))
        terminal.send("\r")
        terminal.wait_for(lambda: "src/parser.py" not in menu(terminal))
        assert terminal.line().endswith("see @src/parser.py")
        terminal.send(" now\r")
        terminal.wait_for("@src/parser.py attached (12 bytes)")
        terminal.wait_for(lambda: home.load("default") is not None and len(home.load("default") or []) >= 3)
    stored = next(message for message in home.load("default") or [] if message["role"] == "user")
    assert stored["content"] == "see @src/parser.py now"


def test_folders_go_on_blanks_are_quoted_and_esc_closes(home: Home) -> None:
    with start(home) as terminal:
        ready(terminal)
        terminal.send("@src")
        terminal.wait_for(lambda: "src/" in menu(terminal))
        terminal.send("\t\r")  # Enter takes the folder, and shows what is in it
        terminal.wait_for(lambda: terminal.line().endswith("@src/") and "src/lexer.py" in menu(terminal))
        terminal.send("\x1b")
        terminal.wait_for(lambda: "src/lexer.py" not in menu(terminal))
        assert terminal.line().endswith("@src/")
        terminal.send(" @a")
        terminal.wait_for(lambda: "a b.txt" in menu(terminal))
        terminal.send("\t")
        terminal.wait_for(lambda: terminal.line().endswith('@src/ @"a b.txt"'))


def test_a_word_typed_behind_a_completed_file_is_parted_from_it(home: Home) -> None:
    with start(home) as terminal:
        ready(terminal)
        terminal.send("see @pars")
        terminal.wait_for(lambda: "src/parser.py" in menu(terminal))
        terminal.send("\t\r")  # taken
        terminal.wait_for(lambda: "src/parser.py" not in menu(terminal))
        terminal.send("and @lex")
        terminal.wait_for(lambda: "src/lexer.py" in menu(terminal))
        terminal.send("\t")  # marked only
        terminal.wait_for(lambda: terminal.line().endswith("see @src/parser.py and @src/lexer.py"))
        terminal.send("now, @notes")
        terminal.wait_for(lambda: "notes.md" in menu(terminal))
        terminal.send("\t:12 ok")
        terminal.wait_for(lambda: terminal.line().endswith("see @src/parser.py and @src/lexer.py now, @notes.md:12 ok"))
        terminal.send("\x17\x7f\x7f\x7f\x7fx")  # without the mark nothing comes between
        terminal.wait_for(lambda: terminal.line().endswith("now, @notes.mdx"))
        terminal.send("\x15@pars")
        terminal.wait_for(lambda: "src/parser.py" in menu(terminal))
        terminal.send("\x1b")
        terminal.wait_for(lambda: "src/parser.py" not in menu(terminal))
        terminal.send("\t")  # the menu is closed
        terminal.wait_for(lambda: terminal.line().endswith("@src/parser.py"))
        terminal.send("and")
        terminal.wait_for(lambda: terminal.line().endswith("@src/parser.py and"))


def test_an_address_opens_no_menu_and_enter_sends_as_typed(home: Home) -> None:
    with start(home) as terminal:
        ready(terminal)
        terminal.send("mail me@notes\r")
        terminal.wait_for(lambda: len(home.load("default") or []) >= 3)
        terminal.wait_for(lambda: terminal.line().startswith("[default]"))
        terminal.send("@note")
        terminal.wait_for(lambda: "notes.md" in menu(terminal))
        terminal.send("\r")  # nothing is marked: it is sent as it was typed
        terminal.wait_for(lambda: len(home.load("default") or []) >= 5)
    assert [m["content"] for m in home.load("default") or [] if m["role"] == "user"] == ["mail me@notes", "@note"]


def test_of_a_deep_path_a_narrow_screen_shows_the_end(home: Home) -> None:
    deep = home.work / "folder-of-many" / "folder-of-more" / "folder-of-most"
    deep.mkdir(parents=True)
    (deep / "zebra.txt").write_text("")
    with start(home, 40) as terminal:
        ready(terminal)
        terminal.send("@zebra")
        terminal.wait_for(lambda: "…/folder-of-most/zebra.txt" in menu(terminal))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_wide_names_stay_on_the_screen(home: Home, columns: int) -> None:
    with start(home, columns) as terminal:
        ready(terminal)
        terminal.send("@語")
        terminal.wait_for(lambda: any(row.startswith("語") for row in menu(terminal)))
        terminal.send("x\x7f\x7f")  # away, and back to all of them
        terminal.wait_for(lambda: terminal.line().endswith("You: @"))
        terminal.send("not")
        terminal.wait_for(lambda: menu(terminal)[:1] == ["notes.md"])
        terminal.send("\t")
        terminal.wait_for(lambda: terminal.line().endswith("@notes.md"))
        assert shown(terminal).count("You:") == 1


def test_sessions_by_id_and_title_and_paths_of_commands(home: Home) -> None:
    home.save("work", {"role": "user", "content": "the needle"})
    home.run("session", "title", "work", "All", "about", "parsing")
    with start(home) as terminal:
        ready(terminal)
        terminal.send("first\r")
        terminal.wait_for(lambda: len(home.load("default") or []) >= 3)
        terminal.wait_for(lambda: terminal.line().endswith("You:"))
        terminal.send("@session:")  # this one is not offered
        terminal.wait_for(lambda: "work  All about parsing" in menu(terminal))
        assert not any(row.startswith("default") for row in menu(terminal))
        terminal.send("\x15as in @session:pars")
        terminal.wait_for(lambda: "work  All about parsing" in menu(terminal))
        terminal.send("\t\r")
        terminal.wait_for(lambda: terminal.line().endswith("@session:work") and not menu(terminal)[1:])
        terminal.send("\r")
        terminal.wait_for("@session:work attached (its last 1 of 1 messages")
        terminal.wait_for(lambda: len(home.load("default") or []) >= 5)
        terminal.wait_for(lambda: terminal.line().startswith("[default]"))
        terminal.send("/import no\t")
        terminal.wait_for(lambda: terminal.line().endswith("/import notes.md"))
