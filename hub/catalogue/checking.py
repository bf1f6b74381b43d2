"""Hold a configuration against the plugins that are installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hub.catalogue.found import is_secret
from hub.configuration import TRIAL_PREFIX, ConfigurationProblems, Connection, HubConfig, Problem, did_you_mean
from hub.sdk.policy import PolicyWrong, policy_of

if TYPE_CHECKING:
    from hub.catalogue.catalogue import Catalogue
    from hub.sdk.settings import Settings


def check(catalogue: Catalogue, config: HubConfig) -> list[Problem]:
    """All problems and warnings, those of load time first."""
    problems = list(config.warnings)
    for connection in config.connections.values():
        if connection.enabled:
            problems += _connection(catalogue, connection)
    for block in config.routers:
        try:
            catalogue.router_settings(block)
        except ConfigurationProblems as wrong:
            problems += wrong.problems
    problems += _trial(catalogue, config)
    problems += _teams(catalogue, config)
    return problems


def _connection(catalogue: Catalogue, connection: Connection) -> Iterator[Problem]:
    try:
        settings = catalogue.settings_for(connection)
    except ConfigurationProblems as wrong:
        yield from wrong.problems
        return
    if connection.wins and catalogue.side_of(connection) == "source":
        words = "does nothing here: it says whose value holds in a helpdesk's records, and belongs to the sink's block"
        yield Problem(f"{connection.path}.wins", words, connection=connection.name, fatal=False, warning=True)
    if not connection.name.startswith(TRIAL_PREFIX):  # a sandbox retires nothing
        yield from _retirements(catalogue, connection, settings)
    for name, field in catalogue.connector_of(connection).Settings.model_fields.items():
        outside = any(item == name or item.startswith((name + ".", name + "[")) for item in connection.from_outside)
        trial = connection.name.startswith(TRIAL_PREFIX)  # its secrets are those of a sandbox, and in no file
        if is_secret(field) and connection.settings.get(name) and not outside and not trial:
            yield Problem(
                f"{connection.path}.{name}",
                "this secret stands readable in the file; better from outside",
                f'{name} = {{ env = "{connection.name.upper().replace("-", "_")}_{name.upper()}" }}',
                connection=connection.name,
                fatal=False,
                warning=True,
            )


def _retirements(catalogue: Catalogue, connection: Connection, settings: Settings) -> Iterator[Problem]:
    """What the vendor will switch off, or has, that this connection uses."""
    told: list[tuple[str, str, str]] = []
    try:
        for one in policy_of(catalogue.connector_of(connection)).concerning(settings):
            used = next((name for name in one.settings if getattr(settings, name, None)), "")
            instead = f"; instead: {one.instead}" if one.instead else ""
            told.append((used, f"{one.on}: {one.what}{instead}", one.source))
    except PolicyWrong as error:
        told.append(("", str(error), ""))
    for used, words, source in told:
        path = f"{connection.path}.{used}" if used else connection.path
        text = f"{words} ({source})" if source else words
        yield Problem(path, text, connection=connection.name, fatal=False, warning=True)


def _trial(catalogue: Catalogue, config: HubConfig) -> Iterator[Problem]:
    if not config.trial.enabled:
        return
    for key, name, known in (
        ("source", config.trial.source, set(catalogue.sources)),
        ("sink", config.trial.sink, set(catalogue.sinks)),
    ):
        if name not in known:
            words = catalogue.absence(name, known, key)
            yield Problem(f"trial.{key}", words, connection=TRIAL_PREFIX + name, fatal=False)


def _teams(catalogue: Catalogue, config: HubConfig) -> Iterator[Problem]:
    known = {**dict.fromkeys(config.connections, ""), **config.trial.connections}
    for team in config.teams.teams.values():
        wrong = _sink(catalogue, config, team.sink, known)
        if wrong:
            yield Problem(f"teams.{team.name}.sink", wrong, file="teams.toml")
    yield from _groups(catalogue, config)
    for index, route in enumerate(config.teams.routes):
        for source in route.source:
            if source not in known:
                words = f'there is no connection "{source}"; {did_you_mean(source, known)}'
                yield Problem(f"routes[{index}].source", words, file="teams.toml", fatal=False, warning=True)


def _groups(catalogue: Catalogue, config: HubConfig) -> Iterator[Problem]:
    """Teams without a group where the hub moves records from group to group."""
    teams = config.teams.teams.values()
    for connection in config.connections.values():
        named = {team.name for team in teams if team.sink == connection.name and team.group}
        if not connection.enabled or not named:
            continue
        try:
            assign = getattr(catalogue.settings_for(connection), "assign", "")
        except ConfigurationProblems:
            continue  # told as a problem of that connection
        if assign not in ("group", "agent"):
            continue
        for team in teams:
            if team.sink == connection.name and not team.group:
                words = f'team "{team.name}" has no group: tickets that move to it keep the group they had in'
                fix = f'group = "..." in [teams.{team.name}]: the group of its people there'
                yield Problem(
                    f"teams.{team.name}.group",
                    f"{words} {connection.name}",
                    fix,
                    file="teams.toml",
                    warning=True,
                    fatal=False,
                )


def _sink(catalogue: Catalogue, config: HubConfig, name: str, known: dict[str, str]) -> str:
    """Why tickets cannot go to this connection; empty when they can."""
    if known.get(name) == "sink":
        return ""
    connection = config.connections.get(name)
    if connection is None:
        if known.get(name) == "source":
            return f'"{name}" is the source of the trial, not a sink'
        if name.startswith(TRIAL_PREFIX) and not config.trial.enabled:
            return f'"{name}" belongs to the trial, which is off; name a connection of a sink'
        return f'there is no connection "{name}"; {did_you_mean(name, known)}'
    if not connection.enabled:
        return f'the connection "{name}" is not enabled'
    try:
        side = catalogue.side_of(connection)
    except ConfigurationProblems:
        return ""  # told as a problem of that connection; the others can start
    return "" if side == "sink" else f'the connection "{name}" is a {side}, not a sink'
