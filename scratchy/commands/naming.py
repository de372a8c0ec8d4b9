"""Slash commands that say what a session is about: its title, its tags. Not here: its id (sessions.py)."""

from scratchy.commands.outcome import Outcome
from scratchy.sessions.desk import Desk
from scratchy.sessions.naming import PRIVATE_MEANS, changed_tags, checked_title, tags_in, with_tags
from scratchy.sessions.wording import PRIVATE


async def title(desk: Desk, argument: str) -> Outcome:
    """Show this session's title, or give it another one."""
    conversation = desk.conversation
    if argument:
        await conversation.edit(title=checked_title(argument))
        return Outcome(f"Title: {conversation.session.title}")
    known = conversation.session.title
    return Outcome(f"Title: {known}" if known else "No title yet. `/title TEXT` gives one.")


async def tag(desk: Desk, argument: str) -> Outcome:
    """Show this session's tags, or change them: `+x` adds, `-y` removes. `private` keeps it from other models."""
    conversation = desk.conversation
    before = tags_in(conversation.session.metadata)
    tags = changed_tags(before, argument.split())
    if tags != before:
        if PRIVATE in tags:
            await desk.titler.stop()
        await conversation.edit(change=lambda metadata: with_tags(metadata, tags))
    text = f"Tags: {', '.join(tags)}" if tags else "No tags. `/tag +x` adds one."
    new = PRIVATE in tags and PRIVATE not in before
    return Outcome(f"{text}\n{PRIVATE_MEANS}" if new else text)
