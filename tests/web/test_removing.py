"""Removing a connection in the console: the plan, the name typed again, and what is told afterwards."""

from __future__ import annotations

import pytest

from hub.flow import set_up
from hub.sdk import SetupStep, Words
from hub.store import connections
from tests.fakes.consenting import ConsentDesk, ConsentVendor
from tests.fakes.guided import GuidedHouse
from tests.web.desk import Browser
from tests.web.test_connect import browser, house, vendor, walk

__all__ = ["browser", "house", "vendor"]

PAGE = "/console/connections/desk/remove"


@pytest.fixture(autouse=True)
def connected(browser: Browser, house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a webhook of ours, and a field that taking back leaves."""
    planned = ConsentDesk.plan_setup
    field = SetupStep(
        title=Words(en="field Post", it="campo Post"),
        state="done",
        stays=Words(en="is switched off", it="viene disattivato"),
    )
    monkeypatch.setattr(ConsentDesk, "plan_setup", lambda self, webhook_url: [*planned(self, webhook_url), field])
    house.hub.public_url = "https://care.example.com"
    walk(browser, vendor)
    set_up.set_up(house.hub, "desk", "apply")


def gone(house: GuidedHouse) -> bool:
    with house.store.read() as read:
        return bool(connections.get(read, "desk").gone)


def test_the_plan_shows_what_goes_and_what_stays(browser: Browser, house: GuidedHouse, vendor: ConsentVendor) -> None:
    """From the connection's page; in the reader's language; looking changes nothing."""
    assert f'href="{PAGE}"' in browser.page("/console/connections/desk")
    page = browser.page(f"{PAGE}?lang=en")
    for words in (
        "take back: webhook",
        "revoke and forget: access_token",
        "field Post: is switched off",
        "credentials",
    ):
        assert words in page, words
    italian = browser.page(f"{PAGE}?lang=it")
    for words in ("toglie: webhook", "revoca e dimentica: ", "campo Post: viene disattivato", "Per confermare"):
        assert words in italian, words
    assert "toglie: campo Post" not in italian, "what stays is not taken back"
    assert vendor.hooks
    assert not gone(house)


def test_the_name_is_typed_again(browser: Browser, house: GuidedHouse, vendor: ConsentVendor) -> None:
    """Another word, or none, removes nothing; the name does, and the page says what was done and what stays."""
    for typed in ("", "network", "DESK"):
        answer = browser.send(PAGE, confirm=typed)
        assert (answer.status_code, gone(house), bool(vendor.hooks)) == (400, False, True)
        assert "Nothing was removed" in answer.text
    answer = browser.send(PAGE, confirm=" desk ")
    assert (answer.status_code, gone(house), vendor.hooks) == (200, True, set())
    assert vendor.foreign_hooks
    assert all(token.revoked for token in vendor.tokens)
    for words in ("desk is removed", "took back what the hub had set up there", "field Post: is switched off"):
        assert words in answer.text, words
    with house.store.read() as read:
        (audit,) = [row for row in house.rows("SELECT * FROM audit") if row.action == "remove_connection"]
        assert (audit.actor, audit.object) == ("console", "desk")
        assert connections.get(read, "desk").paused_by == "console"
    page = browser.page("/console/connections/desk")
    assert "console: removed</dd>" in page
    assert f'href="{PAGE}"' in page, "what could not be taken back can be tried again"


def test_strangers_remove_nothing(browser: Browser, house: GuidedHouse) -> None:
    """No session: to the login. No token of the form: 403. No such connection: 404."""
    stranger = browser.app.test_client()
    for answer in (stranger.get(PAGE), stranger.post(PAGE, data={"confirm": "desk"})):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert browser.client.post(PAGE, data={"confirm": "desk"}).status_code == 403
    assert browser.get("/console/connections/nobody/remove").status_code == 404
    assert browser.send("/console/connections/nobody/remove", confirm="nobody").status_code == 404
    assert not gone(house)


def test_a_plugin_that_breaks_down_does_not_keep_a_connection(
    browser: Browser, house: GuidedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan says what cannot be seen; our own side is done, and the rest is named."""

    def broken(self: ConsentDesk, webhook_url: str = "") -> list[SetupStep]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ConsentDesk, "plan_setup", broken)
    monkeypatch.setattr(ConsentDesk, "remove_setup", broken)
    assert "cannot be seen now (“RuntimeError”)" in browser.page(f"{PAGE}?lang=en")
    answer = browser.send(PAGE, confirm="desk")
    assert "what the hub set up there (unexpected: RuntimeError)" in answer.text
    assert gone(house)
