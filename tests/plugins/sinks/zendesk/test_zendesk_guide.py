"""The guide to connecting, the dated rules, and that both speak of settings and scopes that exist."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from zendesk_cases import make_sink

from hub.sdk import Guide
from plugins.sinks.zendesk import access
from plugins.sinks.zendesk.settings import ZendeskSettings

FOLDER = Path(access.__file__).parent
BACK = "https://hub.example.com/connect/back"
HOOK = "https://hub.example.com/hooks/acme-zendesk"
OAUTH = {"subdomain": "acme", "client_id": "acme_hub"}


def guide(language: str, *, webhook_url: str = HOOK, **settings: Any) -> Guide:
    """The guide of a connection."""
    return make_sink(OAUTH | settings).guide(language, redirect_url=BACK, webhook_url=webhook_url)


@pytest.mark.parametrize("language", ["en", "it"])
def test_every_scope_is_explained(language: str) -> None:
    """The permissions are the role and exactly the scopes that are asked for, each with a reason."""
    told = guide(language)
    assert [one.name for one in told.permissions[1:]] == list(access.EVERYDAY_SCOPES)
    assert [one.name for one in guide(language, ask_write=True).permissions[1:]][-1] == access.SETUP_SCOPE
    assert all(len(one.why) > 20 for one in told.permissions)


@pytest.mark.parametrize("language", ["en", "it"])
@pytest.mark.parametrize("webhook_url", [HOOK, ""])
def test_what_to_paste_is_complete(language: str, webhook_url: str) -> None:
    """Redirect, scopes and settings stand there to be copied; no placeholder is left; pages are the account's own."""
    told = guide(language, webhook_url=webhook_url)
    copied = [step.copy_text for step in told.steps]
    assert BACK in copied
    assert " ".join(access.EVERYDAY_SCOPES) in copied
    assert any('client_id = "acme_hub"' in text for text in copied)
    everything = "\n".join([*(step.text for step in told.steps), *copied, *(text.text for text in told.texts)])
    assert "{" not in everything.replace('{ env = "ZENDESK_CLIENT_SECRET" }', "")
    assert (webhook_url or "public_url") in everything
    assert all(step.url.startswith("https://acme.zendesk.com/admin/") for step in told.steps if step.url)


def test_both_languages_say_the_same_amount() -> None:
    """Another language is English; Italian is not English, and leaves nothing out."""
    english, italian = guide("en"), guide("it-IT")
    assert guide("fr") == english
    for a, b in (
        (english.steps, italian.steps),
        (english.permissions, italian.permissions),
        (english.texts, italian.texts),
    ):
        assert len(a) == len(b) > 0
    assert all(a.text != b.text for a, b in zip(english.steps, italian.steps, strict=True))
    assert all(a.title != b.title for a, b in zip(english.texts, italian.texts, strict=True))


def test_the_guide_shows_no_secret() -> None:
    """It is read by whoever stands beside."""
    assert "hush-hush" not in guide("en", client_secret="hush-hush").model_dump_json()


def test_the_dated_rules_are_whole() -> None:
    """Each retirement has a day, what to do instead, a source, and names settings that exist; limits have a source."""
    policy = tomllib.loads((FOLDER / "policy.toml").read_text(encoding="utf-8"))
    days = [one["on"] for one in policy["retirements"]]
    assert days == sorted(days)
    assert all(isinstance(day, date) for day in days)
    for one in policy["retirements"]:
        assert one.keys() == {"what", "on", "instead", "source", "settings"}
        assert set(one["settings"]) <= set(ZendeskSettings.model_fields)
    ends = [one["on"] for one in policy["retirements"] if "api_token" in one["settings"]]
    assert ends[-1] == access.API_TOKENS_END.date()
    for one in [*policy["retirements"], *policy["limits"]]:
        assert one["source"].startswith("https://")


def test_the_readme_explains_every_scope() -> None:
    """What the guide asks for, the README explains."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{scope}`" in text for scope in (*access.EVERYDAY_SCOPES, access.SETUP_SCOPE))
