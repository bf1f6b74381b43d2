"""What every suite has: the rig, and the checks that hold for sources and sinks alike."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.sdk import Account, AuthenticationFailed, ConfigurationError, SetsUp, SetupStep, in_language
from hub.testing import faults
from hub.testing.attempts import assert_kind, assert_no_repeats, assert_wait, attempt
from hub.testing.checks import cases, has_credentials, last, needs
from hub.testing.conduct import ConductChecks
from hub.testing.plugins import PluginChecks
from hub.testing.rig import Rig
from hub.testing.vendor import Vendor
from hub.testing.watching import Conduct


class ConnectorConformance(PluginChecks, ConductChecks):
    """The part of the suites that sources and sinks share.

    A plugin's test class sets ``connector``, ``settings`` (plain values, as in hub.toml; or a property) and
    ``fixtures``, and says in ``vendor`` what plays the other end.
    """

    connector: ClassVar[type]
    settings: Mapping[str, Any] = {}
    fixtures: ClassVar[Path | None] = None
    conduct: ClassVar[Conduct]
    _toured: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.conduct = Conduct()

    def vendor(self) -> Vendor:
        """A vendor at the other end, the same as new each time."""
        raise NotImplementedError("return a vendor in memory from vendor(): see hub.testing.vendor")

    def new_rig(self) -> Rig:
        """The connector on a bench of its own, with a fresh vendor."""
        vendor = self.vendor()  # first: the settings may hold what it gave out
        return Rig(self.connector, self.settings, vendor, conduct=type(self).conduct)

    @pytest.fixture
    def rig(self) -> Rig:
        """The bench of this check."""
        return self.new_rig()

    def tour(self) -> None:
        """Use every role of the connector, well and under faults, once per suite: what is looked at is its conduct."""
        suite = type(self)
        if not suite.__dict__.get("_toured"):
            suite._toured = True  # noqa: SLF001 - its own class
            self.tour_once()

    def tour_once(self) -> None:
        """What the tour is; suites add their roles to it."""
        for fault in (None, *faults.SOME):
            rig = self.new_rig()
            if fault:
                rig.break_all(fault)
            attempt(rig.connector.check_connection)

    def secrets_and_words(self) -> tuple[list[str], dict[str, str]]:
        """The settings' and the vault's secrets; what ``repr`` shows."""
        rig = self.new_rig()
        attempt(rig.connector.check_connection)
        return rig.secrets, {
            "repr of the connector": repr(rig.connector.itself),
            "repr of the settings": repr(rig.settings),
        }

    # --- construction and connection ---------------------------------------------------------------------------------

    def test_construction_makes_no_call(self) -> None:
        """Making an instance asks the vendor nothing and stores nothing."""
        rig = self.new_rig()
        assert rig.calls == [], f"__init__ called the vendor: {rig.calls[0]}"
        assert rig.vault.values == {}, "__init__ wrote to the vault"

    def test_check_connection_names_the_account(self, rig: Rig) -> None:
        """The account has a fingerprint, the same for every instance."""
        account = rig.connector.check_connection()
        assert isinstance(account, Account), f"check_connection returned {type(account).__name__}, not an Account"
        assert account.fingerprint.strip(), "the account has no fingerprint"
        rig.restart()
        again = rig.connector.check_connection()
        assert again.fingerprint == account.fingerprint, "two instances give one account two fingerprints"

    @needs(given=has_credentials)
    def test_check_connection_tells_bad_credentials(self, rig: Rig) -> None:
        """Refused credentials are AuthenticationFailed, for a new instance and for one that has worked before."""
        rig.connector.check_connection()
        rig.vendor.revoke_credentials()
        with pytest.raises(AuthenticationFailed):
            rig.connector.check_connection()
        rig.restart()
        with pytest.raises(AuthenticationFailed):
            rig.connector.check_connection()

    @cases("fault", faults.TRANSPORT)
    def test_check_connection_under(self, fault: faults.Fault) -> None:
        """A vendor that fails is told as one of our errors of the right family, never as a foreign one."""
        rig = self.new_rig()
        rig.connector.check_connection()
        for at in range(len(rig.calls)):
            rig = self.new_rig()
            rig.break_call(fault, at)
            # A check may do without one of its calls (a version, say): then the account is still named.
            result = attempt(rig.connector.check_connection)
            if not isinstance(result, Account):
                assert_kind(result, (*fault.reading, ConfigurationError), f"call {at} met {fault}")
                assert_wait(result, fault)

    def test_check_connection_repeats_nothing(self) -> None:
        """A vendor that is down or asks to slow down is asked once: repeating is the hub's work."""
        for fault in (faults.SERVER_ERROR, faults.SLOW_DOWN_FOR, faults.READ_TIMEOUT):
            rig = self.new_rig()
            rig.break_all(fault)
            attempt(rig.connector.check_connection)
            assert_no_repeats(rig, 0)

    # --- setting up --------------------------------------------------------------------------------------------------

    @needs(SetsUp)
    def test_setup_plan_changes_nothing(self, rig: Rig) -> None:
        """Planning twice gives the same steps, and every one says who does it and how it stands."""
        first = rig.connector.plan_setup("https://hub.example.com/hooks/acme")
        assert all(isinstance(step, SetupStep) for step in first)
        assert first == rig.connector.plan_setup("https://hub.example.com/hooks/acme"), "planning has changed something"
        for step in first:
            said = all(in_language(step.instructions, language).strip() for language in ("en", "it"))
            assert step.by == "hub" or step.state == "done" or said, (
                f'"{in_language(step.title, "en")}" is left to a person and has no instructions'
            )

    @needs(SetsUp)
    def test_setup_twice_is_setup_once(self, rig: Rig) -> None:
        """After applying, no step of the hub is missing; applying again finds the same and makes no new thing."""
        plan = rig.connector.apply_setup("https://hub.example.com/hooks/acme")
        left = [in_language(step.title, "en") for step in plan if step.by == "hub" and step.state == "missing"]
        assert not left, f"still missing after apply_setup: {', '.join(left)}"
        before = len(rig.calls)
        assert rig.connector.apply_setup("https://hub.example.com/hooks/acme") == plan, (
            "the second apply changed the plan"
        )
        made = [call for call in rig.calls[before:] if call.method == "POST" and call.outcome == "201"]
        assert not made, f"the second apply_setup made something again: {made[0]}"

    # --- what is looked back on ------------------------------------------------------------------------------------

    @last
    def test_errors_survive_pickling(self) -> None:
        """Every error the connector raised in this suite comes back whole from another process."""
        self.tour()
        for error in self.conduct.errors:
            again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own dump
            assert type(again) is type(error)
            assert str(again) == str(error)
            assert vars(again) == vars(error), f"{type(error).__name__} loses fields when it is pickled"
