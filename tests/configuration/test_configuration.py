"""The configuration is read whole or not at all, and every problem is told at once."""

from __future__ import annotations

import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hub.configuration import ConfigurationProblems, Connection, HubConfig, load, secret_key
from hub.configuration.secrets import KeyLost

TEAMS = 'default_team = "care"\n[teams.care]\nsink = "acme-desk"\n'

KNOWN_IN_HUB = (
    "known: allowed_hosts, database, language, listen, one_core, public_url, reconcile_at, senders, "
    "trusted_proxies, var"
)

Read = Callable[..., HubConfig]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """``read(hub, teams, categories, **environment)`` writes the files and loads them."""

    def _read(hub: str = "", teams: str | None = TEAMS, categories: str | None = None, **environ: str) -> HubConfig:
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        for name, text in (("hub.toml", hub), ("teams.toml", teams), ("categories.toml", categories)):
            if text is not None:
                (folder / name).write_text(text)
        return load(folder / "hub.toml", environ)

    return _read


def problems(read: Read, *files: str | None, **environ: str) -> list[str]:
    """The problems of files that must not load, one line each."""
    with pytest.raises(ConfigurationProblems) as caught:
        read(*files, **environ)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_hub_file_gives_defaults(read: Read, tmp_path: Path) -> None:
    """Only the teams are mandatory; the rest has a default."""
    config = read()
    assert config.hub.address == ("127.0.0.1", 8765)
    assert config.var_dir == tmp_path / "var"
    assert config.database_url == f"sqlite:///{tmp_path / 'var' / 'hub.sqlite'}"
    assert not config.trial.enabled
    assert config.trial.connections == {}
    assert (config.hub.language, config.hub.senders) == ("en", 4)
    assert config.connections == {}


def test_everything_is_read(read: Read, tmp_path: Path) -> None:
    """Each section lands in its place."""
    config = read(
        """
[hub]
listen = "[::1]:9000"
public_url = "https://care.example.com/"
database = "postgresql://hub@db/hub"
var = "state"
allowed_hosts = ["care.example.com"]
trusted_proxies = ["10.0.0.0/8"]
language = "it"
senders = 2
[http]
proxy = "http://proxy:3128"
[trial]
enabled = true
[alerts]
webhook = "https://chat.example.com/1"
[alerts.email]
to = ["a@example.com"]
sender = "hub@example.com"
[connections.acme-desk]
connector = "desk"
mode = "live"
brand = "Acme"
country = "IT"
subdomain = "acme"
[connections.acme-desk.limits]
pages = 3
[[routers]]
name = "rules"
rules = []
[[routers]]
name = "coin"
"""
    )
    assert config.hub.address == ("::1", 9000)
    assert config.hub.public_url == "https://care.example.com"
    assert config.database_url == "postgresql+psycopg://hub@db/hub"
    assert config.var_dir == tmp_path / "config" / "state"
    assert config.http.proxy == "http://proxy:3128"
    assert config.trial.connections == {"trial-mastodon": "source", "trial-zendesk": "sink"}
    assert config.alerts.email is not None
    assert config.alerts.email.to == ("a@example.com",)
    desk = config.connections["acme-desk"]
    assert (desk.connector, desk.mode, desk.brand, desk.country, desk.enabled) == ("desk", "live", "Acme", "IT", True)
    assert desk.settings == {"subdomain": "acme", "limits": {"pages": 3}}
    assert [(block.name, block.path) for block in config.routers] == [("rules", "routers[0]"), ("coin", "routers[1]")]
    assert config.routers[0].settings == {"rules": []}


def test_a_new_connection_only_watches(read: Read) -> None:
    """Nobody publishes by forgetting a key."""
    assert read('[connections.acme-desk]\nconnector = "desk"\n').connections["acme-desk"].mode == "observe"


