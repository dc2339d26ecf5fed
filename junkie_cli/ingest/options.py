"""What every run over channels is asked for."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from junkie_cli.config import Settings
from junkie_cli.ingest.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the user asked of any run. Not `strict`, what was named and is not there any more is passed over."""

    selection: Selection = field(default_factory=Selection)
    strict: bool = True
    concurrency: int = 4
    allow_empty_content: bool = False
    on_delete: Literal["purge", "keep"] = "purge"
    keep_revisions: bool = False

    @classmethod
    def of(cls, settings: Settings, selection: Selection, **own: Any) -> Self:
        """Return the options of a run as the settings have them; `own` are those that only its command has."""
        return cls(
            selection=selection,
            concurrency=settings.concurrency,
            on_delete=settings.on_delete,
            keep_revisions=settings.keep_revisions,
            **own,
        )
