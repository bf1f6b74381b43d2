"""Fixture pairs: a body as the vendor sends it, and the events that it must give."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.sdk import AnyEvent, ReceivesWebhooks, Refused, UnsupportedEvent, WebhookRequest
from hub.testing.attempts import attempt
from hub.testing.checks import first
from hub.testing.connectors import ConnectorConformance
from hub.testing.rig import Rig

_NAME = re.compile(r"^[a-z0-9_]+__[a-z0-9_]+$")
_MAIL = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
_LINK = re.compile(r"https?://([^/\"'\s<>?#:\\]+)")
_OURS = re.compile(r"(^|\.)(example\.(com|org|net)|example|invalid|test|localhost)$|^127\.0\.0\.1$")
_DIGITS = re.compile(r"(?<![\w.])\d{15,}(?!\w)")
_TOKEN = re.compile(
    r"(?i)\b(bearer\s+\S{8,}|(xox[abp]|ghp|glpat|sk|pk|EAA)[-_][A-Za-z0-9-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,})"
)


@dataclass(frozen=True, slots=True)
class Fixture:
    """One body with its headers; ``expected`` is where its events stand."""

    path: Path
    body: bytes
    headers: dict[str, str]
    expected: Path


def read_fixtures(folder: Path | None) -> list[Fixture]:
    """The fixtures of a folder, by name; none when there is no folder."""
    if folder is None or not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name.endswith((".expected.json", ".headers.json")):
            continue
        headers = path.with_suffix(".headers.json")
        given: Mapping[str, str] = json.loads(headers.read_text(encoding="utf-8")) if headers.is_file() else {}
        lower = {name.lower(): value for name, value in given.items()}
        found.append(Fixture(path, path.read_bytes(), lower, path.with_suffix(".expected.json")))
    return found


class FixtureChecks(ConnectorConformance):
    """Every kind of event has a body of the vendor's in ``fixtures``, named ``<event>__<case>.json``."""

    fixtures: ClassVar[Path | None] = None
    network_domains: ClassVar[tuple[str, ...]] = ()
    """Hosts of the vendor that its bodies always name (``static.xx.example``): they are nobody's secret."""

    def events_of(self, rig: Rig, fixture: Fixture) -> Sequence[AnyEvent]:
        """The events of one body. A source that polls says here how it reads one."""
        if not issubclass(self.connector, ReceivesWebhooks):
            raise NotImplementedError("say in events_of(rig, fixture) how your connector reads a body")
        request = WebhookRequest("POST", "/hooks/acme", fixture.headers, {}, fixture.body, rig.clock.now())
        found: Sequence[AnyEvent] = rig.connector.events(request)
        return found

    @first
    def test_fixtures_give_the_expected_events(self, rig: Rig, request: pytest.FixtureRequest) -> None:
        """Each body gives exactly the events written beside it (``--update-expected`` writes them anew)."""
        folder = self.fixtures
        found = read_fixtures(folder)
        if not found:
            pytest.fail(
                f"describe your first event in {_shown(folder)}/<event>__<case>.json: "
                "the body as the vendor sends it, scrubbed; then run pytest --update-expected",
                pytrace=False,
            )
        for fixture in found:
            assert _NAME.match(fixture.path.stem), (
                f"{fixture.path.name}: name it <event>__<case>.json, in small letters"
            )
            told = _as_json(attempt(lambda fixture=fixture: list(self.events_of(rig, fixture))))  # type: ignore[misc]
            if request.config.getoption("update_expected"):
                fixture.expected.write_text(told, encoding="utf-8")
            assert fixture.expected.is_file(), (
                f"{fixture.path.name} has no .expected.json: run pytest --update-expected"
            )
            expected = fixture.expected.read_text(encoding="utf-8")
            if told != expected:
                difference = difflib.unified_diff(
                    expected.splitlines(), told.splitlines(), "expected", "told", lineterm=""
                )
                pytest.fail(f"{fixture.path.name}:\n" + "\n".join(difference), pytrace=False)

    @first
    def test_fixtures_are_scrubbed(self) -> None:
        """No fixture holds a real address, a token or a long number: they are published."""
        for fixture in read_fixtures(self.fixtures):
            for path in (fixture.path, fixture.path.with_suffix(".headers.json"), fixture.expected):
                if path.is_file():
                    for trouble in unscrubbed(path.read_text(encoding="utf-8", errors="replace"), self.network_domains):
                        pytest.fail(f"{path.name} holds {trouble}", pytrace=False)

    @first
    def test_attachments_are_told(self, rig: Rig) -> None:
        """Some fixture brings a picture or file, and the message says where it is."""
        found: list[str] = []
        for fixture in read_fixtures(self.fixtures):
            events = attempt(lambda fixture=fixture: list(self.events_of(rig, fixture)))  # type: ignore[misc]
            found += [item.url for event in events if isinstance(events, list) for item in _attachments(event)]
        assert found, "no fixture has an attachment: add one, or waive this where the network has none"
        strange = [url for url in found if not url.startswith(("https://", "http://"))]
        assert not strange, f"an attachment's address is {strange[0]!r}: nobody can fetch it"


def unscrubbed(text: str, allowed: tuple[str, ...] = ()) -> Iterator[str]:
    """What a published fixture may not hold."""
    for found in _MAIL.finditer(text):
        if not _OURS.search(found[1].lower()):
            yield f"the address {found[0]}: use example.com"
    for found in _LINK.finditer(text):
        host = found[1].lower()
        if not _OURS.search(host) and host not in allowed:
            yield f"the host {host}: use example.com, or name it in network_domains"
    for found in _DIGITS.finditer(text):
        yield f"the number {found[0][:6]}...: shorten it"
    for found in _TOKEN.finditer(text):
        yield f"what looks like a token ({found[0][:6]}...)"


def _attachments(event: AnyEvent) -> Sequence[Any]:
    said = getattr(event, "message", None) or getattr(event, "comment", None)
    return said.attachments if said is not None else ()


def _as_json(result: Any) -> str:
    """Events as the text of an expected file. An event that is ignored on purpose is written as its error."""
    if isinstance(result, UnsupportedEvent | Refused):
        told: Any = {"error": type(result).__name__, "summary": result.summary}
    elif isinstance(result, Exception):
        raise result
    else:
        told = [event.model_dump(mode="json", exclude_defaults=True) | {"type": event.type} for event in result]
    return json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _shown(folder: Path | None) -> str:
    return "fixtures (and set `fixtures` of the suite)" if folder is None else f"{folder.parent.name}/{folder.name}"
