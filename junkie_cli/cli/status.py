"""`junkie status`: what is held of each channel, and what is not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from junkie_cli.cli import options
from junkie_cli.cli.runtime import GRACE, begin, run_async

if TYPE_CHECKING:
    from junkie_cli.ingest.selection import Selection
    from junkie_cli.ingest.standing import Wanted

EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 unexpected failure, 2 usage, 3 something is incomplete and --fail-on-gaps is set, "
    "4 configuration or authentication, 5 database, 130 interrupted."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions:
    """What the user asked for. What is wanted of channels decides what counts as a gap."""

    selection: "Selection"
    wanted: "Wanted"
    sort: Literal["place", "name", "messages", "oldest", "newest", "gaps", "updated"] = "place"
    live: bool = False
    json: bool = False
    fail_on_gaps: bool = False


def command(
    *,
    guild: options.Guilds = None,
    channel: options.Channels = None,
    exclude: options.Exclude = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Newest messages that are wanted of each channel (all). [env: CONTEXT_AGENT_MAX_MESSAGES]",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE|ID|AGE", help="What is older is not wanted: 2024-01-31, an id, or an age such as 7d."
        ),
    ] = None,
    sort: Annotated[
        Literal["place", "name", "messages", "oldest", "newest", "gaps", "updated"],
        typer.Option(
            help="What channels are sorted by, within their guild or under their parent; place: as in Discord."
        ),
    ] = "place",
    live: Annotated[
        bool, typer.Option("--live", help="First ask Discord what it has, and say what that changes.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
    fail_on_gaps: Annotated[
        bool,
        typer.Option(
            "--fail-on-gaps", help="Exit 3 if anything that can be read is incomplete, or nothing is archived."
        ),
    ] = False,
) -> int:
    """Show what is archived of each channel and what is missing.

    The archive alone answers, in no more time for more messages; only --live asks Discord, and fetches no message.
    """
    settings = begin(options.places(guild, channel, exclude))
    from junkie_cli.cli.status_run import run
    from junkie_cli.ingest.standing import Wanted

    run_options = StatusOptions(
        selection=options.read_selection(settings),
        wanted=Wanted(
            target=settings.max_messages if target is None else options.read_count(target, "target"),
            since=options.read_since(since),
        ),
        sort=sort,
        live=live,
        json=json,
        fail_on_gaps=fail_on_gaps,
    )
    return run_async(run(settings, run_options), grace=GRACE)
