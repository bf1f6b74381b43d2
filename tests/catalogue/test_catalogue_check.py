"""A configuration is held against the plugins: every problem at once, each with its place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import pytest
from pydantic import model_validator

from hub.catalogue import BrokenPlugin, Catalogue
from hub.configuration import ConfigurationProblems, Connection, HubConfig, Problem, load
from hub.sdk import (
    Account,
    BaseUrl,
    Decides,
    Decision,
    DeliversTickets,
    Delivery,
    Failure,
    Field,
    HttpSession,
    Page,
    PollsForMessages,
    Question,
    Receipt,
    Secret,
    Settings,
    Sink,
    Source,
    Toolbox,
)


class DeskSettings(Settings):
    assign: Literal["fields", "group"] = "fields"
    subdomain: str = Field(examples=["acme"], pattern="^[a-z]+$")
    token: Secret = Field(examples=['{ env = "TOKEN" }'])
    pages: int = Field(3, ge=1, examples=[3])


class Desk(Sink, DeliversTickets):
    name = "desk"
    display_name = "Desk"
    Settings = DeskSettings

    def check_connection(self) -> Account:
        return Account(fingerprint="1")

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        return []


class Square(Source, PollsForMessages):
    name = "square"
    display_name = "Square"
    network = "square"

    def check_connection(self) -> Account:
        return Account(fingerprint="2")

    def first_cursor(self) -> dict[str, Any]:
        return {}

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        return Page(events=(), cursor=cursor)


class DeskSource(Square):
    name = "desk"


class CoinSettings(Settings):
    sides: int = Field(2, examples=[2])


class Coin(Decides):
    name = "coin"
    display_name = "Coin"
    Settings = CoinSettings

    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        return [None for _ in questions]


HUB = """
[connections.acme-desk]
connector = "desk"
subdomain = "acme"
token = { env = "TOKEN" }
[connections.acme-square]
connector = "square"
"""
TEAMS = 'default_team = "care"\n[teams.care]\nsink = "acme-desk"\n'

Configure = Callable[..., HubConfig]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Writes the files and loads them."""

    def _configure(hub: str = HUB, teams: str = TEAMS) -> HubConfig:
        (tmp_path / "hub.toml").write_text(hub)
        (tmp_path / "teams.toml").write_text(teams)
        return load(tmp_path, {"TOKEN": "s3cret-word"})

    return _configure


@pytest.fixture
def catalogue() -> Catalogue:
    """A sink, a source and a router."""
    return Catalogue.of(Desk, Square, Coin)


@pytest.fixture
def toolbox() -> Toolbox:
    """A toolbox nobody uses."""
    log = logging.LoggerAdapter(logging.getLogger("test"), {})
    vault: Any = None
    now = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # noqa: E731
    return Toolbox(connection="acme-desk", http=HttpSession(user_agent="test"), vault=vault, now=now, log=log)


def found(problems: list[Problem]) -> dict[str, Problem]:
    return {problem.path: problem for problem in problems}


def test_a_sound_configuration_has_no_problem(catalogue: Catalogue, configure: Configure) -> None:
    """What is right is not complained about."""
    assert catalogue.check(configure()) == []


def test_a_connection_is_built_with_checked_settings(
    catalogue: Catalogue, configure: Configure, toolbox: Toolbox
) -> None:
    """A connector gets the model of its own settings, with the secret inside."""
    config = configure()
    desk = catalogue.build_sink(config.connections["acme-desk"], toolbox)
    assert isinstance(desk, Desk)
    assert desk.settings.subdomain == "acme"
    assert desk.settings.token.get_secret_value() == "s3cret-word"
    assert isinstance(catalogue.build_source(config.connections["acme-square"], toolbox), Square)
    with pytest.raises(ConfigurationProblems, match="is not a source"):
        catalogue.build_source(config.connections["acme-desk"], toolbox)


def test_every_wrong_setting_is_told_with_place_and_example(catalogue: Catalogue, configure: Configure) -> None:
    """Path, words and example of each, all at once; they stop that connection only."""
    hub = HUB.replace('subdomain = "acme"', 'subdomian = "acme"\npages = 0').replace("token =", "tokn =")
    problems = found(catalogue.check(configure(hub)))
    assert str(problems["connections.acme-desk.subdomain"]) == (
        'hub.toml: connections.acme-desk.subdomain: is missing, for example "acme"'
    )
    assert str(problems["connections.acme-desk.token"]).endswith('is missing, for example { env = "TOKEN" }')
    assert 'did you mean "subdomain"?' in problems["connections.acme-desk.subdomian"].message
    assert "at least 1" in problems["connections.acme-desk.pages"].message
    assert "connections.acme-desk.tokn" in problems
    assert {(item.connection, item.fatal) for item in problems.values()} == {("acme-desk", False)}


