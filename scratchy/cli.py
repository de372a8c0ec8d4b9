"""The command line: flags and subcommands. Each face and each heavy room is imported where it is asked for.

Not here: what a face does, how an error becomes an exit code (failing.py). Decided here: which face runs.
"""

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from scratchy.compose import PROVIDERS, check_providers
from scratchy.core.errors import (
    ConfigError,
)
from scratchy.core.modes import MODES, YOLO
from scratchy.session_cli import SessionsDir, session_app
from scratchy.setup_cli import setup_app
from scratchy.system import whole_file

if TYPE_CHECKING:
    from scratchy.config import Config
    from scratchy.starting import Start

DONE, FAILED, USAGE, TRY_AGAIN, INTERRUPTED = 0, 1, 2, 75, 130
_LARGEST_SYSTEM = 10_000_000  # bytes of a system message
BARE = {"-r": "--resume=", "--resume": "--resume=", "-p": "--print=", "--print": "--print=", "--fork": "--fork="}
FORMATS = ("text", "json", "stream-json")
INPUT_FORMATS = ("text", "stream-json")


class Program(TyperGroup):
    """The program to typer; its help is one page, made when it is asked for."""

    def get_help(self, ctx: Any) -> str:
        from scratchy.shell.usage import USAGE

        return USAGE


