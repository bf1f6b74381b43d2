"""Plugins are found through entry points; a broken one hurts nobody but itself.

The distributions here are throwaway: a folder with a module and its metadata, put on ``sys.path``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.catalogue import BrokenPlugin, Catalogue, DuplicatePlugin

Install = Callable[..., None]

GOOD = """
from hub.sdk import Account, DeliversTickets, Field, Secret, Settings, Sink, hookimpl

class DeskSettings(Settings):
    subdomain: str = Field(description="The first part of the address", examples=["acme"], pattern="^[a-z]+$")
    token: Secret = Field(description="An API token", examples=['{ env = "TOKEN" }'])
    pages: int = Field(3, description="How many")

class Desk(Sink, DeliversTickets):
    name = "desk"
    display_name = "Desk"
    vendor_docs_url = "https://desk.example/docs"
    Settings = DeskSettings

    def check_connection(self):
        return Account(fingerprint="1")

    def deliver(self, deliveries):
        return []

@hookimpl
def register_sinks():
    return [Desk]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install("sch-desk", source)``: a distribution with one entry point ``desk`` to a module of that source."""
    modules: list[str] = []

    def _install(
        distribution: str, source: str | None, *, point: str = "desk", version: str = "1.0", files: tuple[str, ...] = ()
    ) -> None:
        folder = tmp_path / distribution
        module = distribution.replace("-", "_") + "_module"
        metadata = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        if source is not None:
            (folder / f"{module}.py").write_text(source)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[social_care_hub]\n{point} = {module}\n")
        (metadata / "RECORD").write_text("".join(f"{name},,\n" for name in (f"{module}.py", *files)))
        monkeypatch.syspath_prepend(folder)
        modules.append(module)

    yield _install
    for module in modules:
        sys.modules.pop(module, None)


def only_broken(catalogue: Catalogue) -> BrokenPlugin:
    assert not catalogue.plugins
    assert len(catalogue.broken) == 1, catalogue.broken
    return catalogue.broken[0]


def test_a_good_plugin_is_described(install: Install) -> None:
    """A sound plugin is there with its distribution, its roles and its settings."""
    install("sch-desk", GOOD, version="2.5")
    catalogue = Catalogue.load(only=["desk"])
    assert not catalogue.broken
    assert list(catalogue.sinks) == ["desk"]
    assert not catalogue.sources
    (info,) = catalogue.plugins
    assert (info.name, info.side, info.distribution, info.version) == ("desk", "sink", "sch-desk", "2.5")
    assert info.roles == ("DeliversTickets",)
    assert info.docs_url == "https://desk.example/docs"
    rows = {row.name: row for row in info.settings}
    assert (rows["subdomain"].required, rows["subdomain"].type, rows["subdomain"].example) == (True, "str", '"acme"')
    assert (rows["token"].secret, rows["token"].type, rows["token"].example) == (True, "secret", '{ env = "TOKEN" }')
    assert (rows["pages"].required, rows["pages"].default) == (False, "3")


def test_the_hub_s_own_plugins_take_the_same_way(install: Install) -> None:
    """The router that ships with the hub is found through its entry point, beside a stranger's plugin."""
    install("sch-desk", GOOD)
    catalogue = Catalogue.load(only=["desk", "rules"])
    assert list(catalogue.routers) == ["rules"]
    assert {info.distribution for info in catalogue.plugins} == {"sch-desk", "social-care-hub"}


def test_only_limits_what_is_loaded(install: Install) -> None:
    """A plugin that is not asked for is not even imported."""
    install("sch-desk", "raise RuntimeError('imported')")
    catalogue = Catalogue.load(only=["rules"])
    assert list(catalogue.routers) == ["rules"]
    assert not catalogue.broken


