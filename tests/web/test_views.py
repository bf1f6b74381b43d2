"""What people are shown of the store: health, what is parked, and never a secret."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.store import connections, views
from tests.fakes.house import House
from tests.web.desk import LATE, Browser, live_through, make_app


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """A hub on each kind of database."""
    made = House(database_url)
    yield made
    made.close()


def health_of(house: House, **values: Any) -> str:
    """The network's health with these values in its row."""
    house.store.run(lambda tx: connections.change(tx, "network", **values))
    with house.store.read() as read:
        return next(one.health for one in views.overview(read, house.clock()) if one.name == "network")


def test_health(house: House) -> None:
    """Each state of a connection has its word; a pause tells more than a failure, a failure more than a wait."""
    now = house.clock()
    later = now + timedelta(minutes=1)
    assert health_of(house, last_error="") == "never checked"
    assert health_of(house, last_error="no answer") == "failing"
    assert health_of(house, last_success_at=now) == "ok"
    assert health_of(house, blocked_until=later) == "waiting"
    assert health_of(house, failures=1, blocked_until=None) == "failing"
    assert health_of(house, failures=5, blocked_until=later) == "failing"
    assert health_of(house, paused="token") == "paused"


def test_backlog_and_parked_are_counted_per_connection(house: House) -> None:
    """What waits and what stopped, at both doors."""
    live_through(house)
    house.network.faults.add("reply", "refused")
    house.helpdesk.comment("r1", "Refused word")
    house.settle(seconds=6, most=15)
    house.store.run(lambda tx: connections.pause(tx, "network", reason="x", by="me", now=house.clock()))
    house.helpdesk.comment("r1", "Waiting word")
    house.settle(seconds=6, most=15)
    with house.store.read() as read:
        shown = {one.name: one for one in views.overview(read, house.clock())}
        counts = views.counts(read)
        parked = views.parked(read)
    assert (shown["network"].backlog, shown["network"].parked) == (1, 1)
    assert (shown["desk"].backlog, shown["desk"].parked) == (0, 0)
    assert (counts.outbox["parked"], counts.outbox["waiting"], counts.tickets) == (1, 1, 1)
    assert [(one.door, one.what, one.detail) for one in parked] == [("outbox", "reply", "Refused word")]


def test_a_ticket_with_everything(house: House) -> None:
    """Both sides, revisions, receipts and attempts; all of it fits into JSON."""
    live_through(house)
    house.network.edit("p1", "Two weeks late")
    house.settle(seconds=6, most=15)
    with house.store.read() as read:
        code = views.ticket_rows(read)[0].code
        found = views.ticket(read, code.lower(), house.hub.decrypt_json)
        assert views.ticket(read, "SCH-NONE", house.hub.decrypt_json) is None
    assert found is not None
    customer, answer, note = found.messages
    assert [one.side for one in found.messages] == ["customer", "company", "company"]
    assert [one.text for one in customer.revisions] == [LATE, "Two weeks late"]
    assert (answer.public, note.public) == (True, False)
    assert [(one.verb, one.state, one.receipt_id) for one in answer.deliveries] == [("reply", "done", "p2")]
    assert [one.outcome for one in answer.deliveries[0].attempts] == ["done"]
    assert [one.vendor_id for one in found.records] == ["r1"]
    assert "answer_published" in [one.kind for one in found.events]
    json.dumps(dataclasses.asdict(found), default=str)


@pytest.mark.parametrize("key", ["access_token", "client_secret", "PASSWORD", "Authorization", "answer_with", "fields"])
def test_secrets_and_personal_fields_are_masked(key: str) -> None:
    """Whatever is named like a secret is masked at any depth; the rest stays."""
    shown = views.without_secrets({"text": "hello", "list": [{"deep": {key: {"a": "hidden"}}}]})
    assert shown == {"text": "hello", "list": [{"deep": {key: "…"}}]}


def test_parked_one_shows_any_state_and_masks(house: House) -> None:
    """A delivery that is done can be looked at as well; doors and numbers that do not exist are None."""
    live_through(house)
    with house.store.read() as read:
        found = views.parked_one(read, "outbox", 1)
        assert views.parked_one(read, "outbox", 999) is None
        assert views.parked_one(read, "window", 1) is None
    assert found is not None
    assert (found.state, found.payload["verb"]) == ("done", "open_ticket")


@pytest.mark.parametrize("table", ["inbox", "delivery"])
def test_counting_what_waits_reads_an_index(sqlite_url: str, table: str) -> None:
    """The overview must stay cheap when the tables are large."""
    house = House(sqlite_url)
    with house.store.read() as read:
        sql = str(views._waiting().compile(dialect=read.dialect, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in read.exec_driver_sql(f"explain query plan {sql}")]
    steps = [step for step in plan if f" {table}" in step]
    assert steps
    assert all("INDEX" in step for step in steps), plan
    house.close()


def test_every_page_opens_on_both_databases(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console's queries, the login and the search run on SQLite and PostgreSQL."""
    live_through(house)
    browser = Browser(house, make_app(house, tmp_path, monkeypatch))
    browser.log_in()
    with house.store.read() as read:
        code = views.ticket_rows(read, search="parcel")[0].code
    pages = ("", "tickets?q=late", f"tickets/{code}", "inbox?state=done", "outbox/1", "parked", "audit")
    for path in (*pages, "connections/network"):
        assert browser.get(f"/console/{path}").status_code == 200, path
    assert browser.client.post("/logout", data={"csrf": browser.csrf()}).status_code == 303
