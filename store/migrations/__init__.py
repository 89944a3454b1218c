"""Alembic migrations: they ship with the program and are applied when a catalog opens.

A change of `store.tables` needs a new file in `versions` and its revision here as `HEAD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, column, inspect, select, table

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0007"
"""The newest revision. Stated here so that a catalog which is up to date opens without loading Alembic."""

VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a database holds: its tables, and the revision that it says it has (None: before the first)."""

    tables: frozenset[str]
    revision: str | None

    @property
    def empty(self) -> bool:
        """Nothing is there yet."""
        return not self.tables

    @property
    def current(self) -> bool:
        """Nothing is to be done."""
        return self.revision == HEAD

    @property
    def foreign(self) -> bool:
        """Holds tables, but was never a catalog."""
        return bool(self.tables) and VERSION_TABLE not in self.tables


def standing(connection: Connection) -> Standing:
    """Where the database stands."""
    tables = frozenset(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        return Standing(tables, None)
    versions = select(column("version_num", String)).select_from(table(VERSION_TABLE))
    found = sorted(map(str, connection.scalars(versions)))
    return Standing(tables, "+".join(found) if found else None)


def is_known(revision: str) -> bool:
    """Whether this program has the migration."""
    from alembic.script import ScriptDirectory

    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(connection: Connection) -> None:
    """Applies all missing migrations inside the connection's transaction."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    return config
