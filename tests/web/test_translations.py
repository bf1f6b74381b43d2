"""Every text of the screens exists in both languages, and no template holds a text of its own."""

from __future__ import annotations

import json
import re
import string
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

import hub.web
from hub.configuration import KINDS, Mode
from hub.sdk.messages import Priority, Privacy, TicketStatus
from hub.store.tables import DELIVERY_STATES, INBOX_STATES
from hub.store.views import Health
from hub.web.translation import LANGUAGES, texts

WEB = Path(hub.web.__file__).parent
TEMPLATES = sorted(WEB.rglob("templates/**/*.html"))
SPOKEN = ("title", "aria-label", "placeholder", "alt", "data-label", "value")
ALLOWED = {"hub login-link"}
FIXED = {"agent", "connection", "1", "yes", "again", "stop"}


class Words(HTMLParser):
    """Collects what a template says by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        """A text between tags."""
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A text in an attribute a person meets."""
        spoken = [name for name in SPOKEN if name != "value" or tag == "button"]
        self.found += [value or "" for name, value in attrs if name in spoken]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_speaks_by_itself(template: Path) -> None:
    """All words come from the translations."""
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", template.read_text(encoding="utf-8"), flags=re.S)
    words = Words()
    words.feed(source)
    said = {" ".join(text.split()) for text in words.found}
    assert {text for text in said if any(letter in string.ascii_letters for letter in text)} <= ALLOWED


def test_both_languages_have_the_same_keys_and_places() -> None:
    """No text is missing in a language, none is empty, and each takes the same values."""
    english, italian = (texts(language) for language in LANGUAGES)
    assert english.keys() == italian.keys()

    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, text in english.items():
        assert text.strip(), key
        assert italian[key].strip(), key
        assert places(text) == places(italian[key]), key


def test_keys_that_templates_and_code_name_exist() -> None:
    """A misspelt key would be a broken page."""
    known = texts("en").keys()
    used: set[str] = set()
    for template in TEMPLATES:
        used |= set(re.findall(r"""\bt\("([a-z0-9_.]+)"[,)]""", template.read_text(encoding="utf-8")))
    for module in WEB.glob("*.py"):
        used |= set(re.findall(r"""\bsay\("([a-z0-9_.]+)"[,)]""", module.read_text(encoding="utf-8")))
    assert len(used) > 80
    assert used - known == set()


def test_every_fixed_word_has_a_label() -> None:
    """States, modes, kinds and what the timeline says are never shown raw."""
    groups = {
        "state": {*INBOX_STATES, *DELIVERY_STATES},
        "mode": set(get_args(Mode)),
        "health": set(get_args(Health)),
        "status": set(get_args(TicketStatus)),
        "priority": set(get_args(Priority)),
        "privacy": set(get_args(Privacy)),
        "kind": set(KINDS),
    }
    flow = "".join(path.read_text(encoding="utf-8") for path in (WEB.parent / "flow").glob("*.py"))
    events = set(re.findall(r"""add_event\(\s*tx,\s*[\w.]+,\s*"(\w+)\"""", flow))
    assert {"ticket_opened", "answer_published", "assigned"} <= events
    groups["event"] = events
    groups["action"] = set(re.findall(r"""action="(\w+)\"""", flow)) - FIXED
    known = texts("en").keys()
    missing = [f"{group}.{word}" for group, words in groups.items() for word in words if f"{group}.{word}" not in known]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_files_are_flat_and_without_doubles(language: str) -> None:
    """A key twice in a file would silently lose one text."""
    source = (WEB / "translations" / f"{language}.json").read_text(encoding="utf-8")
    pairs = json.loads(source, object_pairs_hook=list)
    assert len({key for key, _ in pairs}) == len(pairs)
    assert all(isinstance(value, str) for _, value in pairs)
