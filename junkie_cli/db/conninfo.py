"""The libpq URI: checked before use, completed with our defaults, and shown without its password."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import conninfo, pq

from junkie_cli.errors import ConfigError
from junkie_cli.values import hide

_DEFAULTS: Final = {
    "connect_timeout": "10",
    # A dead peer is noticed within a minute, not after the two hours of the kernel's default.
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    # Milliseconds; they don't help while something is under way, and something mostly is.
    "tcp_user_timeout": "60000",
}

_SECRETS: Final = frozenset({"password", "sslpassword", "oauth_client_secret"})

_HINT: Final = (
    "write it as postgresql://user:password@host:5432/database, with %40 for @, %2F for /, %3A for : in the password"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is. `place` names it for the user; the rest is secret."""

    place: str
    conninfo: str = field(repr=False)
    passwords: tuple[str, ...] = field(repr=False)

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate must be the right one."""
        return _sslmode({k: str(v) for k, v in conninfo.conninfo_to_dict(self.conninfo).items()}).startswith("verify-")

    def masked(self, text: str) -> str:
        """Return the text without our passwords, should one have got into it."""
        for password in self.passwords:
            text = text.replace(password, "********")
        return text


def read(url: str, *, application_name: str, place: str | None = None) -> Address:
    """Check a libpq URI and complete it. `place` is what messages call it; by default its host and database.

    Raises ConfigError, which shows nothing of the URI: where it is malformed, its password may stand anywhere.
    """
    parameters = _DEFAULTS | _parsed(url)
    # The archive is UTF-8 whatever PGCLIENTENCODING says.
    parameters |= {"client_encoding": "UTF8", "application_name": application_name}
    if place is None:
        place = _place(parameters)
    passwords = _passwords(url, parameters)
    hide(*passwords)
    return Address(place, conninfo.make_conninfo("", **parameters), passwords)


def for_program(url: str) -> tuple[str, dict[str, str]]:
    """Return what a program may be given as an argument, for all to see, and the secrets for its environment.

    Raises ConfigError, as `read`, and for a secret that a program takes as an argument alone.
    """
    parameters = _parsed(url)
    password = parameters.pop("password", None)
    if shown := sorted(_SECRETS & parameters.keys()):
        raise ConfigError(
            f"POSTGRES_URL holds {shown[0]}, which the program could be given only where every process sees it",
            hint="start the program yourself, with that in a service file (PGSERVICEFILE)",
        )
    return conninfo.make_conninfo("", **parameters), {} if password is None else {"PGPASSWORD": password}


def demands_tls(url: str) -> bool:
    """Tell whether a connection to that URI must not be in plain text, by what it or the environment says.

    Raises ConfigError, as `read`.
    """
    return _sslmode(_parsed(url)) in {"require", "verify-ca", "verify-full"}


def _sslmode(parameters: Mapping[str, str]) -> str:
    # libpq's defaults hold what the environment says.
    default = next((option.val for option in pq.Conninfo.get_defaults() if option.keyword == b"sslmode"), None)
    return parameters.get("sslmode") or (default or b"").decode()


def masked(url: str) -> str:
    """Return a URI as libpq understands it, with nothing secret in it. Raises ConfigError, as `read`."""
    parameters = _parsed(url)
    user, database = quote(parameters.pop("user", "")), quote(parameters.pop("dbname", ""))
    if parameters.pop("password", None):
        user += ":********"
    hosts = [quote(host, safe=":") for host in parameters.pop("host", "").split(",")]
    ports = parameters.pop("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = ",".join(
        (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
        for host, port in zip(hosts, ports, strict=False)
    )
    rest = "&".join(f"{name}={'********' if name in _SECRETS else quote(value)}" for name, value in parameters.items())
    return f"postgresql://{f'{user}@' if user else ''}{places}/{database}" + (f"?{rest}" if rest else "")


def _parsed(url: str) -> dict[str, str]:
    if _ambiguous(url):
        raise ConfigError("POSTGRES_URL has an @ that does not part the password from the host", hint=_HINT)
    try:
        given = conninfo.conninfo_to_dict(url)
        parameters = {name: str(value) for name, value in given.items() if value is not None}
        int(parameters.get("connect_timeout", "0"))
        for port in parameters.get("port", "").split(","):
            int(port or 5432)
    except (psycopg.Error, ValueError):
        raise ConfigError("POSTGRES_URL is no libpq URI", hint=_HINT) from None
    return parameters


def _ambiguous(url: str) -> bool:
    """Tell whether a password with an unescaped @ or / makes parts of itself look like the host or the database."""
    # As libpq does it: the user ends at the first @ that no / precedes, and a ? does not end him.
    authority, _, path = url.partition("://")[2].partition("/")
    return authority.count("@") > 1 or "@" in path.partition("?")[0]


def _place(parameters: dict[str, str]) -> str:
    # libpq takes a missing host for its socket folder, unless PGHOST says otherwise: say nothing wrong.
    host = parameters.get("hostaddr") or parameters.get("host") or ""
    ports = parameters.get("port", "5432")
    where = f" at {host}:{ports}" if host and not host.startswith("/") else f" at {host}" if host else ""
    database = parameters.get("dbname") or parameters.get("user") or ""
    return f"PostgreSQL{where}" + (f", database '{database}'" if database else "")


def _passwords(url: str, parameters: dict[str, str]) -> tuple[str, ...]:
    """Return every spelling of the URI's passwords that is long enough to be replaced without harm."""
    try:
        in_url = urlsplit(url).password or ""
    except ValueError:
        in_url = ""
    spellings = {in_url, unquote(in_url), *(parameters.get(name, "") for name in _SECRETS)}
    return tuple(sorted((each for each in spellings if len(each) > 3), key=len, reverse=True))
