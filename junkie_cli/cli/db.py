"""`junkie db`: the database itself."""

import contextlib
import json as json_text
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from junkie_cli import config
from junkie_cli.cli.output import note, product
from junkie_cli.cli.runtime import begin, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import ConfigError, SchemaMismatch

app = typer.Typer(no_args_is_help=True, help="The database itself: its address, a shell, its tables, its end.")


@app.command()
def url() -> int:
    """Print the database's libpq URI, with its password if it has one.

    Without POSTGRES_URL it is the embedded server's, and works while some command of junkie runs: nothing is started
    here. `junkie db psql` starts it.
    """
    settings = begin()
    if settings.postgres_url is not None:
        product(settings.postgres_url.reveal())
        return 0
    from junkie_cli.db.cluster import Cluster

    product(Cluster(settings.home).url)
    return 0


_PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": ["--help"]}
"""How a command takes whatever another program understands."""


@app.command(
    epilog="Exit codes: 0 done, 1 psql or its command failed, 2 the connection broke, 3 a script stopped at an error, "
    "4 configuration, 5 database, 130 interrupted.",
    context_settings=_PASSED_ON,
)
def psql(context: typer.Context) -> int:
    """Run psql on the database.

    All arguments are psql's, and so is the exit code. The embedded server is started if need be, and stopped afterwards
    if nothing else uses it.
    """
    return run_async(_client(begin(), "psql", context.args))


@app.command(
    epilog="Exit codes: 0 done, 1 pg_dump failed, 4 configuration, 5 database, 130 interrupted.",
    context_settings=_PASSED_ON,
)
def dump(context: typer.Context) -> int:
    """Run pg_dump on the database, for a backup.

    All arguments are pg_dump's, and so is the exit code. It shows one moment, in which coverage is true to the rows,
    and may be run while junkie writes. The embedded server is started if need be, and stopped afterwards if nothing
    else uses it. `junkie db psql` reads a backup in again.
    """
    return run_async(_client(begin(), "pg_dump", context.args))


@app.command()
def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 5 if something is to be done.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")] = False,
) -> int:
    """Bring junkie's tables up to date.

    Every command that works on them does so when it starts; here it is done alone, e.g. by a role that may create
    tables.
    """
    return run_async(_migrate(begin(), check=check, json=json))


@app.command()
def adopt(
    *,
    schema: Annotated[str, typer.Option(metavar="NAME", help="Where the older bot's table messages is.")] = "public",
    json: Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")] = False,
) -> int:
    """Copy in the messages of a database that an older bot kept.

    They are in a table messages. That table must be in the database of POSTGRES_URL, and is left as it is. What is
    held, deleted or forgotten here stays so. The copies count as not yet archived: `junkie backfill` asks Discord for
    all of it, and replaces them by what Discord says. Interrupt it at any time; the next run goes on where this one
    stopped.
    """
    return run_async(_adopt(begin(), schema, json=json))


@app.command()
def upgrade(
    *,
    old_bin: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where the programs of the old version are, if they aren't found.", show_default=False
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")] = False,
) -> int:
    """Bring the embedded database to PostgreSQL's next major version.

    Needed when a new junkie comes with a new major version: every command then says so and exits 5. The programs of the
    old version are needed once more; they may be removed afterwards. The database is copied, so there must be room for it
    twice; the old folder is kept until you remove it, and is as it was should anything fail.
    """
    return run_async(_upgrade(begin(), old_bin, json=json))


@app.command()
def stop(
    *, force: Annotated[bool, typer.Option("--force", help="Stop it even while other programs are connected.")] = False
) -> int:
    """Stop the embedded server.

    A killed command may have left it running; else the last command out stops it.
    """
    settings = begin()
    from junkie_cli.db import embedded

    stopped = embedded.stop(settings.home, force=force)
    note("the embedded database is stopped" if stopped else "the embedded database was not running")
    return 0


