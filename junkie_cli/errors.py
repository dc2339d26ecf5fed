"""Every error that junkie raises on purpose.

    JunkieError                      1  unexpected failure
    ├── UsageError                   2  an option or argument makes no sense
    ├── ConfigError                  4  a setting is missing or wrong
    │   ├── TokenRejected            4  Discord answered 401
    │   └── ContentIntentMissing     4  pages would come without their text
    ├── DatabaseError                5  PostgreSQL refused
    │   ├── DatabaseUnavailable      5  no connection; worth another try
    │   ├── ValueRefused             5  not the database's fault: it can't hold what it was given
    │   ├── ForeignDatabase          5  the schema `junkie` is somebody else's
    │   ├── SchemaMismatch           5  newer than this program, or a migration was altered
    │   └── EmbeddedServerError      5  the bundled PostgreSQL can't run here
    └── DiscordError                 1  Discord refused; fatal for the run
        ├── DiscordUnavailable       1  gave up after the last retry
        ├── TooManyInvalidRequests   1  stopped long before Discord bans the address
        └── ChannelError             3  concerns one channel only; the others go on
            ├── ChannelForbidden     3  403
            ├── ChannelNotFound      3  404
            └── MalformedPage        3  an answer that proves nothing, even when asked again

The message says what happened and to what; `hint` says what to do next. Both fit on one line together.
`PARTIAL` and `INTERRUPTED` are exit codes of runs that ended without an exception of ours.
"""

PARTIAL = 3
INTERRUPTED = 130


class JunkieError(Exception):
    """Base of all errors with a message for the user; `exit_code` is the process's."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(JunkieError):
    """An option or argument that makes no sense."""

    exit_code = 2


class ConfigError(JunkieError):
    """A setting that is missing or wrong; `setting` is its environment name where that was noted."""

    exit_code = 4
    setting = ""


class TokenRejected(ConfigError):
    """Discord answered 401 to our token."""


class ContentIntentMissing(ConfigError):
    """The application lacks the MESSAGE_CONTENT intent, so that every page would come blank."""


class DatabaseError(JunkieError):
    """PostgreSQL refused what was asked of it."""

    exit_code = 5


class DatabaseUnavailable(DatabaseError):
    """No connection to PostgreSQL, or it was lost and did not come back."""


class ValueRefused(DatabaseError):
    """PostgreSQL is well, and can't hold what it was given."""


class ForeignDatabase(DatabaseError):
    """The schema `junkie` exists and was made by another program."""


class SchemaMismatch(DatabaseError):
    """The schema is newer than this program, or an applied migration was altered."""


class EmbeddedServerError(DatabaseError):
    """The bundled PostgreSQL can't be found, created or started."""


class DiscordError(JunkieError):
    """Discord refused, in a way that ends the run."""


class DiscordUnavailable(DiscordError):
    """Discord did not answer sensibly, even after the last retry."""


class TooManyInvalidRequests(DiscordError):
    """Stopped long before the 10,000 invalid requests in 10 minutes at which Discord bans an address."""


class ChannelError(DiscordError):
    """Concerns one channel only. `code` is Discord's own error code, 0 if it gave none."""

    exit_code = PARTIAL
    code = 0


class ChannelForbidden(ChannelError):
    """Discord answered 403."""


class ChannelNotFound(ChannelError):
    """Discord answered 404."""


class MalformedPage(ChannelError):
    """A page whose ids are repeated, out of order or outside what was asked for."""
