"""The token radar: tokens renewed ahead of time, alarms for what only people can mend, retirements; both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pytest

from hub.flow import radar
from hub.sdk import (
    AsksConsent,
    AuthenticationFailed,
    Choice,
    HoldsTokens,
    RateLimited,
    TemporaryFailure,
    TokenState,
)
from hub.sdk.policy import Policy, Retirement
from hub.store import connections
from tests.fakes.connectors import FakeSink
from tests.fakes.house import House

DAY = timedelta(days=1)


class TokenSink(FakeSink, HoldsTokens):
    """A helpdesk whose token lies in the vault as ``token``; ``states`` adds others."""

    life: ClassVar[timedelta] = timedelta(hours=24)
    error: ClassVar[Exception | None] = None
    renewed: ClassVar[list[datetime]] = []
    more: ClassVar[list[TokenState]] = []

    def tokens(self) -> Sequence[TokenState]:
        """What the vault says."""
        vault = self.toolbox.vault
        own = [TokenState(name="access", expires_at=vault.expires_at("token"), renews_itself=True)]
        return [*(own if vault.read("token") else []), *self.more]

    def renew_tokens(self) -> None:
        """Through the vault, as it must be."""
        if self.error is not None:
            raise self.error
        self.renewed.append(self.toolbox.now())
        vault = self.toolbox.vault
        vault.refresh("token", vault.read("token"), lambda: (f"t{len(self.renewed)}", self.life))

    def forget_tokens(self) -> None:
        """Not asked here."""


class ConsentSink(TokenSink, AsksConsent):
    """Connects again by consent."""

    def consent_url(self, *, redirect_url: str, state: str, challenge: str) -> str:
        """Not asked here."""
        return ""

    def accept_consent(self, *, redirect_url: str, code: str, verifier: str) -> Sequence[Choice]:
        """Not asked here."""
        return []


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has tokens of its own."""
    for name, value in (("life", timedelta(hours=24)), ("error", None), ("renewed", []), ("more", [])):
        monkeypatch.setattr(TokenSink, name, value)


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """A database; whatever houses were built on it are closed."""
    yield database_url
    for house in HOUSES:
        house.close()
    HOUSES.clear()


HOUSES: list[House] = []


def at_work(url: str, *, desk: type = TokenSink, token: timedelta | None = timedelta(hours=24)) -> House:
    """A house whose helpdesk was just connected, with a token of this life."""
    house = House(url, desk=desk)
    HOUSES.append(house)
    if token is not None:
        house.hub.toolbox("desk").vault.write("token", "t0", expires_at=house.clock() + token)
    house.step()
    return house


def alarms(house: House, *, kind: str = "token_ends", open_only: bool = True) -> list[str]:
    """The texts of these alarms."""
    with house.store.read() as connection:
        found = connections.alarms(connection, open_only=open_only)
    return [row.text for row in found if row.kind == kind]


def pass_time(house: House, by: timedelta, *, every: timedelta = timedelta(minutes=10)) -> None:
    """Let time go by in steps."""
    for _ in range(round(by / every)):
        house.clock.forward(every.total_seconds())
        house.step()


def test_a_token_is_renewed_when_a_third_of_its_life_is_left(url: str) -> None:
    """Twenty-four hours: after sixteen, and again sixteen hours later; not at each look."""
    house = at_work(url)
    start = house.clock()
    pass_time(house, timedelta(hours=15, minutes=50))
    assert TokenSink.renewed == []
    pass_time(house, timedelta(hours=17))
    hours = [(at - start) / timedelta(hours=1) for at in TokenSink.renewed]
    assert len(hours) == 2
    assert 16 <= hours[0] < 16.5
    assert 32 <= hours[1] < 33
    assert house.hub.toolbox("desk").vault.read("token") == "t2"