async def _client(settings: Settings, name: str, arguments: Sequence[str]) -> int:
    """Run one of PostgreSQL's own client programs on the database; returns its exit code."""
    from junkie_cli.db import binaries
    from junkie_cli.db.conninfo import demands_tls, for_program
    from junkie_cli.db.embedded import embedded_server

    url = settings.postgres_url
    tls = url is not None and demands_tls(url.reveal())
    if url is not None and name == "pg_dump":
        from junkie_cli.db.connecting import first_connection

        async with first_connection(settings, migrate=False, command="db dump") as first:
            major = first.connection.info.server_version // 10_000
        program = binaries.dumper(settings.pg_bin, major, tls=tls)
    else:
        program = binaries.client(name, settings.pg_bin, tls=tls)
    async with AsyncExitStack() as stack:
        if settings.postgres_url is not None:
            target, environment = for_program(settings.postgres_url.reveal())
        else:
            server = await stack.enter_async_context(embedded_server(settings.home, settings.pg_bin))
            # By that name its connection, which ends with it, counts as ours when we leave.
            target, environment = server.url, {"PGAPPNAME": f"junkie {name} {server.token}"}
        own = {name: value for name, value in os.environ.items() if name not in config.SECRETS}
        return await _run([str(program), "-d", target, *arguments], own | environment)


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program on our own terminal; Ctrl-C is its business. Returns its exit code as a shell would."""
    import asyncio

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    return code if code >= 0 else 128 - code


async def _adopt(settings: Settings, schema: str, *, json: bool) -> int:
    import asyncio

    from junkie_cli.cli import adoption
    from junkie_cli.db.adopt import adopt, find_source
    from junkie_cli.db.database import open_database

    try:
        async with open_database(settings, size=1, command="db adopt") as database:
            source = await find_source(database, schema)
            with adoption.reporter() as report:
                ended = await adopt(database, source, report)
    except asyncio.CancelledError:
        note("Interrupted. Everything adopted so far is kept; run the same command again to go on.")
        raise
    if json:
        product(adoption.as_json(ended))
    else:
        for line in adoption.closing(ended):
            note(line)
    return 0


async def _upgrade(settings: Settings, old_bin: Path | None, *, json: bool) -> int:
    if settings.postgres_url is not None:
        raise ConfigError(
            "POSTGRES_URL names a server of your own, and `junkie db upgrade` is for the embedded one",
            hint="upgrade yours by its own means, or unset POSTGRES_URL",
        )
    from junkie_cli.cli.figures import count
    from junkie_cli.db.upgrade import upgrade as upgraded_by

    done = await upgraded_by(settings.home, settings.pg_bin, old_bin)
    if json:
        report = (
            None if done is None else {"from": str(done.old), "to": done.new, "kept": str(done.kept), "rows": done.rows}
        )
        product(json_text.dumps({"upgraded": report}))
    elif done is None:
        note("the embedded database needs no upgrade")
    else:
        note(
            f"upgraded the embedded database from PostgreSQL {done.old} to {done.new}; "
            f"its {count(done.rows.get('messages', 0), 'message')} are all there"
        )
        if done.own_settings:
            note(f"settings made with ALTER SYSTEM were not taken over; see {done.kept / 'postgresql.auto.conf'}")
        note(
            f"The old one is kept in {done.kept} ({done.size / 1_000_000:,.0f} MB). Once all is well, "
            f"remove it: rm -r {shlex.quote(str(done.kept))}"
        )
    return 0


async def _migrate(settings: Settings, *, check: bool, json: bool) -> int:
    from junkie_cli.db import migrations
    from junkie_cli.db.database import open_database

    async with open_database(settings, size=1, migrate=False, command="db migrate") as database:
        async with database.connection() as connection:
            applied = () if check else await migrations.migrate(connection)
            status = await migrations.status(connection)
        place = database.place
    if json:
        report = {
            "version": len(status.applied),
            "applied": [migration.label for migration in applied],
            "pending": [migration.label for migration in status.pending],
        }
        product(json_text.dumps(report))
    if status.pending:
        missing = ", ".join(migration.label for migration in status.pending)
        raise SchemaMismatch(f"{place} lacks {missing}", hint="run `junkie db migrate`")
    if not json:
        for migration in applied:
            note(f"applied {migration.label}")
        note(f"{place} is up to date at version {len(status.applied)}")
    return 0
