"""How a line mentions things: what counts, where it ends, and that what is written is read back."""

from hypothesis import given
from hypothesis import strategies as st

from scratchy.core.mentions import Begun, Mention, begun, mentions_in, names, written


def texts(line: str) -> list[str]:
    return [mention.text for mention in mentions_in(line)]


def test_mentions_stand_at_the_beginning_of_words() -> None:
    assert texts("@a.py and (@b.py) 看@c.md\n@d") == ["a.py", "b.py)", "c.md", "d"]
    assert texts("user@example.com https://x.org/@user HEAD@{1} @ @@ -1 +1 @@ ünï@x") == ["@", "@"]
    assert mentions_in('@"a b.txt" @session:work @session:"two words" @"session:x"') == [
        Mention("a b.txt", quoted=True, closed=True),
        Mention("work", session=True),
        Mention("two words", session=True, quoted=True, closed=True),
        Mention("session:x", quoted=True, closed=True),
    ]


def test_a_name_ends_before_what_a_sentence_adds() -> None:
    def all_names(line: str) -> list[str]:
        return list(names(mentions_in(line)[0]))

    assert "notes.md" in all_names("(see @notes.md).")
    assert "notes.md" in all_names("看@notes.md这里")
    assert "a.py" in all_names("@a.py:12:") and "a.py" in all_names("@a.py:3-9")
    assert all_names("@notes.md")[0] == "notes.md" and "notes" not in all_names("@notes.md")
    assert all_names("@...") == all_names("@.") == [] and all_names("@./") == ["./"]
    assert "a b/" in all_names('@"a b/ what is in it')


def test_what_looks_like_a_path_is_told_from_code() -> None:
    looks = {mention.text: mention.is_path for mention in mentions_in("@no.md @src/x @TODO @app.route('/') @decorator")}
    assert [text for text, is_path in looks.items() if is_path] == ["no.md", "src/x"]


def test_a_mention_that_is_being_typed() -> None:
    assert begun("look at @src/ma") == Begun(7, "src/ma", False)
    assert begun("@") == Begun(1, "", False)
    assert begun('x @"a b') == Begun(5, "a b", False)
    assert begun("@session:wo") == Begun(11, "wo", True)
    assert begun('@session:"two w') == Begun(15, "two w", True)
    assert begun("@a.py ") is begun("me@exa") is begun("nothing") is begun("@a\nb") is None
    assert begun("x" * 100_000 + " @a") == Begun(2, "a", False)


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40), st.booleans())
def test_what_is_written_is_read_back(name: str, session: bool) -> None:
    line = f"see {written(name, session=session)} now"
    mention = mentions_in(line)[0]
    assert mention.session == session
    if name.endswith("/") and not session:
        return  # stays open
    assert next(names(mention)) == name if name.strip("./") or mention.quoted else True
    assert line.isprintable() or not name.isprintable()


def test_what_hides_is_written_escaped() -> None:
    assert written("a\x1b[2J\n.txt") == '@"a\\x1b[2J\\n.txt"'
    assert written("safe\u202etxt.exe") == '@"safe\\u202etxt.exe"'
    assert written("a b/") == '@"a b/' and written("src/") == "@src/"
