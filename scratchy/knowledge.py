"""What the model is told about itself: the role's prompt, the person's instructions. Files of a project come later.

No clock and no folder in it: those ride with a user's message, so that the request's prefix stays the same bytes.
"""

from datetime import datetime

# Few words, and these: SmolLM2-135M takes "Write Markdown" for its name, and each further sentence costs it answers.
_COMMON = (
    "You are a helpful AI assistant named Scratchy. Be honest and direct. When you do not know, say so. "
    "Never claim to have done what no tool did."
)
ROLES = {
    "general": _COMMON,
    "engineer": _COMMON
    + (
        " You work as a careful software engineer in the user's folder. Read before you change; make the smallest "
        "change that solves the problem; keep the style you find; run the tests that exist and report their result "
        "truthfully."
    ),
    "writer": _COMMON + " You help with writing: keep the author's voice, prefer plain words, explain what you change.",
    "researcher": _COMMON
    + " You look things up with the tools, compare sources, name them, and separate facts from guesses.",
}


def system_message(role: str = "general", instructions: str = "") -> str:
    """The system message of a new session. Raises: ValueError naming the roles, for an unknown one."""
    if role not in ROLES:
        raise ValueError(f"Unknown role '{role}'. The roles are: {', '.join(ROLES)}.")
    return f"{ROLES[role]}\n\n{instructions}".strip() if instructions else ROLES[role]


def message_context(now: datetime, folder: str, *, planning: bool = False) -> str:
    """What a user's message carries beside its text: today's date (local), the working folder, plan mode."""
    plan = "Mode: plan. Change nothing and run nothing; say what you would do.\n" if planning else ""
    # The last line tells small models where the message begins: without it SmolLM2-135M answers the folder, in French.
    return f"Date: {now:%Y-%m-%d}\nFolder: {folder}\n{plan}Message:"
