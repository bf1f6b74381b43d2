"""What a recorded call may show: secrets, people and hosts become placeholders, the same ones for the same values."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import BaseModel, SecretStr

Json = dict[str, Any]

_SECRET_KEY = re.compile(
    r"token|secret|passw|api_?key|authorization|cookie|session|credential|signature|jwt|^code$", re.I
)
_NO_SECRET = re.compile(r"_at$|_in$|expir|type$|_id$|^id$|count|url$", re.I)
_OF_A_PERSON = frozenset({"email", "role", "acct", "handle", "username", "EmailAddress", "RealName", "did"})
_NAMES = frozenset(
    {"name", "display_name", "displayName", "alias", "signature", "acct", "handle", "username", "RealName", "NickName"}
    | {"first_name", "last_name", "details", "notes"}
)
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.])\+\d[\d ().-]{6,18}\d(?!\w)")
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_PLACE = frozenset({"latitude", "longitude", "lat", "lng", "lon"})
_PHONE_KEY = re.compile(r"phone|mobile|whatsapp|^fax", re.I)
_SAID = frozenset(
    {"subject", "raw_subject", "Subject", "body", "html_body", "plain_body", "content", "Content", "text"}
)
_OF_A_TICKET = frozenset({"subject", "raw_subject"})
_TAG = re.compile(r"<[^>]*>")
_PLACEHOLDER = re.compile(r"(?:secret|person|name|phone|ip|text)-\d+(?:@example\.invalid)?|host-\d+(?:\.invalid)?")
_KEPT_HEADERS = frozenset(
    {"content-type", "idempotency-key", "if-match", "etag", "location", "link", "retry-after", "date", "accept"}
)
_KEPT_PREFIXES = ("x-rate", "ratelimit", "x-idempotency", "zendesk-ratelimit", "x-ratelimit")
SHORTEST_NAME = 3
SHORTEST = 6
"""A value of fewer letters occurs by chance: it is blotted out where its name says so, and not elsewhere."""

SHORTEST_SAID = 20
"""What somebody said is blotted out elsewhere too, unless it is a word or two: those stand for themselves there."""


class Redactor:
    """Redacts one recording: the same value gets the same placeholder, and what is redacted already stays.

    Ids and times stay as they are. ``keep`` are words that must not be taken for somebody's name; what people said
    stays only where it holds one of them, if there are any: a proof reads the exports of the whole account, other
    customers' words too.
    """

    def __init__(self, secrets: Iterable[str] = (), *, keep: Iterable[str] = ()) -> None:
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._keep = frozenset(keep)
        for secret in secrets:
            self.hide(secret, "secret")

    def hide(self, value: str, kind: str = "secret") -> str:
        """The placeholder of a value, which is blotted out wherever it occurs from now on."""
        if not value or value in self._keep or _PLACEHOLDER.fullmatch(value):
            return value
        if value not in self._known:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            ending = {"person": "@example.invalid", "host": ".invalid"}.get(kind, "")
            self._known[value] = f"{kind}-{number}{ending}"
        return self._known[value]

    def text(self, value: str) -> str:
        """A text without what is known, and without addresses and telephone numbers."""
        for known in sorted(self._known, key=len, reverse=True):
            if known in value:
                value = self._without(known, value)
        value = _EMAIL.sub(lambda found: self.hide(found[0], "person"), value)
        value = _IP.sub(lambda found: self.hide(found[0], "ip"), value)
        return _PHONE.sub(lambda found: self.hide(found[0], "phone"), value)

    def _without(self, known: str, value: str) -> str:
        shown = self._known[known]
        if shown.startswith("name-"):  # a short name is a word of its own, or none
            return re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", shown, value) if len(known) >= SHORTEST_NAME else value
        shortest = SHORTEST_SAID if shown.startswith("text-") else SHORTEST
        return value.replace(known, shown) if len(known) >= shortest else value

    def again(self, value: Any) -> Any:
        """A redacted value without what was learned to be secret since."""
        if isinstance(value, dict):
            return {key: self.again(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.again(one) for one in value]
        if not isinstance(value, str):
            return value
        for known, shown in self._known.items():
            if not shown.startswith("name-") and known in value:
                value = self._without(known, value)
        return value

    def url(self, value: str) -> str:
        """An address with its host hidden, and what its query holds under a secret's name."""
        try:
            parts = urlsplit(value)
        except ValueError:
            return self.text(value)
        if parts.netloc:  # always https: what was recorded on this machine must fit settings that want it
            value = f"https://{self.hide(parts.netloc, 'host')}{value.partition(parts.netloc)[2]}"
        if parts.query:
            given = parse_qsl(parts.query, keep_blank_values=True)
            shown = [(key, self._of_key(key, one)) for key, one in given]
            if shown != given:
                value = value.replace(parts.query, urlencode(shown, quote_via=quote), 1)
        return self.text(value)

    def kept_secret(self, value: str) -> Any:
        """A body for what lay in the vault: every text in it is a secret but times and what may be asked for."""
        try:
            return {"json": self._kept_secret(json.loads(value), "")}
        except (ValueError, RecursionError):
            return {"text": self.hide(value)}

    def _kept_secret(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._kept_secret(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self._kept_secret(one, key) for one in value]
        if not isinstance(value, str) or "scope" in key or _is_time(value):
            return value
        return self.hide(value)

    def setting(self, value: str) -> str:
        """A setting: one that is part of a host's name, such as a subdomain, is hidden with it."""
        hosts = [known for known, shown in self._known.items() if shown.startswith("host-")]
        return "host" if any(value in host.split(".")[:-2] for host in hosts) else self.text(value)

    def headers(self, given: Mapping[str, str]) -> dict[str, str]:
        """Those a replay needs; never what signs a call."""
        kept = {name.lower(): value for name, value in given.items()}
        return {
            name: self.text(value)
            for name, value in sorted(kept.items())
            if name in _KEPT_HEADERS or name.startswith(_KEPT_PREFIXES)
        }

    def body(self, content: bytes | str | None, content_type: str = "") -> Any:
        """A body for a recording: JSON as it is, a form as its fields, other text; of bytes only how many."""
        if not content:
            return None
        try:
            text = content.decode() if isinstance(content, bytes) else content
        except UnicodeError:
            return {"bytes": len(content)}
        try:
            return {"json": self.value(json.loads(text))}
        except (ValueError, RecursionError):
            pass
        if "form-urlencoded" in content_type:
            return {"form": [[key, self._of_key(key, one)] for key, one in parse_qsl(text, keep_blank_values=True)]}
        return {"text": self.text(text)}

    def value(self, value: Any, key: str = "", of_person: bool = False) -> Any:
        """A JSON value with everything in it redacted."""
        if isinstance(value, dict):
            person = bool(_OF_A_PERSON & value.keys())
            said = _said_in(value)
            shown = {
                name: self._said(one) if name in said else self.value(one, name, person) for name, one in value.items()
            }
            if _PLACE & value.keys() and isinstance(value.get("location"), str):
                shown["location"] = ""
            return shown
        if isinstance(value, list):
            return [self.value(one, key, of_person) for one in value]
        if key in _PLACE and isinstance(value, int | float) and not isinstance(value, bool):
            return 0
        if not isinstance(value, str):
            return value
        if of_person and key in _NAMES and value.strip():
            return self.hide(value, "name")
        return self._of_key(key, value)

    def _said(self, value: Any) -> Any:
        if not isinstance(value, str):
            return self.value(value)
        bare = _TAG.sub("", value)
        ours = not self._keep or any(word in bare for word in self._keep) or not any(sign.isalnum() for sign in bare)
        return self.text(value) if ours else self.hide(value, "text")

    def _of_key(self, key: str, value: str) -> str:
        if not value:
            return value
        if _SECRET_KEY.search(key) and not _NO_SECRET.search(key):
            return self.hide(value, "secret")
        if key == "subdomain":
            return self.hide(value, "name")
        if _PHONE_KEY.search(key):
            return self.hide(value, "phone")
        if value.startswith(("http://", "https://")):
            return self.url(value)
        return self.text(value)


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _said_in(row: Json) -> frozenset[str]:
    """The keys of a row under which lies what somebody said: an error has a description too, and that is kept."""
    said = _SAID & row.keys()
    if _OF_A_TICKET & row.keys():
        said |= {"description"}
    if row.keys() == {"id", "value"}:  # a custom field
        said |= {"value"}
    return frozenset(said)


def redacted_settings(settings: Any, redactor: Redactor) -> Any:
    """A settings model as plain values that it takes again: secrets, addresses and hosts are placeholders."""
    if isinstance(settings, SecretStr):
        return redactor.hide(settings.get_secret_value())
    if isinstance(settings, BaseModel):
        return {
            name: redacted_settings(getattr(settings, name), redactor) for name in sorted(settings.model_fields_set)
        }
    if isinstance(settings, Mapping):
        return {str(key): redacted_settings(value, redactor) for key, value in settings.items()}
    if isinstance(settings, list | tuple | set | frozenset):
        return [redacted_settings(value, redactor) for value in settings]
    if isinstance(settings, str):
        return redactor.url(settings) if settings.startswith(("http://", "https://")) else redactor.setting(settings)
    return settings


def basic_pair(header: str) -> list[str]:
    """What an ``Authorization`` header holds, to be hidden wherever it may turn up."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return [value] if len(value) >= SHORTEST else []
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, ValueError):
        return [value]
    return [one for one in (value, password, user.partition("/")[0]) if len(one) >= SHORTEST]
