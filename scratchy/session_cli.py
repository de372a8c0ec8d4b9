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


@session_app.command("list", epilog="Example: scratchy session list --here --search harbour")
def session_list(
    context: typer.Context,
    near: Annotated[bool, typer.Option("--here/--all", help="Those of this folder, or all (the default).")] = False,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Those with this tag.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Those of this channel, by their id.")] = None,
    search: Annotated[str | None, typer.Option(metavar="WORDS", help="Those that have these words.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The newest N of them.")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """The sessions, newest activity first."""
    from scratchy.shell import listing

    wanted = listing.Wanted(near, tag, channel, search, limit)
    return listing.list_sessions(_sessions_dir(context, sessions_dir), here(), wanted, as_json)


@session_app.command("show", epilog="Example: scratchy session show trip --around 12")
def session_show(
    context: typer.Context,
    session_id: str,
    around: Annotated[int | None, typer.Option("--around", metavar="N", min=0, help="Only message N's part.")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """The messages of a session."""
    from scratchy.shell import sessions

    return sessions.show_session(_sessions_dir(context, sessions_dir), session_id, as_json, around)


@session_app.command("search", epilog='Example: scratchy session search "lost key"')
def session_search(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="TEXT...")],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many passages.")] = 20,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Find what was said in any session, newest first: words, "a phrase", the beginning of a word*."""
    from scratchy.shell import search

    return search.search_sessions(_sessions_dir(context, sessions_dir), " ".join(words), limit, as_json)


@session_app.command("verify", epilog="Example: scratchy session verify trip")
def session_verify(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Check these sessions, or all, message by message. Changes nothing; 1 when a problem is found."""
    from scratchy.shell import doctor

    return doctor.verify(_sessions_dir(context, sessions_dir), ids or [], as_json)


@session_app.command("watch", epilog="Example: scratchy session watch trip --json")
def session_watch(
    context: typer.Context,
    session_id: str,
    sessions_dir: SessionsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="One message a line.")] = False,
) -> int:
    """Show a session's messages as another window stores them. Takes no lock; Ctrl-C ends it."""
    from scratchy.shell import watch

    return watch.watch(_sessions_dir(context, sessions_dir), session_id, as_json)


@session_app.command("rename", epilog="Example: scratchy session rename trip summer")
def session_rename(
    context: typer.Context, session_id: str, new_id: str, sessions_dir: SessionsDir = None, as_json: AsJson = False
) -> int:
    """Give a session another id; refused where that is taken."""
    from scratchy.shell import naming

    return naming.rename(_sessions_dir(context, sessions_dir), session_id, new_id, as_json)


@session_app.command("title", epilog="Example: scratchy session title trip A week at the sea")
def session_title(
    context: typer.Context,
    session_id: str,
    text: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Show a session's title, or give it another one."""
    from scratchy.shell import naming

    return naming.title(_sessions_dir(context, sessions_dir), session_id, text or [], as_json)


@session_app.command(
    "tag",
    epilog="Example: scratchy session tag trip +work -draft",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def session_tag(
    context: typer.Context,
    session_id: str,
    changes: Annotated[list[str] | None, typer.Argument(metavar="[+TAG|-TAG]...")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Show a session's tags, or change them: +x adds, -y removes."""
    from scratchy.shell import naming

    return naming.tag(_sessions_dir(context, sessions_dir), session_id, changes or [], as_json)


@session_app.command("delete", epilog="Example: scratchy session delete --older-than 30d --dry-run")
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


@session_app.command("fork", epilog="Example: scratchy session fork trip --new-id detour --at 8")
def session_fork(
    context: typer.Context,
    session_id: str,
    new_id: Annotated[str | None, typer.Option("--new-id", metavar="NEW", help="Its id; else one is made.")] = None,
    at: Annotated[int | None, typer.Option("--at", metavar="N", help="Only the first N messages.")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Copy a session, whole or up to a message, under another id."""
    from scratchy.shell import branches

    return branches.fork(_sessions_dir(context, sessions_dir), session_id, new_id, at, as_json)


@session_app.command("tree", epilog="Example: scratchy session tree trip")
def session_tree(
    context: typer.Context,
    session_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Who was forked from whom, and what was rewound: one family, or all."""
    from scratchy.shell import branches

    return branches.tree(_sessions_dir(context, sessions_dir), session_id, as_json)


@session_app.command("restore", epilog="Example: scratchy session restore trip")
def session_restore(
    context: typer.Context, session_id: str, sessions_dir: SessionsDir = None, as_json: AsJson = False
) -> int:
    """Bring a session's newest version back from the trash."""
    from scratchy.shell import removing

    return removing.restore_from_trash(_sessions_dir(context, sessions_dir), session_id, as_json)


@trash_app.command("list", epilog="Example: scratchy session trash list")
def trash_list(context: typer.Context, sessions_dir: SessionsDir = None, as_json: AsJson = False) -> int:
    """What was deleted, cleared, rewound or replaced: when, why, how big."""
    from scratchy.shell import removing

    return removing.list_trash(_sessions_dir(context, sessions_dir), as_json)


@trash_app.command("restore", epilog="Example: scratchy session trash restore trip")
def trash_restore(
    context: typer.Context,
    named: Annotated[str, typer.Argument(metavar="NAME")],
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Bring back the entry of that name, or the newest one of the session of that id."""
    from scratchy.shell import removing

    return removing.restore_from_trash(_sessions_dir(context, sessions_dir), named, as_json)


@trash_app.command("empty", epilog="Example: scratchy session trash empty --older-than 30d")
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


@session_app.command("export", epilog="Example: scratchy session export trip trip.md")
def session_export(
    context: typer.Context,
    session_id: str,
    path: str,
    form: Annotated[str | None, typer.Option("--format", help="json, jsonl, md, html, toon: not the suffix's.")] = None,
    full: Annotated[bool, typer.Option("--full", help="JSON with all that there is; the folder stays in.")] = False,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Write a session to a new file, by its suffix .json, .jsonl, .md, .html or .toon; - is stdout."""
    from scratchy.shell import moving

    return moving.export(_sessions_dir(context, sessions_dir), session_id, path, form, full, as_json)


@session_app.command("import", epilog="Example: scratchy session import trip.json")
def session_import(
    context: typer.Context,
    path: str,
    session_id: Annotated[str | None, typer.Option("--session", metavar="ID", help="The new session's id.")] = None,
    sessions_dir: SessionsDir = None,
    as_json: AsJson = False,
) -> int:
    """Bring in the sessions of a file: exports, and those of Claude Code, Codex, pi, aider, llm, ChatGPT."""
    from scratchy.shell import moving

    return moving.import_(_sessions_dir(context, sessions_dir), path, session_id, as_json)
