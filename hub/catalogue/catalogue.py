"""The catalogue itself."""

from __future__ import annotations

import logging
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast

from pydantic import BaseModel, ValidationError

from hub.catalogue import checking
from hub.catalogue.contract import breach_of, roles_of, side_of
from hub.catalogue.found import BrokenPlugin, DuplicatePlugin, PluginInfo, Side, setting_rows
from hub.catalogue.loading import load_plugins
from hub.configuration import ConfigurationProblems, Connection, HubConfig, Problem, RouterBlock, did_you_mean
from hub.configuration.problems import problems_of
from hub.sdk.connectors import Connector
from hub.sdk.policy import Policy, PolicyWrong, policy_of
from hub.sdk.routers import Decides, Router
from hub.sdk.settings import Settings
from hub.sdk.sinks import Sink
from hub.sdk.sources import Source
from hub.sdk.toolbox import Toolbox

log = logging.getLogger("hub.catalogue")


class Catalogue:
    """What can be connected here. Make one with :meth:`load`, or from classes with :meth:`of`."""

    def __init__(
        self, classes: Mapping[tuple[Side, str], type], plugins: Iterable[PluginInfo], broken: Iterable[BrokenPlugin]
    ) -> None:
        self._classes = dict(classes)
        self.plugins = list(plugins)
        self.broken = list(broken)

    @classmethod
    def load(cls, *, only: Sequence[str] | None = None) -> Catalogue:
        """Load every installed plugin, or those named in ``only``. A broken one is told in ``broken``; only two
        plugins of one name raise: :class:`DuplicatePlugin`."""
        classes: dict[tuple[Side, str], type] = {}
        plugins: dict[tuple[Side, str], PluginInfo] = {}
        broken: list[BrokenPlugin] = []
        for loaded in load_plugins(only):
            broken += loaded.broken
            for side, found in loaded.classes:
                info = _describe(found, side, loaded.distribution, loaded.version)
                other = plugins.get((side, info.name))
                if other is not None:
                    raise DuplicatePlugin(
                        f'two plugins bring the {side} "{info.name}": {other.distribution} {other.version} and '
                        f"{info.distribution} {info.version}; uninstall one of them"
                    )
                classes[side, info.name] = found
                plugins[side, info.name] = info
        return cls(classes, plugins.values(), broken)

    @classmethod
    def of(cls, *classes: type[Connector] | type[Router]) -> Catalogue:
        """A catalogue of exactly these classes, for tests. Raises ``ValueError`` when one breaks the contract."""
        found: dict[tuple[Side, str], type] = {}
        plugins = []
        for item in classes:
            side = side_of(item)
            breach = breach_of(item, side, item.name) if side else f"{item.__name__} is no source, sink or router"
            if side is None or breach:
                raise ValueError(breach)
            found[side, item.name] = item
            plugins.append(_describe(item, side, "", ""))
        return cls(found, plugins, ())

    @property
    def sources(self) -> Mapping[str, type[Source]]:
        """Name -> source class."""
        return cast("Mapping[str, type[Source]]", self._of_side("source"))

    @property
    def sinks(self) -> Mapping[str, type[Sink]]:
        """Name -> sink class."""
        return cast("Mapping[str, type[Sink]]", self._of_side("sink"))

    @property
    def routers(self) -> Mapping[str, type[Router]]:
        """Name -> router class."""
        return cast("Mapping[str, type[Router]]", self._of_side("router"))

    def _of_side(self, side: Side) -> Mapping[str, type]:
        return MappingProxyType({name: cls for (its_side, name), cls in self._classes.items() if its_side == side})

    def check(self, config: HubConfig) -> list[Problem]:
        """All that is wrong with ``config`` in the light of the installed plugins, warnings included. A problem with
        ``connection`` stops only that connection; ``fatal`` ones stop the hub."""
        return checking.check(self, config)

    def connector_of(self, connection: Connection) -> type[Source] | type[Sink]:
        """The class behind a connection. Raises :class:`ConfigurationProblems` when there is none, or two.

        A name that is both a source and a sink is told apart by ``connector = "sink:NAME"``.
        """
        side, _, name = connection.connector.rpartition(":")
        found: list[type[Source] | type[Sink]] = []
        if side in ("", "source") and name in self.sources:
            found.append(self.sources[name])
        if side in ("", "sink") and name in self.sinks:
            found.append(self.sinks[name])
        if len(found) == 1:
            return found[0]
        if found:
            words, example = f'"{name}" is a source and a sink; say which', f'"sink:{name}"'
        else:
            words, example = self.absence(name, {**self.sources, **self.sinks}, "connector"), ""
        path = f"{connection.path}.connector"
        raise ConfigurationProblems([Problem(path, words, example, connection=connection.name, fatal=False)])

    def side_of(self, connection: Connection) -> Side:
        """``"source"`` or ``"sink"``. Raises as :meth:`connector_of`."""
        return "source" if issubclass(self.connector_of(connection), Source) else "sink"

    def settings_for(self, connection: Connection) -> Settings:
        """The connection's checked settings. Raises :class:`ConfigurationProblems` with all that is wrong in them."""
        model = self.connector_of(connection).Settings
        return _validated(model, connection.settings, connection.path, connection=connection.name)

    def router_settings(self, block: RouterBlock) -> Settings:
        """A router's checked settings. Raises :class:`ConfigurationProblems`."""
        router = self.routers.get(block.name)
        if router is None:
            words = self.absence(block.name, self.routers, "router")
            raise ConfigurationProblems([Problem(f"{block.path}.name", words)])
        return _validated(router.Settings, block.settings, block.path)

    def build(self, connection: Connection, toolbox: Toolbox) -> Source | Sink:
        """A new connector for one thread. Raises :class:`ConfigurationProblems`."""
        return self.connector_of(connection)(self.settings_for(connection), toolbox)

    def build_source(self, connection: Connection, toolbox: Toolbox) -> Source:
        """As :meth:`build`, for a connection that must be a source."""
        built = self.build(connection, toolbox)
        if not isinstance(built, Source):
            raise ConfigurationProblems([_wrong_side(connection, "source")])
        return built

    def build_sink(self, connection: Connection, toolbox: Toolbox) -> Sink:
        """As :meth:`build`, for a connection that must be a sink."""
        built = self.build(connection, toolbox)
        if not isinstance(built, Sink):
            raise ConfigurationProblems([_wrong_side(connection, "sink")])
        return built

    def build_router(self, block: RouterBlock) -> Decides:
        """A new router. Raises :class:`ConfigurationProblems`."""
        settings = self.router_settings(block)
        return cast("type[Decides]", self.routers[block.name])(settings)

    def absence(self, name: str, known: Iterable[str], what: str) -> str:
        """Why there is no connector of this name: its plugin is broken, or it was never installed."""
        reasons = [item for item in self.broken if item.entry_point == name]
        if reasons:
            return f'the plugin of "{name}" is broken: ' + "; ".join(
                f"{item.reason} ({item.distribution} {item.version})" for item in reasons
            )
        if not self.plugins and not self.broken:
            return f'there is no {what} "{name}": no plugin is installed at all; in a checkout run: pip install -e .'
        return f'there is no {what} "{name}" installed; {did_you_mean(name, known)}'


