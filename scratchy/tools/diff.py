"""The unified diff that a person says yes to: whole and exact, at a bounded cost. Not here: how it is coloured."""

from difflib import SequenceMatcher

from scratchy.core.text import reveal_line

_CONTEXT = 3
_LARGEST_MATCH = 4_000_000  # product of the lines to compare, above which the change is shown as one block


def unified(before: str, after: str, old_name: str, new_name: str) -> str:
    """Like `diff -u`; empty when nothing changes. Lines end at `\\n` only; a `\\r` stays part of its line."""
    old, new = _lines(before), _lines(after)
    if old == new:
        return ""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    # Only what differs, with its context, is compared: long files cost nothing.
    first, last = max(start - _CONTEXT, 0), max(end - _CONTEXT, 0)
    body = _hunks(old[first : len(old) - last], new[first : len(new) - last], first)
    return "".join([f"--- {reveal_line(old_name)}\n", f"+++ {reveal_line(new_name)}\n", *body])


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    tail = [lines[-1] + "\n\\ No newline at end of file\n"] if lines[-1] else []
    return [line + "\n" for line in lines[:-1]] + tail


def _hunks(old: list[str], new: list[str], offset: int) -> list[str]:
    out: list[str] = []
    for group in _groups(old, new):
        (_, old_from, _, new_from, _), (_, _, old_to, _, new_to) = group[0], group[-1]
        out.append(f"@@ -{_range(old_from, old_to, offset)} +{_range(new_from, new_to, offset)} @@\n")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                out += [" " + line for line in old[i1:i2]]
            else:
                out += ["-" + line for line in old[i1:i2]]
                out += ["+" + line for line in new[j1:j2]]
    return out


def _groups(old: list[str], new: list[str]) -> list[list[tuple[str, int, int, int, int]]]:
    if len(old) * len(new) <= _LARGEST_MATCH:
        return [list(group) for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT)]
    return [[("replace", 0, len(old), 0, len(new))]]


def _range(start: int, end: int, offset: int) -> str:
    length = end - start
    first = start + offset + (1 if length else 0)
    return f"{first}" if length == 1 else f"{first},{length}"
