"""Encrypted values: the connections' rotating tokens, and personal fields."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Row, delete, select, update

from hub.store import tables as t
from hub.store.upsert import insert_or_update
from hub.store.writer import Store, Tx


class SecretUnreadable(Exception):
    """A stored value was encrypted under another ``HUB_SECRET_KEY``."""


class Cipher:
    """Encrypts text under ``HUB_SECRET_KEY``."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    def encrypt(self, text: str) -> str:
        """An opaque token."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The text; raises :class:`SecretUnreadable` when the key is another one."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable(
                "a stored secret cannot be read: HUB_SECRET_KEY is not the one it was written with"
            ) from error


class StoredVault:
    """The vault of one connection, as ``hub.sdk.Vault`` promises it."""

    _single_flight: ClassVar[defaultdict[tuple[str, str], threading.Lock]] = defaultdict(threading.Lock)

    def __init__(self, store: Store, cipher: Cipher, connection: str, now: Callable[[], datetime]) -> None:
        self._store = store
        self._cipher = cipher
        self._connection = connection
        self._now = now

    def _row(self, name: str) -> Any:
        query = select(t.vault).where(t.vault.c.connection == self._connection, t.vault.c.name == name)
        with self._store.read() as connection:
            return connection.execute(query).first()

    def read(self, name: str) -> str | None:
        """The stored value, or ``None``."""
        row = self._row(name)
        return None if row is None else self._cipher.decrypt(row.ciphertext)

    def expires_at(self, name: str) -> datetime | None:
        """When the stored value ends, as it was written."""
        row = self._row(name)
        return None if row is None else row.expires_at

    def forget(self, name: str) -> None:
        """Delete a value, if there is one; returns after the commit."""
        where = (t.vault.c.connection == self._connection) & (t.vault.c.name == name)
        self._store.run(lambda tx: tx.execute(delete(t.vault).where(where)))

    def write(self, name: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Store a value; returns after the commit."""
        values = self._values(name, value, expires_at)
        self._store.run(lambda tx: self._store_value(tx, values))

    def _values(self, name: str, value: str, expires_at: datetime | None) -> dict[str, Any]:
        return {
            "connection": self._connection,
            "name": name,
            "ciphertext": self._cipher.encrypt(value),
            "expires_at": expires_at,
            "updated_at": self._now(),
        }

    @staticmethod
    def _store_value(tx: Tx, values: dict[str, Any]) -> None:
        insert_or_update(tx, t.vault, values, key=["connection", "name"])
        where = (t.vault.c.connection == values["connection"]) & (t.vault.c.name == values["name"])
        tx.execute(update(t.vault).where(where).values(version=t.vault.c.version + 1))

    def refresh(self, name: str, stale: str | None, renew: Callable[[], tuple[str, timedelta | None]]) -> str:
        """The current value if it is no longer ``stale``; else call ``renew`` once, whoever asks, and store it.

        "Whoever" is in any process: of two that renew at once a vendor refuses one, which would write down that the
        tokens ended, over the good ones of the other.
        """
        alone = self._store.alone(f"vault:{self._connection}:{name}")
        with self._single_flight[self._connection, name], alone:
            row = self._row(name)
            current = None if row is None else self._cipher.decrypt(row.ciphertext)
            if current is not None and current != stale:
                return current
            value, lifetime = renew()
            expires_at = None if lifetime is None else self._now() + lifetime
            kept = self._store.run(lambda tx: self._replace(tx, name, row, self._values(name, value, expires_at)))
            return value if kept is None else self._cipher.decrypt(kept)

    def _replace(self, tx: Tx, name: str, before: Row[Any] | None, values: dict[str, Any]) -> str | None:
        """Store a renewed value in the place of ``before``. A person who connected anew or removed the connection
        meanwhile is right: nothing is stored then, and what is there is returned."""
        query = select(t.vault).where(t.vault.c.connection == self._connection, t.vault.c.name == name)
        present = tx.execute(query).first()
        # Not by version: one that was removed and is new begins to count anew.
        if (present and present.ciphertext) == (before and before.ciphertext):
            self._store_value(tx, values)
            return None
        return None if present is None else str(present.ciphertext)