def test_all_problems_come_at_once(read: Read) -> None:
    """All mistakes in three files are one message, a line for each, each with its file and place."""
    told = problems(
        read,
        '[hub]\nlisten = "8765"\nlangage = "it"\nsenders = "many"\ndatabase = "mysql://x"\npublic_url = "care"\n'
        '[huub]\n[connections.Acme_Desk]\nconnector = "desk"\n[connections.acme-desk]\nmode = "loud"\n',
        'default_team = "car"\n[teams.care]\nsnk = "acme-desk"\n[[routes]]\nteam = "care"\nkind = "rant"\n',
        '[[categories.delivery.fields]]\nname = "order_number"\n',
    )
    assert told == [
        'hub.toml: huub: unknown section; did you mean "hub"?',
        'hub.toml: hub.listen: must be an address and a port, for example "127.0.0.1:8765"',
        "hub.toml: hub.public_url: must be the address the world sees, with https://, "
        'for example "https://care.example.com"',
        'hub.toml: hub.database: must be "sqlite" or the address of a PostgreSQL database, '
        'for example "postgresql+psycopg://hub@db.example.com/hub"',
        "hub.toml: hub.senders: must be a whole number, without quotes, for example 4",
        'hub.toml: hub.langage: unknown key; did you mean "language"?',
        "hub.toml: connections.Acme_Desk: a connection's name has lower-case letters, digits and -, at most 40, "
        "for example [connections.acme-zendesk]",
        'hub.toml: connections.acme-desk.connector: is missing, for example "zendesk"',
        'hub.toml: connections.acme-desk.mode: must be "observe", "draft" or "live", for example "observe"',
        'categories.toml: categories.delivery.fields[0].purpose: is missing, for example "to find the parcel"',
        'teams.toml: teams.care.sink: is missing, for example "acme-zendesk"',
        'teams.toml: teams.care.snk: unknown key; did you mean "sink"?',
        'teams.toml: routes[0].kind[0]: must be "complaint", "question", "suggestion", "praise", "other", "spam" '
        'or "abuse", for example "complaint"',
        'teams.toml: default_team: there is no team "car"; did you mean "care"?',
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trial-desk", 'names that begin with "trial-" belong to the trial'),
        ("a" * 41, "at most 40"),
        ("-desk", "lower-case letters"),
        ("àcme", "lower-case letters"),
    ],
)
def test_bad_names_of_connections_are_refused(read: Read, name: str, words: str) -> None:
    """Names go into keys, lanes and addresses."""
    (told,) = problems(read, f'[connections."{name}"]\nconnector = "desk"\n')
    assert words in told


def test_own_hosts_of_attachments_are_names(read: Read) -> None:
    """A name, with a port or without; what could mean more than one host, or another one, is refused."""
    good = ["mastodon.intern", "Files-1.Acme.example:8443", "localhost"]
    assert read(f"[http]\nmedia_hosts = {good}\n").http.media_hosts == (*good[:1], good[1].lower(), *good[2:])
    bad = ["*.intern", "https://a.intern", "10.0.0.1", "0x0a000001", "fd00::1", "[fd00::1]", "a.intern/", "a.intern:0"]
    bad += ["a.intern:http", "a.intern:", "", ".intern", "x@a.intern", "a.intern."]
    told = problems(read, f"[http]\nmedia_hosts = {bad}\n")
    assert len(told) == len(bad)
    assert "media_hosts[0]: must be names of hosts" in told[0]


def test_unreadable_files_are_told(read: Read, tmp_path: Path) -> None:
    """Broken TOML names line and column; a missing file is named with its folder; other files are still checked."""
    told = problems(read, "[hub\n", None)
    assert told[0].startswith("hub.toml: is not valid TOML: ")
    assert "line 1" in told[0]
    assert told[1] == f"teams.toml: there is no such file in {tmp_path / 'config'}"
    (tmp_path / "config" / "hub.toml").write_bytes(b'[hub]\nvar = "\xff"\n')
    (tmp_path / "config" / "teams.toml").write_text(TEAMS)
    with pytest.raises(ConfigurationProblems, match="not UTF-8"):
        load(tmp_path / "config")


@pytest.mark.parametrize("hub", ["hub = 1", "connections = 1", "[connections]\ndesk = 1", "routers = 1", "[[routers]]"])
def test_wrong_shapes_are_problems_and_no_traceback(read: Read, hub: str) -> None:
    """A value where a table belongs is told like any other mistake."""
    assert len(problems(read, hub)) == 1


def test_problems_survive_pickling(read: Read) -> None:
    """The exception can cross a process border."""
    with pytest.raises(ConfigurationProblems) as caught:
        read("[huub]")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems


