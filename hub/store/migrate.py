"""Brings a database to this version's schema, with a backup of an embedded file first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from hub.store.engine import open_engines


class SchemaTooNew(Exception):
    """The database was written by a newer hub; the message names both revisions."""


def migrate(url: str) -> str:
    """Bring the database to the newest schema; return its revision. Raises :class:`SchemaTooNew`.

    An existing SQLite file is copied beside itself before it is changed.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    wanted = scripts.get_current_head() or ""
    database = make_url(url).database
    if url.startswith("sqlite") and database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine, reader = open_engines(url)
    try:
        present = _revision(reader)
        if present == wanted:
            return wanted
        if present and present not in {script.revision for script in scripts.walk_revisions()}:
            raise SchemaTooNew(
                f"the database has schema {present}, this hub knows {wanted} and older: "
                "start the newer hub, or restore the backup made before it was updated"
            )
        if present and database and url.startswith("sqlite"):
            _back_up(engine, Path(database), present)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return wanted
    finally:
        engine.dispose()
        reader.dispose()


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _back_up(engine: Engine, database: Path, revision: str) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    copy = database.with_name(f"{database.name}.{revision}.{stamp}.backup")
    raw = engine.raw_connection()
    try:
        raw.driver_connection.execute("VACUUM INTO ?", (str(copy),))  # type: ignore[union-attr]
    finally:
        raw.close()
