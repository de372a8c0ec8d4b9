"""The floor of a one-shot answer: typer reads the flags, httpx streams the request, rich shows the answer."""

import json
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markdown import Markdown

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def start(text: Annotated[str, typer.Option("-p")], base_url: Annotated[str, typer.Option()]) -> None:
    body = {"model": "hi", "stream": True, "messages": [{"role": "user", "content": text}]}
    said: list[str] = []
    with httpx.Client() as client, client.stream("POST", f"{base_url}/chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                said.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
    Console().print(Markdown("".join(said)))


app()