def test_a_long_one_is_renewed_in_its_last_day(url: str) -> None:
    """Sixty days are not renewed after forty."""
    TokenSink.life = 60 * DAY
    house = at_work(url, token=60 * DAY)
    pass_time(house, 58 * DAY, every=timedelta(hours=6))
    assert TokenSink.renewed == []
    pass_time(house, 2 * DAY, every=timedelta(hours=6))
    assert len(TokenSink.renewed) == 1


def test_one_that_lives_half_an_hour_does_not_wait_for_the_hourly_look(url: str) -> None:
    """It is looked at when it is due: it never ends."""
    TokenSink.life = timedelta(minutes=30)
    house = at_work(url, token=timedelta(minutes=30))
    for _ in range(180):
        pass_time(house, timedelta(minutes=1), every=timedelta(minutes=1))
        ends = house.hub.toolbox("desk").vault.expires_at("token")
        assert ends is not None
        assert ends > house.clock()
    assert 8 <= len(TokenSink.renewed) <= 10


def test_a_passing_failure_is_tried_again_within_minutes(url: str) -> None:
    """The vendor is down when the token is due: it is asked again each minute, and nothing is paused."""
    house = at_work(url)
    TokenSink.error = TemporaryFailure("down")
    pass_time(house, timedelta(hours=16, minutes=10))
    assert house.rows("SELECT paused FROM connection WHERE name = 'desk'")[0].paused == ""
    TokenSink.error = None
    pass_time(house, timedelta(minutes=3), every=timedelta(minutes=1))
    assert len(TokenSink.renewed) == 1


def test_a_refused_renewal_pauses_once_and_keeps_an_alarm_until_somebody_connects(url: str) -> None:
    """The old token still works: its check lifts the pause, and the refused one is not asked about again."""
    house = at_work(url)
    TokenSink.error = AuthenticationFailed("the refresh token has ended")
    pass_time(house, timedelta(hours=18))
    assert alarms(house, kind="authentication", open_only=False) == ["the refresh token has ended"]
    assert alarms(house) == ["the vendor refused to renew its tokens: put a new one into its settings"]
    TokenSink.error = None
    house.hub.toolbox("desk").vault.write("token", "new", expires_at=house.clock() + 30 * DAY)
    pass_time(house, timedelta(hours=2))
    assert alarms(house) == []
    assert TokenSink.renewed == []


def test_a_rate_limit_is_waited_out(url: str) -> None:
    """Not asked again before the vendor's time."""
    house = at_work(url)
    TokenSink.error = RateLimited("slow down", retry_after=3600)
    pass_time(house, timedelta(hours=16, minutes=10))
    TokenSink.error = None
    pass_time(house, timedelta(minutes=40))
    assert TokenSink.renewed == []
    pass_time(house, timedelta(minutes=40))
    assert len(TokenSink.renewed) == 1