BREAKS = {
    "import": ("import a_library_nobody_has", "cannot be imported: No module named 'a_library_nobody_has'"),
    "no module": (None, "cannot be imported: No module named 'sch_desk_module'"),
    "syntax": ("def broken(:", "fails while it is imported: SyntaxError"),
    "base exception": (
        "class Odd(BaseException): pass\nraise Odd('at import')",
        "fails while it is imported: Odd: at import",
    ),
    "exit at import": ("import sys\nsys.exit(3)", "fails while it is imported: SystemExit: 3"),
    "exit in a hook": (GOOD.replace("return [Desk]", "raise SystemExit(3)"), "register_sinks fails: SystemExit: 3"),
    "misspelt hook": (GOOD.replace("register_sinks", "register_sink"), "register_sink"),
    "hook with an argument": (GOOD.replace("register_sinks()", "register_sinks(hub)"), "hub"),
    "no hook": ("x = 1", "registers nothing"),
    "hook raises": (
        GOOD.replace("return [Desk]", "raise OSError('no licence')"),
        "register_sinks fails: OSError: no licence",
    ),
    "hook returns rubbish": (
        GOOD.replace("return [Desk]", "return 7"),
        "register_sinks fails: TypeError",
    ),
    "no class": (GOOD.replace("return [Desk]", "return ['Desk']"), "register_sinks returned a str"),
    "wrong side": (
        GOOD.replace("register_sinks", "register_sources"),
        "register_sources returned Desk, which is not a subclass of Source",
    ),
    "too new": (
        GOOD.replace('name = "desk"', 'name = "desk"\n    plugin_api = 2'),
        "speaks plugin API 2, this hub speaks plugin API 1: upgrade social-care-hub",
    ),
    "too old": (
        GOOD.replace('name = "desk"', 'name = "desk"\n    plugin_api = 0'),
        "speaks plugin API 0, this hub speaks plugin API 1: upgrade the plugin",
    ),
    "other name": (
        GOOD.replace('name = "desk"', 'name = "bureau"'),
        'is "bureau", but its entry point is called "desk"',
    ),
    "no display name": (GOOD.replace('display_name = "Desk"', ""), "has no display_name"),
    "abstract": (GOOD.replace("def deliver(", "def send("), "Desk does not implement deliver"),
    "no role": (GOOD.replace("Desk(Sink, DeliversTickets)", "Desk(Sink)"), "has no role; a sink can have: AsksConsent"),
    "strange role": (
        GOOD.replace("DeliversTickets):", "DeliversTickets, RepliesInPublic):").replace(
            "Account,", "Account, RepliesInPublic,"
        ),
        "is a sink and cannot have RepliesInPublic, a role of a source",
    ),
    "settings": (GOOD.replace("DeskSettings(Settings)", "DeskSettings"), "Desk.Settings is not a subclass"),
}


