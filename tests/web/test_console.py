"""The console's pages and what a person can do in them."""

from __future__ import annotations

from typing import Any

import pytest

from hub.sdk import Unreadable
from hub.store import connections, inbox, views
from tests.web.desk import Browser

PAGES = ("/console/", "/console/tickets", "/console/parked", "/console/inbox", "/console/outbox", "/console/audit")


def ticket_code(browser: Browser) -> str:
    """The newest ticket's code."""
    with browser.house.store.read() as read:
        return views.ticket_rows(read)[0].code


def row_of(browser: Browser, name: str) -> Any:
    """A connection's row."""
    with browser.house.store.read() as read:
        return connections.get(read, name)


def audited(browser: Browser) -> list[tuple[str, str, str]]:
    """Who did what to what, the login aside, oldest first."""
    with browser.house.store.read() as read:
        rows = [(row.actor, row.action, row.object) for row in views.audit_rows(read)]
    return [row for row in reversed(rows) if row[1] != "login"]


def park_a_reply(browser: Browser) -> int:
    """An answer the network refuses; return its delivery."""
    house = browser.house
    house.network.faults.add("reply", "refused")
    house.helpdesk.comment("r1", "One more word")
    house.settle(seconds=6, most=15)
    with house.store.read() as read:
        return views.parked(read)[0].id


def park_an_unreadable_event(browser: Browser) -> int:
    """Something nobody understands; return its inbox id."""
    event = Unreadable(event_key="odd", raw="<script>alert(1)</script>", reason="no such thing")
    house = browser.house
    return house.store.run(lambda tx: inbox.add_events(tx, connection="network", events=[event], now=house.clock()))[0]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "it"])
def test_every_page_opens_in_both_languages(browser: Browser, path: str, language: str) -> None:
    """Each page of the console renders, in the language asked for."""
    assert f'<html lang="{language}">' in browser.page(f"{path}?lang={language}")


def test_the_language_is_chosen_kept_and_guessed(browser: Browser) -> None:
    """?lang= wins and is remembered; a stranger gets what the browser prefers, else the hub's own."""
    assert "Panoramica" in browser.page("/console/?lang=it")
    assert "Panoramica" in browser.page("/console/")
    stranger = browser.app.test_client()
    assert '<html lang="it">' in stranger.get("/login", headers={"Accept-Language": "it-CH, en;q=0.5"}).text
    assert '<html lang="en">' in stranger.get("/login", headers={"Accept-Language": "fi"}).text
    assert '<html lang="en">' in stranger.get("/login?lang=klingon").text


def test_the_ticket_page_shows_both_sides(browser: Browser) -> None:
    """Customer, company and internal note, each on its side, with receipt, permalink and the helpdesk's record."""
    page = browser.page(f"/console/tickets/{ticket_code(browser)}")
    customer, company = page.index('class="said customer"'), page.index('class="said company"')
    note = page.index('class="said company internal"')
    assert customer < company < note
    assert "Tomorrow it comes" in page[company:note]
    assert "Between us: it is lost" in page[note:]
    assert 'href="https://fake.example.com/p2"' in page[company:note]
    assert "Internal note" in page[note:]
    assert "r1" in page


def test_customers_words_are_escaped_everywhere(browser: Browser) -> None:
    """Markup a customer wrote is shown as text, on every page that shows it."""
    number = park_an_unreadable_event(browser)
    for path in (
        f"/console/tickets/{ticket_code(browser)}",
        "/console/tickets",
        "/console/tickets?q=<b>late",
        "/console/parked",
    ):
        assert "<b>late" not in browser.page(path), path
    assert "&lt;b&gt;late&lt;/b&gt;" in browser.page("/console/tickets")
    for path in ("/console/parked", f"/console/inbox/{number}"):
        assert "<script>alert" not in browser.page(path), path
        assert "&lt;script&gt;alert" in browser.page(path), path


def test_a_message_is_redacted_on_the_ticket_page(browser: Browser) -> None:
    """For a reason, and with the session's own form only; the page shows it, the audit who and why."""
    page = f"/console/tickets/{ticket_code(browser)}"
    (number,) = browser.house.rows("SELECT id FROM message WHERE text LIKE 'Tomorrow%'")[0]
    path = f"{page}/messages/{number}/redact"
    assert path in browser.page(page)
    assert browser.client.post(path, data={"reason": "card"}).status_code == 403
    browser.send(path, reason=" ")
    assert "Tomorrow it comes" in browser.page(page)
    browser.send(path, reason="a wrong date")
    shown = browser.page(page)
    assert "https://fake.example.com/p2" in shown[: shown.index("<h1>")], "where it still stands is told"
    assert "Tomorrow it comes" not in shown
    assert path not in shown
    assert audited(browser) == [("console", "redact", ticket_code(browser))]
    assert "a wrong date" in browser.page("/console/audit")
    assert browser.send(f"{page}/messages/99/redact", reason="x").status_code == 404


