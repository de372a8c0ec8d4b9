"""Ids of conversations that come in over a channel: `agent:<agent>:<provider>:<peer>`, made and read back.

They are ordinary session ids. Not here: how an id becomes a file name (the store).
"""


def resolve_session_id(provider: str, peer_id: str, agent_id: str = "main") -> str:
    """The id of the session that one agent has with one peer of a channel: `agent:main:cli:local`.

    Different arguments never give the same id: a `:` in agent or provider is written `%3A`, a `%` there `%25`; a peer
    is the rest of the id and stays as it is. Raises: TypeError for what is no string, ValueError for an empty part.
    """
    for name, part in (("provider", provider), ("peer_id", peer_id), ("agent_id", agent_id)):
        if not isinstance(part, str):  # pyright: ignore[reportUnnecessaryIsInstance] - programs call it
            raise TypeError(f"{name} is a string, not {type(part).__name__}")
        if not part:
            raise ValueError(f"{name} must not be empty")
    return f"agent:{_escaped(agent_id)}:{_escaped(provider)}:{peer_id}"


def channel_of(session_id: str) -> str | None:
    """The provider in such an id (`cli` of `agent:main:cli:local`); None for any other id."""
    parts = session_id.split(":", 3)
    if len(parts) < 4 or parts[0] != "agent" or not all(parts):
        return None
    return parts[2].replace("%3A", ":").replace("%25", "%")


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")
