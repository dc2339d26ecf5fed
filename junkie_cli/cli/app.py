"""The command line's root: registers the commands and turns every ending into an exit code and at most one line.

Exit codes: 0 done, 1 unexpected failure, 2 usage, 3 partial, 4 configuration or authentication, 5 database,
130 interrupted. A traceback is shown only at LOG_LEVEL=DEBUG, and never with local variables.
"""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from junkie_cli import __version__
from junkie_cli.cli import backfill, context, db, demo, doctor, emulator, forget, options, serve, settings, status, sync
from junkie_cli.cli.output import discard, error_line, is_structured, product, set_up_logging
from junkie_cli.errors import INTERRUPTED, JunkieError, UsageError

log = logging.getLogger(__name__)

EXIT_CODES = (
    "Exit codes: 0 done, 1 unexpected failure, 2 usage, 3 partial (some channel failed or is unreadable; the others "
    "are done), 4 configuration or authentication, 5 database, 130 interrupted."
)

app = typer.Typer(
    name="junkie",
    help="Archive Discord into PostgreSQL, and turn any stretch of it into a prompt.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    # Plain help comes in half the time, and takes no [env: NAME] for markup.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# typer carries click inside and names only some of its exceptions.
_UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "UsageError")
_NoArguments: type[Exception] = next(c for c in _UsageError.__subclasses__() if c.__name__ == "NoArgsIsHelpError")


def _version(wanted: bool) -> None:  # noqa: FBT001  typer calls it so
    if wanted:
        product(f"junkie {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    log_format: options.LogFormat = None,
) -> None:
    """Archive Discord into PostgreSQL, and turn any stretch of it into a prompt."""


app.command("backfill", epilog=EXIT_CODES)(backfill.command)
app.command("sync", epilog=EXIT_CODES)(sync.command)
app.command("forget", epilog=EXIT_CODES)(forget.command)
app.command("serve", epilog=EXIT_CODES)(serve.command)
app.command("context", epilog=context.EXIT_CODES)(context.command)
app.command("status", epilog=status.EXIT_CODES)(status.command)
app.command("config", epilog=EXIT_CODES)(settings.command)
app.command("demo", epilog=EXIT_CODES)(demo.command)
app.command("doctor", epilog=doctor.EXIT_CODES)(doctor.command)
app.command("emulator")(emulator.emulator)
app.add_typer(db.app, name="db")
for registered in db.app.registered_commands:
    registered.epilog = registered.epilog or EXIT_CODES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if "_JUNKIE_COMPLETE" in os.environ:
        # Shells take a line for an offer: what an option means must not be broken where a terminal would end.
        os.environ["COLUMNS"] = "1000"
    try:
        result = app(args=arguments, prog_name="junkie", standalone_mode=False)
    except SystemExit as ending:
        # So typer ends at a broken pipe, whoever met it, and once completion is done.
        if isinstance(ending.__context__, BrokenPipeError):
            return _explain(ending.__context__)
        return ending.code if isinstance(ending.code, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a bug too ends in one line
        return _explain(error)
    return result if isinstance(result, int) else 0


def _raised_by_typer(error: BaseException) -> bool:
    """Say whether typer itself met the error, and no command of ours."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "typer"


def _explain(error: BaseException) -> int:
    """Say in one line why the command ended, where that needs saying, and return the exit code."""
    code = 1
    if options.log_form() == "json" and not is_structured():
        set_up_logging("WARNING", "json")
    if isinstance(error, typer.Exit):
        code = error.exit_code
    elif isinstance(error, KeyboardInterrupt | typer.Abort):
        code = INTERRUPTED
    elif isinstance(error, JunkieError):
        log.debug("stopped by", exc_info=error)
        code = error.exit_code
        error_line(error.message, error.hint, code=code)
    elif isinstance(error, _NoArguments) and not is_structured():
        typer.echo(error, err=True)
        code = UsageError.exit_code
    elif isinstance(error, _UsageError):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "junkie"
        # What is told where nothing is given is the whole help.
        nothing = isinstance(error, _NoArguments)
        message = "no command is given" if nothing else getattr(error, "format_message", error.__str__)()
        code = UsageError.exit_code
        error_line(message.strip().removesuffix("."), f"see `{path} --help`", code=code)
    elif isinstance(error, OSError) and _raised_by_typer(error):
        # It writes nothing but help, to stdout. Whoever read that may have seen enough.
        discard(sys.stdout)
        code = 0 if isinstance(error, BrokenPipeError) else 1
        if code:
            error_line(f"can't write to stdout: {error.strerror}", "see where it leads, and try again")
    else:
        # A bug. It may have come before the log was set up.
        if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
            set_up_logging("DEBUG", options.log_form())
        log.debug("unexpected", exc_info=error)
        error_line(f"unexpected {type(error).__name__}", "LOG_LEVEL=DEBUG shows where; please report it")
    return code


def run() -> NoReturn:
    """Run the command of `sys.argv` and exit."""
    sys.exit(main())
