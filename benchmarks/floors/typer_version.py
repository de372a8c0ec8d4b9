"""The floor of `--version`: a bare typer program that has nothing else."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def show(wanted: bool) -> None:
    if wanted:
        print("bare 0.1.0")
        raise typer.Exit


@app.command()
def start(version: Annotated[bool, typer.Option("--version", callback=show, is_eager=True)] = False) -> None:
    pass


app()
