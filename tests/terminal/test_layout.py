"""The live part as rows: bounded, harmless, as wide as the terminal."""

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from scratchy.terminal.layout import TAIL_ROWS, Live, Running, clip, last_rows, rows, wrapped

some_text = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("ab \n\t漢👍\x1b[31m"))
)


def text_of(live: Live, now: float = 10.0, width: int = 40, height: int = 20) -> list[str]:
    return ["".join(text for _, text in row) for row in rows(live, now, width, height)]


def test_nothing_is_shown_when_nothing_is() -> None:
    assert text_of(Live()) == []


def test_the_end_of_the_tail_is_shown() -> None:
    shown = text_of(Live(tail="\n".join(f"line {number}" for number in range(50))))
    assert shown == [f"line {number}" for number in range(50 - TAIL_ROWS, 50)]


def test_work_shows_what_how_long_and_how_to_stop_it() -> None:
    live = Live(status="working", since=0.0, running={"1": Running("run", "make", "a\nb\nc\nd")})
    shown = text_of(live, now=75.0, width=60)
    assert shown[:4] == ["▸ run make", "  b", "  c", "  d"]
    assert shown[4].endswith("working · 1 min 15 s · Esc to interrupt")


def test_a_retry_counts_down() -> None:
    assert (
        "no answer, again in 3 s · 10 s" in text_of(Live(status="no answer", since=0.0, wait_until=13.0), width=79)[0]
    )


def test_a_long_reason_leaves_the_wait_readable() -> None:
    reason = "Cannot reach api.openai.com: connection refused"
    for width in (40, 60, 79):
        shown = text_of(Live(status=reason, since=0.0, wait_until=13.0), width=width)
        assert " ".join(" ".join(shown[:-1]).split()) == reason
        assert shown[-1].endswith("again in 3 s · 10 s · Esc to interrupt")
        assert all(get_cwidth(row) <= width for row in shown)


def test_a_call_tells_how_long_it_runs_whatever_its_length() -> None:
    live = Live(running={"1": Running("run", "make " * 20, since=0.0), "2": Running("run", "it", since=9.5)})
    first, second = text_of(live, now=75.0), text_of(live, now=10.0)
    assert first[0].startswith("▸ run make") and first[0].endswith("… · 1 min 15 s") and get_cwidth(first[0]) <= 40
    assert first[1] == "▸ run it · 1 min 5 s" and second[1] == "▸ run it"


def test_a_long_queue_is_counted() -> None:
    shown = text_of(Live(queue=["one\ntwo", "2", "3", "4", "5"]))
    assert shown == ["queued: one two", "queued: 2", "queued: 3", "… and 2 more"]


def test_what_the_keys_do_with_the_queue_is_read_whole() -> None:
    hint = "Up edits what is queued, Esc brings it back"
    shown = text_of(Live(queue=["one"], queue_hint=hint), width=40)
    assert " ".join(" ".join(shown[1:]).split()) == hint and all(len(row) <= 40 for row in shown)


def test_the_urgent_wins_where_there_is_little_room() -> None:
    live = Live(tail="t\n" * 30, status="s", since=0.0, queue=["q"] * 9, question="Run it?", unsaved="no space")
    shown = text_of(live, height=5)
    assert len(shown) == 5
    assert shown[-2:] == ["not saved: no space", "Run it?"]


@given(some_text, st.integers(min_value=8, max_value=120))
def test_rows_fit_and_hold_no_control_character(text: str, width: int) -> None:
    live = Live(tail=text, status=text, since=0.0, running={"1": Running(text, text, text)}, queue=[text], unsaved=text)
    for row in text_of(live, width=width):
        assert get_cwidth(row) <= max(width, 40)
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in row)


@given(some_text, st.integers(min_value=2, max_value=50))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    line = text.replace("\n", " ").replace("\t", " ")
    pieces = wrapped(line, width)
    assert "".join(pieces) == line
    assert all(get_cwidth(piece) <= width for piece in pieces)
    assert get_cwidth(clip(line, width)) <= width


@given(some_text, st.integers(min_value=8, max_value=50))
def test_what_is_being_written_breaks_between_words(text: str, width: int) -> None:
    words = "one fourteen " * 20
    for live in (Live(tail=words), Live(tail=words + text.replace("\n", " "))):
        assert all(get_cwidth(row) <= width for row in text_of(live, width=width))
    assert {"one", "fourteen"} >= set(" ".join(text_of(Live(tail=words), width=width)[1:]).split())


def test_only_the_end_of_a_giant_line_is_looked_at() -> None:
    assert last_rows("x" * 10_000_000, 40, 2) == ["x" * 40, "x" * 40] or len(last_rows("x" * 10_000_000, 40, 2)) == 2
