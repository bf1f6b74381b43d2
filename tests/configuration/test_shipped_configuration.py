"""The configuration that ships works as it stands, and its commented parts work when uncommented."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.catalogue import Catalogue
from hub.configuration import HubConfig, load, shipped
from hub.sdk import Decision, Identity, Message, Question

CONFIG = Path(__file__).parents[2] / "config"


def test_shipped_files_are_those_of_the_repository() -> None:
    """What ``hub init`` writes is what the repository runs."""
    on_disk = {file.relative_to(CONFIG).as_posix(): file.read_text() for file in CONFIG.rglob("*.toml")}
    assert dict(shipped()) == on_disk
    assert {"hub.toml", "teams.toml", "categories.toml"} <= on_disk.keys()


def test_it_runs_as_shipped(tmp_path: Path) -> None:
    """Written to an empty folder it loads without a word, with the trial on and no real connection."""
    for name, text in shipped().items():
        (tmp_path / name).write_text(text)
    config = load(tmp_path, {})
    assert config.warnings == ()
    assert config.trial.connections == {"trial-mastodon": "source", "trial-zendesk": "sink"}
    assert config.connections == {}
    assert config.teams.default.name == "care"
    assert config.teams.default.sink == "trial-zendesk"


def test_the_shipped_examples_can_be_uncommented(tmp_path: Path) -> None:
    """Every commented line of TOML in hub.toml loads, and the real pair is there, watching."""
    for name, text in shipped().items():
        (tmp_path / name).write_text(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text) if name == "hub.toml" else text)
    environ = {
        "ACME_MASTODON_TOKEN": "t",
        "ACME_ZENDESK_CLIENT_SECRET": "t",
        "HUB_ALERTS_WEBHOOK": "https://a.example/1",
    }
    config = load(tmp_path, environ)
    assert {name: item.mode for name, item in config.connections.items()} == {
        "acme-mastodon": "observe",
        "acme-zendesk": "observe",
    }
    assert config.hub.public_url == "https://care.example.com"


def test_the_shipped_configuration_has_no_problem_with_the_bundled_plugins(tmp_path: Path) -> None:
    """Held against the plugins that come with the hub, the files and their uncommented example are sound."""
    for name, text in shipped().items():
        (tmp_path / name).write_text(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text) if name == "hub.toml" else text)
    environ = {
        "ACME_MASTODON_TOKEN": "t",
        "ACME_ZENDESK_CLIENT_SECRET": "t",
        "HUB_ALERTS_WEBHOOK": "https://a.example/1",
    }
    catalogue = Catalogue.load(only=["mastodon", "zendesk", "rules"])
    assert [str(problem) for problem in catalogue.check(load(tmp_path, environ))] == []


def test_every_shipped_field_says_its_purpose_and_speaks_both_languages() -> None:
    """Customers see these labels, in Italian or in English."""
    categories = load(CONFIG, {}).categories
    assert len(categories) >= 5
    for category in categories.values():
        assert category.label.en
        assert category.label.it
        for field in category.fields:
            assert field.label.en
            assert field.label.it
            assert field.example, field.name


Ask = Callable[[str], Decision]


@pytest.fixture(scope="module")
def config() -> HubConfig:
    """The shipped configuration."""
    return load(CONFIG, {})


@pytest.fixture(scope="module")
def ask(config: HubConfig) -> Ask:
    """What the shipped rules say about a text."""
    (block,) = config.routers
    router = Catalogue.load(only=["rules"]).build_router(block)

    def _ask(text: str) -> Decision:
        now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        author = Identity(network="mastodon", id="1", handle="anna")
        message = Message(network="mastodon", id="2", author=author, text=text, created_at=now)
        (decision,) = router.decide([Question(message=message, connection="trial-mastodon", now=now)])
        return decision or Decision()

    return _ask


@pytest.mark.parametrize(
    ("text", "kind", "category", "priority"),
    [
        ("Il mio pacco è in ritardo da una settimana, è una vergogna!", "complaint", "delivery", "high"),
        ("Non è ancora arrivato nulla: l'ordine è sparito, mai arrivato", "complaint", "delivery", "high"),
        ("Dov'è il mio pacco?", "complaint", "delivery", "high"),
        ("My parcel never arrived. Where is it?", "complaint", "delivery", "high"),
        ("The order hasn't arrived yet", "complaint", "delivery", "high"),
        ("Quanto costa la spedizione in Svizzera?", "question", "delivery", ""),
        ("Do you deliver to Malta?", "question", "delivery", ""),
        ("Mi avete addebitato due volte la stessa fattura, inaccettabile", "complaint", "billing", ""),
        ("I was charged twice, when do I get my refund?", "question", "billing", ""),
        ("Non riesco ad accedere, come cambio la password?", "question", "account", ""),
        ("My account was hacked!!", "complaint", "account", "urgent"),
        ("È arrivata rotta, voglio un cambio", "complaint", "product", ""),
        ("The kettle caught fire this morning", "complaint", "product", "urgent"),
        ("Complimenti, ottimo servizio!", "praise", "", "low"),
        ("Complimenti, ma il pacco è in ritardo", "complaint", "delivery", "high"),
        ("Sarebbe bello avere il ritiro in negozio", "suggestion", "", ""),
        ("Guadagna fino a 500 euro al giorno da casa", "spam", "", "low"),
        ("Siete dei pezzi di merda", "abuse", "", ""),
        ("Ho sentito il mio avvocato", "complaint", "", "high"),
        ("Buongiorno a tutti", "", "", ""),
        ("I ordered your chocolate cake and it was delicious", "", "", ""),
        ("Thank you so much for the quick delivery", "praise", "delivery", "low"),
        ("Grazie mille", "praise", "", "low"),
    ],
)
def test_the_shipped_rules_are_sensible(ask: Ask, text: str, kind: str, category: str, priority: str) -> None:
    """Plain Italian and English requests get the kind, category and priority a person would give."""
    decision = ask(text)
    assert (decision.kind, decision.category, decision.priority) == (kind, category, priority), decision.reasons


def test_the_shipped_rules_and_teams_speak_of_known_things(config: HubConfig, ask: Ask) -> None:
    """Each category a rule names exists, and a billing request ends at the billing team."""
    (block,) = config.routers
    named = {rule["then"]["category"] for rule in block.settings["rules"] if "category" in rule["then"]}
    assert named <= config.categories.keys()
    decision = ask("Where is my invoice?")
    team = config.teams.team_for(source="trial-mastodon", category=decision.category, kind=decision.kind)
    assert team.name == "billing"
