"""Identities that are joined and parted, on both databases."""

from __future__ import annotations

import random
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


def test_any_order_of_joins_and_partings_keeps_the_rest_together(sqlite_url: str) -> None:
    """A walk: each has one customer, nobody ends with a stranger, and what was joined last is undone exactly."""
    store, chance = Store(sqlite_url), random.Random(7)
    metadata.create_all(store.writer_engine)

    def unit(tx: Tx) -> None:
        ids = [people.see_identity(tx, Identity(network="n", id=str(one)), now=NOW).id for one in range(6)]

        def whose() -> dict[int, int | None]:
            return {one: people.customer_of(tx, one) for one in ids}

        for minute in range(1, 300):
            now, before = NOW + timedelta(minutes=minute), whose()
            one, other = chance.sample(ids, 2)
            if chance.random() < 0.6:
                moved = people.join(tx, one, other, evidence=f"{minute}", now=now)
                assert whose()[one] == whose()[other]
                if moved and chance.random() < 0.4:
                    people.part(tx, chance.choice(moved), evidence="no", now=now + timedelta(seconds=1))
                    assert whose() == before
            else:
                people.part(tx, one, evidence="no", now=now)
                after = whose()
                mates = [each for each in ids if before[each] == before[one]]
                assert len(mates) == 1 or any(after[each] != after[one] for each in mates)
                assert all(before[a] == before[b] for a in ids for b in ids if after[a] == after[b])
            joined = {each: people.identity_by_id(tx.connection, each).joined for each in ids}
            sizes = list(whose().values())
            assert joined == {each: sizes.count(customer) > 1 for each, customer in whose().items()}

    store.run(unit)
    store.close()
