"""Identities that are joined and parted, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.sdk import Identity
from hub.store import Store, Tx, people, same_person
from hub.store.tables import metadata

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def test_each_join_is_undone_as_it_was_made(database_url: str) -> None:
    """Those who came in one join go back together; what was joined before stays joined, and a second parting undoes
    the join before."""
    store = Store(database_url)
    metadata.create_all(store.writer_engine)

    def unit(tx: Tx) -> None:
        ids = [
            people.see_identity(tx, Identity(network="n", id=name), now=NOW).id
            for name in ("anna", "bea", "carl", "dora")
        ]
        anna, bea, carl, dora = ids
        home = {one: people.customer_of(tx, one) for one in ids}

        def together(*of: int) -> bool:
            return people.accounts(tx, of[0]) == sorted(of)

        def later(minutes: int) -> datetime:
            return NOW + timedelta(minutes=minutes)

        people.join(tx, carl, bea, evidence="1", now=later(1))
        people.join(tx, bea, dora, evidence="2", now=later(2))
        assert people.join(tx, carl, dora, evidence="3", now=later(3)) == []
        assert sorted(people.join(tx, dora, anna, evidence="4", now=later(4))) == [bea, carl, dora]
        assert together(anna, bea, carl, dora)
        assert people.customer_of(tx, dora) == home[anna]

        assert sorted(people.part(tx, carl, evidence="no", now=later(5))) == [bea, carl, dora]
        assert together(anna)
        assert together(bea, carl, dora)
        assert same_person.spoken_of(tx.connection, [anna], [carl])
        assert people.part(tx, carl, evidence="no", now=later(6)) == [carl]
        assert together(bea, dora)
        assert people.part(tx, bea, evidence="no", now=later(7)) == [dora]
        assert {one: people.customer_of(tx, one) for one in ids} == home
        assert people.part(tx, bea, evidence="no", now=later(8)) == []

    store.run(unit)
    store.close()
