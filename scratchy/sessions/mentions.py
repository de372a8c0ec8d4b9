"""What a line mentions and what of it the model gets with the line: texts of files, names in folders, images, passages
of other conversations. Only what is there counts; the line itself stays as it was typed.

Not here: how a mention is written (core/mentions.py), reading (tools/mentioned.py, quoting.py), completing (paths.py).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchy.compose.mentions import open_mentioned
from scratchy.core.mentions import Mention, mentions_in, names, unescaped
from scratchy.core.messages import Attachment, Message, attached_of
from scratchy.core.text import reveal
from scratchy.scratchpad import Scratchpad
from scratchy.sessions.conversation import Attached
from scratchy.sessions.images import image_part
from scratchy.sessions.quoting import Quoted

if TYPE_CHECKING:
    from scratchy.compose.mentions import Seen

MOST_FILE = 48 << 10  # bytes of one file
MOST_LINE = 200 << 10  # bytes of all that one line mentions
_LEAST = 1 << 10  # bytes that a beginning is worth it for
_MOST_MENTIONS = 100  # that are looked for
_MOST_SESSIONS = 10
_ENDS = ".,;:!?)]}'…。，、）」"
_MOST_TOLD = 5  # that something is said about, of those that nothing was attached for
_RECENT = 20

Quote = Callable[[str, bool], Quoted]
"""`Quotes.quote`: what may be given of a conversation, by its id."""


class Mentions:
    """What lines may mention in one conversation: files from `folder` and `add_dirs`, other conversations by `quote`.
    Images are kept in `pad`; `keys` are never in what is read."""

    def __init__(
        self, folder: Path, add_dirs: Iterable[Path], pad: Scratchpad, quote: Quote, keys: Sequence[str] = ()
    ) -> None:
        self._files = open_mentioned(folder, add_dirs, keys)
        self._pad = pad
        self._quote = quote

    async def attach(self, line: str) -> Attached:
        """Never raises. What is too much is left out, said."""
        if "@" not in line or not (found := mentions_in(line)):
            return Attached()
        gathered = _Gathered(one_line="\n" not in line.strip())
        paths = [mention for mention in found if not mention.session][:_MOST_MENTIONS]
        sessions = [mention for mention in found if mention.session][:_MOST_SESSIONS]
        for mention in sorted([*paths, *sessions], key=found.index):
            await asyncio.to_thread(self._session if mention.session else self._path, mention, gathered)
        return Attached(gathered.texts, gathered.parts, gathered.notices())

    def _session(self, mention: Mention, gathered: "_Gathered") -> None:
        session_id = unescaped(mention.text) if mention.quoted else mention.text
        quoted = self._quote(session_id, gathered.one_line)
        ended = session_id.rstrip(_ENDS)
        if quoted.unknown and not mention.quoted and ended not in ("", session_id):  # a sentence goes on behind it
            session_id, quoted = ended, self._quote(ended, gathered.one_line)
        name = f"@session:{reveal(session_id)}"
        if not quoted.text:
            gathered.told.append(f"{name} {quoted.told}")
        elif gathered.takes(("session", session_id), len(quoted.text.encode())):
            gathered.add(name, quoted.text, quoted.told)

    def _path(self, mention: Mention, gathered: "_Gathered") -> None:
        most = max(min(MOST_FILE, MOST_LINE - gathered.weight), _LEAST)
        for name in names(mention):
            seen = self._files.look(name, most)
            if seen.kind != "absent":
                self._take(name, seen, gathered)
                return
        if mention.is_path and gathered.one_line:
            gathered.told.append(f"@{reveal(mention.text)}: there is no such file here.")

    def _take(self, name: str, seen: "Seen", gathered: "_Gathered") -> None:
        shown = f"@{_on_one_line(name)}"
        match seen.kind:
            case "outside":
                told = "lies outside this folder and was not attached; the model may ask to read it."
            case "secret":
                told = "may hold keys and was not attached; the model may ask to read it."
            case "other":
                told = "is no regular file and was not attached."
            case "unreadable":
                told = f"could not be read: {seen.why}."
            case _:
                if gathered.takes(seen.path, len(seen.text.encode())):
                    self._add(shown, seen, gathered)
                return
        gathered.told.append(f"{shown} {told}")

    def _add(self, shown: str, seen: "Seen", gathered: "_Gathered") -> None:
        match seen.kind:
            case "image":
                try:
                    gathered.parts.append(image_part(self._pad, seen.data, seen.path.name))
                    gathered.attached.append(f"{shown} attached ({size(seen.size)})")
                except (ValueError, OSError) as error:
                    gathered.told.append(f"{shown} was not attached: {error}")
            case "binary":
                text = f"[{shown} is a binary file of {seen.size:,} bytes; its content is not attached]"
                gathered.add(shown, text, f"its name and size only: binary, {size(seen.size)}")
            case "folder":
                count = f"{seen.size:,} entr{'y' if seen.size == 1 else 'ies'}"
                text = seen.text or "[an empty folder]"
                more = f"\n[… the first {seen.read} of {seen.size:,}]" if seen.read < seen.size else ""
                gathered.add(shown, text + more, count)
            case _:
                gathered.add(shown, seen.text + _rest(seen), _amount(seen))


class _Gathered:
    """What was found so far; the same thing only once."""

    def __init__(self, *, one_line: bool) -> None:
        self.one_line = one_line
        self.weight = 0
        self.texts: list[Attachment] = []
        self.parts: list[dict[str, Any]] = []
        self.attached: list[str] = []
        self.told: list[str] = []
        self._known: set[Any] = set()

    def takes(self, thing: object, weight: int) -> bool:
        """Whether it is new, and there is room for so many bytes."""
        if thing in self._known:
            return False
        self._known.add(thing)
        if self.weight + weight > MOST_LINE:
            self.told.append(f"Not all is attached: the line mentions more than {size(MOST_LINE)}.")
            return False
        self.weight += weight
        return True

    def add(self, name: str, text: str, amount: str) -> None:
        self.texts.append({"name": name, "text": text})
        self.attached.append(f"{name} attached ({amount})")

    def notices(self) -> list[str]:
        """One line for all that is attached, then a line for each that is not."""
        told = list(dict.fromkeys(self.told))
        more = [f"… and {len(told) - _MOST_TOLD} more that were not attached."] if len(told) > _MOST_TOLD else []
        return [*([" · ".join(self.attached)] if self.attached else []), *told[:_MOST_TOLD], *more]


def recent_mentions(messages: Sequence[Message]) -> list[str]:
    """The paths that these messages mention, the last first."""
    found: dict[str, None] = {}
    for message in reversed(messages):
        for one in attached_of(message):
            if one["name"].startswith("@") and not one["name"].startswith("@session:"):
                found[one["name"][1:]] = None
        if len(found) >= _RECENT:
            break
    return list(found)


def size(count: int) -> str:
    """Bytes for people: `812 bytes`, `1.2 kB`."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{count / 1000:.1f} kB" if count < 999_950 else f"{count / 1_000_000:.1f} MB"


def _rest(seen: "Seen") -> str:
    """What to know of a text that was cut."""
    if seen.read >= seen.size:
        return ""
    line = seen.text.count("\n") + 1
    return f"\n[The first {seen.read:,} of {seen.size:,} bytes. It goes on in line {line}: read_file start_line={line}]"


def _amount(seen: "Seen") -> str:
    return size(seen.size) if seen.read >= seen.size else f"the first {size(seen.read)} of {size(seen.size)}"


def _on_one_line(name: str) -> str:
    return reveal(name).replace("\n", "\\n").replace("\t", "\\t").replace('"', '\\"')
