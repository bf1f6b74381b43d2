"""What ends is on the console: days left in the overview and on the connection's page, retirements, no vendor call."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.flow import radar
from hub.sdk import TokenState
from hub.sdk.policy import Policy, Retirement
from tests.fakes.house import House
from tests.flow.test_radar import TokenSink
from tests.web.desk import Browser, make_app


@pytest.fixture
def browser(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Logged in at a hub whose helpdesk has two tokens and uses what its vendor retires."""
    rule = Retirement(what="Old <b>tokens</b> stop", on=date(2027, 1, 1), instead="OAuth", source="https://v.example/p")
    monkeypatch.setattr(radar, "policy_of", lambda kind: Policy(retirements=(rule,)) if kind is TokenSink else Policy())
    ends = house.clock() + timedelta(days=10, hours=1)
    monkeypatch.setattr(TokenSink, "more", [TokenState(name="API key", expires_at=ends)])
    house.desk = TokenSink
    house.start()
    house.hub.toolbox("desk").vault.write("token", "t0", expires_at=house.clock() + timedelta(hours=24))
    house.step()
    browser = Browser(house, make_app(house, tmp_path, monkeypatch))
    browser.log_in()
    return browser


def test_the_overview_shows_what_a_person_must_mend_first(browser: Browser, house: House) -> None:
    """The one that does not renew itself, with the days it has left, and its alarm."""
    page = browser.page("/console/")
    assert "API key: ends" in page
    assert "in 10 d" in page
    assert "a credential ends" in page
    assert "the vendor switches something off" in page


@pytest.mark.parametrize(
    ("hours", "words"), [(47, "in 46 h"), (23, "in 22 h"), (49, "in 2 d"), (0.5, "in 29 min"), (-30, "30 h ago")]
)
def test_below_two_days_hours_are_told(browser: Browser, house: House, hours: float, words: str) -> None:
    """A credential that ends in a day and a half does not end "in 1 d"."""
    ends = house.clock() + timedelta(hours=hours, minutes=-0.5)
    house.hub.connected["desk"].connector.more = [TokenState(name="API key", expires_at=ends)]  # type: ignore[attr-defined]
    assert words in browser.page("/console/connections/desk?lang=en").partition("API key: ")[2][:300]


def test_the_connection_s_page_shows_all_of_it(browser: Browser, house: House) -> None:
    """Each token, who renews it, and each retirement with its day and page, escaped; nothing on another's page."""
    calls = house.hub.calls("desk").waiting
    page = browser.page("/console/connections/desk")
    for words in ("access: ends", "the hub renews it", "API key: ends", "act now", "2027-01-01", "https://v.example/p"):
        assert words in page, words
    assert "Old &lt;b&gt;tokens&lt;/b&gt; stop" in page
    assert "Instead: OAuth" in page
    assert house.hub.calls("desk").waiting == calls
    assert "What the vendor switches off" not in browser.page("/console/connections/network")


def test_a_plugin_that_stumbles_takes_no_page_away(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its tokens are not shown, and the log says why."""

    def broken(self: TokenSink) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(TokenSink, "tokens", broken)
    assert "API key" not in browser.page("/console/connections/desk").partition("<dl")[2].partition("</dl>")[0]
    assert browser.get("/console/").status_code == 200
    assert "the tokens of desk cannot be shown" in caplog.text
