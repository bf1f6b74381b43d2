"""The rules router: every matching rule fills what is empty, and says why."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.sdk import Decision, Identity, Message, Question
from plugins.routers.rules.router import RulesRouter
from plugins.routers.rules.settings import Rule, RulesSettings, Then, When


def router(*rules: dict[str, Any]) -> RulesRouter:
    """A router of these rules; a rule without a name gets its number."""
    named = [{"name": str(number), **rule} for number, rule in enumerate(rules)]
    return RulesRouter(RulesSettings.model_validate({"rules": named}))


def question(text: str = "Buongiorno", *, handle: str = "anna", **known: Any) -> Question:
    """A question about a message of Anna's."""
    now = known.pop("now", datetime(2026, 3, 2, 9, 30, tzinfo=UTC))  # a Monday
    message = {key: known.pop(key) for key in ("language", "subject", "network") if key in known}
    author = Identity(network="mastodon", id="1", handle=handle)
    values = {"network": "mastodon", "id": "2", "author": author, "text": text, "created_at": now, **message}
    return Question(message=Message.model_validate(values), connection="acme-mastodon", now=now, **known)


def decide(rules: RulesRouter, asked: Question) -> Decision | None:
    (decision,) = rules.decide([asked])
    return decision


def test_the_earlier_rule_wins_field_by_field_and_tags_add_up() -> None:
    """A later rule fills in what is empty, changes nothing, and adds its tags once."""
    rules = router(
        {"when": {"text": "pacco"}, "then": {"category": "delivery", "tags": ["parcel", "a"]}},
        {"when": {"text": "ritardo"}, "then": {"category": "other", "priority": "high", "tags": ["a", "late"]}},
    )
    decision = decide(rules, question("il PACCO è in ritardo"))
    assert decision == Decision(
        category="delivery",
        priority="high",
        tags=("parcel", "a", "late"),
        reasons=('rule "0": text matches "PACCO"', 'rule "1": text matches "ritardo"'),
    )


def test_no_matching_rule_is_no_opinion() -> None:
    """``None`` per question, in order."""
    rules = router({"when": {"text": "pacco"}, "then": {"category": "delivery"}})
    first, second, third = rules.decide([question("ciao"), question("pacco"), question("")])
    assert (first, third) == (None, None)
    assert second is not None
    assert second.category == "delivery"
    assert rules.decide([]) == []


def test_stop_ends_the_list() -> None:
    """After a matching rule with ``stop`` no later rule speaks."""
    rules = router(
        {"when": {"text": "casino"}, "then": {"kind": "spam"}, "stop": True},
        {"then": {"priority": "high"}},
    )
    decision = decide(rules, question("casino online"))
    assert decision is not None
    assert (decision.kind, decision.priority) == ("spam", "")
    assert decide(rules, question("ciao")) == Decision(priority="high", reasons=('rule "1": always',))


@pytest.mark.parametrize(
    ("when", "asked", "reason"),
    [
        ({"text": "^fattura"}, question("Fattura sbagliata"), 'text matches "Fattura"'),
        ({"text": "^fattura"}, question("La fattura"), None),
        ({"text": "reso"}, question("vedi sopra", subject="Reso"), 'text matches "Reso"'),
        ({"not_text": "grazie"}, question("ciao"), "the excluded words are absent"),
        ({"not_text": "grazie"}, question("Grazie"), None),
        ({"author": "^press_"}, question(handle="Press_office"), 'author matches "Press_"'),
        ({"author": "^press_"}, question(), None),
        ({"field": {"order": "^IT"}}, question(fields={"order": "IT-1"}), 'field.order matches "IT"'),
        ({"field": {"order": "^IT"}}, question(fields={"order": "DE-1"}), None),
        ({"field": {"order": "^IT"}}, question(), None),
        ({"language": "it"}, question(language="it-IT"), "language is it"),
        ({"language": ["it", "en"]}, question(language="de"), None),
        ({"language": ["it"]}, question(), None),
        ({"language": ["en"]}, question(language="it", known={"language": "en"}), "language is en"),
        ({"network": ["Mastodon"]}, question(), "network is mastodon"),
        ({"network": ["bluesky"]}, question(), None),
        ({"source": ["acme-mastodon"]}, question(), "source is acme-mastodon"),
        ({"source": ["acme-x"]}, question(), None),
        ({"brand": ["acme"]}, question(brand="Acme"), "brand is Acme"),
        ({"brand": ["acme"]}, question(), None),
        ({"country": ["IT"]}, question(country="it"), "country is it"),
        ({"country": ["IT"]}, question(country="CH"), None),
        ({"text": "pacco", "country": ["IT"]}, question("pacco", country="CH"), None),
    ],
)
def test_each_condition(when: dict[str, Any], asked: Question, reason: str | None) -> None:
    """A condition that holds gives its reason; one that does not stops the rule."""
    decision = decide(router({"when": when, "then": {"team": "t"}}), asked)
    if reason is None:
        assert decision is None
    else:
        assert decision is not None
        assert decision.reasons[0].removeprefix('rule "0": ').startswith(reason.split(" is ", maxsplit=1)[0])
        assert reason in decision.reasons[0]


ROME = {"timezone": "Europe/Rome"}


