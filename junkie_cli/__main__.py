"""`python -m junkie_cli`, and the console script `junkie`."""


def main() -> None:
    """Run the command line."""
    from junkie_cli.cli.app import run

    run()


if __name__ == "__main__":
    main()
