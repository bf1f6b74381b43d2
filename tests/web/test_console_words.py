"""What the console says about what was not published, what only needs settling, and where webhooks come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.flow import control
from hub.store import views
from hub.store.deliveries import HELD_BY_UNKNOWN
from hub.web.reasons import REASONS
from tests.fakes.house import House
from tests.web.desk import Browser, live_through, make_app


def code_of(browser: Browser) -> str:
    """The newest ticket's code."""
    with browser.house.store.read() as read:
        return views.ticket_rows(read)[0].code


def said(browser: Browser) -> dict[str, str]:
    """What the company's comments say, with why each was not published."""
    with browser.house.store.read() as read:
        found = views.ticket(read, code_of(browser), browser.house.hub.decrypt_json)
    assert found is not None
    return {one.text: one.not_published for one in found.messages if one.side == "company"}


def comment(browser: Browser, text: str, **options: bool) -> None:
    """Somebody comments in the helpdesk, and the hub takes notice."""
    browser.house.helpdesk.comment("r1", text, **options)
    browser.house.settle(seconds=6, most=15)


def test_what_was_not_published_says_so_and_why(browser: Browser) -> None:
    """An automation's comment, an observed, a refused and a drafted answer are marked; what was published is not."""
    comment(browser, "Closed automatically", automatic=True)
    comment(browser, "Your IBAN is DE89 3704 0044 0532 0130 00")
    control.set_mode(browser.house.hub, "network", "observe", actor="test")
    comment(browser, "Only watched")
    control.set_mode(browser.house.hub, "network", "draft", actor="test")
    comment(browser, "Still a draft")
    marked = said(browser)
    assert marked["Tomorrow it comes"] == marked["Between us: it is lost"] == ""
    assert marked["Closed automatically"].startswith("written by an automatism")
    assert "IBAN" in marked["Your IBAN is DE89 3704 0044 0532 0130 00"]
    assert marked["Only watched"] == "observe mode: nothing is published"
    assert marked["Still a draft"].startswith("draft:")
    page = browser.page(f"/console/tickets/{code_of(browser)}?lang=en")
    assert page.count("Not published: ") == 3
    assert page.count("Not published yet: ") == 1, "a draft is not the last word"
    with browser.house.store.read() as read:
        assert views.counts(read).messages_out == 1


def test_the_hubs_own_reasons_are_told_in_italian(browser: Browser) -> None:
    """An Italian page gives no English reason of ours; a vendor's own words stay as they are."""
    control.set_mode(browser.house.hub, "network", "observe", actor="test")
    comment(browser, "Only watched")
    comment(browser, "Closed automatically", automatic=True)
    page = browser.page(f"/console/tickets/{code_of(browser)}?lang=it")
    assert "modalità osserva: nulla viene pubblicato" in page
    assert "scritto da un automatismo" in page
    assert "observe mode" not in page
    assert "automatism (" not in page


def test_the_reasons_are_those_the_flow_writes() -> None:
    """A reason that is worded anew in the flow must be worded anew here, too."""
    flow = Path(control.__file__).parent
    source = "".join(file.read_text(encoding="utf-8") for file in sorted(flow.glob("*.py")))
    own = {"why.never_sent", "why.state"}  # the store's words
    for pattern, key in REASONS.items():
        start = (
            pattern.pattern.split("(?P<")[0].split("\\(")[0].removesuffix(".*").removeprefix(HELD_BY_UNKNOWN).strip()
        )
        assert key in own or start in source, (key, start)


def test_an_old_note_made_public_is_settled(browser: Browser) -> None:
    """There is nothing to try again: its button closes it, from the list and from its page."""
    (note,) = (one for one in browser.house.helpdesk.records["r1"]["comments"] if one["text"].startswith("Between us"))
    browser.house.helpdesk.make_public(note["id"])
    browser.house.settle(seconds=6, most=15)
    with browser.house.store.read() as read:
        (one,) = views.parked(read)
    for path in ("/console/parked?lang=it", f"/console/inbox/{one.id}?lang=it"):
        page = browser.page(path)
        assert ">Chiudi</button>" in page, path
        assert f"/console/inbox/{one.id}/retry" not in page, path
    browser.send(f"/console/inbox/{one.id}/discard", settles="yes")
    assert "Niente di fermo" in browser.page("/console/parked")


def test_a_draft_is_published_from_its_page_only_when_that_is_meant(browser: Browser) -> None:
    """The button of a draft says that it publishes; a plain retry does not."""
    control.set_mode(browser.house.hub, "network", "draft", actor="test")
    comment(browser, "Still a draft")
    with browser.house.store.read() as read:
        (one,) = views.parked(read)
    path = f"/console/outbox/{one.id}"
    assert "Publish the draft" in browser.page(f"{path}?lang=en")
    browser.send(f"{path}/retry")
    assert "This is a draft" in browser.page(path)
    browser.send(f"{path}/retry", publish="yes")
    browser.house.settle(seconds=6, most=15)
    assert [post["text"] for post in browser.house.network.own()][-1] == "Still a draft"


def test_a_helpdesk_has_no_drafts(browser: Browser) -> None:
    """Asked for it all the same, the console says so and changes nothing."""
    browser.send("/console/connections/desk/mode", mode="draft")
    assert "drafts are for networks" in browser.page("/console/connections/desk?lang=en")


@pytest.mark.parametrize(
    ("hub", "address", "hint"),
    [
        ({}, "http://127.0.0.1:8765/hooks/network", True),
        ({"public_url": "https://care.example.com"}, "https://care.example.com/hooks/network", False),
    ],
)
def test_the_webhook_address_is_shown(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: dict[str, str], address: str, hint: bool
) -> None:
    """Who connects a vendor finds the address to give it; a connector without webhooks has none."""
    live_through(house)
    browser = Browser(house, make_app(house, tmp_path, monkeypatch, allowed_hosts=("localhost",), **hub))
    if hub:
        browser.app.config["SESSION_COOKIE_SECURE"] = False
    browser.log_in()
    page = browser.page("/console/connections/network?lang=en")
    assert f"<code>{address}</code>" in page
    assert ("Only this machine can call it" in page) is hint
    assert "/hooks/" not in browser.page("/console/connections/desk")
