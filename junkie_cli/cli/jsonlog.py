"""Log records as JSON for machines: one object a line, ids as fields of their own.

`time`, `level`, `logger` and `message` are always there. What a record has beside them came with it as `extra`; of a run's
events, the fields are those of `docs/events.md`.
"""

import logging
from datetime import UTC, datetime
from typing import Any, Final

from junkie_cli.cli.ndjson import dump, iso
from junkie_cli.values import masked

_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "fields"}


class JsonFormatter(logging.Formatter):
    """Makes one line of a record, which is safe in any terminal and locale."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        found: dict[str, Any] = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = {name: value for name, value in vars(record).items() if name not in _USUAL}
        found |= {name: _plain(name, value) for name, value in given.items()}
        found |= getattr(record, "fields", {})
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return dump(_masked(found))


def _masked(value: Any) -> Any:
    """Return a value without any secret. Not the finished line: JSON spells some characters otherwise."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value


def _plain(name: str, value: Any) -> Any:
    """Return what JSON has; ids are strings, since JavaScript can't hold them."""
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and not name.endswith("_id")):
        return value
    return str(value)