def test_what_is_wrong_with_the_whole_is_told_beside_its_parts(configure: Configure) -> None:
    """A rule over several settings is judged although another setting is wrong; it does not echo a wrong one."""

    class PairSettings(DeskSettings):
        left: str = ""
        right: str = ""

        @model_validator(mode="after")
        def _one(self) -> Self:
            if bool(self.left) == bool(self.right):
                raise ValueError("give either left or right")
            return self

    class Pair(Desk):
        Settings = PairSettings

    catalogue = Catalogue.of(Pair, Square)
    told = [problem.path for problem in catalogue.check(configure(HUB.replace("token =", "pages = 0\ntoken =")))]
    assert told == ["connections.acme-desk.pages", "connections.acme-desk"]
    told = [problem.path for problem in catalogue.check(configure(HUB.replace("token =", 'lft = "x"\ntoken =')))]
    assert told == ["connections.acme-desk.lft"]


def test_a_refused_secret_is_not_shown(catalogue: Catalogue, configure: Configure) -> None:
    """Neither the problem, nor the cause of the exception, nor the connection's repr holds a refused value."""
    config = configure(HUB.replace('subdomain = "acme"', 'subdomain = { env = "TOKEN" }'))
    connection = config.connections["acme-desk"]
    with pytest.raises(ConfigurationProblems) as caught:
        catalogue.settings_for(connection)
    assert "subdomain" in str(caught.value)
    assert "s3cret-word" not in str(caught.value)
    assert caught.value.__context__ is None
    assert "s3cret-word" not in repr(config)


def test_an_unknown_connector_lists_the_known(catalogue: Catalogue, configure: Configure) -> None:
    """A misspelt connector is answered with what there is."""
    hub = HUB.replace('"square"', '"mastodon"')
    assert found(catalogue.check(configure(hub)))["connections.acme-square.connector"].message == (
        'there is no connector "mastodon" installed; known: desk, square'
    )


def test_no_plugin_at_all_says_how_to_install_them(configure: Configure) -> None:
    """A checkout that was never installed has no entry points; the message says what to do."""
    problems = found(Catalogue.of().check(configure()))
    assert set(problems) == {"connections.acme-desk.connector", "connections.acme-square.connector"}
    assert all("pip install -e ." in problem.message for problem in problems.values())


def test_types_read_like_toml() -> None:
    """The table of settings shows no Python machinery."""

    class OddSettings(Settings):
        a: BaseUrl | None = None
        b: tuple[str, ...] = ()
        c: Literal["off", "on"] = "on"
        d: dict[str, int] = Field(default_factory=dict)

    class Odd(Desk):
        Settings = OddSettings

    (info,) = Catalogue.of(Odd).plugins
    assert [row.type for row in info.settings] == ["str", "tuple[str]", '"off" or "on"', "dict[str, int]"]


def test_a_broken_plugin_says_why(configure: Configure) -> None:
    """A connection that needs a broken plugin is told the reason; the other connection has no problem."""
    broken = BrokenPlugin("square", "sch-square", "0.1", "cannot be imported: No module named 'sq'")
    whole = Catalogue.of(Desk)
    catalogue = Catalogue({("sink", "desk"): Desk}, whole.plugins, [broken])
    (problem,) = catalogue.check(configure())
    assert problem.connection == "acme-square"
    assert not problem.fatal
    assert "No module named 'sq' (sch-square 0.1)" in problem.message


def test_a_name_on_both_sides_must_be_told_apart(configure: Configure) -> None:
    """When a name is a source and a sink, the connection says which it means."""
    catalogue = Catalogue.of(Desk, DeskSource, Square)
    message = found(catalogue.check(configure()))["connections.acme-desk.connector"]
    assert str(message).endswith('"desk" is a source and a sink; say which, for example "sink:desk"')
    assert catalogue.check(configure(HUB.replace('"desk"', '"sink:desk"'))) == []


def test_a_disabled_connection_is_not_checked(catalogue: Catalogue, configure: Configure) -> None:
    """What is switched off needs neither secrets nor a plugin, but no team can work there."""
    off = '\n[connections.old]\nconnector = "gone"\nenabled = false\nkey = { env = "NOWHERE" }\n'
    assert catalogue.check(configure(HUB + off)) == []
    problems = found(catalogue.check(configure(HUB + off, TEAMS.replace("acme-desk", "old"))))
    assert problems["teams.care.sink"].message == 'the connection "old" is not enabled'


def test_rules_for_fields_in_a_source_s_block_are_a_warning(catalogue: Catalogue, configure: Configure) -> None:
    """They hold for a sink only; in silence somebody would wait for them to work."""
    wins = 'wins = { priority = "hub" }\n'
    assert catalogue.check(configure(HUB.replace('connector = "desk"\n', f'connector = "desk"\n{wins}'))) == []
    (problem,) = catalogue.check(configure(HUB.replace('connector = "square"\n', f'connector = "square"\n{wins}')))
    assert (problem.warning, problem.fatal, problem.path) == (True, False, "connections.acme-square.wins")


