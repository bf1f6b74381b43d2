"""From files to one frozen value, or to the list of everything that is wrong."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hub.configuration import hub_file, secrets
from hub.configuration.categories import Category
from hub.configuration.hub_file import OWN_KEYS, Alerts, Connection, Http, Hub, RouterBlock, Trial, check_name
from hub.configuration.problems import ConfigurationProblems, Problem, did_you_mean, problems_of
from hub.configuration.teams import Route, Team, Teams
from hub.sdk import category_tag

TEAMS_FILE = "teams.toml"
CATEGORIES_FILE = "categories.toml"
SECTIONS = ("hub", "http", "trial", "alerts", "connections", "routers")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class HubConfig:
    """All that the operator wrote, checked as far as one can without the plugins."""

    path: Path
    var_dir: Path
    teams: Teams
    hub: Hub = field(default_factory=Hub)
    http: Http = field(default_factory=Http)
    trial: Trial = field(default_factory=Trial)
    alerts: Alerts = field(default_factory=Alerts)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    routers: tuple[RouterBlock, ...] = ()
    categories: Mapping[str, Category] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of hub.toml."""
        return self.path.parent

    @property
    def database_url(self) -> str:
        """The address SQLAlchemy takes."""
        return hub_file.database_url(self.hub, self.folder, self.var_dir)

    def with_connections(self, *connections: Connection) -> HubConfig:
        """A copy that has these connections too (those of the trial)."""
        return replace(self, connections={**self.connections, **{item.name: item for item in connections}})


def secret_key(config: HubConfig, environ: Mapping[str, str] = os.environ, *, make: bool = True) -> bytes:
    """The Fernet key of this hub; see :func:`hub.configuration.secrets.secret_key`."""
    return secrets.secret_key(config.var_dir, environ, make=make)


def shipped() -> Mapping[str, str]:
    """The configuration files that come with the hub: name -> text. ``hub init`` writes them."""
    # A link to the top-level config/ in the repository; a real folder in a wheel, which holds no links.
    folder = Path(__file__).parent / "shipped_files"
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.toml"))
    }


def load(path: Path, environ: Mapping[str, str] = os.environ) -> HubConfig:
    """Read hub.toml at ``path`` (or in the folder ``path``) and its neighbours.

    Raises :class:`ConfigurationProblems` with everything that is wrong in any of them.
    """
    config, problems = survey(path, environ)
    if problems or config is None:
        raise ConfigurationProblems(problems)
    return config


