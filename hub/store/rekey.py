"""Everything that lies encrypted in the database, in one place: to be read, changed to another key, or given up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, delete, select, tuple_, update

from hub.store import tables as t
from hub.store.connections import open_alarm, pause, read_switch, set_switch, write_audit
from hub.store.consents import doubt_setup
from hub.store.secrets import Cipher, SecretUnreadable
from hub.store.side_tables import backfill, consent, own_secret, past_ticket, person_key
from hub.store.writer import Store, Tx

BATCH = 500

KEY_CHECK = "secret-key-check"
"""The switch that holds a known word under the key of the first start: another key cannot read it."""

_SEALED = re.compile(r'("sealed":\s*")([^"\\]+)(")')
"""Collected fields in the frozen body of a delivery. Only the token is exchanged: the rest stays byte for byte."""

_SEALED_FIELDS = re.compile(r'\{\s*"sealed":\s*"[^"\\]+"\s*\}')


@dataclass(frozen=True)
class Place:
    """One encrypted column. ``loses``: what goes when nobody can read it, the ``value`` or its whole ``row``."""

    what: str
    table: Table
    column: str
    keys: tuple[str, ...]
    loses: str = "value"

    @property
    def cells(self) -> Column[Any]:
        """The column."""
        return self.table.c[self.column]


PAST_TICKETS = "past tickets"
OWN_SECRETS = "the hub's own secrets"

PLACES = (
    Place("credentials", t.vault, "ciphertext", ("connection", "name"), loses="row"),
    Place("customers' addresses", t.identity, "contact", ("id",)),
    Place("tickets' collected data", t.ticket, "fields", ("id",)),
    Place(PAST_TICKETS, past_ticket, "content", ("id",), loses="row"),
    Place("consents under way", consent, "verifier", ("state",)),
    Place("consents under way", consent, "staged", ("state",)),
    Place(OWN_SECRETS, own_secret, "ciphertext", ("name",), loses="row"),
)

BODIES = "collected data in deliveries"


class Unreadable(Exception):
    """A value that the key does not open; the message names the place, not the value."""


def rotate(tx: Tx, old: Cipher, new: Cipher, *, actor: str, now: datetime) -> dict[str, int]:
    """Put everything under the new key, the database's mark too; return how much of each. Raises :class:`Unreadable`
    with nothing changed."""
    counted: dict[str, int] = {}
    for place in PLACES:
        for key, value in _values(tx, place):
            fresh = _again(place.what, key, value, old, new)
            tx.execute(update(place.table).where(*_at(place, key)).values({place.column: fresh}))
            counted[place.what] = counted.get(place.what, 0) + 1
    for number, body in _bodies(tx):
        tx.execute(update(t.delivery).where(t.delivery.c.id == number).values(body=_exchanged(number, body, old, new)))
        counted[BODIES] = counted.get(BODIES, 0) + 1
    mark = read_switch(tx.connection, KEY_CHECK)
    if mark is not None:
        set_switch(tx, KEY_CHECK, new.encrypt(old.decrypt(mark)), now=now)
    _audit(tx, actor, "rotate_key", now, counted)
    return counted


def verify(store: Store, cipher: Cipher) -> int:
    """Read everything with this key; return how many values. Raises :class:`Unreadable`."""
    counted = 0
    with store.read() as connection:
        tx = Tx(connection)  # only to read
        for place in PLACES:
            for key, value in _values(tx, place):
                _again(place.what, key, value, cipher, None)
                counted += 1
        for number, body in _bodies(tx):
            _exchanged(number, body, cipher, None)
            counted += 1
    return counted


def give_up(tx: Tx, cipher: Cipher | None, *, actor: str, now: datetime, only_count: bool = False) -> dict[str, int]:
    """Drop what this key does not open (``None``: everything), and the database's mark, so that the next start makes a
    new one. Return how much of each. Connections that lose credentials are paused with an alarm that says so, and what
    was known of their setup is forgotten; a backfill begins anew when past tickets went."""
    counted: dict[str, int] = {}
    bare: set[str] = set()
    for place in PLACES:
        for key, value in _values(tx, place):
            if _opens(cipher, value):
                continue
            counted[place.what] = counted.get(place.what, 0) + 1
            if only_count:
                continue
            if place.table is t.vault:
                bare.add(key[0])
            where = _at(place, key)
            gone = delete(place.table) if place.loses == "row" else update(place.table).values({place.column: None})
            tx.execute(gone.where(*where))
    for number, body in _bodies(tx):
        if all(_opens(cipher, token[2]) for token in _SEALED.finditer(body)):
            continue
        counted[BODIES] = counted.get(BODIES, 0) + 1
        if not only_count:
            without = _SEALED_FIELDS.sub("{}", body)
            tx.execute(update(t.delivery).where(t.delivery.c.id == number).values(body=without))
    if only_count:
        return counted
    tx.execute(delete(t.switch).where(t.switch.c.name == KEY_CHECK))
    if PAST_TICKETS in counted:  # a bookmark behind tickets that are gone would never bring them back
        tx.execute(delete(backfill))
    if OWN_SECRETS in counted:  # made with another secret, they would never be met again
        tx.execute(delete(person_key))
    for name in sorted(bare):
        doubt_setup(tx, name, now=now)  # the webhook's secret was among the credentials
        text = f"its credentials went with the lost key: hub connections connect {name}"
        pause(tx, name, reason=text, by="hub", now=now)
        open_alarm(tx, name, "authentication", text=text, now=now)
    _audit(tx, actor, "forget_lost_key", now, counted)
    return counted


def _values(tx: Tx, place: Place) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Each row's key and value, in batches by key: a table may be larger than the memory."""
    columns = [place.table.c[key] for key in place.keys]
    last: tuple[Any, ...] | None = None
    while True:
        query = select(*columns, place.cells).where(place.cells.is_not(None)).order_by(*columns).limit(BATCH)
        if last is not None:
            query = query.where(_after(columns, last))
        rows = tx.execute(query).all()
        for row in rows:
            last = tuple(row[:-1])
            yield last, row[-1]
        if len(rows) < BATCH:
            return


