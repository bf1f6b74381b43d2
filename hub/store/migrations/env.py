"""Runs migrations on the connection that ``hub.store.migrate`` gives."""

from alembic import context

from hub.store import side_tables  # noqa: F401 - they belong to the metadata
from hub.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
