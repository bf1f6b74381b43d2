"""`hub plugins install` and `remove`, with real wheels, a real pip and a fresh environment."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from hub.catalogue.wheels import sha256_of
from tests.downstream.conftest import Environment
from tests.downstream.wheels import SINK, make_wheel

LIBRARY = {"parcels/__init__.py": "SENT = 1\n"}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``hub init`` writes, from an environment of its own."""
    first = Environment(tmp_path_factory.mktemp("first") / "venv")
    assert first.hub("init", "configured").returncode == 0
    return first.folder / "configured"


@pytest.fixture
def house(environment: Environment, configuration: Path) -> Environment:
    """An environment with a configuration in its folder."""
    shutil.copytree(configuration, environment.folder, dirs_exist_ok=True)
    return environment


def lock(house: Environment) -> list[str]:
    """The pins of plugins.lock."""
    file = house.folder / "config/plugins.lock"
    return [line for line in file.read_text().splitlines() if not line.startswith("#")] if file.exists() else []


def names(house: Environment) -> set[str]:
    """The connectors that are found, in a process of its own."""
    return {one["name"] for one in json.loads(house.hub("plugins", "list", "--json").stdout)["plugins"]}


def test_what_is_shown_is_installed_and_pinned(house: Environment, tmp_path: Path) -> None:
    """The plugin is described, installed from exactly that file, found, and pinned; no configuration is changed."""
    before = (house.folder / "config/hub.toml").read_bytes()
    wheel = make_wheel(tmp_path)
    answer = house.hub("plugins", "install", str(wheel), "--yes")
    assert answer.returncode == 0, answer.stderr
    for words in ("sink desk", "MIT", "1 (this hub speaks 1)", "bronze, as its author claims", "status.example.com"):
        assert words in answer.stdout
    pin = f"sch-desk==1.0 --hash=sha256:{sha256_of(wheel)}"
    assert pin in answer.stdout.splitlines()
    assert lock(house) == [pin]
    assert "desk" in names(house)
    assert (house.folder / "config/hub.toml").read_bytes() == before


def test_no_is_no(house: Environment, tmp_path: Path) -> None:
    """Without --yes it asks; no answer installs nothing and pins nothing."""
    answer = house.hub("plugins", "install", str(make_wheel(tmp_path)))
    assert answer.returncode == 1
    assert "Install it? [y/N]" in answer.stdout
    assert (lock(house), "desk" in names(house)) == ([], False)


def test_looking_at_it_runs_nothing_of_it(house: Environment, tmp_path: Path) -> None:
    """Neither describing nor refusing imports the plugin."""
    trace = tmp_path / "trace"
    wheel = make_wheel(tmp_path, files={"sch_desk/__init__.py": f"open({str(trace)!r}, 'w')\n{SINK}"})
    answer = house.hub("plugins", "install", str(wheel))
    assert "open(): opens files" in answer.stdout
    assert not trace.exists()


def test_another_hash_is_refused_before_anything(house: Environment, tmp_path: Path) -> None:
    """The file is not even opened: both hashes are told."""
    wheel = make_wheel(tmp_path)
    answer = house.hub("plugins", "install", str(wheel), "--yes", "--hash", "sha256:" + "0" * 64)
    assert answer.returncode == 1
    assert sha256_of(wheel) in answer.stderr
    assert "licence" not in answer.stdout
    assert "desk" not in names(house)
    right = house.hub("plugins", "install", str(wheel), "--yes", "--hash", f"sha256:{sha256_of(wheel)}")
    assert right.returncode == 0, right.stderr


def test_only_what_another_machine_has_pinned(house: Environment, tmp_path: Path) -> None:
    """With --requirements a hash that does not stand there is refused, one that does is taken."""
    wheel = make_wheel(tmp_path)
    pins = tmp_path / "plugins.lock"
    pins.write_text(f"sch-desk==1.0 --hash=sha256:{'1' * 64}\n")
    arguments = ("plugins", "install", str(wheel), "--yes", "--requirements", str(pins))
    assert "does not stand in --requirements" in house.hub(*arguments).stderr
    pins.write_text(f"sch-desk==1.0 --hash=sha256:{sha256_of(wheel)}\n")
    assert house.hub(*arguments).returncode == 0


def test_a_name_is_fetched_from_where_it_is_said(house: Environment, tmp_path: Path) -> None:
    """--no-index and --find-links go through to pip, and libraries come along, looked at and pinned too."""
    make_wheel(tmp_path, requires=["parcels>=2", "requests>=2"])
    library = make_wheel(tmp_path, "parcels", LIBRARY, version="2.1", points={}, metadata="License: BSD\n")
    links = ("--no-index", "--find-links", str(tmp_path))
    answer = house.hub("plugins", "install", "sch-desk", "--yes", *links)
    assert answer.returncode == 0, answer.stderr
    assert "parcels 2.1 (BSD)" in answer.stdout
    assert lock(house)[1] == f"parcels==2.1 --hash=sha256:{sha256_of(library)}"
    assert house.run("-c", "import parcels").returncode == 0