app = typer.Typer(
    name="scratchy",
    cls=Program,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(session_app, name="session")
app.registered_commands += setup_app.registered_commands


def main() -> NoReturn:
    """The console script: run, and turn what went wrong into a sentence and an exit code."""
    gc.set_threshold(50_000, 20, 50)  # looking for garbage, which a start hardly makes, takes a tenth of it
    _stand_in_for_closed_streams()
    if sys.argv[1:2] == ["completion"] and len(sys.argv) > 3:
        sys.exit(_complete(sys.argv[2:]))
    _forget_what_nobody_named()
    code = run(sys.argv[1:])
    gc.freeze()  # nor is there anything to look for on the way out
    sys.exit(code)


def _forget_what_nobody_named() -> None:
    """Telling typer of commands takes time of every start. A first word is a command, perhaps with a slip in it."""
    if sys.argv[1:2] and not sys.argv[1].startswith("-"):
        return
    app.registered_groups = [group for group in app.registered_groups if group.name in sys.argv]
    app.registered_commands = [command for command in app.registered_commands if command.name in sys.argv]


def _complete(arguments: list[str]) -> int:
    """A shell asks what may stand at its cursor."""
    from scratchy.shell import completion

    completion.answer(typer.main.get_command(app), arguments[0], arguments[1:])
    return DONE


def _stand_in_for_closed_streams() -> None:
    """Started with `>&-` or `<&-` there is no such stream: nothing is read then, and what is written goes nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def run(arguments: list[str]) -> int:
    try:
        code = app(rewritten(arguments), prog_name="scratchy", standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except BrokenPipeError:
        return _unread()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.Exit as leave:
        return leave.exit_code
    except Exception as error:
        from scratchy.failing import failed

        return failed(error, arguments)


def _unread() -> int:
    """Nobody reads stdout any more, which is no failure of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains again
    return DONE


def rewritten(arguments: list[str]) -> list[str]:
    """A bare `-r`, `-p` or `--fork`, at the end or before a flag, takes its empty value: Typer cannot say that."""
    if arguments[:1] == ["help"]:  # as `git help log`
        return [*arguments[1:], "--help"]
    pairs = zip(arguments, [*arguments[1:], "-"], strict=False)
    return [BARE[word] if word in BARE and following.startswith("-") else word for word, following in pairs]


def _version(wanted: bool) -> None:
    if wanted:
        from scratchy import __version__

        print(f"scratchy {__version__}")
        raise typer.Exit


Session = Annotated[str | None, typer.Option("-s", "--session", metavar="ID", help="Open or create this session.")]
Resume = Annotated[str | None, typer.Option("-r", "--resume", metavar="ID", help="Open this stored session.")]
Continue = Annotated[bool, typer.Option("-c", "--continue", help="Open the last session of this folder.")]
Fork = Annotated[str | None, typer.Option("--fork", metavar="ID", help="Go on in a copy of a stored session.")]
Name = Annotated[str | None, typer.Option("-n", "--name", metavar="TITLE", help="The session's title.")]
AddDir = Annotated[list[str] | None, typer.Option("--add-dir", metavar="DIR", help="Another folder to read unasked.")]
Print = Annotated[str | None, typer.Option("-p", "--print", metavar="TEXT", help="Answer once and exit.")]
Format = Annotated[str | None, typer.Option("--output-format", metavar="|".join(FORMATS), help="With -p.")]
InputFormat = Annotated[str, typer.Option(metavar="|".join(INPUT_FORMATS), help="stream-json: talk over a pipe.")]
MaxTurns = Annotated[int | None, typer.Option("--max-turns", metavar="N", min=1, help="Steps that a message may take.")]
Provider = Annotated[str | None, typer.Option("--provider", metavar="NAME", help=f"One of {', '.join(PROVIDERS)}.")]
Model = Annotated[str | None, typer.Option("-m", "--model", help="A model, provider/model, or a GGUF file.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="An OpenAI-compatible server.")]
System = Annotated[str | None, typer.Option("--system", metavar="TEXT|@FILE", help="The system message.")]
Yolo = Annotated[bool, typer.Option("-y", "--yolo", help="Run tools unasked.")]
Mode = Annotated[str | None, typer.Option(metavar="|".join(MODES), help="What runs unasked.")]
Budget = Annotated[float | None, typer.Option("--max-budget-usd", metavar="N", help="What this run may cost.")]
NoSession = Annotated[bool, typer.Option("--no-session", help="Keep nothing on disk.")]
Cwd = Annotated[str | None, typer.Option("--cwd", metavar="DIR", help="Work in this folder.")]
Plain = Annotated[bool, typer.Option("--plain", help="Linear output: no repainting, no colour.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Write a debug log in the state folder.")]
Version = Annotated[bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Print it.")]


@app.callback(invoke_without_command=True)
def start(  # noqa: PLR0913 - one parameter a flag
    context: typer.Context,
    session: Session = None,
    resume: Resume = None,
    proceed: Continue = False,
    fork: Fork = None,
    name: Name = None,
    prompt: Print = None,
    output_format: Format = None,
    input_format: InputFormat = "text",
    max_turns: MaxTurns = None,
    max_budget_usd: Budget = None,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    system: System = None,
    yolo: Yolo = False,
    approval_mode: Mode = None,
    no_session: NoSession = False,
    sessions_dir: SessionsDir = None,
    cwd: Cwd = None,
    add_dir: AddDir = None,
    plain: Plain = False,
    verbose: Verbose = False,
    version: Version = False,
) -> int:
    """An agent for the terminal that never loses a conversation.

    Without a command it talks, in the session 'default'. `scratchy -s my_project` opens or creates a session,
    `scratchy -c` goes on with this folder's last one, `scratchy -p "…" < notes.txt` answers once.
    """
    given = {"provider": provider, "model": model, "base_url": base_url, "sessions_dir": sessions_dir}
    flags = {**given, **_mode(yolo, approval_mode), "plain": plain or None, "verbose": verbose or None}
    if context.invoked_subcommand is not None:
        context.obj = flags | ({"session": session or resume} if context.invoked_subcommand == "config" else {})
        return DONE
    flags |= {"system": _text_or_file(system), "add_dirs": _added(add_dir)}
    _check_formats(prompt, output_format, input_format)
    flags |= {"max_steps": max_turns, "max_budget_usd": max_budget_usd}
    _change_folder(cwd, flags)
    config = _load(flags)
    if verbose:
        _begin_log()
    which = {"session": session, "resume": resume, "proceed": proceed, "fork": fork}
    once = prompt is not None or input_format == "stream-json"
    wanted = _wanted(config, which, flags, once, no_session=no_session, title=name)
    try:
        return _answer(wanted, prompt, output_format or "text") if once else _talk(wanted)
    except BrokenPipeError:  # told here, for click makes a failure of it
        return _unread()


def _check_formats(prompt: str | None, told: str | None, source: str) -> None:
    for flag, value, known in (("output", told, FORMATS), ("input", source, INPUT_FORMATS)):
        if value not in (None, *known):
            raise ConfigError(f"--{flag}-format is '{value}'; it must be one of {', '.join(known)}.")
    if source == "text" and told is not None and prompt is None:
        raise ConfigError("--output-format is for -p TEXT, or for --input-format stream-json.")
    if source != "text" and (prompt or told not in (None, source)):
        what = "-p takes no text" if prompt else f"--output-format {told} does not fit"
        raise ConfigError(f"--input-format stream-json reads messages from stdin and tells stream-json: {what} then.")


def _answer(wanted: "Start", prompt: str | None, told: str) -> int:
    """For a script: one answer, or (without a prompt) a conversation over a pipe."""
    if prompt is None:
        from scratchy.terminal import pipe

        return pipe.run(wanted.boot(once=True))
    from scratchy.terminal import oneshot

    return oneshot.run(wanted.boot(once=True), prompt, told)


def _mode(yolo: bool, mode: str | None) -> dict[str, Any]:
    """What the two flags say together."""
    if mode is not None and mode not in MODES:
        raise ConfigError(f"--approval-mode is '{mode}'; it must be one of {', '.join(MODES)}.")
    if yolo and mode not in (None, YOLO):
        raise ConfigError(f"--yolo and --approval-mode {mode} say different things; give one of them.")
    unasked = yolo or mode == YOLO
    return {"yolo": unasked or None, "approval_mode": None if unasked else mode}


def _load(flags: dict[str, Any]) -> "Config":
    from scratchy.starting import load_config

    return load_config(flags)


def _begin_log() -> None:
    from scratchy.config import user_dir
    from scratchy.logs import log_to

    print(f"Debug log: {log_to(user_dir('state'))}", file=sys.stderr)


def _wanted(config: "Config", which: dict[str, Any], flags: dict[str, Any], once: bool, **more: Any) -> "Start":
    from scratchy.starting import Start, load_config

    if sum(which[name] not in (None, False) for name in ("session", "resume", "proceed")) > 1:
        raise ConfigError("--session, --resume and --continue say different things; give one of them.")
    if which["fork"] and (which["resume"] is not None or which["proceed"]):
        raise ConfigError("--fork with an id says what to copy; --resume and --continue say it too. Give one of them.")
    check_providers(config)  # an unknown one is refused before anything starts
    if config.max_budget_usd is not None:
        from scratchy.compose.prices import check_budget

        check_budget(config)
    if which["resume"] == "":
        from scratchy.shell.picking import pick

        linear = once or _is_linear(config)
        which["resume"] = pick(config, linear=linear, ask=not once and _on_terminal())
        if which["resume"] is None:
            raise typer.Exit
    return Start(config, load=lambda folder, ask: load_config(flags, folder, ask=ask), **which, **more)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _is_linear(config: "Config") -> bool:
    return config.plain or os.environ.get("TERM") == "dumb" or not _on_terminal()


def _talk(wanted: "Start") -> int:
    if _is_linear(wanted.config):
        from scratchy.terminal import plain

        return plain.run(wanted.boot())
    from scratchy.terminal import repl

    return repl.run(wanted.boot(announce=True))


def _change_folder(cwd: str | None, flags: dict[str, Any]) -> None:
    """`--cwd`; folders in the other flags mean what they meant in the shell."""
    flags["stays"] = cwd is not None or None
    if cwd is None:
        return
    if flags["sessions_dir"] is not None:
        flags["sessions_dir"] = os.path.abspath(os.path.expanduser(flags["sessions_dir"]))
    try:
        os.chdir(cwd)
    except OSError as error:
        raise ConfigError(f"--cwd {cwd}: {error.strerror}.") from error


def _added(folders: list[str] | None) -> tuple[Path, ...] | None:
    for folder in folders or ():
        if not os.path.isdir(os.path.expanduser(folder)):
            raise ConfigError(f"--add-dir {folder}: there is no such folder.")
    return tuple(Path(os.path.abspath(os.path.expanduser(folder))) for folder in folders or ()) or None


def _text_or_file(value: str | None) -> str | None:
    if value is None or not value.startswith("@"):
        return value
    path = Path(value[1:]).expanduser()
    try:
        if value.startswith("@/dev/fd/"):  # what a shell's <(command) prints
            return path.read_text(encoding="utf-8")
        return whole_file(path, _LARGEST_SYSTEM).decode()
    except OSError as error:
        raise ConfigError(f"--system: '{path}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ConfigError(f"--system: '{path}' is no text in UTF-8.") from None


@app.command("acp", epilog="Example, as the command of an editor: scratchy acp --model gpt-5-mini")
def acp(
    context: typer.Context,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    sessions_dir: SessionsDir = None,
    yolo: Yolo = False,
    approval_mode: Mode = None,
) -> int:
    """Work inside an editor: the Agent Client Protocol over stdin and stdout."""
    from importlib.util import find_spec

    if find_spec("acp") is None:
        raise ConfigError('The part for editors is not installed. `pip install "scratchy[acp]"` brings it.')
    from scratchy.acp.serving import serve
    from scratchy.starting import load_config

    given = {"provider": provider, "model": model, "base_url": base_url, "sessions_dir": sessions_dir}
    given |= _mode(yolo, approval_mode)
    flags: dict[str, Any] = {**(context.obj or {}), **{key: value for key, value in given.items() if value is not None}}
    check_providers(load_config(flags, ask=False))
    if flags.get("verbose"):
        _begin_log()
    return serve(lambda folder: load_config(flags, folder, ask=False))
