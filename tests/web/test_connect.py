"""The console's page of connecting, and the public pages a person's browser comes back to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from cryptography.fernet import Fernet
from flask import Flask

from hub.catalogue import Catalogue
from hub.configuration import Connection
from hub.flow import connect, set_up
from hub.flow.reach import WORDS
from hub.sdk import Guide, GuideStep, SetupStep, Words
from hub.store import connections, consents
from hub.web import create_app, create_connecting_app
from hub.web.translation import texts
from tests.fakes.connectors import FakeSource
from tests.fakes.consenting import ConsentDesk, ConsentVendor
from tests.fakes.guided import GuidedHouse
from tests.web.desk import Browser, config_for
from tests.web.serving import serving

PAGE = "/console/connections/desk/connect"


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsentVendor]:
    """The vendor behind a real socket."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    made = ConsentVendor()
    with serving(made.app) as (host, port):
        made.url = f"http://{host}:{port}"  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def house(sqlite_url: str, vendor: ConsentVendor) -> Iterator[GuidedHouse]:
    """Its hub."""
    made = GuidedHouse(sqlite_url, vendor.url)  # type: ignore[attr-defined]
    yield made
    made.close()


@pytest.fixture
def browser(house: GuidedHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Logged in."""
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    app = create_app(house.hub, config_for(tmp_path), Catalogue.of(FakeSource, ConsentDesk))
    browser = Browser(house, app)  # type: ignore[arg-type]
    browser.log_in()
    return browser


def back(browser: Browser, address: str) -> Any:
    """The person's browser, which has no session, at our callback."""
    parts = urlsplit(address)
    return browser.app.test_client().get(f"{parts.path}?{parts.query}", follow_redirects=True)


def shown(browser: Browser) -> dict[str, str]:
    """What the page's form says it is about."""
    return dict(re.findall(r'<input type="hidden" name="(consent)" value="([^"]+)"', browser.page(PAGE)))


def vendor_url(answer: Any) -> str:
    """Where the page leads on to."""
    assert answer.status_code == 200, answer.status
    return str(answer.headers["Refresh"].removeprefix("0; url="))


def walk(browser: Browser, vendor: ConsentVendor, **answers: str) -> Any:
    browser.house.clock.forward(1)  # what is newest is told by its time
    return back(browser, vendor.say(vendor_url(browser.send(f"{PAGE}/consent")), **answers))


def test_the_whole_walk(browser: Browser, vendor: ConsentVendor) -> None:
    """Guide, consent, setup, check, on one page; the callback needs no session and shows nothing of the connection."""
    page = browser.page(PAGE)
    assert "Register an application" in page
    assert "http://127.0.0.1:8765/connect/callback" in page
    assert "to open tickets" in page
    told = walk(browser, vendor)
    assert (told.status_code, "Done: it is connected." in told.text) == (200, True)
    assert not {"acme", "desk", "Consent desk", "/console/connections"} & set(re.findall(r"[\w/ ]+", told.text))
    assert "Connected: acme (acme)" in browser.page(PAGE)
    browser.house.hub.public_url = "https://care.example.com"
    browser.send(f"{PAGE}/setup", act="plan")
    assert "1 of 2 done" in browser.page(PAGE)
    browser.send(f"{PAGE}/setup", act="apply")
    page = browser.page(PAGE)
    assert "2 of 2 done" in page
    assert "added; no signed call has come yet" in page
    browser.send(f"{PAGE}/check")
    assert "It works. The account is acme." in browser.page(PAGE)
    assert browser.app.test_client().post("/hooks/desk", data=b"{}").status_code == 200
    assert "delivered: a signed call came" in browser.page(PAGE)
    assert "The hub stores the customers&#39; words." in page
    assert "the hub renews it before" in page


def card(browser: Browser, place: str) -> str:
    """One step of the page."""
    (found,) = re.findall(rf'<section class="card">\s*<h2 id="{place}">.*?</section>', browser.page(PAGE), re.DOTALL)
    return str(found)


def test_only_calls_to_the_present_webhook_count(browser: Browser, vendor: ConsentVendor) -> None:
    """The last one is told, not the first ever; after an apply, which may change the secret, only the next one."""
    browser.house.hub.public_url = "https://care.example.com"
    walk(browser, vendor)
    browser.send(f"{PAGE}/setup", act="apply")
    stranger = browser.app.test_client()
    for number in range(2):
        assert stranger.post("/hooks/desk", data=b'{"n": %d}' % number).status_code == 200
        browser.house.clock.forward(3600)
    called = set_up.last_call(browser.house.hub, "desk")
    assert called == browser.house.clock() - timedelta(hours=1)
    browser.send(f"{PAGE}/setup", act="plan")
    assert "delivered: a signed call came" in card(browser, "check")
    browser.send(f"{PAGE}/setup", act="apply")
    assert "added; no signed call has come yet" in card(browser, "check")
    assert stranger.post("/hooks/desk", data=b"{}").status_code == 200
    assert "delivered: a signed call came" in card(browser, "check")


@pytest.mark.parametrize("how", ["the vault is empty", "the vendor refuses"])
def test_what_is_lost_is_not_called_connected(browser: Browser, vendor: ConsentVendor, how: str) -> None:
    """After a key loss, or when the vendor refuses the tokens: the step says to connect again, and then is done."""
    walk(browser, vendor)
    assert "Connected: acme" in card(browser, "consent")
    assert "keeps working" in card(browser, "consent")
    if how == "the vault is empty":
        browser.house.store.run(lambda tx: consents.empty_vault(tx, "desk"))
    else:
        for token in vendor.tokens:
            token.revoked = True
        browser.send(f"{PAGE}/check")
        with browser.house.store.read() as read:
            assert connections.get(read, "desk").paused
    shown = card(browser, "consent")
    for words in ("Connected: acme", "keeps working", ">done<"):
        assert words not in shown, words
    assert "No longer connected" in shown
    assert ">done<" not in card(browser, "register")
    if how == "the vendor refuses":
        page = browser.page("/console/connections/desk")
        assert re.findall(r'class="(?:button )?main"[^>]*>([^<]+)<', page)[0] == "Connect again"
        assert "<button>Resume</button>" in page
    walk(browser, vendor)
    assert "Connected: acme" in card(browser, "consent")
    assert ">done<" in card(browser, "consent")


def test_going_to_the_vendor_breaks_no_policy(browser: Browser) -> None:
    """No redirect of a form, which browsers hold against form-action; a link for who has no Refresh."""
    answer = browser.send(f"{PAGE}/consent")
    assert answer.status_code == 200
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert f'href="{vendor_url(answer).replace("&", "&amp;")}"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("query", ["", "?state=guess&code=x", "?state=&error=access_denied", "?state=%00&code=%ff"])
def test_a_callback_of_nobody(browser: Browser, query: str) -> None:
    """Plain words, whatever is sent; nothing of the query is shown, or kept in the address."""
    answer = browser.app.test_client().get(f"/connect/callback{query}", follow_redirects=True)
    assert "not of a connection that was started here" in answer.text
    assert "guess" not in answer.text + answer.request.url


@pytest.mark.parametrize("typed", ["end?said=back.done", "end/back.done", "end/guess", "over/done", "over/../x"])
def test_nobody_makes_the_page_say_done(browser: Browser, vendor: ConsentVendor, typed: str) -> None:
    """404, without "done", for whoever has not come back from the vendor's page; who has may read it again."""
    told = walk(browser, vendor)
    stranger = browser.app.test_client()
    assert "Done" in stranger.get(told.request.path).text
    answer = stranger.get(f"/connect/{typed}")
    assert answer.status_code == 404
    assert "Done" not in answer.text


def test_only_a_get_uses_a_state_up(browser: Browser, vendor: ConsentVendor) -> None:
    """A HEAD or a POST, as programs that look at links send them, leaves it."""
    address = urlsplit(vendor.say(vendor_url(browser.send(f"{PAGE}/consent"))))
    stranger = browser.app.test_client()
    assert stranger.head(f"{address.path}?{address.query}").status_code == 405
    assert stranger.post(f"{address.path}?{address.query}").status_code == 405
    assert "Done" in back(browser, address.geturl()).text
    assert "used already" in back(browser, address.geturl()).text


def test_a_no_is_told_in_the_reader_s_words(browser: Browser, vendor: ConsentVendor) -> None:
    """In Italian too, and without what the vendor's page put into the address."""
    address = urlsplit(vendor.say(vendor_url(browser.send(f"{PAGE}/consent")), answer="no"))
    query = f"{address.query}&error_description=%3Cb%3Evisit+evil.example%3C/b%3E"
    italian = {"Accept-Language": "it"}
    told = browser.app.test_client().get(f"{address.path}?{query}", headers=italian, follow_redirects=True)
    assert "è stato risposto di no" in told.text
    assert "evil" not in told.text
    page = browser.page(PAGE)
    assert "answered with no" in page
    assert "<b>visit" not in page


def test_the_account_picker(browser: Browser, vendor: ConsentVendor) -> None:
    """Shown with nothing chosen; a made-up account is refused; the chosen one is used."""
    vendor.accounts = [{"id": "acme", "name": "Acme"}, {"id": "shop", "name": "Acme <Shop>"}]
    assert "One more choice" in walk(browser, vendor).text
    page = browser.page(PAGE)
    assert "Acme &lt;Shop&gt;" in page
    assert "checked" not in page
    browser.send(f"{PAGE}/choose", choice="stolen", **shown(browser))
    assert "Choose one of the accounts." in browser.page(PAGE)
    browser.send(f"{PAGE}/choose", choice="shop", **shown(browser))
    assert "Connected: shop (shop)" in browser.page(PAGE)


def test_another_account_needs_a_tick(browser: Browser, vendor: ConsentVendor) -> None:
    """Named, left alone, and taken only with the box ticked; then it is paused."""
    walk(browser, vendor)
    assert "another account than the one" in walk(browser, vendor, user="other").text
    page = browser.page(PAGE)
    assert "Another account said yes: other (other)" in page
    assert "This connection belongs to acme" in page
    browser.send(f"{PAGE}/accept", **shown(browser))
    with browser.house.store.read() as read:
        assert connections.get(read, "desk").paused == ""
    answer = browser.send(f"{PAGE}/accept", sure="yes", **shown(browser))
    assert answer.headers["Location"].endswith("/console/connections/desk")
    with browser.house.store.read() as read:
        assert "another account" in connections.get(read, "desk").paused


def test_a_tick_counts_for_the_account_that_was_shown(
    browser: Browser, vendor: ConsentVendor, house: GuidedHouse
) -> None:
    """Somebody with a link comes back with a third account before the tick is sent: it is not taken."""
    walk(browser, vendor)
    walk(browser, vendor, user="other")
    form = shown(browser)
    walk(browser, vendor, user="third")
    assert "303" in browser.send(f"{PAGE}/accept", sure="yes", **form).status
    standing = connect.latest(house.hub, "desk")
    assert standing
    assert (standing.outcome, standing.detail) == ("other_account", "third (third)")


def test_a_link_for_who_holds_the_rights(browser: Browser, vendor: ConsentVendor, house: GuidedHouse) -> None:
    """It shows the guide and the button, nothing of the console, for 30 minutes; by it the connection is made."""
    page = browser.send(f"{PAGE}/link").text
    link = urlsplit(re.findall(r"http://127\.0\.0\.1:8765(/connect/link/[\w-]+)", page)[0]).path
    stranger = browser.app.test_client()
    shown = stranger.get(link)
    assert shown.status_code == 200
    assert "Register an application" in shown.text
    assert "/console/connections" not in shown.text
    assert link not in browser.page(PAGE)
    answered = stranger.post(link)
    assert "Done" in back(browser, vendor.say(vendor_url(answered))).text
    assert stranger.get(link).status_code == 410
    standing = connect.latest(house.hub, "desk")
    assert standing
    assert standing.actor == "link of console"
    page = browser.send(f"{PAGE}/link").text
    link = re.findall(r"http://127\.0\.0\.1:8765(/connect/link/[\w-]+)", page)[0]
    house.clock.forward(30 * 60)
    assert (stranger.get(link).status_code, stranger.post(link).status_code) == (410, 410)


def test_a_colleague_sees_only_what_a_colleague_does(
    browser: Browser, house: GuidedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command and no settings of the hub; before the settings are there what comes of it, and no button."""
    asked = ConsentDesk.guide
    more = (
        GuideStep(title="The hub's settings", text="", copy_text='client_id = "x"\nclient_secret = { env = "Y" }'),
        GuideStep(title="Set up", text="hub connections setup NAME shows it."),
        GuideStep(title="Say yes", text="Choose Allow."),
    )

    def guide(self: ConsentDesk, language: str, **given: str) -> Guide:
        shown = asked(self, language, **given)
        return shown.model_copy(update={"steps": (*shown.steps, *more)})

    monkeypatch.setattr(ConsentDesk, "guide", guide)
    link = re.findall(r"http://127\.0\.0\.1:8765(/connect/link/[\w-]+)", browser.send(f"{PAGE}/link").text)[0]
    stranger = browser.app.test_client()
    shown = stranger.get(link).text
    assert [
        words for words in ("Register an application", "Choose Allow.", "to open tickets") if words not in shown
    ] == []
    hidden = ("client_secret", "hub connections", "Set up", "/hooks/", "by a safe way")
    assert [words for words in hidden if words in shown] == []
    assert "client_secret" in browser.page(PAGE)
    one = house.hub.connected.pop("desk")
    house.hub.left_out = {"desk": one.config}
    shown = stranger.get(link).text
    assert "by a safe way" in shown
    assert "<button" not in shown


def test_what_is_finished_is_folded(browser: Browser, vendor: ConsentVendor) -> None:
    """Once it is connected the guide and the texts are one line each; before, and when it is lost, they are open."""
    folded = '<details class="finished">'
    assert folded not in browser.page(PAGE)
    walk(browser, vendor)
    page = browser.page(PAGE)
    for place in ("register", "consent", "texts"):
        assert folded in card(browser, place), place
    assert folded not in card(browser, "check")
    assert page.index("Show the guide") < page.index("Register an application")
    browser.house.store.run(lambda tx: consents.empty_vault(tx, "desk"))
    assert folded not in browser.page(PAGE)


def test_a_step_and_an_error_in_the_reader_s_language(browser: Browser, vendor: ConsentVendor) -> None:
    """A step with both languages is shown in one, without secrets in either; an error is told, the vendor quoted."""
    browser.house.hub.public_url = "https://care.example.com"
    walk(browser, vendor)
    secret = house_secret(browser)
    both = Words(en=f"webhook {secret}", it=f"avviso {secret}")
    step = SetupStep(title=both, state="missing", instructions=Words(en="Do it", it="Fallo"), stays=both)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConsentDesk, "plan_setup", lambda self, webhook_url: [step])
        browser.send(f"{PAGE}/setup", act="plan")
    for language, words in (("en", ("webhook ***", "Do it")), ("it", ("avviso ***", "Fallo"))):
        page = browser.page(f"{PAGE}?lang={language}")
        assert [each for each in words if each not in page] == []
        assert secret not in page
    for token in vendor.tokens:
        token.revoked = True
    browser.send(f"{PAGE}/setup", act="plan")
    assert "l&#39;accesso è stato rifiutato: «the token is not valid»" in browser.page(PAGE)


def house_secret(browser: Browser) -> str:
    """What must be on no page."""
    settings: Any = browser.house.hub.connected["desk"].settings
    return str(settings.client_secret.get_secret_value())


def test_a_link_s_button_from_another_site(browser: Browser) -> None:
    """403: only our own page may press it."""
    page = browser.send(f"{PAGE}/link").text
    link = re.findall(r"http://127\.0\.0\.1:8765(/connect/link/[\w-]+)", page)[0]
    answer = browser.app.test_client().post(link, headers={"Origin": "https://evil.example.com"})
    assert answer.status_code == 403


@pytest.mark.parametrize("what", ["", "/reach", "/consent", "/choose", "/accept", "/link", "/setup", "/check"])
def test_strangers_and_other_sites_get_nothing(browser: Browser, what: str) -> None:
    """Without a session to the login; with one but without the form's token 403; nothing of it happens."""
    stranger = browser.app.test_client()
    answer = stranger.get(PAGE) if not what else stranger.post(PAGE + what)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    if what:
        assert browser.client.post(PAGE + what, data={"sure": "yes"}).status_code == 403
    assert connect.latest(browser.house.hub, "desk") is None


def test_a_connection_that_is_not_there(browser: Browser) -> None:
    """404 for each way, and for one that asks for no consent."""
    for what in ("/reach", "/consent", "/link", "/setup", "/check"):
        assert browser.send(f"/console/connections/nobody/connect{what}").status_code == 404
    assert browser.get("/console/connections/nobody/connect").status_code == 404
    assert browser.send("/console/connections/network/connect/consent").status_code == 404
    assert "brings no guide" in browser.page("/console/connections/network/connect")


def test_settings_first(house: GuidedHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that could not start is on the overview; its page shows the guide and every missing setting."""
    block = Connection(name="new-desk", connector="consent_desk", settings={"base_url": "https://desk.example.com"})
    house.hub.left_out = {"new-desk": block}
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    config = config_for(tmp_path)
    object.__setattr__(config, "connections", {"new-desk": block})
    browser = Browser(house, create_app(house.hub, config, Catalogue.of(FakeSource, ConsentDesk)))  # type: ignore[arg-type]
    browser.log_in()
    assert "/console/connections/new-desk/connect" in browser.page("/console/")
    page = browser.page("/console/connections/new-desk/connect")
    assert "confidential, for CLIENT_ID" in page
    assert "connections.new-desk.client_id: is missing" in page
    assert "connections.new-desk.client_id: manca" in browser.page("/console/connections/new-desk/connect?lang=it")
    browser.page("/console/?lang=en")
    answer = browser.send("/console/connections/new-desk/connect/consent")
    assert answer.status_code == 303
    assert "put these into hub.toml" in browser.page("/console/connections/new-desk/connect")


def test_the_address_is_tested_and_remembered(browser: Browser, house: GuidedHouse) -> None:
    """The step says what is wrong, also after a reload; when the address changes the old result is gone."""
    browser.send(f"{PAGE}/reach")
    assert "There is no public_url in hub.toml" in browser.page(PAGE)
    with serving(browser.app) as (host, port):
        house.hub.public_url = f"http://{host}:{port}"
        assert "There is no public_url" not in browser.page(PAGE)
        browser.send(f"{PAGE}/reach")
    assert "It leads to this hub." in browser.page(PAGE)


def test_every_cause_has_its_words() -> None:
    """In both languages, as has each way of the vendor's page to say no."""
    for language in ("en", "it"):
        known = texts(language)
        assert {f"connect.reached.{cause or 'ok'}" for cause in WORDS} <= known.keys()
        assert {f"connect.refused.{code}" for code in connect.REFUSALS} <= known.keys()
        for outcome in ("waiting", "expired", "asking", "choose", "other_account", "done", "refused", "failed"):
            assert f"connect.now.{outcome}" in known


def test_what_answers_while_no_hub_runs(house: GuidedHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the public pages: no console, no webhooks, no health that would pass for a hub."""
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    app: Flask = create_connecting_app(house.hub, config_for(tmp_path), Catalogue.of(ConsentDesk))
    with serving(app) as (host, port):
        for path, status in (("connect/callback", 200), ("console/", 404), ("hooks/desk", 404), ("login", 404)):
            assert requests.get(f"http://{host}:{port}/{path}", timeout=10).status_code == status, path
