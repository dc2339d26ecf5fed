"""`python -m junkie_cli`, and the console script `junkie`."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


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
    """Import the command line and return what runs it. Whoever is told to end meanwhile does: there is nothing to put in order.

    As an exception it would show a traceback, or be lost in something that is being imported. For `serve`, which ends well
    whenever it is told to, this holds until it sees to it itself.
    """
    import os
    import signal

    from junkie_cli.errors import INTERRUPTED

    serves = sys.argv[1:2] == ["serve"]
    code = 0 if serves else INTERRUPTED
    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
    if serves:
        usual |= {signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    # What is to be ignored stays so.
    heeded = {number: handler for number, handler in usual.items() if signal.getsignal(number) is handler}
    for number in heeded:
        signal.signal(number, lambda _number, _frame: os._exit(code))
    from junkie_cli.cli.app import run

    if not serves:
        for number, handler in heeded.items():
            signal.signal(number, handler)
    return run


if __name__ == "__main__":
    main()
