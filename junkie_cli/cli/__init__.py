"""The command line. The only importer of typer and rich."""