def _describe(cls: type, side: Side, distribution: str, version: str) -> PluginInfo:
    connector = cast("type[Connector]", cls)
    reaches, file = getattr(cls, "reaches", None), getattr(sys.modules.get(cls.__module__), "__file__", None)
    quality = _quality(Path(file).parent) if file else {}
    return PluginInfo(
        name=connector.name,
        side=side,
        display_name=connector.display_name,
        distribution=distribution,
        version=version,
        roles=roles_of(cls, side),
        settings=setting_rows(connector.Settings),
        docs_url=getattr(connector, "vendor_docs_url", ""),
        tier=str(quality.get("tier", "")),
        reaches=tuple(map(str, reaches)) if isinstance(reaches, tuple | list) else None,
        folder=str(Path(file).parent) if file else "",
        proven_live=_proven_live(quality.get("proven_live")),
        policy=_policy(connector),
    )


def _quality(folder: Path) -> dict[str, object]:
    """What quality.toml beside the connector claims; a file that cannot be read claims nothing."""
    try:
        return tomllib.loads((folder / "quality.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _proven_live(claim: object) -> str:
    """``2026-11-20, 0.4.0, by Acme``; empty for a claim that does not say when, of which version and by whom."""
    told = [str(claim.get(key) or "") for key in ("date", "version", "who")] if isinstance(claim, dict) else []
    return f"{told[0]}, {told[1]}, by {told[2]}" if told and all(told) else ""


def _policy(connector: type[Connector]) -> Policy:
    try:
        return policy_of(connector)
    except PolicyWrong as error:  # told by `hub config check`
        log.warning("%s", error)
        return Policy()


def _validated(model: type[Settings], values: Mapping[str, object], path: str, *, connection: str = "") -> Settings:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = problems_of(error, cast("type[BaseModel]", model), prefix=path, connection=connection)
        wrong = {str(item["loc"][0]) for item in error.errors(include_input=False) if item["loc"]}
    # Outside of the except: the refused values, secrets among them, must not follow as the context.
    problems += _of_the_whole(model, values, wrong, problems, path)
    raise ConfigurationProblems(
        Problem(item.path, item.message, item.example, connection=connection, fatal=not connection) for item in problems
    )


def _of_the_whole(
    model: type[Settings], values: Mapping[str, object], wrong: set[str], told: list[Problem], path: str
) -> list[Problem]:
    """What is wrong with the settings together. Pydantic asks that only once every single one is right; an operator
    wants both at once, except where it only echoes a setting that is told already."""
    try:
        model.model_validate({key: value for key, value in values.items() if key not in wrong})
    except ValidationError as error:
        whole = [one for one in problems_of(error, cast("type[BaseModel]", model), prefix=path) if one.path == path]
    else:
        return []
    known = {one.message for one in told}
    named = " ".join([*wrong, *(one.message for one in told if one.message.startswith("unknown key"))])
    words = set(re.findall(r"\w+", named)) & set(model.model_fields)
    return [one for one in whole if one.message not in known and not words & set(re.findall(r"\w+", one.message))]


def _wrong_side(connection: Connection, wanted: Side) -> Problem:
    return Problem(f"{connection.path}.connector", f"is not a {wanted}", connection=connection.name, fatal=False)