def test_a_plain_secret_is_a_warning(catalogue: Catalogue, configure: Configure) -> None:
    """A secret in the file works, and the operator is told a better place."""
    (problem,) = catalogue.check(configure(HUB.replace('{ env = "TOKEN" }', '"s3cret-word"')))
    assert (problem.warning, problem.fatal, problem.path) == (True, False, "connections.acme-desk.token")
    assert problem.example == 'token = { env = "ACME_DESK_TOKEN" }'
    assert "s3cret-word" not in str(problem)


@pytest.mark.parametrize(
    ("sink", "words"),
    [
        ("acme-dsk", 'there is no connection "acme-dsk"; did you mean "acme-desk"?'),
        ("acme-square", 'the connection "acme-square" is a source, not a sink'),
        ("trial-desk", "belongs to the trial, which is off"),
    ],
)
def test_a_team_works_in_a_sink(catalogue: Catalogue, configure: Configure, sink: str, words: str) -> None:
    """A team whose sink is none stops the hub: its tickets could go nowhere."""
    (problem,) = catalogue.check(configure(teams=TEAMS.replace("acme-desk", sink)))
    assert (problem.path, problem.file, problem.fatal) == ("teams.care.sink", "teams.toml", True)
    assert words in problem.message


def test_a_team_without_a_group_is_told_where_groups_count(catalogue: Catalogue, configure: Configure) -> None:
    """A ticket that moves to it would stay with the group it had; said only where the hub sets groups."""
    assigned = HUB.replace('connector = "desk"\n', 'connector = "desk"\nassign = "group"\n')
    billing = '\n[teams.billing]\nsink = "acme-desk"\n'
    grouped = billing + 'group = "Billing"\n'
    (problem,) = catalogue.check(configure(assigned, TEAMS + grouped))
    assert (problem.path, problem.file, problem.warning) == ("teams.care.group", "teams.toml", True)
    assert problem.message == ('team "care" has no group: tickets that move to it keep the group they had in acme-desk')
    assert catalogue.check(configure(HUB, TEAMS + grouped)) == []
    assert catalogue.check(configure(assigned, TEAMS + billing)) == []


def test_the_connections_of_the_trial_count(catalogue: Catalogue, configure: Configure) -> None:
    """With the trial on, teams may work in its sink before it is made; its source is still no sink."""
    hub = '[trial]\nenabled = true\nsource = "square"\nsink = "desk"\n'
    assert catalogue.check(configure(hub, TEAMS.replace("acme-desk", "trial-desk"))) == []
    (problem,) = catalogue.check(configure(hub, TEAMS.replace("acme-desk", "trial-square")))
    assert problem.message == '"trial-square" is the source of the trial, not a sink'
    config = configure(hub, TEAMS.replace("acme-desk", "trial-desk"))
    made = Connection(name="trial-desk", connector="desk", settings={"subdomain": "trial", "token": "t"})
    assert catalogue.check(config.with_connections(made)) == []


def test_a_trial_without_its_plugin_is_told(catalogue: Catalogue, configure: Configure) -> None:
    """A trial whose connector is not installed stops only that connection."""
    hub = '[trial]\nenabled = true\nsource = "nowhere"\nsink = "desk"\n'
    (problem,) = catalogue.check(configure(hub, TEAMS.replace("acme-desk", "trial-desk")))
    assert (problem.path, problem.connection, problem.fatal) == ("trial.source", "trial-nowhere", False)


def test_a_route_from_nowhere_is_a_warning(catalogue: Catalogue, configure: Configure) -> None:
    """A route whose source does not exist never matches; the operator is told."""
    (problem,) = catalogue.check(configure(teams=TEAMS + '[[routes]]\nteam = "care"\nsource = "acme-sqare"\n'))
    assert (problem.path, problem.warning) == ("routes[0].source", True)
    assert 'did you mean "acme-square"?' in problem.message


def test_routers_are_checked(catalogue: Catalogue, configure: Configure) -> None:
    """An unknown router and a wrong setting of a known one stop the hub, with their place."""
    hub = HUB + '[[routers]]\nname = "coin"\nsides = "many"\n[[routers]]\nname = "dice"\n'
    problems = found(catalogue.check(configure(hub)))
    assert set(problems) == {"routers[0].sides", "routers[1].name"}
    assert all(problem.fatal for problem in problems.values())
    config = configure(HUB + '[[routers]]\nname = "coin"\n')
    assert isinstance(catalogue.build_router(config.routers[0]), Coin)


def test_of_refuses_a_class_that_breaks_the_contract() -> None:
    """A catalogue for tests has no quiet holes."""

    class Nothing(Sink):
        name = "nothing"
        display_name = "Nothing"

    with pytest.raises(ValueError, match="has no role"):
        Catalogue.of(Nothing)