def _after(columns: list[Column[Any]], last: tuple[Any, ...]) -> Any:
    return columns[0] > last[0] if len(columns) == 1 else tuple_(*columns) > tuple_(*last)


def _bodies(tx: Tx) -> Iterator[tuple[int, str]]:
    last = 0
    while True:
        found = select(t.delivery.c.id, t.delivery.c.body).where(
            t.delivery.c.id > last, t.delivery.c.body.contains('"sealed"')
        )
        rows = tx.execute(found.order_by(t.delivery.c.id).limit(BATCH)).all()
        for row in rows:
            last = row.id
            yield row.id, row.body
        if len(rows) < BATCH:
            return


def _at(place: Place, key: tuple[Any, ...]) -> list[Any]:
    return [place.table.c[name] == value for name, value in zip(place.keys, key, strict=True)]


def _again(what: str, key: object, value: str, old: Cipher, new: Cipher | None) -> str:
    try:
        text = old.decrypt(value)
    except SecretUnreadable as error:
        raise Unreadable(f"{what}, {key}: cannot be read with the key; nothing was changed") from error
    return text if new is None else new.encrypt(text)


def _exchanged(number: int, body: str, old: Cipher, new: Cipher | None) -> str:
    def exchange(found: re.Match[str]) -> str:
        return found[1] + _again(BODIES, number, found[2], old, new) + found[3]

    return _SEALED.sub(exchange, body)


def _opens(cipher: Cipher | None, value: str) -> bool:
    if cipher is None:
        return False
    try:
        cipher.decrypt(value)
    except SecretUnreadable:
        return False
    return True


def _audit(tx: Tx, actor: str, action: str, now: datetime, counted: dict[str, int]) -> None:
    write_audit(tx, actor=actor, action=action, object_="hub", now=now, **counted)
