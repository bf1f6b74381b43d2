"""Statements that bypass SQLAlchemy's execution bring what SQLAlchemy would bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError, IntegrityError, MultipleResultsFound, NoResultFound

from hub.store import Store, connections, rows
from hub.store import tables as t
from hub.store.prepared import run
from tests.fakes.house import START, House


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A database with two connections (the house's own)."""
    house = House(database_url)
    yield house.store
    house.close()


def plain(row: Any) -> dict[str, Any]:
    """A row of either kind as a dictionary."""
    return {name: getattr(row, name) for name in row._fields}


def test_a_row_is_the_same_as_sqlalchemys(store: Store) -> None:
    """Times, JSON values, booleans, numbers and nothing: every column, converted alike."""
    store.run(lambda tx: connections.change(tx, "desk", account={"a": [1, None]}, probe_at=START, calls=7, gone=True))
    statement = select(t.connection).where(*rows.where(t.connection, "name"))
    with store.read() as connection:
        ours = run(connection, statement, rows.at({"name": "desk"})).one()
        theirs = connection.execute(statement, rows.at({"name": "desk"})).one()
    assert plain(ours) == plain(theirs)
    assert (ours.probe_at, ours.account, ours.gone, ours.calls) == (START, {"a": [1, None]}, True, 7)


def test_defaults_of_the_table_are_filled_in(store: Store) -> None:
    """A row made with few values has what SQLAlchemy would have put into the others."""
    values = {"network": "fake", "vendor_id": "ada", "created_at": START}
    made = store.run(lambda tx: rows.insert_returning(tx, t.identity, values))
    store.run(lambda tx: tx.execute(t.identity.insert(), {**values, "vendor_id": "bob"}))
    with store.read() as connection:
        other = connection.execute(select(t.identity).where(t.identity.c.vendor_id == "bob")).one()
    assert {**plain(made), "id": 0, "vendor_id": ""} == {**plain(other), "id": 0, "vendor_id": ""}
    assert made.kind == "person"


def test_a_broken_rule_raises_sqlalchemys_error_without_the_values(store: Store) -> None:
    """Whoever catches database errors catches these too, and no customer's text is in them."""
    values = {"network": "fake", "vendor_id": "ada", "handle": "secret words", "created_at": START}
    store.run(lambda tx: rows.insert(tx, t.identity, values))
    with pytest.raises(IntegrityError) as caught:
        store.run(lambda tx: rows.insert(tx, t.identity, values))
    assert isinstance(caught.value, DBAPIError)
    assert "secret words" not in str(caught.value)


def test_counts_and_the_wrong_number_of_rows(store: Store) -> None:
    """Changed rows are counted; ``one`` refuses none and several; ``first`` takes what there is."""
    every = select(t.connection.c.name).where(t.connection.c.side != bindparam("side"))
    with store.read() as connection:
        assert run(connection, every, {"side": "router"}).first() is not None
        with pytest.raises(MultipleResultsFound):
            run(connection, every, {"side": "router"}).one()
        with pytest.raises(NoResultFound):
            rows.one(connection, t.connection, {"name": "nobody"})
        assert rows.find(connection, t.connection, {"name": "nobody"}) is None
    assert store.run(lambda tx: rows.change(tx, t.connection, {"side": "sink"}, {"calls": 3})) == 1
    assert store.run(lambda tx: rows.change(tx, t.connection, {"name": "nobody"}, {"calls": 3})) == 0


def test_a_statement_whose_text_depends_on_its_values_is_refused(store: Store) -> None:
    """It could not be compiled once."""
    statement = select(t.connection).where(t.connection.c.name.in_(bindparam("names", expanding=True)))
    with store.read() as connection, pytest.raises(TypeError, match="depends on its values"):
        run(connection, statement, {"names": ["desk"]})
