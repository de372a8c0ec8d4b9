"""A Markdown answer of any length, cut into tokens: headings, prose, lists, a table, code. Always the same text."""

_SECTION = """## Part {n}: how a session is kept

A session is **one file** that grows by appends, and every *finished* message is on disk before the next prompt stands.
The count in the header is patched in place, so `append` costs the message and never the session, however long it is.

- data first, then the count, each of them synced
- a reader sees the first items and takes no lock
- what a crash cut off is kept beside the file, and said in one line

| messages | append | whole rewrite |
| ---: | ---: | ---: |
| 100 | 0.29 ms | 1.7 ms |
| 10,000 | 0.47 ms | 193 ms |

```python
def append(path: str, item: bytes) -> int:
    with open(path, "r+b", buffering=0) as file:
        file.seek(0, 2)
        written = file.write(item)  # part {n}
        return written
```

1. open the file and take its lock
2. write what is new at the end

> What is not acknowledged may be lost; what is acknowledged never is.

"""
_LENGTH = 4  # characters a token, as models cut English


def answer(count: int) -> str:
    """Markdown of about `count` tokens, whole sections of it."""
    parts: list[str] = []
    size = 0
    while size < count * _LENGTH:
        parts.append(_SECTION.format(n=len(parts) + 1))
        size += len(parts[-1])
    return "".join(parts) + f"This is {end_of(count)}.\n"


def end_of(count: int) -> str:
    """What only the end of that answer says."""
    return f"the-end-of-{count}"


def tokens(count: int) -> list[str]:
    text = answer(count)
    return [text[at : at + _LENGTH] for at in range(0, len(text), _LENGTH)]