def test_only_web_addresses_become_links(browser: Browser) -> None:
    """A vendor's "permalink" that is a script is not a link."""
    house = browser.house
    house.store.run(lambda tx: tx.connection.exec_driver_sql("update message set permalink = 'javascript:alert(1)'"))
    assert "javascript:" not in browser.page(f"/console/tickets/{ticket_code(browser)}")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("parcel", True),
        ("PARCEL", True),
        ("anna", True),
        ("@anna", True),
        ("Tomorrow it", True),
        ("r1", True),
        ("SCH-", True),
        ("%", False),
        ("_", False),
        ("nobody said that", False),
    ],
)
def test_ticket_search(browser: Browser, search: str, found: bool) -> None:
    """By code, author, words of either side and the helpdesk's number; wildcards are plain characters."""
    page = browser.get("/console/tickets", query_string={"q": search}).text
    assert (f"/console/tickets/{ticket_code(browser)}" in page) is found


def test_filters_and_paging(browser: Browser) -> None:
    """The inbox can be filtered by state and connection and read page by page, without gap or double."""
    house = browser.house
    events = [Unreadable(event_key=f"e{number}", raw="", reason="odd") for number in range(120)]
    house.store.run(lambda tx: inbox.add_events(tx, connection="network", events=events, now=house.clock()))
    seen: list[int] = []
    before = ""
    for _ in range(10):
        page = browser.page(f"/console/inbox?state=parked&connection=network{before}")
        numbers = [int(part.partition('"')[0]) for part in page.split('href="/console/inbox/')[1:]]
        assert len(numbers) <= 50
        seen += numbers
        if 'rel="next"' not in page:
            break
        before = f"&before={numbers[-1]}"
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)
    assert "/console/inbox/" not in browser.page("/console/inbox?state=parked&connection=desk")
    assert browser.get("/console/inbox?before=٣&state=nonsense").status_code == 200


def test_a_parked_reply_is_tried_again(browser: Browser) -> None:
    """The reason is shown, the button sends it, once, and the audit says who."""
    number = park_a_reply(browser)
    assert "refused (422)" in browser.page("/console/parked")
    assert "for the customer to read" in browser.page(f"/console/outbox/{number}")
    assert browser.send(f"/console/outbox/{number}/retry").status_code == 303
    browser.house.settle(seconds=6, most=15)
    assert [post["text"] for post in browser.house.network.own()] == ["Tomorrow it comes", "One more word"]
    assert audited(browser) == [("console", "retry", f"outbox {number}")]
    browser.send(f"/console/outbox/{number}/retry")
    assert "no longer parked" in browser.page("/console/parked")


def test_a_parked_thing_is_given_up_for_a_reason(browser: Browser) -> None:
    """Discarding asks for a reason, keeps it, and ends the matter at either door."""
    reply, event = park_a_reply(browser), park_an_unreadable_event(browser)
    browser.send(f"/console/outbox/{reply}/discard", reason="  ")
    assert "Say why" in browser.page(f"/console/outbox/{reply}")
    for door, number in (("outbox", reply), ("inbox", event)):
        browser.send(f"/console/{door}/{number}/discard", reason="settled by phone")
        page = browser.page(f"/console/{door}/{number}")
        assert "by console: settled by phone" in page
        assert "discarded" in page
    assert "Nothing is parked" in browser.page("/console/parked")
    assert [row[1] for row in audited(browser)] == ["discard", "discard"]
    assert "settled by phone" in browser.page("/console/audit")


def test_what_is_unreadable_offers_no_retry(browser: Browser) -> None:
    """There is nothing to try again."""
    number = park_an_unreadable_event(browser)
    assert f"/console/inbox/{number}/retry" not in browser.page(f"/console/inbox/{number}")
    browser.send(f"/console/inbox/{number}/retry")
    assert "no longer parked" in browser.page("/console/parked")


