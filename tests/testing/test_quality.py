"""Tiers, badges and what a fixture may not hold."""

from __future__ import annotations

from datetime import date

import pytest

from hub.testing.fixtures import unscrubbed
from hub.testing.pytest_plugin import Result
from hub.testing.quality import Quality
from hub.testing.report import badge
from hub.testing.tiers import judge

TODAY = date(2026, 6, 1)
RUN = {"date": date(2026, 5, 1), "version": "4.5", "how": "by hand"}
TWO_WAY = ("PollsForMessages", "RepliesInPublic")


@pytest.mark.parametrize(
    ("quality", "roles", "results", "tier"),
    [
        (Quality("gold", "o", {}, RUN), TWO_WAY, {"a": Result("passed")}, "gold"),
        (Quality("gold", "o", {}, {**RUN, "date": date(2026, 1, 1)}), TWO_WAY, {}, "silver"),
        (Quality("gold", "o", {}, {}), TWO_WAY, {}, "silver"),
        (Quality("gold", "o", {}, {**RUN, "how": ""}), TWO_WAY, {}, "silver"),
        (Quality("gold", "o", {}, RUN), ("PollsForMessages",), {}, "silver"),
        (Quality("gold", "o", {"attachments_are_told": "none there"}, RUN), TWO_WAY, {}, "gold"),
        (Quality("gold", "o", {"reply_under[409]": "?"}, RUN), TWO_WAY, {}, "bronze"),
        (Quality("gold", "o", {"check_connection_tells_bad_credentials": "?"}, RUN), TWO_WAY, {}, "bronze"),
        (Quality("gold", "o", {"deletions_are_told": "none"}, RUN), TWO_WAY, {}, "gold"),
        (Quality("gold", "", {}, RUN), TWO_WAY, {}, "bronze"),
        (Quality("gold", "o", {}, RUN), TWO_WAY, {"a": Result("failed")}, ""),
        (Quality("gold", "o", {}, RUN), TWO_WAY, {"a": Result("waived", "because")}, "gold"),
    ],
)
def test_a_tier_is_what_its_rules_say(
    quality: Quality, roles: tuple[str, ...], results: dict[str, Result], tier: str
) -> None:
    """Each rule of a tier, broken alone, keeps the connector below it."""
    assert judge(object, "source", roles, quality, results, TODAY).tier == tier


def test_an_old_run_fails_nothing() -> None:
    """It lowers the badge; no test turns red because time passes."""
    held = judge(object, "source", TWO_WAY, Quality("gold", "o", {}, {**RUN, "date": date(2025, 1, 1)}), {}, TODAY)
    assert (held.tier, held.stale, held.broken_until("gold")) == ("silver", True, [])


@pytest.mark.parametrize(
    "text",
    [
        "write to ada@gmail.com",
        "see https://acme.zendesk.com/tickets",
        '{"id": 123456789012345678}',
        "Bearer abcdefghijklmnop",
        "xoxb-123456789012-abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
    ],
)
def test_what_a_fixture_may_not_hold(text: str) -> None:
    """Addresses, hosts, long numbers and tokens of real people and companies."""
    assert list(unscrubbed(text))


@pytest.mark.parametrize(
    "text",
    ["ada@example.com", "https://files.example.com/1.png", "https://mastodon.example/@ada", '{"id": "1001"}', "a1b2c3"],
)
def test_what_a_fixture_may_hold(text: str) -> None:
    """Example domains and short ids."""
    assert list(unscrubbed(text)) == []


def test_a_badge_is_an_image_that_says_it() -> None:
    """The text is there for those who cannot see the picture, too."""
    assert 'aria-label="Social Care Hub: gold"' in badge("gold")
    assert "no tier" in badge("")