@pytest.mark.parametrize(
    ("when", "now", "matches"),
    [
        ({"hours": "08:00-18:00"}, "2026-03-02T07:00+00:00", True),
        ({"hours": "08:00-18:00"}, "2026-03-02T06:59+00:00", False),
        ({"hours": "08:00-18:00"}, "2026-03-02T17:00+00:00", False),
        ({"hours": "08:00-18:00"}, "2026-07-06T06:00+00:00", True),
        ({"hours": "22:00-06:00"}, "2026-03-02T22:00+00:00", True),
        ({"hours": "22:00-06:00"}, "2026-03-02T12:00+00:00", False),
        ({"days": ["sat", "sun"]}, "2026-03-01T22:59+00:00", True),
        ({"days": ["sat", "sun"]}, "2026-03-01T23:00+00:00", False),
        ({"days": "fri", "hours": "22:00-06:00"}, "2026-03-07T02:00+00:00", True),
        ({"days": "sat", "hours": "22:00-06:00"}, "2026-03-07T02:00+00:00", False),
    ],
)
def test_hours_and_days_are_those_of_the_place(when: dict[str, Any], now: str, matches: bool) -> None:
    """The window is read in its time zone, in summer and winter; a night belongs to the day it begins."""
    rules = router({"when": {**when, **ROME}, "then": {"team": "night"}})
    decision = decide(rules, question(now=datetime.fromisoformat(now)))
    assert (decision is not None) is matches
    if decision is not None:
        assert "Europe/Rome" in decision.reasons[0]


def test_a_long_match_is_cut_in_the_reason() -> None:
    """A reason stays one short line, whatever a customer wrote."""
    decision = decide(router({"when": {"text": "(?s)a.*z"}, "then": {"team": "t"}}), question("a\n" + "b" * 90 + "z"))
    assert decision is not None
    assert decision.reasons == ('rule "0": text matches "a ' + "b" * 38 + '…"',)


def test_a_pattern_that_takes_too_long_is_skipped_and_told() -> None:
    """A text made to hang a pattern costs a tenth of a second once, not the hub; other rules still speak."""
    rules = router(
        {"name": "slow", "when": {"text": "(a|aa)+$"}, "then": {"category": "x"}},
        {"name": "sound", "then": {"category": "y"}},
    )
    asked = question("a" * 60 + "!")
    started = time.monotonic()
    decisions = rules.decide([asked] * 20)
    assert time.monotonic() - started < 1.5  # twenty times a tenth would be 2 seconds: the hub's limit
    expected = ('rule "slow": skipped, its pattern takes too long', 'rule "sound": always')
    assert decisions == [Decision(category="y", reasons=expected)] * 20
    again = decide(rules, question("aaa"))
    assert again is not None
    assert again.category == "x"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"name": "late", "when": {"text": "a(b"}, "then": {"team": "t"}}, 'rule "late": when.text is no regular exp'),
        ({"name": "late", "when": {"text": "a(b"}, "then": {"team": "t"}}, "at position 3"),
        ({"when": {"field": {"order": "["}}, "then": {"team": "t"}}, "when.field.order is no regular expression"),
        ({"when": {"txt": "a"}, "then": {"team": "t"}}, "rules.0.when.txt"),
        ({"when": {"hours": "8-18", **ROME}, "then": {"team": "t"}}, "when.hours must be two times"),
        ({"when": {"hours": "08:00-08:00", **ROME}, "then": {"team": "t"}}, "when.hours must be two times"),
        ({"when": {"hours": "08:00-18:00"}, "then": {"team": "t"}}, "when.timezone is missing"),
        ({"when": {"days": ["mon"]}, "then": {"team": "t"}}, "when.timezone is missing"),
        ({"when": {"days": ["monday"], **ROME}, "then": {"team": "t"}}, "rules.0.when.days.0"),
        ({"when": {"timezone": "Europe/Roma"}, "then": {"team": "t"}}, "when.timezone is unknown: Europe/Roma"),
        ({"when": {"timezone": "../etc"}, "then": {"team": "t"}}, "when.timezone is unknown"),
        ({"when": {"timezone": "Europe"}, "then": {"team": "t"}}, "when.timezone is unknown"),
        ({"then": {"kind": "rant"}}, "rules.0.then.kind"),
        ({"then": {"priority": "asap"}}, "rules.0.then.priority"),
        ({"then": {}}, "then is empty"),
        ({"name": "", "then": {"team": "t"}}, "rules.0.name"),
    ],
)
def test_bad_rules_are_refused_at_start(rule: dict[str, Any], words: str) -> None:
    """A rule that cannot work names itself and the place, before any message meets it."""
    with pytest.raises(ValidationError) as caught:
        router(rule)
    assert words in str(caught.value)


def test_names_are_unique() -> None:
    """Reasons name rules, so two cannot share a name."""
    with pytest.raises(ValidationError, match='two rules are called "x"'):
        router({"name": "x", "then": {"team": "t"}}, {"name": "x", "then": {"team": "u"}})


def test_the_readme_tells_every_key() -> None:
    """The tables of the README are those of the models."""
    import plugins.routers.rules as package

    readme = (Path(package.__file__).parent / "README.md").read_text()
    for model in (Rule, When, Then):
        for name, field in model.model_fields.items():
            assert f"| `{name}` | {field.description}" in readme, f"{model.__name__}.{name}"
