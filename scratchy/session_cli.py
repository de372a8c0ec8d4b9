"""The command line below `scratchy session`: flags and arguments; what they do stands in shell/.

Imported by cli.py; what a subcommand needs is imported when it runs.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchy.core.errors import ConfigError

session_app = typer.Typer(help="Stored sessions.", no_args_is_help=True, rich_markup_mode=None)

SessionsDir = Annotated[str | None, typer.Option("--sessions-dir", metavar="DIR", help="Where sessions are kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError("The current folder is gone. Go to another one, or name it with --cwd.") from None


def _sessions_dir(context: typer.Context, after: str | None) -> Path:
    from scratchy import config

    flags: dict[str, Any] = context.obj or {}
    before = flags.get("sessions_dir")
    return config.load({"sessions_dir": after or before}, folder=here()).sessions_dir


@session_app.command("list")
def session_list(context: typer.Context, sessions_dir: SessionsDir = None, as_json: AsJson = False) -> int:
    """All sessions, newest activity first."""
    from scratchy.shell import sessions

    return sessions.list_sessions(_sessions_dir(context, sessions_dir), as_json)


@session_app.command("show")
def session_show(
    context: typer.Context, session_id: str, sessions_dir: SessionsDir = None, as_json: AsJson = False
) -> int:
    """The messages of a session."""
    from scratchy.shell import sessions

    return sessions.show_session(_sessions_dir(context, sessions_dir), session_id, as_json)


@session_app.command("delete")
def session_delete(
    context: typer.Context, session_id: str, sessions_dir: SessionsDir = None, as_json: AsJson = False
) -> int:
    """Move a session to the trash."""
    from scratchy.shell import sessions

    return sessions.delete_session(_sessions_dir(context, sessions_dir), session_id, as_json)


@session_app.command("restore")
def session_restore(
    context: typer.Context, session_id: str, sessions_dir: SessionsDir = None, as_json: AsJson = False
) -> int:
    """Bring a session's newest version back from the trash."""
    from scratchy.shell import sessions

    return sessions.restore_session(_sessions_dir(context, sessions_dir), session_id, as_json)
