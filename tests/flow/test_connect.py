"""Connecting by consent, against a third party's OAuth server: once, in time, with PKCE, for the same account."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
import requests

from hub.flow import check, connect, control, disconnect, guide, retry, set_up
from hub.flow.connect import ConsentOver, Standing, Started
from hub.sdk import AuthenticationFailed
from hub.store import Tx, connections, consents
from tests.fakes.consenting import CALLBACK, ConsentDesk, ConsentVendor
from tests.fakes.guided import GuidedHouse
from tests.web.serving import serving


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsentVendor]:
    """The vendor behind a real socket."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    made = ConsentVendor()
    with serving(made.app) as (host, port):
        made.url = f"http://{host}:{port}"  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def house(database_url: str, vendor: ConsentVendor) -> Iterator[GuidedHouse]:
    """A hub with a helpdesk that is not connected yet, on each database."""
    made = GuidedHouse(database_url, vendor.url)  # type: ignore[attr-defined]
    yield made
    made.close()


def begin(house: GuidedHouse) -> Started:
    return connect.start(house.hub, "desk", redirect_url=CALLBACK, actor="anna")


def come_back(house: GuidedHouse, address: str) -> Standing:
    """The browser ends at our callback."""
    given = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
    state, code, error = (given.get(key, "") for key in ("state", "code", "error"))
    return connect.finish(house.hub, state, code=code, error=error, description=given.get("error_description", ""))


def walk(house: GuidedHouse, vendor: ConsentVendor, **answer: str) -> Standing:
    return come_back(house, vendor.say(begin(house).url, **answer))


def vault(house: GuidedHouse) -> dict[str, str]:
    """What lies there, in the clear."""
    rows = house.rows("SELECT name, ciphertext FROM vault WHERE connection = 'desk'")
    return {row.name: house.hub.cipher.decrypt(row.ciphertext) for row in rows}


def row(house: GuidedHouse) -> Any:
    with house.store.read() as connection:
        return connections.get(connection, "desk")