def test_a_library_that_would_do_harm_comes_not_along(house: Environment, tmp_path: Path) -> None:
    """What comes along is looked at like the plugin: nothing is installed."""
    make_wheel(tmp_path, requires=["parcels"])
    make_wheel(tmp_path, "parcels", {**LIBRARY, "plugins/__init__.py": ""}, points={})
    answer = house.hub("plugins", "install", "sch-desk", "--yes", "--no-index", "--find-links", str(tmp_path))
    assert answer.returncode == 1
    assert "parcels 1.0 is not installed" in answer.stderr
    assert "desk" not in names(house)


def test_what_the_hub_runs_on_is_never_replaced(house: Environment, tmp_path: Path) -> None:
    """A plugin that wants another version of an installed library, or of the hub, is refused with both versions."""
    make_wheel(tmp_path, requires=["pluggy<1"])
    make_wheel(tmp_path, "pluggy", {"pluggy/__init__.py": ""}, version="0.9", points={})
    answer = house.hub("plugins", "install", "sch-desk", "--yes", "--no-index", "--find-links", str(tmp_path))
    assert answer.returncode == 1
    assert "it would put pluggy 0.9 in the place of pluggy 1" in answer.stderr


def test_a_plugin_takes_not_the_name_of_a_library(house: Environment, tmp_path: Path) -> None:
    """What the hub runs on stays, also when the plugin itself is called so."""
    wheel = make_wheel(tmp_path, "pluggy", {"pluggy/__init__.py": SINK}, version="99", points={"desk": "pluggy"})
    answer = house.hub("plugins", "install", str(wheel), "--yes")
    assert answer.returncode == 1
    assert "it would take the place of pluggy 1" in answer.stderr


def test_nothing_is_built_to_look_at_it(house: Environment, tmp_path: Path) -> None:
    """--only-binary does not keep pip from building what is named by its address or lies in a folder."""
    source, links = tmp_path / "source", tmp_path / "links"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "building"\nbackend-path = ["."]\n'
        '[project]\nname = "parcels"\nversion = "1"\n'
    )
    (source / "building.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\n")
    with tarfile.open(source / "parcels-1.tgz", "w:gz") as packed:
        packed.add(source / "pyproject.toml", "parcels-1/pyproject.toml")
        packed.add(source / "building.py", "parcels-1/building.py")
    direct = make_wheel(tmp_path, requires=[f"parcels @ {source.as_uri()}"])
    make_wheel(links, "between", {"between/__init__.py": ""}, points={}, requires=[f"parcels @ {source.as_uri()}"])
    make_wheel(links, requires=["between"])
    for arguments in ([str(direct)], ["sch-desk", "--find-links", str(links)], ["parcels-1.tgz"], [".[all]"]):
        answer = house.hub("plugins", "install", *arguments, "--yes", "--no-index", cwd=source)
        assert (answer.returncode, "it would have to be built" in answer.stderr) == (1, True), answer.stderr
    assert not (tmp_path / "trace").exists()


def test_a_library_may_not_bring_a_name_that_is_taken(house: Environment, tmp_path: Path) -> None:
    """Two plugins of one name would keep the hub from starting, also when one is only needed by another."""
    make_wheel(tmp_path, requires=["parcels"])
    make_wheel(tmp_path, "parcels", LIBRARY, points={"mastodon": "parcels"})
    answer = house.hub("plugins", "install", "sch-desk", "--yes", "--no-index", "--find-links", str(tmp_path))
    assert answer.returncode == 1
    assert 'its name "mastodon" is taken' in answer.stderr


def test_an_update_takes_the_old_one_s_place(house: Environment, tmp_path: Path) -> None:
    """The new version is installed over the old one, also under the same number, with one pin."""
    first, second = make_wheel(tmp_path / "a"), make_wheel(tmp_path / "b", version="2.0")
    again = make_wheel(tmp_path / "c", files={"sch_desk/__init__.py": SINK + "AGAIN = 1\n"}, version="2.0")
    for wheel in (first, second, again):
        assert house.hub("plugins", "install", str(wheel), "--yes").returncode == 0
    assert lock(house) == [f"sch-desk==2.0 --hash=sha256:{sha256_of(again)}"]
    assert house.run("-c", "import sch_desk; sch_desk.AGAIN").returncode == 0


