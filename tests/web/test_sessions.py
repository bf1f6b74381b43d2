"""Who gets into the console, for how long, under which host name, and from which page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, request

from hub.catalogue import Catalogue
from hub.store import logins, views
from hub.web import create_app, make_login_link
from tests.fakes.connectors import FakeSource
from tests.fakes.house import House
from tests.web.desk import Browser, config_for, make_app

PROTECTED = (
    "/console/",
    "/console/tickets",
    "/console/tickets/SCH-1",
    "/console/parked",
    "/console/inbox",
    "/console/inbox/1",
    "/console/outbox",
    "/console/audit",
    "/console/connections/network",
)


def path_of(link: str) -> str:
    """The link without its host."""
    return link.removeprefix("http://localhost")


def test_every_console_route_needs_a_session(house: House, app: Flask) -> None:
    """No address below /console answers a stranger, by GET or POST."""
    client = app.test_client()
    below = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console")]
    assert len(below) >= 13
    values = {"door": "inbox", "number": 1, "name": "network", "code": "SCH-1", "what": "retry"}
    for rule in below:
        what = "pause" if "connections" in rule.rule else "retry"
        with app.test_request_context():
            path = app.url_map.bind("localhost").build(
                rule.endpoint, {**values, "what": what} if rule.arguments else {}
            )
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = client.open(path.partition("?")[0], method=method)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/login"), (rule.rule, method)
    with house.store.read() as read:
        assert views.audit_rows(read) == []


def test_a_login_link_works_once(house: House, app: Flask) -> None:
    """The link shows a button, the button logs in, and then the link is over; looking at it does not use it up."""
    path = path_of(make_login_link(house.hub, "http://localhost/"))
    client = app.test_client()
    assert client.get(path).status_code == client.get(path).status_code == 200
    assert client.post(path).headers["Location"] == "/console/"
    assert client.get("/console/").status_code == 200
    assert client.get("/login").headers["Location"] == "/console/"
    assert app.test_client().get(path).status_code == 410
    assert app.test_client().post(path).status_code == 410
    assert app.test_client().get("/console/").status_code == 303


def test_a_login_link_ends_after_a_day(house: House, app: Flask) -> None:
    """After 24 hours the link opens nothing."""
    path = path_of(make_login_link(house.hub, "http://localhost"))
    house.clock.forward(24 * 3600 + 1)
    assert app.test_client().get(path).status_code == 410
    assert app.test_client().post(path).status_code == 410


def test_only_hashes_are_stored(house: House, app: Flask) -> None:
    """Neither the link's token nor the session's number can be read from the database."""
    link = make_login_link(house.hub, "http://localhost")
    client = app.test_client()
    client.post(path_of(link))
    with client.session_transaction() as session:
        number = session["id"]
    stored = str(house.rows("select * from switch"))
    assert "session:" in stored
    assert link.rpartition("/")[2] not in stored
    assert number not in stored


def test_a_session_ends_after_twelve_hours(house: House, browser: Browser) -> None:
    """The session ends by itself, however long the browser keeps its cookie; what is over is dropped later."""
    house.clock.forward(12 * 3600 - 5)
    assert browser.get("/console/").status_code == 200
    house.clock.forward(10)
    assert browser.get("/console/").status_code == 303
    browser.log_in()
    assert len(house.rows("select name from switch where name like 'session:%'")) == 1


def test_logout_ends_the_session_for_a_stolen_cookie_too(browser: Browser) -> None:
    """After logout the old cookie opens nothing."""
    cookie = browser.client.get_cookie("hub_session")
    assert cookie is not None
    assert browser.client.post("/logout", data={"csrf": browser.csrf()}).headers["Location"] == "/login"
    thief = browser.app.test_client()
    thief.set_cookie("hub_session", cookie.value)
    assert thief.get("/console/").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_signed(house: House, app: Flask) -> None:
    """HttpOnly, SameSite=Lax; a cookie of another key is none."""
    answer = app.test_client().post(path_of(make_login_link(house.hub, "http://localhost")))
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("hub_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    forged = app.test_client()
    forged.set_cookie("hub_session", "eyJpZCI6IngifQ.aaaa.bbbb")
    assert forged.get("/console/").status_code == 303


def test_the_cookie_is_secure_behind_https(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an https public_url the cookie never travels in the clear."""
    app = make_app(house, tmp_path, monkeypatch, public_url="https://care.example.com")
    link = make_login_link(house.hub, "https://care.example.com").removeprefix("https://care.example.com")
    answer = app.test_client().post(link, base_url="https://care.example.com")
    assert answer.status_code == 303
    assert "Secure" in next(v for v in answer.headers.getlist("Set-Cookie") if v.startswith("hub_session="))


