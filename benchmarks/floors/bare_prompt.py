"""The floor of a start: nothing but a prompt_toolkit prompt."""

from prompt_toolkit import PromptSession

PromptSession("You: ").prompt()
