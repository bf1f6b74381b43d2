"""Find plugins through entry points, and load each one so that it can hurt nobody else."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, distributions, packages_distributions
from importlib.util import find_spec

import pluggy

from hub.catalogue.contract import ROLES, breach_of, connector_name
from hub.catalogue.found import BrokenPlugin, Side
from hub.catalogue.wheels import normal
from hub.sdk import hookspecs

OUR_DISTRIBUTION = "social-care-hub"
OUR_PACKAGES = {"hub", "plugins"}
"""The top-level packages of the hub: what another distribution puts there hides or overwrites ours."""


@dataclass
class Loaded:
    """What one entry point gave."""

    entry_point: str
    distribution: str
    version: str
    classes: list[tuple[Side, type]] = field(default_factory=list)
    broken: list[BrokenPlugin] = field(default_factory=list)

    def fails(self, reason: str, error: BaseException | None = None) -> None:
        """Note why something of it cannot be used."""
        detail = "".join(traceback.format_exception(error)) if error is not None else ""
        self.broken.append(BrokenPlugin(self.entry_point, self.distribution, self.version, reason, detail))


def load_plugins(only: Sequence[str] | None = None) -> Iterator[Loaded]:
    """Load the plugins installed here one by one (those named in ``only``, if given), sorted by name."""
    for loaded, entry_point in sorted(_installed(), key=lambda pair: (pair[0].entry_point, pair[0].distribution)):
        if only is None or loaded.entry_point in only:
            if entry_point is not None:
                _load(loaded, entry_point)
            yield loaded


def _installed() -> Iterator[tuple[Loaded, EntryPoint | None]]:
    """Every entry point of our group; without it (``None``) when the distribution alone rules the plugin out."""
    seen = set()
    for distribution in distributions():
        # By the text first: a stranger's malformed metadata must not keep anybody's plugin from being found.
        if f"[{hookspecs.ENTRY_POINT_GROUP}]" not in _entry_points_text(distribution):
            continue
        try:
            name, version = str(distribution.metadata["Name"]), distribution.version
            points = [point for point in distribution.entry_points if point.group == hookspecs.ENTRY_POINT_GROUP]
            ours = sorted(_top_level(distribution) & OUR_PACKAGES)
        except Exception as error:  # noqa: BLE001 - importlib.metadata raises what its parsers happen to raise
            loaded = Loaded(str(getattr(distribution, "_path", "?")), "?", "?")
            loaded.fails(f"its metadata cannot be read: {type(error).__name__}: {error}", error)
            yield loaded, None
            continue
        if normal(name) in seen:
            continue  # the first on sys.path is the one that is imported
        seen.add(normal(name))
        shadows = normal(name) != OUR_DISTRIBUTION and bool(ours)
        for point in points:
            loaded = Loaded(connector_name(point.name), name, version)
            if shadows:
                loaded.fails(
                    f'its distribution ships a top-level package "{ours[0]}", which would shadow what comes with the '
                    f"hub: pip uninstall {name}. Its author must rename it, for example to sch_{loaded.entry_point}"
                )
            yield loaded, None if shadows else point


def _top_level(distribution: Distribution) -> set[str]:
    """The top-level packages of a distribution. An editable one lists no files of its own, only their names."""
    named = set((distribution.read_text("top_level.txt") or "").split())
    return named | {file.parts[0] for file in distribution.files or () if len(file.parts) > 1}


def _entry_points_text(distribution: Distribution) -> str:
    """The text, as far as it is one: what cannot be read and does not name our group is none of our business."""
    try:
        return distribution.read_text("entry_points.txt") or ""
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "replace")
    except OSError:
        return ""


def _load(loaded: Loaded, entry_point: EntryPoint) -> None:
    try:
        plugin = entry_point.load()
    except KeyboardInterrupt:
        raise
    except ImportError as error:
        loaded.fails(_shadowed(loaded, error) or f"cannot be imported: {error}", error)
        return
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything; it must not stop the others
        loaded.fails(f"fails while it is imported: {type(error).__name__}: {error}", error)
        return
    # One manager per plugin: a pluggy call ends at the first hook that raises, and would hide whose it was.
    manager = pluggy.PluginManager(hookspecs.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        loaded.fails(f"has a hook the hub does not know or cannot call: {error}", error)
        return
    for side in ROLES:
        _call(loaded, manager, side)
    if not loaded.classes and not loaded.broken:
        loaded.fails("registers nothing: a plugin needs a function with @hookimpl, such as register_sources")


def _shadowed(loaded: Loaded, error: ImportError) -> str:
    """Why one of the hub's own plugins cannot be found: a regular package "plugins" hides the namespace it lives in."""
    if normal(loaded.distribution) != OUR_DISTRIBUTION or not (error.name or "").startswith("plugins"):
        return ""
    found = sys.modules.get("plugins") or find_spec("plugins")
    file = getattr(found, "origin", None) or getattr(found, "__file__", None)
    if not file:
        return ""
    theirs = [one for one in packages_distributions().get("plugins", ()) if normal(one) != OUR_DISTRIBUTION]
    whose = f" It was installed by {theirs[0]}: pip uninstall {theirs[0]}." if theirs else " Move it out of the way."
    return f"hidden by a package of the same name, {file}: no plugin that comes with the hub can be loaded.{whose}"


def _call(loaded: Loaded, manager: pluggy.PluginManager, side: Side) -> None:
    hook = f"register_{side}s"
    try:
        classes = [cls for returned in getattr(manager.hook, hook)() for cls in returned]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        loaded.fails(f"{hook} fails: {type(error).__name__}: {error}", error)
        return
    for cls in classes:
        breach = breach_of(cls, side, loaded.entry_point)
        if breach:
            loaded.fails(breach)
        else:
            loaded.classes.append((side, cls))
