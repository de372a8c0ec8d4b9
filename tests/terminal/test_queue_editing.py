"""Lines that wait, edited in their place, on a real pseudo-terminal."""

from ptys import Terminal

UP, DOWN = "\x1b[A", "\x1b[B"


def queued(terminal: Terminal, *lines: str) -> None:
    terminal.ready()
    terminal.send("slow\r")
    terminal.wait_for("word9")
    for line in lines:
        terminal.send(f"{line}\r")
        terminal.wait_for(f"queued: {line}")
    terminal.wait_for("Up edits what is queued, Esc brings it back")


def stands(terminal: Terminal, text: str) -> None:
    terminal.wait_for(lambda: terminal.line() == f"[default] You: {text}".rstrip())


def test_up_and_down_go_through_them_and_enter_puts_one_back_in_its_place() -> None:
    with Terminal() as terminal:
        queued(terminal, "one", "two", "three")
        terminal.send(UP)
        stands(terminal, "three")
        terminal.wait_for("editing waiting line 3 of 3: Enter puts it back, empty removes it")
        terminal.send(UP)
        stands(terminal, "two")
        terminal.wait_for(lambda: "queued: one\nqueued: three" in terminal.text())
        terminal.send(UP + UP)
        stands(terminal, "one")
        terminal.send(DOWN)
        stands(terminal, "two")
        terminal.send(" more\r")
        terminal.wait_for("queued: one\nqueued: two more\nqueued: three")
        stands(terminal, "")
        terminal.send(UP)
        stands(terminal, "three")
        terminal.send(DOWN)
        stands(terminal, "")
        terminal.wait_for("queued: three")


def test_one_that_is_edited_to_nothing_is_left_out() -> None:
    with Terminal() as terminal:
        queued(terminal, "one", "two")
        terminal.send(UP + UP)
        stands(terminal, "one")
        terminal.send("\x15\r")
        terminal.wait_for(lambda: "queued: one" not in terminal.text())
        terminal.send(UP)
        terminal.wait_for("editing the waiting line")
        stands(terminal, "two")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")
        stands(terminal, "two")
        assert "waiting line" not in terminal.text()


def test_the_lines_behind_the_one_that_is_edited_wait_for_it() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("/wait 2\rone\rtwo\r")
        terminal.wait_for("queued: two")
        terminal.send(UP + UP)
        stands(terminal, "one")
        terminal.wait_for("waited")
        terminal.read(0.5)
        assert "You said" not in terminal.text() and "queued: two" in terminal.text()
        terminal.send("!\r")
        terminal.wait_for("You said: two")
        assert terminal.text().index("You said: one!") < terminal.text().index("You said: two")


def test_esc_brings_all_back_in_order_the_edited_one_too() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("/wait 1\rone\rtwo\rthree\r")
        terminal.wait_for("queued: three")
        terminal.send(UP + UP + UP + " edited")
        terminal.wait_for(lambda: terminal.prompt().startswith("one edited"))
        terminal.wait_for("waited")
        terminal.wait_for(lambda: "interrupt" not in terminal.text())
        terminal.send("\x1b")
        terminal.wait_for(lambda: terminal.prompt().split()[:4] == ["one", "edited", "two", "three"])
        assert "queued" not in terminal.text()