REFUSED = {
    "shadow": ({"files": {"plugins/__init__.py": "", "sch_desk/__init__.py": SINK}}, "would shadow what comes with"),
    "no plugin": ({"points": {}}, "no entry point in the group social_care_hub"),
    "taken": ({"points": {"mastodon": "sch_desk"}}, 'its name "mastodon" is taken by the plugin of social-care-hub'),
    "the hub": ({"name": "social-care-hub"}, "it is the hub itself"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_plugin_is_not_installed(
    given: dict[str, str], words: str, house: Environment, tmp_path: Path
) -> None:
    """The reason is told, --yes or not, and the hub is as it was."""
    before = names(house)
    answer = house.hub("plugins", "install", str(make_wheel(tmp_path, **given)), "--yes")  # type: ignore[arg-type]
    assert answer.returncode == 1
    assert words in answer.stderr
    assert names(house) == before


def test_a_source_archive_is_refused_unless_allowed(house: Environment, tmp_path: Path) -> None:
    """Building runs its author's code: only when the operator says so, and the archive's own hash is pinned."""
    folder = tmp_path / "sch_desk-1.0"
    (folder / "sch_desk").mkdir(parents=True)
    (folder / "sch_desk/__init__.py").write_text(SINK)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "sch-desk"\n'
        'version = "1.0"\n[project.entry-points.social_care_hub]\ndesk = "sch_desk"\n'
        '[tool.setuptools]\npackages = ["sch_desk"]\n'
    )
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: sch-desk\nVersion: 1.0\n")
    archive = tmp_path / "sch_desk-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, folder.name)
    refused = house.hub("plugins", "install", str(archive), "--yes")
    assert (refused.returncode, "--allow-sdist" in refused.stderr) == (1, True)
    # An isolated build would fetch setuptools from an index; this environment has it already.
    built = house.hub("plugins", "install", str(archive), "--yes", "--allow-sdist", PIP_NO_BUILD_ISOLATION="0")
    assert built.returncode == 0, built.stderr
    assert "this runs its author's code" in built.stderr
    assert lock(house) == [f"sch-desk==1.0 --hash=sha256:{sha256_of(archive)}"]
    assert "desk" in names(house)


def test_without_pip_it_says_what_is_missing(house: Environment, tmp_path: Path) -> None:
    """One sentence with the command that helps."""
    (tmp_path / "nopip").mkdir()
    (tmp_path / "nopip/sitecustomize.py").write_text("import sys\nsys.modules['pip'] = None\n")
    answer = house.hub("plugins", "install", str(make_wheel(tmp_path)), PYTHONPATH=str(tmp_path / "nopip"))
    assert answer.returncode == 1
    assert "There is no pip in the hub's environment" in answer.stderr
    assert "-m ensurepip" in answer.stderr


def test_pip_s_own_words_come_through(house: Environment, tmp_path: Path) -> None:
    """A name that no index has: what pip says, without a trace."""
    answer = house.hub("plugins", "install", "sch-nobody", "--no-index", "--find-links", str(tmp_path))
    assert answer.returncode == 1
    assert "No matching distribution found for sch-nobody" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_without_a_configuration_the_pin_is_printed_only(environment: Environment, tmp_path: Path) -> None:
    """There is no folder to write plugins.lock to, and it says so."""
    answer = environment.hub("plugins", "install", str(make_wheel(tmp_path)), "--yes")
    assert answer.returncode == 0, answer.stderr
    assert "no plugins.lock was written" in answer.stdout


def test_show_says_what_it_may_reach(house: Environment, tmp_path: Path) -> None:
    """Tier, hosts, place and hints of an installed plugin."""
    wheel = make_wheel(tmp_path, files={"sch_desk/__init__.py": "import socket\n" + SINK, "sch_desk/quality.toml": ""})
    assert house.hub("plugins", "install", str(wheel), "--yes").returncode == 0
    shown = house.hub("plugins", "show", "desk").stdout
    for words in ("the host of its setting base_url, status.example.com", "none claimed", "sch-desk 1.0"):
        assert words in shown
    assert "sch_desk/__init__.py:1: imports socket" in shown


def test_a_plugin_in_use_is_not_removed(house: Environment, tmp_path: Path) -> None:
    """First the connection goes, then the plugin with its pin; what comes with the hub stays."""
    assert house.hub("plugins", "install", str(make_wheel(tmp_path)), "--yes").returncode == 0
    file = house.folder / "config/hub.toml"
    text = file.read_text()
    file.write_text(text + '\n[connections.acme]\nconnector = "desk"\n')
    refused = house.hub("plugins", "remove", "desk", "--yes")
    assert (refused.returncode, "acme still needs it" in refused.stderr) == (1, True)
    file.write_text(text)
    assert house.hub("plugins", "remove", "desk", "--yes").returncode == 0
    assert (lock(house), "desk" in names(house)) == ([], False)
    assert "comes with the hub" in house.hub("plugins", "remove", "rules", "--yes").stderr
