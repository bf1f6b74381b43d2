"""The checks of a plugin as a whole: its name, settings, README, import, waivers and tier."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from hub.catalogue.contract import SIDES, breach_of, roles_of, side_of
from hub.catalogue.found import is_secret
from hub.sdk import ENTRY_POINT_GROUP
from hub.testing import tiers
from hub.testing.checks import checks_of, last
from hub.testing.quality import folder_of, proof_problem, quality_of, unknown_waivers

IMPORT_SECONDS = 0.3
"""How much processor time importing the plugin may cost, beyond the hub's own."""

_MEASURE = """
import sys, time, socket
import hub.sdk
def out(*_): raise SystemExit("it opens a connection when it is imported")
socket.socket.connect = out
socket.getaddrinfo = out
start = time.process_time()
__import__(sys.argv[1])
print(f"took {time.process_time() - start:.3f}")
"""


class PluginChecks:
    """They need no vendor."""

    is_conformance: ClassVar[bool] = True
    connector: ClassVar[type]
    settings: Mapping[str, Any]

    def test_keeps_the_contract(self) -> None:
        """Name, display name, API version, settings model and roles are as the hub wants them."""
        side = side_of(self.connector)
        assert side, f"{self.connector.__name__} is no {', '.join(SIDES)}"
        breach = breach_of(self.connector, side, getattr(self.connector, "name", ""))
        assert not breach, breach

    def test_name_is_folder_and_entry_point(self) -> None:
        """One name everywhere: connector, folder (``sch_name`` outside the hub) and entry point."""
        name, folder = getattr(self.connector, "name", ""), folder_of(self.connector).name
        assert folder in (name, f"sch_{name}"), f'the connector is "{name}", its folder is "{folder}"'
        found = installed().get(name) or installed().get(f"{name}.{side_of(self.connector)}")
        assert found, f'no entry point of the group {ENTRY_POINT_GROUP} is called "{name}": pip install -e . again?'
        module = self.connector.__module__
        assert module == found or module.startswith(found + "."), f'the entry point "{name}" is {found}, not {module}'

    def test_settings_are_described(self) -> None:
        """Each setting has a description and an example: pages and templates are made of them."""
        for name, field in self.connector.Settings.model_fields.items():  # type: ignore[attr-defined]
            assert field.description, f'the setting "{name}" has no description'
            assert field.examples or not field.is_required(), f'the required setting "{name}" has no example'

    def test_settings_refuse_what_they_do_not_know(self) -> None:
        """A misspelt key is an error, and the error does not repeat the values."""
        model = self.connector.Settings  # type: ignore[attr-defined]
        with pytest.raises(ValidationError) as refused:
            model.model_validate({**self.settings, "not_a_setting_of_this": "x"})
        secret = [name for name, field in model.model_fields.items() if is_secret(field)]
        for value in (self.settings[name] for name in secret if name in self.settings):
            assert str(value) not in str(refused.value), "the error about the settings repeats a secret"

    def test_readme_names_every_setting(self) -> None:
        """The README describes each setting, and none that is gone."""
        path = folder_of(self.connector) / "README.md"
        assert path.is_file(), "there is no README.md beside the connector"
        text = path.read_text(encoding="utf-8")
        model = self.connector.Settings  # type: ignore[attr-defined]
        for name in model.model_fields:
            assert re.search(rf"(`|\b){re.escape(name)}\b", text), f'the README does not name the setting "{name}"'
        table = re.search(r"^\| *setting *\|.*\n\|[-| :]+\n((?:\|.*\n?)+)", text, re.IGNORECASE | re.MULTILINE)
        rows = re.findall(r"^\| *`([\w]+)`", table[1], re.MULTILINE) if table else []
        gone = [row for row in rows if row not in model.model_fields]
        assert not gone, f'the README describes "{gone[0]}", which is no setting'

    def test_import_is_quick_and_quiet(self) -> None:
        """Importing the plugin is quick, prints nothing and asks nobody: ``hub --help`` imports every plugin."""
        said, seconds = imported(self.connector.__module__)
        assert not said, said
        assert seconds < IMPORT_SECONDS, (
            f"importing {self.connector.__module__} costs {seconds:.2f} s of processor time, not {IMPORT_SECONDS}: "
            "import heavy libraries where they are used"
        )

    # --- waivers and tier --------------------------------------------------------------------------------------------

    def test_waivers_are_in_order(self) -> None:
        """quality.toml is well formed, every waiver has a reason and names a check, and no check is overridden."""
        quality = quality_of(self.connector)
        assert not quality.wrong, quality.wrong[0]
        known = list(checks_of(type(self)))
        unknown = unknown_waivers(quality, known)
        assert not unknown, f'the waiver "{unknown[0]}" names no check of this connector'
        never = sorted({"waivers_are_in_order", "claimed_tier_is_held"} & quality.waivers.keys())
        assert not never, f'"{never[0]}" cannot be waived'
        own = [kind for kind in type(self).__mro__ if not kind.__module__.startswith("hub.testing.")]
        hidden = sorted(
            name
            for kind in own
            for name in vars(kind)
            if name.removeprefix("test_") in known and name.startswith("test_")
        )
        assert not hidden, f"{hidden[0]} is overridden: waive it in quality.toml, with the reason"

    @last
    def test_claimed_tier_is_held(self) -> None:
        """The tier in quality.toml is one the connector has earned, if nothing else fails here."""
        quality = quality_of(self.connector)
        side = side_of(self.connector)
        assert side
        held = tiers.judge(self.connector, side, roles_of(self.connector, side), quality, results={})
        missing = [f"{rule.tier}: {rule.lacks}" for rule in held.broken_until(quality.tier)]
        assert not missing, f'"{quality.tier}" is claimed, but {"; ".join(missing)}'
        if quality.proven:
            problem = proof_problem(quality.proven, datetime.now(UTC).date())
            assert not problem, problem


def installed() -> dict[str, str]:
    """Entry point -> module, of every installed plugin."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}


@functools.cache
def imported(module: str) -> tuple[str, float]:
    """What importing ``module`` in a fresh interpreter says (empty: nothing) and costs in seconds."""
    run = subprocess.run(  # noqa: S603 - our own interpreter, a module that is imported here already
        [sys.executable, "-c", _MEASURE, module], capture_output=True, text=True, timeout=60, check=False
    )
    said = run.stdout.splitlines()
    if run.returncode or not said or not said[-1].startswith("took "):
        return (f"importing {module} fails: {(run.stderr or run.stdout).strip()[-300:]}", 0.0)
    if said[:-1] or run.stderr.strip():
        return (f"importing {module} prints: {(said[:-1] or [run.stderr.strip()])[0][:200]}", 0.0)
    return ("", float(said[-1].removeprefix("took ")))
