"""The same prompt under a typer program with ten options."""

from typing import Annotated

import typer
from prompt_toolkit import PromptSession

Text = Annotated[str | None, typer.Option()]
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def start(  # noqa: PLR0913 - ten options
    one: Text = None, two: Text = None, three: Text = None, four: Text = None, five: Text = None,
    six: Text = None, seven: Text = None, eight: Text = None, nine: bool = False, ten: bool = False,
) -> None:  # fmt: skip
    PromptSession("You: ").prompt()


app()
