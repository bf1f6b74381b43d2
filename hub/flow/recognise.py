"""Two accounts that seem to be one customer: the hub proposes once, an agent decides. Nothing is joined by itself.

What counts is an e-mail address, or a telephone number with its country code, that both gave: the network reports it
with the account, or it is what was collected for a ticket. Of a collected field the value decides, whatever the field
is called: an order number looks like neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hub.flow import texts, track
from hub.flow.hub import Hub
from hub.sdk.commands import SAME_PERSON
from hub.store import Row, Tx, connections, people, records, same_person, tickets

MOST_CUSTOMERS = 3
"""What more customers gave is a mailbox or a number that several people use: it says nothing about who they are."""

MOST_PROPOSALS = 3
"""That wait in one ticket for an agent's word. Who writes a hundred addresses would fill the record with notes, and
make one so long that the helpdesk refuses it, with all that travels along."""

_EMAIL = re.compile(r"[^@\s,;:<>()\"']{1,64}@(?:[\w-]+\.)+[\w-]{2,}")
_PHONE = re.compile(r"\+[1-9][0-9]{7,14}")  # E.164: at most 15 digits
_BETWEEN_DIGITS = re.compile(r"[\s./()-]")
_EITHER_WAY = "(0)"
"""Dialled or not, depending on where one calls from: such a number is two."""


def strong(value: str) -> tuple[str, str] | None:
    """What a value says about who somebody is, as ``("email" or "phone", the same for every spelling of it)``; ``None``
    for anything else, and for a number without its country code."""
    value = value.strip()
    if _EMAIL.fullmatch(value):
        return "email", value.casefold()
    digits = _BETWEEN_DIGITS.sub("", value)
    if _EITHER_WAY not in value and _PHONE.fullmatch(digits):
        return "phone", digits
    return None


def masked(kind: str, value: str) -> str:
    """As much of it as lets an agent compare, who sees both accounts: ``a…@example.com``, ``…67``."""
    if kind == "phone":
        return f"…{value[-2:]}"
    name, _, domain = value.partition("@")
    return f"{name[:1] if len(name) > 1 else ''}…@{domain}"


def recognise(hub: Hub, tx: Tx, ticket: Row[Any], identity: Row[Any], values: Iterable[str], *, now: datetime) -> None:
    """Keep, in a form that only compares, what strongly identifies the author of a ticket's message, and propose
    whoever gave the same."""
    given = {found for value in values if (found := strong(value)) is not None}
    if not given or identity.kind != "person" or ticket.kind == "spam":
        return
    secret = same_person.blinding(tx, hub.cipher, now=now)
    for kind, value in sorted(given):
        digest = same_person.digest_of(secret, kind, value)
        others = same_person.gave(tx, identity.id, digest, now=now)
        if 0 < len(others) < same_person.MOST_ACCOUNTS:
            _propose(hub, tx, ticket, identity, others, (kind, value), now=now)


def _propose(
    hub: Hub, tx: Tx, ticket: Row[Any], identity: Row[Any], others: list[int], same: tuple[str, str], *, now: datetime
) -> None:
    ours = _our_accounts(tx)
    # Where the helpdesk is only observed nobody would read it: a later message of theirs proposes it.
    if ticket.not_ours or _is_one_of(ours, identity) or connections.seen(tx, ticket.sink).mode == "observe":
        return
    found = same_person.with_customers(tx, [identity.id, *others])
    mine = next(row.customer_id for row in found if row.id == identity.id)
    theirs: dict[int, Row[Any]] = {row.customer_id: row for row in found if row.customer_id != mine}
    if len(theirs) >= MOST_CUSTOMERS:
        return
    my_accounts = people.identities_of(tx.connection, mine)
    waiting = sum(one.state == "proposed" for one in same_person.proposed_in(tx.connection, ticket.id))
    for customer, other in theirs.items():
        if other.kind != "person" or _is_one_of(ours, other):
            continue
        if waiting >= MOST_PROPOSALS:
            return
        if same_person.spoken_of(tx.connection, my_accounts, people.identities_of(tx.connection, customer)):
            continue
        evidence = f"same {same[0]}"
        if same_person.propose(tx, identity.id, other.id, ticket_id=ticket.id, evidence=evidence, now=now):
            waiting += 1
            _tell(hub, tx, ticket, identity, other, same, now=now)


def _tell(
    hub: Hub,
    tx: Tx,
    ticket: Row[Any],
    identity: Row[Any],
    other: Row[Any],
    same: tuple[str, str],
    *,
    now: datetime,
) -> None:
    kind, value = same
    person, newest = people.as_identity(other), tickets.last_of(tx.connection, other.id)
    code = newest.code if newest is not None else ""
    record = None if newest is None else records.active(tx.connection, newest.id, newest.sink)
    where = f"{code} ({record.url or f'#{record.vendor_id}'})" if record is not None else code
    tickets.add_event(
        tx, ticket.id, "person_proposed", now=now, actor="hub", identity=person.label, network=person.network,
        ticket=code, same=kind,
    )  # fmt: skip
    note = texts.note(
        "person_proposed",
        hub.language,
        person=people.as_identity(identity).label,
        other=person.label,
        network=person.network,
        same=texts.reason(f"same_{kind}", hub.language, data=masked(kind, value)),
        code=where or "–",
        macro=SAME_PERSON.title.in_language(hub.language),
        tag=SAME_PERSON.tag,
    )
    cause = f"person:{identity.id}:{other.id}"
    track.tell_sink(hub, tx, track.fresh(tx, ticket.id), cause=cause, now=now, by_person=False, note=note)


def _our_accounts(tx: Tx) -> set[str]:
    """How the accounts of our connections are called, by id and by handle."""
    accounts = [row.account for row in connections.every(tx.connection) if row.account]
    return {str(account[name]) for account in accounts for name in ("id", "handle") if account.get(name)}


def _is_one_of(ours: set[str], identity: Row[Any]) -> bool:
    return identity.vendor_id in ours or bool(identity.handle and identity.handle in ours)
