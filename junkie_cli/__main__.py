"""`python -m junkie_cli`, and the console script `junkie`."""

import sys


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
    from junkie_cli.cli.app import run

    run()


if __name__ == "__main__":
    main()
