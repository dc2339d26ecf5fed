"""junkie archives Discord into PostgreSQL and turns any stretch of it into a prompt."""

__version__ = "0.1.0"
