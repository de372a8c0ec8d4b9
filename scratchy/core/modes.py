"""The modes of a window: how much of what a model asks for runs unasked. Not here: the rules (permissions)."""

ASK, ACCEPT_EDITS, PLAN, YOLO = "ask", "accept-edits", "plan", "yolo"
MODES = {
    ASK: "what writes, runs, sends or fetches asks first",
    ACCEPT_EDITS: "files in the folder are edited unasked, all else asks",
    PLAN: "nothing is changed or run",
    YOLO: "nothing asks but what always asks",
}
"""By name, what the mode means, for the person; in the order in which one goes through them."""