def test_live_needs_a_second_yes(browser: Browser) -> None:
    """A connection goes live only with the box ticked; less than live needs none."""
    path = "/console/connections/network/mode"
    browser.send(path, mode="draft")
    assert row_of(browser, "network").mode == "draft"
    browser.send(path, mode="live")
    assert row_of(browser, "network").mode == "draft"
    assert "tick the box" in browser.page("/console/connections/network")
    browser.send(path, mode="live", sure="yes")
    assert row_of(browser, "network").mode == "live"
    assert browser.send(path, mode="loud").status_code == 400
    assert audited(browser) == [("console", "set_mode", "network")] * 2


def test_pause_resume_and_check(browser: Browser) -> None:
    """The connection's switches do what they say."""
    browser.send("/console/connections/network/pause", reason="holiday")
    page = browser.page("/console/connections/network")
    assert "holiday" in page
    assert "paused" in page
    browser.send("/console/connections/network/resume")
    assert row_of(browser, "network").paused == ""
    browser.send("/console/connections/network/check")
    assert "The account is brand" in browser.page("/console/connections/network")
    assert [row[1] for row in audited(browser)] == ["pause", "resume", "check"]


def test_a_failed_check_says_why(browser: Browser) -> None:
    """The vendor's refusal is shown, the connection is paused by the hub, and the alarm is on every page."""
    browser.house.network.faults.token_dead = True
    browser.send("/console/connections/network/check")
    page = browser.page("/console/tickets")
    assert "The check failed: “the token is not valid”" in page
    assert "the login is refused" in page
    assert row_of(browser, "network").paused_by == "hub"


def test_stop_talking(browser: Browser) -> None:
    """The banner is on every page while the hub is silent; nothing is said meanwhile, and all of it afterwards."""
    browser.send("/console/talking", talk="stop", reason="crisis")
    for path in PAGES:
        assert "does not talk to customers" in browser.page(path)
    browser.house.helpdesk.comment("r1", "Held back")
    browser.house.settle(seconds=6, most=15)
    assert len(browser.house.network.own()) == 1
    browser.send("/console/talking", talk="again")
    browser.house.settle(seconds=6, most=15)
    assert [post["text"] for post in browser.house.network.own()][1:] == ["Held back"]
    assert "does not talk" not in browser.page("/console/")
    assert browser.send("/console/talking", talk="sing").status_code == 400


def test_what_is_not_there(browser: Browser) -> None:
    """404 for unknown tickets, connections, doors and numbers, also for the actions."""
    for path in ("tickets/SCH-NONE", "connections/none", "outbox/999999", "nowhere", "inbox/x"):
        assert browser.get(f"/console/{path}").status_code == 404, path
    for path in ("connections/none/mode", "connections/none/pause", "connections/none/check"):
        assert browser.send(f"/console/{path}", mode="draft").status_code == 404, path


def test_a_connection_that_left_the_configuration(browser: Browser) -> None:
    """It is still shown, and cannot be switched."""
    connected = dict(browser.house.hub.connected)
    del connected["network"]
    browser.house.hub.connected = connected
    page = browser.page("/console/connections/network")
    assert "hub config check" in page
    assert "Change the mode" not in page


def test_fields_of_another_key_do_not_break_the_page(browser: Browser) -> None:
    """A ticket whose data was encrypted under a lost key is still shown."""
    browser.house.store.run(lambda tx: tx.connection.exec_driver_sql("update ticket set fields = 'gAAAA-not-ours'"))
    assert "encrypted under another key" in browser.page(f"/console/tickets/{ticket_code(browser)}")


@pytest.mark.parametrize("number", [2**63, int("9" * 23)])
@pytest.mark.parametrize("door", ["inbox", "outbox"])
def test_a_number_no_database_holds_is_not_found(browser: Browser, door: str, number: int) -> None:
    """Beyond 64 bits there is nothing: 404, for looking and for acting, and for those who ask the store."""
    path = f"/console/{door}/{number}"
    assert browser.get(path).status_code == 404
    assert browser.send(f"{path}/discard", reason="x").status_code == 404
    assert browser.send(f"{path}/retry").status_code == 404
    with browser.house.store.read() as read:
        assert views.parked_one(read, door, number) is None


def test_the_greatest_number_is_only_not_there(browser: Browser) -> None:
    """The last number a database can hold is asked for as any other."""
    assert browser.get(f"/console/inbox/{2**63 - 1}").status_code == 404
    assert browser.get(f"/console/inbox?before={'9' * 30}").status_code == 200
    with browser.house.store.read() as read:
        assert views.parked_one(read, "inbox", 2**63 - 1) is None
