"""What a page says at a glance: private, not there yet, whose word, in whose language."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.configuration import HubConfig, Label, Team, Teams
from hub.configuration.categories import Category
from hub.flow import control
from hub.store import Tx, tickets, views
from tests.fakes.house import House
from tests.web.desk import Browser, make_app


@pytest.fixture
def browser(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Logged in, with Anna's private complaint and its private answer."""
    app = make_app(house, tmp_path, monkeypatch)
    made = Browser(house, app)
    made.log_in()
    house.settle(seconds=2, most=5)
    house.network.post("anna", "Between you and me: it is late", private=True)
    house.settle(seconds=8, most=20)
    comment(made, "We look after it")
    return made


def comment(browser: Browser, text: str, **options: bool) -> None:
    """Somebody comments in the helpdesk, and the hub takes notice."""
    browser.house.helpdesk.comment("r1", text, **options)
    browser.house.settle(seconds=8, most=20)


def path_of(browser: Browser) -> str:
    """The page of the newest ticket."""
    with browser.house.store.read() as read:
        return f"/console/tickets/{views.ticket_rows(read)[0].code}"


def test_what_is_private_is_never_called_public(browser: Browser) -> None:
    """Neither the customer's words nor the answer to them; a note is a note."""
    comment(browser, "He is a good customer", public=False)
    with browser.house.store.read() as read:
        found = views.ticket(read, views.ticket_rows(read)[0].code, browser.house.hub.decrypt_json)
    assert found is not None
    told = {one.text: (one.privacy, one.internal) for one in found.messages}
    assert told["Between you and me: it is late"] == told["We look after it"] == ("direct", False)
    assert told["He is a good customer"][1]
    page = browser.page(f"{path_of(browser)}?lang=it")
    assert page.count('<span class="muted">privato</span>') == 2
    assert "pubblico</span>" not in page


def test_an_answer_that_waits_is_not_final(browser: Browser) -> None:
    """While its connection is paused the page says why, and that it is not the last word; the list has a sign."""
    assert "risposta in attesa" not in browser.page("/console/tickets?lang=it")
    control.pause(browser.house.hub, "network", actor="test", reason="AuthenticationFailed: the token is not valid")
    comment(browser, "One more word")
    page = browser.page(f"{path_of(browser)}?lang=it")
    assert "Non ancora pubblicato: network è in pausa: " in page
    assert "Non pubblicato" not in page
    assert "risposta in attesa" in browser.page("/console/tickets?lang=it")


def test_names_are_the_operator_s_labels(browser: Browser) -> None:
    """A category and a team by what the operator calls them; who is not known, in words."""
    config: HubConfig = browser.app.extensions["hub"].config
    words = Label(en="Delivery", it="Consegna")
    config.categories["delivery"] = Category(name="delivery", label=words)
    care = Team(name="care", sink="desk", group="Care", label=Label(en="Customer care", it="Servizio clienti"))
    object.__setattr__(config, "teams", Teams(default_team="care", teams={"care": care}))
    hub = browser.house.hub

    def unit(tx: Tx) -> None:
        row = tickets.by_code(tx.connection, path_of(browser).rpartition("/")[2])
        assert row is not None
        told = {"old": "delivery", "category": "delivery", "team": "care"}
        tickets.add_event(tx, row.id, "category_changed", now=hub.now(), actor="agent", **told)
        tickets.add_event(tx, row.id, "redacted", now=hub.now(), actor="somebody in desk", message=0)

    hub.store.run(unit)
    page = browser.page(f"{path_of(browser)}?lang=it")
    for said in ("prima: Consegna", "categoria: Consegna", "team: Servizio clienti", "un agente", "qualcuno in desk"):
        assert said in page, said
    assert "Servizio clienti" in browser.page("/console/tickets?lang=it")


def test_a_refusal_is_told_in_the_reader_s_language(browser: Browser) -> None:
    """The agent was told in the hub's language; the page's reader has another one."""
    browser.house.network.post("bert", "In public: where is it?")
    browser.house.settle(seconds=8, most=20)
    browser.house.helpdesk.comment("r2", "Your card 4111 1111 1111 1111")
    browser.house.settle(seconds=8, most=20)
    page = browser.page(f"{path_of(browser)}?lang=it")
    assert "mostrerebbe in pubblico dati personali (numero di carta)" in page
    assert "card number" not in page
