"""The database: tables, queries by noun, and the unit of work. The only part of the hub that knows SQLAlchemy."""

from sqlalchemy import Connection, Row

from hub.store.engine import DatabaseBusy, Lock, lock_database
from hub.store.migrate import SchemaTooNew, migrate
from hub.store.writer import RunAgain, Store, StoreBusy, Tx

__all__ = [
    "Connection",
    "DatabaseBusy",
    "Lock",
    "Row",
    "RunAgain",
    "SchemaTooNew",
    "Store",
    "StoreBusy",
    "Tx",
    "lock_database",
    "migrate",
]
