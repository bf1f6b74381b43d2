"""When the values of the vault were written; what they are is the business of ``secrets``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from hub.store import tables as t


def written(connection: Connection, name: str) -> dict[datetime | None, datetime]:
    """End -> when a value with this end was last written, for one connection's vault (``None``: without an end)."""
    query = select(t.vault.c.expires_at, t.vault.c.updated_at).where(t.vault.c.connection == name)
    return {row.expires_at: row.updated_at for row in connection.execute(query.order_by(t.vault.c.updated_at))}
