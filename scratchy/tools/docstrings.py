"""What a docstring says of a function and its parameters, in the three forms in use: Google, numpy, reST."""

import re

_GOOGLE = re.compile(r"^(args|arguments|parameters|params)\s*:\s*$", re.IGNORECASE)
_GOOGLE_ITEM = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_ITEM = re.compile(r"^\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$")
_REST = re.compile(r"^[:@]param\s+(?:[^:]*?\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_SECTION = re.compile(
    r"^(args|arguments|parameters|params|returns?|yields?|raises|examples?|notes?|attributes|see also|warnings?)"
    r"\s*:?\s*$",
    re.IGNORECASE,
)


def parse_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """The description (all before the first section) and a line for each parameter that is told of."""
    lines = doc.expandtabs().splitlines()
    end = next((index for index, _ in enumerate(lines) if _ends_description(lines, index)), len(lines))
    about: dict[str, str] = {}
    for index, line in enumerate(lines):
        if _GOOGLE.match(line.strip()):
            about |= _items(lines[index + 1 :], _indent(line), _GOOGLE_ITEM)
        elif line.strip().lower() == "parameters" and _is_rule(lines, index + 1):
            about |= _numpy_items(lines[index + 2 :], _indent(line))
    about |= _rest_items(lines)
    return "\n".join(lines[:end]).strip(), about


def _ends_description(lines: list[str], index: int) -> bool:
    line = lines[index].strip()
    if line.startswith((":param", "@param", ":return", ":rtype", ":raise", ":type", "@return")):
        return True
    return bool(_SECTION.match(line)) and (line.endswith(":") or _is_rule(lines, index + 1))


def _is_rule(lines: list[str], index: int) -> bool:
    return index < len(lines) and len(lines[index].strip()) > 2 and set(lines[index].strip()) <= {"-", "="}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _items(lines: list[str], outside: int, item: re.Pattern[str]) -> dict[str, str]:
    """Indented `name: text` lines; what is indented deeper goes on with the one before."""
    about: dict[str, str] = {}
    name, depth = "", -1
    for line in lines:
        if not line.strip():
            continue
        if _indent(line) <= outside:
            break
        depth = _indent(line) if depth < 0 else depth
        found = item.match(line.strip()) if _indent(line) <= depth else None
        if found:
            name = found[1]
            about[name] = found[2].strip()
        elif name:
            about[name] = f"{about[name]} {line.strip()}".strip()
    return about


def _numpy_items(lines: list[str], depth: int) -> dict[str, str]:
    """`name : type` lines, each with its text indented below; the next section ends them."""
    about: dict[str, str] = {}
    names: list[str] = []
    for index, line in enumerate(lines):
        if _is_rule(lines, index + 1) or (line.strip() and _indent(line) < depth):
            break
        if line.strip() and _indent(line) == depth:
            found = _NUMPY_ITEM.match(line.strip())
            names = re.split(r"\s*,\s*", found[1]) if found else []
        for name in names if _indent(line) > depth else []:
            about[name] = f"{about.get(name, '')} {line.strip()}".strip()
    return about


def _rest_items(lines: list[str]) -> dict[str, str]:
    about: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.strip()
        found = _REST.match(text)
        if found:
            name = found[1]
            about[name] = found[2].strip()
        elif not text or text.startswith((":", "@")):
            name = ""
        elif name:
            about[name] = f"{about[name]} {text}".strip()
    return about
