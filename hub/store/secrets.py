"""Encrypted values: the connections' rotating tokens, and personal fields."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import delete, select, update

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
        values = {
            "connection": self._connection,
            "name": name,
            "ciphertext": self._cipher.encrypt(value),
            "expires_at": expires_at,
            "updated_at": self._now(),
        }

        def unit(tx: Tx) -> None:
            insert_or_update(tx, t.vault, values, key=["connection", "name"])
            where = (t.vault.c.connection == self._connection) & (t.vault.c.name == name)
            tx.execute(update(t.vault).where(where).values(version=t.vault.c.version + 1))

        self._store.run(unit)

    def refresh(self, name: str, stale: str | None, renew: Callable[[], tuple[str, timedelta | None]]) -> str:
        """The current value if it is no longer ``stale``; else call ``renew`` once, whoever asks, and store it."""
        with self._single_flight[self._connection, name]:
            current = self.read(name)
            if current is not None and current != stale:
                return current
            value, lifetime = renew()
            self.write(name, value, expires_at=None if lifetime is None else self._now() + lifetime)
            return value
