"""A quick look at the archive's names, for completion: read only, and only where a server is running already."""

from contextlib import closing
from typing import Final

import psycopg

from junkie_cli.config import Settings
from junkie_cli.db import conninfo
from junkie_cli.db.cluster import LEAVING, Cluster
from junkie_cli.db.names import Catalogue, catalogue
from junkie_cli.db.queries import query

_PATIENCE: Final = 2
"""Seconds to connect: the least that libpq knows."""


def glance(settings: Settings) -> Catalogue:
    """Return the places that the archive knows. Nothing is started or migrated.

    Raises psycopg.Error if nothing answers within two seconds, or the archive is not there; ConfigError.
    """
    url = Cluster(settings.home).url if settings.postgres_url is None else settings.postgres_url.reveal()
    # By that name the last command out does not wait for us, nor leave the server running on our account.
    address = conninfo.read(url, application_name=LEAVING)
    # Whoever gives up in the middle of it leaves nothing to roll back, of which psycopg would have something to say.
    with closing(psycopg.connect(address.conninfo, connect_timeout=_PATIENCE)) as connection:
        connection.read_only = True
        connection.execute(query("hurry"))
        guilds = connection.execute(query("named_guilds")).fetchall()
        return catalogue(guilds, connection.execute(query("named_channels")).fetchall())