@pytest.mark.parametrize(("source", "words"), BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_plugin_is_told_and_stops_nobody(install: Install, source: str | None, words: str) -> None:
    """Whatever is wrong with a plugin, it is named with its distribution, and the others are loaded."""
    install("sch-desk", source, version="0.3")
    assert words in only_broken(Catalogue.load(only=["desk"])).reason
    catalogue = Catalogue.load(only=["desk", "rules"])
    assert list(catalogue.routers) == ["rules"]
    (broken,) = catalogue.broken
    assert (broken.entry_point, broken.distribution, broken.version) == ("desk", "sch-desk", "0.3")


def test_the_trace_is_kept_for_the_author(install: Install) -> None:
    """The operator reads one sentence; the author finds the trace."""
    install("sch-desk", "import a_library_nobody_has")
    broken = only_broken(Catalogue.load(only=["desk"]))
    assert "Traceback" in broken.detail
    assert "Traceback" not in broken.reason


def test_a_router_that_does_not_decide_is_broken(install: Install) -> None:
    """The abstract method of a router counts too, although routers have no abstract metaclass."""
    install(
        "sch-desk",
        "from hub.sdk import Decides, hookimpl\n"
        "class R(Decides):\n    name = 'desk'\n    display_name = 'R'\n"
        "@hookimpl\ndef register_routers():\n    return [R]\n",
    )
    assert only_broken(Catalogue.load(only=["desk"])).reason == "R does not implement decide"


def test_a_keyboard_interrupt_goes_through(install: Install) -> None:
    """The operator can still stop a hub while plugins are loaded."""
    install("sch-desk", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Catalogue.load(only=["desk"])


def test_two_plugins_of_one_name_are_refused(install: Install) -> None:
    """The hub does not guess which of two is meant, and names both distributions."""
    install("sch-desk", GOOD, version="1.0")
    install("other-desk", GOOD, version="4.2")
    with pytest.raises(DuplicatePlugin) as caught:
        Catalogue.load(only=["desk"])
    assert 'the sink "desk"' in str(caught.value)
    assert "sch-desk 1.0" in str(caught.value)
    assert "other-desk 4.2" in str(caught.value)


def test_a_broken_double_is_no_double(install: Install) -> None:
    """A broken plugin of the same name does not stop the sound one."""
    install("sch-desk", GOOD)
    install("other-desk", "import a_library_nobody_has")
    catalogue = Catalogue.load(only=["desk"])
    assert list(catalogue.sinks) == ["desk"]
    assert [item.distribution for item in catalogue.broken] == ["other-desk"]


def test_a_top_level_plugins_package_is_refused(install: Install) -> None:
    """A stranger's distribution may not shadow the plugins that come with the hub; it is not even imported."""
    install("sch-desk", "raise RuntimeError('imported')", files=("plugins/sinks/desk/__init__.py",))
    reason = only_broken(Catalogue.load(only=["desk"])).reason
    assert 'ships a top-level package "plugins"' in reason
    assert "sch_desk" in reason


def test_a_sound_class_survives_its_broken_neighbour(install: Install) -> None:
    """One bad class of a plugin does not take the good one with it."""
    install("sch-desk", GOOD + "\n@hookimpl\ndef register_sources():\n    return [Desk]\n")
    catalogue = Catalogue.load(only=["desk"])
    assert list(catalogue.sinks) == ["desk"]
    assert "not a subclass of Source" in catalogue.broken[0].reason


def test_a_stranger_s_malformed_metadata_hides_no_plugin(install: Install, tmp_path: Path) -> None:
    """A half-removed package and one with garbage for entry points, neither of them ours, are passed over."""
    install("sch-desk", GOOD)
    for name, entry_points in (("gone", None), ("odd", "[console_scripts]\ngarbage\n")):
        folder = tmp_path / "sch-desk" / f"{name}-1.0.dist-info"
        folder.mkdir()
        if entry_points is not None:
            (folder / "entry_points.txt").write_text(entry_points)
    catalogue = Catalogue.load(only=["desk"])
    assert list(catalogue.sinks) == ["desk"]
    assert not catalogue.broken


def test_malformed_metadata_of_a_plugin_is_told(install: Install, tmp_path: Path) -> None:
    """A plugin without readable metadata is broken, named by its place, and stops nobody."""
    install("sch-desk", GOOD)
    (tmp_path / "sch-desk" / "sch_desk-1.0.dist-info" / "entry_points.txt").write_text("[social_care_hub]\ngarbage\n")
    catalogue = Catalogue.load()
    assert "rules" in catalogue.routers
    (broken,) = [item for item in catalogue.broken if "sch_desk-1.0" in item.entry_point]
    assert "metadata cannot be read" in broken.reason


@pytest.mark.parametrize("file", ["entry_points.txt", "RECORD"])
def test_binary_garbage_in_the_metadata_stops_nobody(install: Install, tmp_path: Path, file: str) -> None:
    """A damaged file of a plugin is told with its place; the same in a stranger's package is passed over."""
    install("sch-desk", GOOD)
    damaged = tmp_path / "sch-desk" / "sch_desk-1.0.dist-info" / file
    damaged.write_bytes(damaged.read_bytes() + b"\xff\xfe\x00\x80\n")
    stranger = tmp_path / "sch-desk" / "odd-1.0.dist-info"
    stranger.mkdir()
    (stranger / file).write_bytes(b"\xff\xfe\x00\x80")
    catalogue = Catalogue.load()
    assert "rules" in catalogue.routers
    (broken,) = catalogue.broken
    assert "sch_desk-1.0" in broken.entry_point
    assert "metadata cannot be read" in broken.reason
