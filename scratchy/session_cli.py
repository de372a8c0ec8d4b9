"""The command line below `scratchy session`: flags and arguments; what they do stands in shell/.

Imported by cli.py; what a subcommand needs is imported when it runs.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchy.core.errors import ConfigError

session_app = typer.Typer(help="Stored sessions.", no_args_is_help=True, rich_markup_mode=None)

trash_app = typer.Typer(
    help="What was removed; nothing empties by itself.", no_args_is_help=True, rich_markup_mode=None
)
session_app.add_typer(trash_app, name="trash")

SessionsDir = Annotated[str | None, typer.Option("--sessions-dir", metavar="DIR", help="Where sessions are kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
OlderThan = Annotated[str | None, typer.Option("--older-than", metavar="AGE", help="By last activity: 12h, 30d, 2w.")]


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


@session_app.command("verify")
def session_verify(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Check these sessions, or all, message by message. Changes nothing; 1 when a problem is found."""
    from scratchy.shell import doctor

    return doctor.verify(_sessions_dir(context, sessions_dir), ids or [], as_json)


@session_app.command("watch")
def session_watch(
    context: typer.Context,
    session_id: str,
    sessions_dir: SessionsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="One message a line.")] = False,
) -> int:
    """Show a session's messages as another window stores them. Takes no lock; Ctrl-C ends it."""
    from scratchy.shell import watch

    return watch.watch(_sessions_dir(context, sessions_dir), session_id, as_json)


@session_app.command("delete")
def session_delete(
    context: typer.Context,
    session_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    older_than: OlderThan = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Those with this tag.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, delete none.")] = False,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Move sessions to the trash: those named, or those that a filter takes."""
    from scratchy.shell import removing

    wanted = removing.Filter(None if older_than is None else removing.seconds_of(older_than), tag)
    return removing.delete_sessions(_sessions_dir(context, sessions_dir), session_ids or [], wanted, dry_run, as_json)


@session_app.command("restore")
def session_restore(
    context: typer.Context, session_id: str, sessions_dir: SessionsDir = None, as_json: AsJson = False
) -> int:
    """Bring a session's newest version back from the trash."""
    from scratchy.shell import removing

    return removing.restore_from_trash(_sessions_dir(context, sessions_dir), session_id, as_json)


@trash_app.command("list")
def trash_list(context: typer.Context, sessions_dir: SessionsDir = None, as_json: AsJson = False) -> int:
    """What was deleted, cleared, rewound or replaced: when, why, how big."""
    from scratchy.shell import removing

    return removing.list_trash(_sessions_dir(context, sessions_dir), as_json)


@trash_app.command("restore")
def trash_restore(
    context: typer.Context,
    named: Annotated[str, typer.Argument(metavar="NAME")],
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Bring back the entry of that name, or the newest one of the session of that id."""
    from scratchy.shell import removing

    return removing.restore_from_trash(_sessions_dir(context, sessions_dir), named, as_json)


@trash_app.command("empty")
def trash_empty(
    context: typer.Context,
    older_than: OlderThan = None,
    branches: Annotated[bool, typer.Option("--branches", help="Also what /redo could bring back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Remove what is in the trash for good. Says how much it is, then asks."""
    from scratchy.shell import removing

    age = None if older_than is None else removing.seconds_of(older_than)
    return removing.empty_trash(_sessions_dir(context, sessions_dir), age, branches, yes, as_json)
