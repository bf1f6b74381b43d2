"""Plugins that plain pip has installed from real wheels: the sound one works, whatever stands beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.downstream.conftest import Environment
from tests.downstream.wheels import SINK, make_wheel

BROKEN = {
    "sch-nolib": ("import a_library_nobody_has\n" + SINK, "cannot be imported: No module named 'a_library_nobody_has'"),
    "sch-raises": ("raise ImportError('not on this machine')\n", "cannot be imported: not on this machine"),
    "sch-syntax": ("def broken(:\n", "SyntaxError"),
    "sch-exits": ("raise SystemExit(3)\n", "SystemExit: 3"),
    "sch-newer": (SINK.replace("plugin_api = 1", "plugin_api = 2"), "speaks plugin API 2"),
    "sch-abstract": (SINK.replace("def deliver", "def send"), "Desk does not implement deliver"),
    "sch-empty": ("", "registers nothing"),
}


def installed(environment: Environment, *wheels: Path) -> None:
    """By plain pip, as an operator would without asking us."""
    environment.pip("install", "--no-deps", *map(str, wheels))


def catalogue(environment: Environment) -> dict[str, Any]:
    """What ``hub plugins list`` finds in a process of its own."""
    shown = environment.hub("plugins", "list", "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def test_broken_wheels_harm_nobody_and_are_named(environment: Environment, tmp_path: Path) -> None:
    """Seven broken plugins beside a sound one: it works, so do the hub's own, and each broken one is named with its
    distribution and its reason."""
    wheels = [make_wheel(tmp_path)]
    for name, (source, _) in BROKEN.items():
        module = name.replace("-", "_")
        point = name.removeprefix("sch-")
        code = source.replace('name = "desk"', f'name = "{point}"')
        wheels.append(make_wheel(tmp_path, name, {f"{module}/__init__.py": code}, points={point: module}))
    installed(environment, *wheels)
    found = catalogue(environment)
    assert {"desk", "mastodon", "zendesk", "rules"} <= {one["name"] for one in found["plugins"]}
    told = {one["distribution"]: one["reason"] for one in found["broken"]}
    assert told.keys() == BROKEN.keys()
    for name, (_, words) in BROKEN.items():
        assert words in told[name]
    text = environment.hub("plugins", "list")
    assert all(f"({name} 1.0)" in text.stderr for name in BROKEN)


def test_the_hub_starts_beside_broken_wheels(environment: Environment, tmp_path: Path) -> None:
    """A configuration that does not need the broken one has nothing wrong in it."""
    exits = {"sch_exits/__init__.py": "raise SystemExit(3)\n"}
    installed(environment, make_wheel(tmp_path, "sch-exits", exits, points={"exits": "sch_exits"}))
    assert environment.hub("init", ".").returncode == 0
    checked = environment.hub("config", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "sch-exits 1.0" in checked.stderr


def test_two_wheels_of_one_name_are_named_both(environment: Environment, tmp_path: Path) -> None:
    """Which one is meant is not guessed: nothing is loaded, and both distributions are named with their versions."""
    other = make_wheel(tmp_path, "other-desk", {"other_desk/__init__.py": SINK}, points={"desk": "other_desk"})
    installed(environment, make_wheel(tmp_path), other)
    answer = environment.hub("plugins", "list")
    assert answer.returncode == 2
    assert "sch-desk 1.0" in answer.stderr
    assert "other-desk 1.0" in answer.stderr
    assert environment.hub("plugins", "remove", "desk", "--yes").returncode == 1


@pytest.mark.parametrize("top", ["plugins", "hub"])
def test_a_plugin_in_our_packages_is_refused_at_start(top: str, environment: Environment, tmp_path: Path) -> None:
    """Installed past ``hub plugins install``, it is not imported, and its distribution is named."""
    files = {f"{top}/sinks_of_others/__init__.py": "raise RuntimeError('imported')\n"}
    point = {"desk": f"{top}.sinks_of_others"}
    installed(environment, make_wheel(tmp_path, "bad-desk", files, points=point))
    (broken,) = [one for one in catalogue(environment)["broken"] if one["distribution"] == "bad-desk"]
    assert f'ships a top-level package "{top}"' in broken["reason"]
    assert "pip uninstall bad-desk" in broken["reason"]


def test_a_package_that_hides_ours_is_named(environment: Environment, tmp_path: Path) -> None:
    """A regular package ``plugins``, be it of a plugin or not, hides all that comes with the hub: each of them says so,
    with the file and the distribution, instead of "no plugins"."""
    files = {"plugins/__init__.py": "", "sch_desk/__init__.py": SINK}
    installed(
        environment,
        make_wheel(tmp_path, "sch-desk", files),
        make_wheel(
            tmp_path, "fine-desk", {"fine/__init__.py": SINK.replace('"desk"', '"fine"')}, points={"fine": "fine"}
        ),
    )
    found = catalogue(environment)
    assert [one["name"] for one in found["plugins"]] == ["fine"]
    told = {one["entry_point"]: one["reason"] for one in found["broken"]}
    for name in ("mastodon", "zendesk", "rules"):
        assert "hidden by a package of the same name" in told[name]
        assert str(environment.site / "plugins/__init__.py") in told[name]
        assert "installed by sch-desk: pip uninstall sch-desk" in told[name]
    assert 'ships a top-level package "plugins"' in told["desk"]


def test_a_folder_that_hides_ours_is_named(environment: Environment, tmp_path: Path) -> None:
    """The same when nobody installed it: a folder ``plugins`` with an ``__init__.py`` where the hub is started."""
    (tmp_path / "here/plugins").mkdir(parents=True)
    (tmp_path / "here/plugins/__init__.py").touch()
    answer = environment.hub("plugins", "list", cwd=tmp_path / "here")
    assert f"{tmp_path / 'here/plugins/__init__.py'}" in answer.stderr
    assert "Move it out of the way" in answer.stderr
