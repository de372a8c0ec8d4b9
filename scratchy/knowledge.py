"""What the model is told about itself: the role's prompt, the person's instructions. Files of a project come later.

No clock and no folder in it: those ride with a user's message, so that the request's prefix stays the same bytes.
"""

from datetime import datetime

_COMMON = (
    "You are Scratchy, a helpful AI assistant in the user's terminal. Answer directly and honestly; say so when you do "
    "not know. Write Markdown. "
)
ROLES = {
    "general": _COMMON + "Use the tools when they help; never claim to have done what no tool did.",
    "engineer": _COMMON
    + (
        "You work as a careful software engineer in the user's folder. Read before you change; make the smallest "
        "change that solves the problem; keep the style you find; run the tests that exist and report their result "
        "truthfully. Never claim to have done what no tool did."
    ),
    "writer": _COMMON + "You help with writing: keep the author's voice, prefer plain words, explain what you change.",
    "researcher": _COMMON
    + "You look things up with the tools, compare sources, name them, and separate facts from guesses.",
}


def system_message(role: str = "general", instructions: str = "") -> str:
    """The system message of a new session. Raises: ValueError naming the roles, for an unknown one."""
    if role not in ROLES:
        raise ValueError(f"Unknown role '{role}'. The roles are: {', '.join(ROLES)}.")
    return f"{ROLES[role]}\n\n{instructions}".strip() if instructions else ROLES[role]


def message_context(now: datetime, folder: str) -> str:
    """What a user's message carries beside its text: today's date (local) and the working folder."""
    return f"Today is {now:%Y-%m-%d}. You work in the folder {folder}."  # plain words: small models parrot a form