def test_a_bug_of_a_plugin_harms_nobody_else(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The engine goes on; the trace is in the log."""
    TokenSink.error = RuntimeError("a bug")
    house = at_work(url, token=timedelta(minutes=1))
    house.clock.forward(60)
    house.step()
    assert "a bug of its plugin" in caplog.text
    assert house.rows("SELECT paused FROM connection WHERE name = 'desk'")[0].paused == ""


def test_tokens_do_not_end_under_a_person_s_pause_but_rest_under_the_hub_s(url: str) -> None:
    """Paused by the hub: its check renews. Paused by a person: the tokens are kept alive."""
    house = at_work(url)
    house.store.run(lambda tx: connections.pause(tx, "desk", reason="wrong account", by="hub", now=house.clock()))
    house.store.run(lambda tx: connections.change(tx, "desk", probe_at=house.clock() + 9 * DAY))
    pass_time(house, timedelta(hours=20))
    assert TokenSink.renewed == []
    house.store.run(lambda tx: connections.change(tx, "desk", paused_by="anna"))
    pass_time(house, timedelta(hours=2))
    assert len(TokenSink.renewed) == 1


@pytest.mark.parametrize(
    ("desk", "way"), [(TokenSink, "put a new one into its settings"), (ConsentSink, "hub connections connect desk")]
)
def test_what_does_not_renew_itself_alarms_two_weeks_before(url: str, desk: type, way: str) -> None:
    """Once, with what ends, when, and what to do; closed when it is mended."""
    end = datetime(2026, 11, 30, 12, tzinfo=UTC)
    monkey = [TokenState(name="API token", expires_at=end)]
    TokenSink.more = monkey
    house = at_work(url, desk=desk)
    pass_time(house, 13 * DAY, every=timedelta(hours=6))
    assert alarms(house) == []
    pass_time(house, 2 * DAY, every=timedelta(hours=6))
    (text,) = alarms(house)
    assert text.startswith("API token ends on 2026-11-30 12:00 UTC: ")
    assert way in text
    pass_time(house, 2 * DAY, every=timedelta(hours=6))
    assert len(alarms(house, open_only=False)) == 1
    TokenSink.more = [TokenState(name="API token", expires_at=end + 365 * DAY)]
    pass_time(house, timedelta(hours=6), every=timedelta(hours=2))
    assert alarms(house) == []


def test_one_that_should_have_renewed_itself_and_did_not_alarms(url: str) -> None:
    """The vendor gave the same end again."""
    TokenSink.more = [TokenState(name="refresh", expires_at=datetime(2026, 11, 3, tzinfo=UTC), renews_itself=True)]
    house = at_work(url, token=None)
    pass_time(house, 2 * DAY, every=timedelta(hours=1))
    (text,) = alarms(house)
    assert text == "refresh has ended and was not renewed: put a new one into its settings"
    assert len(TokenSink.renewed) < 60  # at the hourly looks, not every minute


def rule(on: date, **more: Any) -> Retirement:
    """A retirement of what the house's helpdesk uses."""
    return Retirement(what="Tokens stop", on=on, instead="OAuth", source="https://vendor.example/", **more)


def test_a_retirement_is_told_ninety_days_before_on_the_day_and_after_it(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One alarm whose text changes with the day; a month later it is no news any more."""
    policy = Policy(retirements=(rule(date(2027, 2, 1)), rule(date(2027, 2, 1), settings=("nothing",))))
    monkeypatch.setattr(radar, "policy_of", lambda connector: policy if connector is TokenSink else Policy())
    house = at_work(url, token=None)
    assert "desk: on 2027-02-01: Tokens stop. Instead: OAuth (https://vendor.example/)" in caplog.text
    assert alarms(house, kind="retirement") == []
    pass_time(house, 2 * DAY, every=timedelta(hours=6))
    assert alarms(house, kind="retirement") == ["on 2027-02-01: Tokens stop. Instead: OAuth (https://vendor.example/)"]
    house.clock.forward((datetime(2027, 2, 1, 9, tzinfo=UTC) - house.clock()).total_seconds())
    house.step()
    (text,) = alarms(house, kind="retirement")
    assert text.startswith("today, 2027-02-01")
    pass_time(house, DAY, every=timedelta(hours=6))
    (text,) = alarms(house, kind="retirement")
    assert text.startswith("since 2027-02-01")
    pass_time(house, 31 * DAY, every=timedelta(hours=12))
    assert alarms(house, kind="retirement") == []


def test_the_console_s_view_counts_days_and_calls_no_vendor(url: str) -> None:
    """What a person must mend comes before what renews itself."""
    TokenSink.more = [
        TokenState(name="API token", expires_at=datetime(2026, 11, 12, 9, tzinfo=UTC)),
        TokenState(name="for ever"),
    ]
    house = at_work(url)
    house.helpdesk.down = True  # type: ignore[attr-defined]
    found = radar.standings(house.hub)["desk"]
    assert [(one.name, one.days_left, one.soon) for one in found.tokens] == [
        ("access", 1, False),
        ("API token", 10, True),
        ("for ever", None, False),
    ]
    assert found.next_end is not None
    assert found.next_end.name == "API token"
    assert radar.standings(house.hub)["network"] == radar.Standing()
