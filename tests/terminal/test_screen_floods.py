"""An answer without an end of line, megabytes of it: the keys stay alive, and what came is shown, once."""

from ptys import Terminal

MEGABYTE = 1_000_000


def test_keys_are_alive_while_a_giant_line_streams_and_escape_ends_it() -> None:
    for piece in ("abc", "*a_", "漢字"):
        with Terminal() as terminal:
            terminal.ready()
            terminal.send(f"flood 60 {piece}\r")
            terminal.until(b"Esc to interrupt")
            for _ in range(100):
                terminal.until(piece.encode())
            terminal.send("Q")
            assert len(terminal.until(b"Q")) < 5 * MEGABYTE
            terminal.send("\x1b")
            assert len(terminal.until(b"Interrupted.")) < 10 * MEGABYTE
            terminal.send("\x15hello\r")
            terminal.until(b"You said: hello")


def test_a_giant_delta_is_drawn_in_pieces_and_interrupted_with_a_word() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("flood 60 abc whole\r")
        terminal.until(b"abc abc")
        terminal.send("\x1b")
        assert b"characters are not shown; the session has them." in terminal.until(b"Interrupted.")


def test_all_of_a_giant_line_is_shown_once() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("flood 8 word\rnext\r")
        words = terminal.until(b"You said: next").count(b"word ")
        assert 0 <= words - 8 * MEGABYTE // 5 < MEGABYTE // 10  # the redrawn tail makes some more
