"""Policy packs: read beside the connector, checked, and every bundled one parses with a source for each rule."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.catalogue import Catalogue
from hub.sdk import Secret, Settings
from hub.sdk.policy import Policy, PolicyWrong, Retirement, policy_of

ROOT = Path(__file__).parents[2]
RULE = """
checked = 2026-11-01
[[retirements]]
what = "Old tokens stop working"
on = 2027-04-30
instead = "new ones"
source = "https://vendor.example/changes"
settings = ["token"]
"""


class Kept(Settings):
    """Two ways in."""

    token: Secret | None = None
    client_id: str = ""


@pytest.fixture
def connector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Any]:
    """A connector in a package of its own, with this policy beside it."""
    number = 0

    def make(policy: str | None) -> Any:
        nonlocal number
        number += 1
        name = f"policy_vendor_{number}_{abs(hash(tmp_path))}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "sink.py").write_text("from hub.sdk import Sink\n\n\nclass Desk(Sink):\n    name = 'desk'\n")
        if policy is not None:
            (folder / "policy.toml").write_text(policy)
        monkeypatch.syspath_prepend(tmp_path)
        found = importlib.import_module(f"{name}.sink").Desk
        found.Settings = Kept
        monkeypatch.delitem(sys.modules, f"{name}.sink")
        return found

    return make


def test_a_policy_is_read_beside_the_connector(connector: Any) -> None:
    """The rules as they stand; a connector without a file has none."""
    policy = policy_of(connector(RULE))
    (rule,) = policy.retirements
    assert (policy.checked, rule.on, rule.settings) == (date(2026, 11, 1), date(2027, 4, 30), ("token",))
    assert policy_of(connector(None)) == Policy()


def test_a_retirement_concerns_who_has_the_setting(connector: Any) -> None:
    """One of its settings is set; without any it concerns everybody; the earliest comes first."""
    policy = policy_of(connector(RULE))
    assert policy.concerning(Kept(token="x")) == list(policy.retirements)
    assert policy.concerning(Kept(client_id="x")) == []
    assert policy.concerning(None) == []
    all_of_them = Retirement(what="all", on=date(2026, 1, 1), source="https://vendor.example/")
    both = Policy(retirements=(*policy.retirements, all_of_them))
    assert both.concerning(Kept(token="x"))[0] is all_of_them
    assert both.concerning(None) == [all_of_them]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (("2027-04-30", '"soon"'), "retirements[0].on"),
        (('source = "https://vendor.example/changes"\n', ""), "retirements[0].source: Field required"),
        (("https://vendor.example", "http://vendor.example"), "must be the https:// address"),
        (("instead", "instaed"), "retirements[0].instaed"),
        (('["token"]', '["tokens"]'), "there is no setting tokens"),
        (("[[retirements]]", "[[retirements"), "cannot be read"),
    ],
    ids=["no date", "no source", "plain http", "a typo", "an unknown setting", "no TOML"],
)
def test_what_is_wrong_is_told_with_its_place(connector: Any, broken: tuple[str, str], words: str) -> None:
    """The file's name and the place in it."""
    with pytest.raises(PolicyWrong) as told:
        policy_of(connector(RULE.replace(*broken)))
    assert words in str(told.value)
    assert "policy.toml" in str(told.value)


def test_every_bundled_policy_parses_is_dated_and_has_a_source_for_each_rule() -> None:
    """Also that a file is found at all: each one in the tree belongs to a connector that is installed."""
    catalogue = Catalogue.load()
    classes = [*catalogue.sources.values(), *catalogue.sinks.values()]
    seen = set()
    for one in classes:
        file = Path(str(sys.modules[one.__module__].__file__)).with_name("policy.toml")
        policy = policy_of(one)
        if file.exists():
            seen.add(file.resolve())
            assert policy.checked is not None, f"{one.name}: checked is missing"
            assert policy.retirements or policy.limits
        assert all(rule.source.startswith("https://") for rule in (*policy.retirements, *policy.limits))
    assert seen == {path.resolve() for path in (ROOT / "plugins").rglob("policy.toml")}