def survey(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[HubConfig | None, tuple[Problem, ...]]:
    """As :func:`load`, for a check: all problems, and beside them what could be read in spite of them, so that the rest
    can be held against the plugins. Never start a hub with it. ``None`` when hub.toml cannot be read at all."""
    path = (path / "hub.toml" if path.is_dir() else path).absolute()
    return _Loader(path, environ).load()


class _Loader:
    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        self._resolver = secrets.Resolver(environ, path.parent)
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._category_names: set[str] = set()
        """Those that are meant: a route to one that has a mistake in it is no second mistake."""

    def load(self) -> tuple[HubConfig | None, tuple[Problem, ...]]:
        raw = self._read(self._path)
        for key in sorted(raw.keys() - set(SECTIONS)):
            self._problems.append(Problem(key, "unknown section; " + did_you_mean(key, SECTIONS)))
        hub = self._section(Hub, raw, "hub")
        http = self._section(Http, raw, "http")
        trial = self._section(Trial, raw, "trial")
        alerts = self._section(Alerts, raw, "alerts")
        connections = self._connections(raw)
        routers = self._routers(raw)
        categories = self._categories()
        teams = self._teams()
        config = HubConfig(
            path=self._path,
            var_dir=Path(os.path.normpath(self._path.parent / (hub.var or "../var"))),
            teams=teams,
            hub=hub,
            http=http,
            trial=trial,
            alerts=alerts,
            connections=connections,
            routers=routers,
            categories=categories,
            warnings=(*self._resolver.warnings, *self._warnings),
        )
        return None if self._unread("hub.toml") else config, self._without_echoes()

    def _without_echoes(self) -> tuple[Problem, ...]:
        """A secret that is missing is one problem, not two: the text in its place may be refused as well."""
        missing = {problem.path for problem in self._resolver.problems}
        others = [one for one in self._problems if one.file != "hub.toml" or one.path not in missing]
        return tuple(dict.fromkeys([*self._resolver.problems, *others]))

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            self._problems.append(Problem("", f"there is no such file in {path.parent}", file=path.name))
        except OSError as error:
            self._problems.append(Problem("", f"cannot be read: {error.strerror}", file=path.name))
        except UnicodeDecodeError:
            self._problems.append(Problem("", "is not UTF-8 text", file=path.name))
        except tomllib.TOMLDecodeError as error:
            self._problems.append(Problem("", f"is not valid TOML: {error}", file=path.name))
        return {}

    def _unread(self, file: str) -> bool:
        return any(problem.file == file and not problem.path for problem in self._problems)

    def _table(self, raw: Mapping[str, Any], key: str, path: str, file: str = "hub.toml") -> dict[str, Any] | None:
        value = raw.get(key, {})
        if isinstance(value, dict):
            return value
        self._problems.append(Problem(path, "must be a table", f"[{path}]", file=file))
        return None

    def _model(self, model: type[M], values: Any, path: str, file: str = "hub.toml") -> M | None:
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self._problems += problems_of(error, model, prefix=path, file=file)
            return None

    def _or_what_is_sound(self, model: type[M], values: Mapping[str, Any], path: str) -> M:
        """The model, or one of the sound values only, once their neighbours are noted as problems."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self._problems += problems_of(error, model, prefix=path)
            wrong = {str(item["loc"][0]) for item in error.errors(include_input=False) if item["loc"]}
        sound = {key: value for key, value in values.items() if key not in wrong}
        try:
            return model.model_validate(sound)
        except ValidationError:  # a mandatory one is wrong or missing
            needed = {name: "" for name, one in model.model_fields.items() if one.is_required()}
            return model.model_construct(**{**needed, **sound})

    def _section(self, model: type[M], raw: Mapping[str, Any], key: str) -> M:
        table = self._table(raw, key, key) or {}
        return self._or_what_is_sound(model, self._resolver.resolve_table(table, key), key)

    def _connections(self, raw: Mapping[str, Any]) -> dict[str, Connection]:
        found = {}
        for name, block in (self._table(raw, "connections", "connections") or {}).items():
            path = f"connections.{name}"
            if wrong := check_name(name):
                self._problems.append(Problem(path, wrong, "[connections.acme-zendesk]", connection=name))
            if not isinstance(block, dict):
                self._problems.append(Problem(path, "must be a table", f"[{path}]", connection=name))
                continue
            needed = block.get("enabled", True) is not False  # a connection that is off needs no secrets
            filled = self._resolver.resolve_table(block, path, name) if needed else block
            own = {key: value for key, value in filled.items() if key in OWN_KEYS}
            settings = {key: value for key, value in filled.items() if key not in OWN_KEYS}
            outside = {item.removeprefix(path + ".") for item in self._resolver.resolved if item.startswith(path + ".")}
            values = {**own, "name": name, "settings": settings, "from_outside": outside}
            found[name] = self._or_what_is_sound(Connection, values, path)
        return found

    def _routers(self, raw: Mapping[str, Any]) -> tuple[RouterBlock, ...]:
        blocks = raw.get("routers", [])
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            self._problems.append(Problem("routers", "must be a list of tables", "[[routers]]"))
            return ()
        found = []
        for position, block in enumerate(blocks):
            name = block.get("name")
            if not isinstance(name, str) or not name:
                self._problems.append(Problem(f"routers[{position}].name", "is missing", '"rules"'))
                continue
            settings = {key: value for key, value in block.items() if key != "name"}
            found.append(RouterBlock(name=name, position=position, settings=settings))
        return tuple(found)

    def _categories(self) -> dict[str, Category]:
        path = self._path.with_name(CATEGORIES_FILE)
        if not path.exists():  # a hub may do without
            return {}
        raw, found = self._read(path), dict[str, Category]()
        for key in sorted(raw.keys() - {"categories"}):
            words = "unknown section; " + did_you_mean(key, ["categories"])
            self._problems.append(Problem(key, words, file=CATEGORIES_FILE))
        for name, block in (self._table(raw, "categories", "categories", CATEGORIES_FILE) or {}).items():
            self._category_names.add(name)
            values = {**block, "name": name} if isinstance(block, dict) else block
            category = self._model(Category, values, f"categories.{name}", CATEGORIES_FILE)
            if category is None:
                continue
            same = next((one for one in found if category_tag(one) == category_tag(name)), None)
            if same is not None:  # an agent's order would go to the first of them, in silence
                words = f'has the same tag for agents as "{same}" ({category_tag(name)}); rename one of them'
                self._problems.append(Problem(f"categories.{name}", words, file=CATEGORIES_FILE))
            found[name] = category
        return found

    def _teams(self) -> Teams:
        raw = self._read(self._path.with_name(TEAMS_FILE))
        if self._unread(TEAMS_FILE):
            return Teams(default_team="")
        table = self._table(raw, "teams", "teams", TEAMS_FILE) or {}
        found: dict[str, Team] = {}
        for name, block in table.items():
            values = {**block, "name": name} if isinstance(block, dict) else block
            team = self._model(Team, values, f"teams.{name}", TEAMS_FILE)
            if team is not None:
                found[name] = team
        teams = self._model(Teams, {**raw, "teams": found}, "", TEAMS_FILE)
        if teams is None:
            default = raw.get("default_team")
            teams = Teams(
                default_team=default if isinstance(default, str) else "",
                teams=found,
                routes=_sound_routes(raw.get("routes")),
            )
        named = [("default_team", teams.default_team)]
        named += [(f"routes[{index}].team", route.team) for index, route in enumerate(teams.routes)]
        for path, name in named:
            if name and name not in table:
                words = f'there is no team "{name}"; ' + did_you_mean(name, table)
                self._problems.append(Problem(path, words, file=TEAMS_FILE))
        for index, route in enumerate(teams.routes):
            for category in route.category:
                if category not in self._category_names and self._category_names:
                    words = f'"{category}" is not in {CATEGORIES_FILE}; ' + did_you_mean(category, self._category_names)
                    place = f"routes[{index}].category"
                    self._warnings.append(Problem(place, words, file=TEAMS_FILE, fatal=False, warning=True))
        return teams


def _sound_routes(raw: object) -> tuple[Route, ...]:
    """The routes, an empty one in the place of each that has a mistake: the others keep their numbers."""
    found = []
    for block in raw if isinstance(raw, list) else ():
        try:
            found.append(Route.model_validate(block))
        except ValidationError:
            found.append(Route(team=""))
    return tuple(found)