def test_secrets_come_from_outside(read: Read, tmp_path: Path) -> None:
    """References are followed at any depth, and none shows in the repr."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    file.chmod(0o600)
    config = read(
        f'[http]\nproxy = {{ env = "PROXY" }}\n[connections.acme-desk]\nconnector = "desk"\n'
        f'token = {{ file = "{file}" }}\nsecrets = [{{ env = "ONE" }}, "plain"]\nbox = {{ key = {{ env = "ONE" }} }}\n',
        ONE="from-env",
        PROXY="http://user:word@proxy:1",
    )
    desk = config.connections["acme-desk"]
    assert desk.settings == {"token": "from-file", "secrets": ["from-env", "plain"], "box": {"key": "from-env"}}
    assert desk.from_outside == {"token", "secrets[0]", "box.key"}
    assert config.http.proxy == "http://user:word@proxy:1"
    assert config.warnings == ()
    for secret in ("from-file", "from-env", "word@proxy"):
        assert secret not in repr(config)


def test_a_block_with_one_key_is_no_reference(read: Read) -> None:
    """Only a value can be a reference; a section that has nothing but a key ``env`` is a section with a wrong key."""
    assert problems(read, '[hub]\nenv = "X"\n') == ["hub.toml: hub.env: unknown key; " + KNOWN_IN_HUB]
    connection = read('[connections.acme-desk]\nconnector = "desk"\nbrand = { env = "BRAND" }\n', BRAND="Acme")
    assert connection.connections["acme-desk"].brand == "Acme"


def test_missing_secrets_are_problems(read: Read, tmp_path: Path) -> None:
    """A missing secret is named once, with its connection; it never becomes an empty value in silence."""
    (tmp_path / "empty").write_text("\n")
    hub = (
        '[hub]\npublic_url = { env = "URL" }\n[connections.acme-desk]\nconnector = "desk"\n'
        f'one = {{ env = "NOWHERE" }}\ntwo = {{ file = "{tmp_path}/gone" }}\nthree = {{ file = "{tmp_path}/empty" }}\n'
        "four = { env = 4 }\n"
    )
    assert problems(read, hub) == [
        'hub.toml: hub.public_url: the environment variable URL is not set, for example export URL="…"',
        "hub.toml: connections.acme-desk.one: the environment variable NOWHERE is not set, "
        'for example export NOWHERE="…"',
        f"hub.toml: connections.acme-desk.two: cannot read the file {tmp_path}/gone: there is no such file, "
        'for example { file = "/run/secrets/token" }',
        f"hub.toml: connections.acme-desk.three: the file {tmp_path}/empty is empty, "
        f'for example echo "…" > {tmp_path}/empty',
        'hub.toml: connections.acme-desk.four: env must name something, for example { env = "…" }',
    ]


def test_a_secret_everybody_can_read_is_a_warning(read: Read, tmp_path: Path) -> None:
    """A loose file works, but is told."""
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o644)
    config = read('[connections.acme-desk]\nconnector = "desk"\ntoken = { file = "../token" }\n')
    (warning,) = config.warnings
    assert (warning.warning, warning.fatal, warning.connection) == (True, False, "acme-desk")
    assert "readable by every user" in warning.message


def test_what_is_switched_off_needs_no_secret(read: Read) -> None:
    """A disabled connection does not ask for its secrets."""
    config = read('[connections.acme-desk]\nconnector = "desk"\nenabled = false\ntoken = { env = "NOWHERE" }\n')
    assert not config.connections["acme-desk"].enabled


def test_the_trial_adds_its_connections(read: Read) -> None:
    """The copy has them, the original does not."""
    config = read()
    both = config.with_connections(Connection(name="trial-desk", connector="desk", mode="live"))
    assert list(both.connections) == ["trial-desk"]
    assert config.connections == {}


ROUTED = """
default_team = "care"
[teams.care]
sink = "acme-desk"
[teams.billing]
sink = "acme-desk"
group = "Billing"
label = "Billing"
[teams.italy]
sink = "acme-desk"
languages = ["it"]
label = { en = "Italy", it = "Italia" }
[[routes]]
team = "billing"
category = ["billing", "refunds"]
kind = "complaint"
[[routes]]
team = "italy"
language = "it"
country = "it"
"""


@pytest.mark.parametrize(
    ("known", "team"),
    [
        ({}, "care"),
        ({"category": "billing"}, "care"),
        ({"category": "refunds", "kind": "complaint"}, "billing"),
        ({"language": "it-IT", "country": "IT"}, "italy"),
        ({"language": "it", "country": "CH"}, "care"),
        ({"language": "it", "country": "IT", "category": "billing", "kind": "complaint"}, "billing"),
    ],
)
def test_the_first_route_that_holds_wins(read: Read, known: dict[str, str], team: str) -> None:
    """All given conditions must hold, in the order of the file; else the default team."""
    assert read(teams=ROUTED).teams.team_for(**known).name == team


def test_labels_speak_both_languages(read: Read) -> None:
    """A plain label is the same in both languages; an unknown language reads English."""
    teams = read(teams=ROUTED).teams.teams
    assert teams["italy"].label.in_language("it-IT") == "Italia"
    assert teams["italy"].label.in_language("de") == "Italy"
    assert teams["billing"].label.in_language("it") == "Billing"
    assert teams["care"].label.in_language("it") == ""


def test_teams_must_exist(read: Read) -> None:
    """The default team and the team of each route are looked up; a default is mandatory."""
    assert problems(read, "", TEAMS.replace('"care"', '"car"') + '[[routes]]\nteam = "billing"\n') == [
        'teams.toml: default_team: there is no team "car"; did you mean "care"?',
        'teams.toml: routes[0].team: there is no team "billing"; known: care',
    ]
    assert problems(read, "", TEAMS.partition("\n")[2]) == [
        'teams.toml: default_team: is missing, for example "care"',
    ]


def test_a_route_to_an_unknown_category_is_a_warning(read: Read) -> None:
    """A category that is in no file is probably misspelt, but a router may know it."""
    config = read(
        teams=TEAMS + '[[routes]]\nteam = "care"\ncategory = "delivry"\n',
        categories='[categories.delivery]\nlabel = "Delivery"\n',
    )
    (warning,) = config.warnings
    assert 'did you mean "delivery"?' in str(warning)


FIELD = '[[categories.delivery.fields]]\nname = "order"\npurpose = "to find it"\n'


def test_categories_are_read(read: Read) -> None:
    """A category has its label and its fields, in order."""
    config = read(categories=FIELD + 'pattern = \'[0-9]{3}\'\nexample = "123"\nlabel = { it = "Ordine" }\n')
    (field,) = config.categories["delivery"].fields
    assert (field.name, field.purpose, field.pattern, field.example) == ("order", "to find it", "[0-9]{3}", "123")
    assert field.label.in_language("en") == "Ordine"


def test_two_categories_that_agents_could_not_tell_apart_are_refused(read: Read) -> None:
    """A tag holds lower-case letters only: the order would go to the first of them."""
    told = problems(read, categories='[categories."A & B"]\n[categories."a b"]\n')
    words = 'has the same tag for agents as "A & B" (sch-category-a-b); rename one of them'
    assert told == [f"categories.toml: categories.a b: {words}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FIELD.replace("to find it", "  "), "a field without purpose is refused"),
        (FIELD + "pattern = '(['\n", 'field "order": pattern is no regular expression'),
        (FIELD + "pattern = '[0-9]'\nexample = \"x\"\n", 'its own example "x" does not match'),
        (FIELD + "find = '(['\n", 'field "order": find is no regular expression'),
        (FIELD + "find = '[0-9]'\nexample = \"x\"\n", 'its own example "x" does not match find'),
        (FIELD + "find = '[0-9]*'\n", "find matches an empty text"),
        (FIELD.replace('"order"', '"Order Number"'), "does not have the right form (lower-case"),
        (FIELD + FIELD, "the field order is there twice"),
        ("[category.x]\n", 'unknown section; did you mean "categories"?'),
    ],
)
def test_bad_fields_are_refused(read: Read, text: str, words: str) -> None:
    """Nothing is asked of a customer without a purpose, or with a pattern that cannot work."""
    (told,) = problems(read, "", TEAMS, text)
    assert told.startswith("categories.toml: ")
    assert words in told


def test_the_key_is_made_once(read: Read) -> None:
    """The first call makes a key only its owner can read; later calls give the same."""
    config = read()
    key = secret_key(config, {})
    assert Fernet(key)
    assert secret_key(config, {}) == key
    file = config.var_dir / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(config.var_dir.iterdir()) == [file]


def test_two_processes_agree_on_one_key(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another process makes the key at the same moment, its key is taken and not overwritten."""
    config, theirs = read(), Fernet.generate_key()
    file = config.var_dir / "secret.key"

    def they_were_first(path: Path) -> bool:
        file.write_bytes(theirs)
        return False

    monkeypatch.setattr(Path, "exists", they_were_first)
    assert secret_key(config, {}) == theirs
    assert list(config.var_dir.iterdir()) == [file]


def test_the_key_of_the_environment_wins(read: Read) -> None:
    """A given key is taken, and no file is made."""
    config, key = read(), Fernet.generate_key()
    assert secret_key(config, {"HUB_SECRET_KEY": key.decode()}) == key
    assert not config.var_dir.exists()


def test_a_bad_key_is_a_problem_that_does_not_show_it(read: Read) -> None:
    """A key of another form is refused, wherever it comes from, and never repeated."""
    config = read()
    with pytest.raises(ConfigurationProblems, match="HUB_SECRET_KEY: is not a Fernet key") as caught:
        secret_key(config, {"HUB_SECRET_KEY": "my-dog"})
    assert "my-dog" not in str(caught.value)
    config.var_dir.mkdir()
    (config.var_dir / "secret.key").write_text("")
    with pytest.raises(ConfigurationProblems, match="Restore it from your backup"):
        secret_key(config, {})


def test_no_key_is_made_where_none_may_be(read: Read) -> None:
    """Told not to make one, it says which file is missing and leaves the folder alone."""
    config = read()
    with pytest.raises(KeyLost, match=r"secret\.key"):
        secret_key(config, {}, make=False)
    assert not config.var_dir.exists()
