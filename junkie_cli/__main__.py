"""`python -m junkie_cli`, and the console script `junkie`."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        # Whoever asks for no more need not wait for what knows of commands, which takes as long as ten interpreters.
        from junkie_cli import __version__

        try:
            print(f"junkie {__version__}", flush=True)  # noqa: T201  it is what was asked for
        except OSError:
            # What follows meets the same, and says so.
            pass
        else:
            sys.exit(0)
    _command_line()()


def _command_line() -> "Callable[[], NoReturn]":
    """Import the command line and return what runs it. Ctrl-C meanwhile ends the process: there is nothing to put in order.

    As an exception it would show a traceback, or be lost in something that is being imported.
    """
    import os
    import signal

    from junkie_cli.errors import INTERRUPTED

    # Where Ctrl-C is to be ignored it stays so.
    if heeded := signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))
    from junkie_cli.cli.app import run

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run


if __name__ == "__main__":
    main()
