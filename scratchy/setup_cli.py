"""The command line of what surrounds the sessions: models, config, doctor, completion. What they do stands in shell/.

Imported by cli.py; what a subcommand needs is imported when it runs.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from scratchy.core.errors import ConfigError
from scratchy.session_cli import AsJson, SessionsDir, here

setup_app = typer.Typer(rich_markup_mode=None)


@setup_app.command("models", epilog="Example: scratchy models --provider ollama")
def models(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    base_url: Annotated[str | None, typer.Option(metavar="URL")] = None,
    as_json: AsJson = False,
) -> int:
    """The models that the provider offers, * the one that answers here, and why. 1 when there is none."""
    import asyncio

    from scratchy.shell.models import list_models
    from scratchy.starting import load_config

    flags: dict[str, Any] = dict(context.obj or {})
    flags |= {key: value for key, value in (("provider", provider), ("base_url", base_url)) if value is not None}
    return asyncio.run(list_models(load_config(flags), as_json))


@setup_app.command("config", epilog="Example: scratchy config set theme dark")
def configure(
    context: typer.Context,
    action: Annotated[str, typer.Argument(metavar="get|set|unset|path|explain")] = "explain",
    key: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Such as model, keys.OPENAI_API_KEY.")] = None,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]")] = None,
    as_json: AsJson = False,
) -> int:
    """Show the settings and where each comes from, or change your own file. A key is typed unseen, or piped in."""
    from scratchy.shell import settings

    key = settings.plain_name(key) if key is not None else None
    if action in ("set", "unset") and key is not None and (action == "set" or value is None):
        from scratchy.shell import settings_file

        return settings_file.set_(key, value, here(), as_json) if action == "set" else settings_file.unset(key, as_json)
    flags = dict(context.obj or {})
    session: str | None = flags.pop("session", None)
    if (action, key, value) == ("path", None, None):  # also where the files cannot be read
        return settings.paths(flags, here(), as_json)
    places = settings.Settings(flags, here(), session)
    match action, key, value:
        case "get", str(), None:
            return settings.get(places, key, as_json)
        case "explain", _, None:
            return settings.explain(places, key, as_json)
        case _:
            pass
    raise ConfigError("Say `scratchy config`, or one of: get NAME, explain [NAME], set NAME VALUE, unset NAME, path.")


@setup_app.command("doctor", epilog="Example: scratchy doctor --fix")
def doctor(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be; what is replaced goes to the trash.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Check every session and what surrounds it. 1 when a problem is left."""
    from scratchy import config
    from scratchy.shell import doctor as checks

    flags: dict[str, Any] = context.obj or {}
    named: str | None = sessions_dir or flags.get("sessions_dir")
    try:
        folder, wrong = config.load({"sessions_dir": named}, folder=here()).sessions_dir, ""
    except ConfigError as error:  # which is a finding, too
        named = named or os.environ.get("SCRATCHY_SESSIONS_DIR")
        folder, wrong = Path(named).expanduser().absolute() if named else None, str(error)
    return checks.doctor(folder, wrong, fix=fix, yes=yes, as_json=as_json)


@setup_app.command("completion", epilog='Example, in ~/.bashrc: eval "$(scratchy completion bash)"')
def completion(shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")]) -> int:
    """Print the script that completes flags, sessions and models in a shell."""
    from scratchy.shell.completion_scripts import SHELLS, script

    if shell not in SHELLS:
        raise ConfigError(f"There is no completion for '{shell}'; there is one for {', '.join(SHELLS)}.")
    print(script(shell), end="")
    return 0