@pytest.mark.parametrize("token", ["", "wrong", "ünï"])
def test_a_form_without_its_token_changes_nothing(browser: Browser, token: str) -> None:
    """CSRF: a POST without the session's own token is refused."""
    answer = browser.client.post("/console/talking", data={"talk": "stop", "csrf": token})
    assert answer.status_code == 403
    with browser.house.store.read() as read:
        assert not views.counts(read).stop_talking


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_from_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    """Even with the right token, and for the login too."""
    fields = {"talk": "stop", "csrf": browser.csrf()}
    assert browser.client.post("/console/talking", data=fields, headers=headers).status_code == 403
    link = path_of(make_login_link(browser.house.hub, "http://localhost"))
    assert browser.app.test_client().post(link, headers=headers).status_code == 403


def test_a_form_from_our_own_page_is_taken(browser: Browser) -> None:
    """What a browser sends with our own forms."""
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    fields = {"talk": "stop", "csrf": browser.csrf()}
    assert browser.client.post("/console/talking", data=fields, headers=headers).status_code == 303


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("127.0.0.1:8765", 200),
        ("[::1]:8765", 200),
        ("care.example.com", 200),
        ("evil.example", 400),
        ("care.example.com.evil.example", 400),
        ("", 400),
        ("localhost/..", 400),
    ],
)
def test_host_names(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, status: int) -> None:
    """Only known names are served: a foreign one is a DNS rebinding or a mistake."""
    app = make_app(house, tmp_path, monkeypatch, public_url="https://care.example.com")
    assert app.test_client().get("/login", headers={"Host": host}).status_code == status


def test_allowed_hosts_replace_the_default(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator lists is what counts."""
    app = make_app(house, tmp_path, monkeypatch, allowed_hosts=("care.example.com",))
    assert app.test_client().get("/login", headers={"Host": "care.example.com"}).status_code == 200
    assert app.test_client().get("/login", headers={"Host": "localhost"}).status_code == 400


@pytest.mark.parametrize(("peer", "believed"), [("10.1.2.3", True), ("192.0.2.9", False), ("", False)])
def test_forwarded_headers_count_from_trusted_proxies_only(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: str, believed: bool
) -> None:
    """X-Forwarded-For and -Proto are believed from the listed networks, and from nobody else."""
    app = make_app(house, tmp_path, monkeypatch, trusted_proxies=("10.0.0.0/8",))
    seen: list[Any] = []
    app.add_url_rule("/seen", view_func=lambda: seen.append((request.remote_addr, request.scheme)) or "")
    headers = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    app.test_client().get("/seen", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert (seen[0] == ("198.51.100.7", "https")) is believed


@pytest.mark.parametrize("path", ["/login", "/console/", "/hooks/network", "/nothing", "/healthz"])
def test_security_headers(browser: Browser, path: str) -> None:
    """Every answer forbids framing, sniffing, foreign scripts and keeping."""
    headers = browser.get(path).headers
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_the_first_page(house: House, tmp_path: Path, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """``/`` leads to the console, unless a blueprint claims it."""
    assert app.test_client().get("/").headers["Location"] == "/console/"
    trial = Blueprint("trial", __name__)
    trial.add_url_rule("/", "index", lambda: "the trial")
    config = config_for(tmp_path)
    other = create_app(house.hub, config, Catalogue.of(FakeSource), blueprints=[trial])
    assert other.test_client().get("/").text == "the trial"


def test_a_broken_page_shows_nothing_of_it(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is a plain 500 page without a trace."""

    def broken(*_: object) -> None:
        raise RuntimeError("inner secret")

    monkeypatch.setattr(views, "audit_rows", broken)
    answer = browser.get("/console/audit")
    assert answer.status_code == 500
    assert "inner secret" not in answer.text


def test_two_who_use_one_link(house: House) -> None:
    """Of two who use a secret up, one gets it."""
    now = house.hub.now()
    house.store.run(lambda tx: logins.remember(tx, "login", "x", until=now.replace(year=2030), now=now))
    assert house.store.run(lambda tx: [logins.use_up(tx, "login", "x", now=now) for _ in range(2)]) == [True, False]
