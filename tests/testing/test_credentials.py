"""Which checks a connector has that knows no credentials, and how one is told that its vendor cannot revoke them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from hub.sdk import BaseUrl, Field, Secret, Settings
from hub.testing.checks import checks_of
from hub.testing.reference_network import ReferenceNetwork
from hub.testing.reference_source import ReferenceSource
from hub.testing.vendor import NetworkVendor
from tests.testing.planted.sources import GoodSourceSuite

ABOUT_CREDENTIALS = {"check_connection_tells_bad_credentials", "batch_stops_at_refused_credentials"}


class Address(Settings):
    """No credentials at all."""

    base_url: BaseUrl = Field(description="Address")


class Key(Settings):
    """Credentials inside another model."""

    token: Secret = Field(description="Token")


class Keys(Settings):
    """Credentials two models deep."""

    keys: tuple[Key, ...] | None = Field((), description="Keys")


@pytest.mark.parametrize(
    ("settings_model", "expected"),
    [(Address, set()), (Key, ABOUT_CREDENTIALS), (Keys, ABOUT_CREDENTIALS)],
)
def test_only_who_has_credentials_is_asked_about_them(settings_model: type[Settings], expected: set[str]) -> None:
    """The checks of refused credentials exist for settings with a secret, however deep it lies, and for no others."""

    class Connector(ReferenceSource):
        Settings: ClassVar[type[Settings]] = settings_model

    class Suite(GoodSourceSuite):
        connector = Connector
        settings: dict[str, Any] = {}

    assert ABOUT_CREDENTIALS & set(checks_of(Suite)) == expected


def test_a_vendor_that_revokes_nothing_is_told_what_to_do() -> None:
    """The failure names the method, and what a connector without credentials does instead."""
    with pytest.raises(NotImplementedError, match=r"revoke_credentials\(\).* no Secret in its Settings"):
        NetworkVendor.revoke_credentials(ReferenceNetwork())


class KeepsEverything(ReferenceNetwork):
    """Nobody can delete there."""

    customer_deletes = NetworkVendor.customer_deletes


def test_a_network_without_deletions_is_not_asked_for_what_follows_one() -> None:
    """What is left is ``deletions_are_told``, which fails until it is waived: nothing is left out in silence."""

    class Suite(GoodSourceSuite):
        def vendor(self) -> ReferenceNetwork:
            return KeepsEverything()

    after_one = {"answer_to_a_removed_post_is_refused", "ids_are_never_given_twice"}
    assert after_one <= set(checks_of(GoodSourceSuite))
    assert (set(checks_of(GoodSourceSuite)) ^ set(checks_of(Suite))) == after_one
    with pytest.raises(NotImplementedError, match="waive deletions_are_told"):
        Suite().test_deletions_are_told()