def test_from_nothing_to_a_connection_that_works(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """Somebody else's server accepts state, redirect and PKCE; the tokens are in the vault; the account is known."""
    standing = walk(house, vendor)
    assert (standing.outcome, standing.detail) == ("done", "acme (acme)")
    assert vault(house).keys() == {"access_token", "refresh_token"}
    assert (row(house).fingerprint, row(house).paused) == ("acme", "")
    assert [state.renews_itself for state in guide.tokens(house.hub, "desk")] == [True]


def test_a_consent_makes_the_plan_of_before_doubtful(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """What was seen with other tokens is not shown as true: a look shows the truth."""
    walk(house, vendor)
    set_up.set_up(house.hub, "desk", "plan")
    assert set_up.last_seen(house.hub, "desk")
    walk(house, vendor)
    assert set_up.last_seen(house.hub, "desk") is None


def test_neither_state_nor_verifier_lies_in_the_database(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """The state is there as a digest; the verifier is encrypted, fits its challenge, and goes once it was used."""
    started = begin(house)
    asked = parse_qs(urlsplit(started.url).query)
    (kept,) = house.rows("SELECT * FROM consent")
    assert kept.state == hashlib.sha256(asked["state"][0].encode()).hexdigest()
    verifier = house.hub.cipher.decrypt(kept.verifier)
    assert 43 <= len(verifier) <= 128
    assert asked["state"][0] not in str(kept)
    assert verifier not in str(kept)
    come_back(house, vendor.say(started.url))
    (kept,) = house.rows("SELECT * FROM consent")
    assert (kept.verifier, kept.staged) == (None, None)


def test_the_vendor_holds_us_to_pkce(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """With another verifier the code is worth nothing, and the connection is as it was."""
    started = begin(house)
    other = house.hub.cipher.encrypt("x" * 64)

    def exchange_verifier(tx: Tx) -> None:
        consents.settle(tx, started.number, outcome="")
        tx.execute(consents.consent.update().values(verifier=other))

    house.store.run(exchange_verifier)
    standing = come_back(house, vendor.say(started.url))
    assert standing.outcome == "failed"
    assert "invalid_grant" in standing.detail
    assert vault(house) == {}


def test_a_state_counts_once(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """The same address again changes nothing, whoever sends it."""
    address = vendor.say(begin(house).url)
    come_back(house, address)
    before = vault(house)
    with pytest.raises(ConsentOver, match="used already"):
        come_back(house, address)
    assert vault(house) == before


def test_a_state_counts_for_thirty_minutes(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """One second later it is over, and nothing was exchanged."""
    started = begin(house)
    address = vendor.say(started.url)
    house.clock.forward(30 * 60)
    with pytest.raises(ConsentOver, match="more than 30 minutes"):
        come_back(house, address)
    assert (vault(house), len(vendor.codes)) == ({}, 1)
    assert connect.standing(house.hub, started.number).outcome == "expired"


def test_a_state_of_nobody_is_refused(house: GuidedHouse) -> None:
    """Guessed, empty, or with signs no browser sends."""
    for state in ("", "guess", "\x00' OR 1=1"):
        with pytest.raises(ConsentOver, match="not of a connection"):
            connect.finish(house.hub, state, code="x")


def test_no_on_the_vendor_s_page(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """It is told as what it is, and a working connection keeps working."""
    walk(house, vendor)
    before = vault(house)
    standing = walk(house, vendor, answer="no")
    assert (standing.outcome, standing.detail.partition(":")[0]) == ("refused", "access_denied")
    assert vault(house) == before
    assert check.check(house.hub, "desk").fingerprint == "acme"


def test_another_account_is_never_taken_in_silence(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """The old tokens stay and work; the other account is named."""
    walk(house, vendor)
    before = vault(house)
    standing = walk(house, vendor, user="other")
    assert (standing.outcome, standing.detail) == ("other_account", "other (other)")
    assert vault(house) == before
    assert (row(house).paused, check.check(house.hub, "desk").fingerprint) == ("", "acme")


def test_another_account_is_taken_by_two_words_of_a_person(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """Taking it pauses the connection in the same commit; only resuming it accepts the account."""
    walk(house, vendor)
    standing = walk(house, vendor, user="other")
    assert connect.accept_other(house.hub, standing.number, actor="anna").outcome == "done"
    assert "another account answers" in row(house).paused
    assert row(house).fingerprint == "acme"
    control.resume(house.hub, "desk", actor="anna")
    assert check.check(house.hub, "desk").fingerprint == "other"
    assert (row(house).paused, row(house).fingerprint) == ("", "other")
    with pytest.raises(ConsentOver):
        connect.accept_other(house.hub, standing.number, actor="anna")


def test_another_account_s_tokens_never_lie_there_unpaused(
    house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that dies between the tokens and its check leaves a paused connection, and an alarm."""
    walk(house, vendor)
    standing = walk(house, vendor, user="other")
    monkeypatch.setattr(check, "check_quietly", lambda *_: False)
    connect.accept_other(house.hub, standing.number, actor="anna")
    assert "another account answers" in row(house).paused
    assert house.rows("SELECT kind FROM alarm WHERE closed_at IS NULL")[0].kind == "another_account"


def test_the_account_is_asked_for_each_time(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """More than one account: none is chosen by itself, also not the one of before; the tokens wait until then."""
    vendor.accounts = [{"id": "acme", "name": "Acme"}, {"id": "shop", "name": "Acme Shop"}]
    for _ in range(2):
        standing = walk(house, vendor)
        assert standing.outcome == "choose"
        before = vault(house)
        assert [one.id for one in standing.choices] == ["acme", "shop"]
        with pytest.raises(KeyError):
            connect.choose(house.hub, standing.number, "stolen")
        assert vault(house) == before
        assert connect.choose(house.hub, standing.number, "shop").outcome == "done"
        assert vault(house)["account"] == "shop"
        assert row(house).fingerprint == "shop"


def test_a_choice_waits_encrypted_and_not_for_ever(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """What was brought lies unreadable in the row, survives a restart of nothing but the database, and ends."""
    vendor.accounts = [{"id": "acme", "name": "Acme"}, {"id": "shop", "name": "Acme Shop"}]
    standing = walk(house, vendor)
    (kept,) = house.rows("SELECT staged FROM consent")
    assert vendor.tokens[-1].access_token not in kept.staged
    assert vendor.tokens[-1].access_token in str(house.hub.decrypt_json(kept.staged))
    house.clock.forward(31 * 60)
    with pytest.raises(ConsentOver, match="more than 30 minutes"):
        connect.choose(house.hub, standing.number, "shop")


def test_connecting_again_mends_a_paused_connection(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """Tokens that died pause it; the same account's new ones let it go on, with mode and history kept."""
    walk(house, vendor)
    control.set_mode(house.hub, "desk", "observe", actor="anna")
    for token in vendor.tokens:
        token.revoked = True
    assert not check.check_quietly(house.hub, "desk")
    assert row(house).paused
    made_at = row(house).made_at
    assert walk(house, vendor).outcome == "done"
    assert (row(house).paused, row(house).mode, row(house).made_at) == ("", "observe", made_at)


def test_a_vendor_that_falls_over_in_between(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """The outcome says so, nothing is kept, and the next attempt works."""
    address = vendor.say(begin(house).url)
    vendor.down = True
    standing = come_back(house, address)
    assert (standing.outcome, "the vendor is down" in standing.detail) == ("failed", True)
    vendor.down = False
    assert walk(house, vendor).outcome == "done"


def test_a_plugin_s_bug_is_an_outcome(
    house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trace is in the log, and no secret in what a person sees."""
    address = vendor.say(begin(house).url)

    def broken(self: ConsentDesk, **_: str) -> None:
        raise ZeroDivisionError(self.settings.client_secret.get_secret_value())

    monkeypatch.setattr(ConsentDesk, "accept_consent", broken)
    standing = come_back(house, address)
    assert standing.outcome == "failed"
    assert "ZeroDivisionError" in standing.detail
    assert "s3cret" not in standing.detail


def test_a_link_shows_for_whom_and_ends(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """It counts for 30 minutes, is stored as a digest, and ends when the connection is made."""
    secret = connect.make_link(house.hub, "desk", actor="anna")
    assert connect.linked(house.hub, secret) == ("desk", "anna")
    assert secret not in str(house.rows("SELECT * FROM consent"))
    house.clock.forward(30 * 60)
    with pytest.raises(ConsentOver, match="more than 30 minutes"):
        connect.linked(house.hub, secret)
    secret = connect.make_link(house.hub, "desk", actor="anna")
    walk(house, vendor)
    with pytest.raises(ConsentOver, match="not of a connection"):
        connect.linked(house.hub, secret)


def test_a_link_is_no_state(house: GuidedHouse) -> None:
    """Who has the link cannot use it where the vendor's answer is expected, nor the other way round."""
    secret = connect.make_link(house.hub, "desk", actor="anna")
    with pytest.raises(ConsentOver):
        connect.finish(house.hub, secret, code="x")
    state = parse_qs(urlsplit(begin(house).url).query)["state"][0]
    with pytest.raises(ConsentOver):
        connect.linked(house.hub, state)


def test_removing_takes_back_only_our_own(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """Our webhook and tokens go, another's webhook stays; the history stays; connecting again brings it back."""
    house.hub.public_url = "https://care.example.com"
    walk(house, vendor)
    set_up.set_up(house.hub, "desk", "apply")
    assert vendor.hooks == {"https://care.example.com/hooks/desk"}
    planned = disconnect.plan_removal(house.hub, "desk").in_language("en")
    assert planned["done"][:2] == ["take back: webhook", "revoke and forget: access_token, refresh_token"]
    assert vendor.hooks
    removal = disconnect.remove(house.hub, "desk", actor="anna")
    assert (vendor.hooks, removal.left) == (set(), [])
    assert vendor.foreign_hooks
    assert all(token.revoked for token in vendor.tokens)
    assert (vault(house), row(house).gone, row(house).paused) == ({}, True, "removed")
    house.clock.forward(25 * 3600)
    assert "desk" not in check.due(house.hub)
    assert walk(house, vendor).outcome == "done"
    assert (row(house).gone, row(house).paused, row(house).fingerprint) == (False, "", "acme")


def test_removing_names_what_a_person_must_revoke(
    house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of the settings stays good at the vendor: named before and after; cut-off tickets are counted."""
    walk(house, vendor)
    house.settle()
    house.network.post("anna", "Where is my order?")
    house.settle()
    monkeypatch.setattr(disconnect, "_NO_WAY_IN", ())  # as if the client's secret were a token
    planned = disconnect.plan_removal(house.hub, "desk")
    removal = disconnect.remove(house.hub, "desk", actor="anna")
    for told in (planned.in_language("en"), removal.in_language("en")):
        assert told["left"][-1].startswith("revoke client_secret at Consent desk: the hub did not get it by consent")
        assert told["done"][-1].startswith("1 open ticket(s) lose their way out")
    assert planned.in_language("it")["left"][-1].startswith("revoca client_secret presso Consent desk")


def test_nobody_has_connected_it_yet(house: GuidedHouse, vendor: ConsentVendor, caplog: Any) -> None:
    """Said once at the start and looked at each minute; no warning, no alarm, also after it was removed. A token that
    dies later is one."""

    def alarms() -> list[str]:
        with house.store.read() as connection:
            return [
                one.kind for one in connections.alarms(connection) if one.connection == "desk" and one.kind != "clock"
            ]

    caplog.set_level("INFO")
    house.restart()
    for _ in range(30):
        house.step()
        house.clock.forward(5)
    told = [one for one in caplog.records if "desk" in one.getMessage()]
    assert [one.levelname for one in told] == ["INFO"], [one.getMessage() for one in told]
    assert "hub connections connect desk" in told[0].getMessage()
    assert (alarms(), row(house).paused_by) == ([], "hub")
    assert walk(house, vendor).outcome == "done"
    assert row(house).paused == ""
    for token in vendor.tokens:
        token.revoked = True
    with pytest.raises(AuthenticationFailed):
        check.check(house.hub, "desk")
    assert alarms() == ["authentication"]
    disconnect.remove(house.hub, "desk", actor="anna")
    with pytest.raises(AuthenticationFailed):
        check.check(house.hub, "desk")
    assert alarms() == []


def test_a_consent_that_was_overtaken_keeps_nothing(
    house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed while the vendor was asked for the tokens: they must not bring the connection back to life."""
    walk(house, vendor)
    address, exchange = vendor.say(begin(house).url), ConsentDesk.accept_consent

    def slow(self: ConsentDesk, **given: str) -> Any:
        choices = exchange(self, **given)
        disconnect.remove(house.hub, "desk", actor="anna")
        return choices

    monkeypatch.setattr(ConsentDesk, "accept_consent", slow)
    standing = come_back(house, address)
    assert (standing.outcome, standing.detail) == ("failed", connect.OVERTAKEN)
    assert vault(house) == {}
    assert (row(house).gone, row(house).paused) == (True, retry.REMOVED)


def test_what_a_vendor_calls_itself_is_fit_for_a_terminal(
    house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape sequences in an account's name reach no screen."""
    asked = ConsentDesk.check_connection
    monkeypatch.setattr(
        ConsentDesk, "check_connection", lambda self: asked(self).model_copy(update={"handle": "\x1b]0;x\x07acme"})
    )
    standing = walk(house, vendor)
    assert (standing.outcome, standing.detail) == ("done", " ]0;x acme (acme)")


def test_two_who_set_up_at_once_come_one_after_the_other(
    house: GuidedHouse, vendor: ConsentVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the console and in a terminal: both would find nothing there, and make everything twice."""
    walk(house, vendor)
    inside, most, apply = list[str](), list[int](), ConsentDesk.apply_setup

    def slow(self: ConsentDesk, webhook_url: str) -> Any:
        inside.append(webhook_url)
        most.append(len(inside))
        time.sleep(0.3)
        steps = apply(self, webhook_url)
        inside.pop()
        return steps

    monkeypatch.setattr(ConsentDesk, "apply_setup", slow)
    both = [threading.Thread(target=set_up.set_up, args=(house.hub, "desk", "apply")) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(20)
    assert most == [1, 1]


def test_removing_without_the_vendor(house: GuidedHouse, vendor: ConsentVendor) -> None:
    """What could not be taken back is named; our own side is done all the same, and a second time finds it so."""
    house.hub.public_url = "https://care.example.com"
    walk(house, vendor)
    set_up.set_up(house.hub, "desk", "apply")
    vendor.down = True
    for _ in range(2):
        removal = disconnect.remove(house.hub, "desk", actor="anna")
        assert any("what the hub set up there" in text for text in removal.in_language("en")["left"])
        assert (vault(house), row(house).gone) == ({}, True)


def test_the_guide_is_there_before_the_settings(house: GuidedHouse) -> None:
    """With a setting missing the guide shows its name in capitals where its value belongs."""
    values = {"base_url": "https://desk.example.com", "client_secret": 7}
    settings = guide.unfinished(ConsentDesk.Settings, values)
    shown = ConsentDesk(settings, house.hub.toolbox("desk")).guide("it", redirect_url=CALLBACK, webhook_url="")  # type: ignore[arg-type]
    assert shown.steps[0].title == "Registra un'applicazione"
    assert shown.steps[0].text == "At https://desk.example.com, confidential, for CLIENT_ID."


def test_a_redirect_that_was_not_registered_never_comes_to_us(house: GuidedHouse) -> None:
    """The vendor's own page refuses it: nothing is sent to a stranger's address."""
    started = begin(house)
    parts = urlsplit(started.url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    query["redirect_uri"] = "https://stranger.example.com/"
    answer = requests.get(urlunsplit(parts._replace(query=urlencode(query))), timeout=10, allow_redirects=False)
    assert answer.status_code == 400
