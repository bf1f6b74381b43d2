# SPDX-License-Identifier: GPL-3.0-or-later
"""The one wrapper round zenpy: it builds addresses and bodies, everything that talks is ours.

zenpy sleeps through 429s, sends PUTs again after a 503, caches, reads the environment and cannot send an
Idempotency-Key. So it gets a session that is only a door: requests leave through the hub's own session, and only
answers of the 200s come back to zenpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import quote

import requests

from hub.sdk import ConfigurationError, ConnectorError, OutcomeUnknown, Refused, Toolbox, failure_of_transport
from plugins.sinks.zendesk.errors import OddAnswer, failure_of_answer, not_json
from plugins.sinks.zendesk.payloads import is_id, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

if TYPE_CHECKING:
    from zenpy import Zenpy

INSTALL = "zenpy is missing: pip install 'social-care-hub[zendesk]'"
MAX_AUDIT_PAGES = 20
_TICKET = ("id", "external_id")  # without these nobody can tell whether it is one of ours
_KINDS: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "external_id": (str, type(None)),
    "role": (str,),
    "name": (str,),
    "tags": (list, type(None)),
    "updated_at": (str,),
    "events": (list,),
    "metadata": (dict,),
}
_ORIGIN = "https://hub.zendesk.com"  # what zenpy believes; never dialled
_NO_ANSWER = object()  # not None: JSON's null is an answer

Json = dict[str, Any]


class Door(requests.Session):
    """The session zenpy gets. ``answer`` is the last JSON body, of the call ``called``; failures leave as our errors,
    before zenpy sees them."""

    authorized = True  # keeps zenpy from setting credentials, and from printing them when it raises

    def __init__(self, settings: ZendeskSettings, toolbox: Toolbox) -> None:
        super().__init__()
        self._origin = settings.origin
        self._toolbox = toolbox
        self._auth: tuple[str, str] | None = None
        self._authorization: dict[str, str] = {}
        if settings.api_token is not None:
            self._auth = (f"{settings.email}/token", settings.api_token.get_secret_value())
        elif settings.oauth_token is not None:
            self._authorization = {"Authorization": f"Bearer {settings.oauth_token.get_secret_value()}"}
        self.answer: Any = _NO_ANSWER
        self.called = ""
        self.extra_headers: dict[str, str] = {}
        self.extra_params: dict[str, str] = {}
        self.effect_possible = False

    def request(self, method: str | bytes, url: str | bytes, *_: Any, json: Any = None, **__: Any) -> requests.Response:
        """Send through the hub's session; return a 2xx with a JSON body or raise one of our errors."""
        url = str(url)
        if not url.startswith(_ORIGIN + "/"):  # ZENPY_FORCE_NETLOC and _SCHEME would send the token elsewhere
            raise ConfigurationError("zenpy was pointed elsewhere: unset ZENPY_FORCE_NETLOC and ZENPY_FORCE_SCHEME")
        self.called = f"{method!s} {url.removeprefix(_ORIGIN).partition('?')[0]}"
        try:
            response = self._toolbox.http.request(
                str(method),
                self._origin + url.removeprefix(_ORIGIN),
                params=self.extra_params or None,
                json=json,
                headers={"Accept": "application/json", **self._authorization, **self.extra_headers},
                auth=self._auth,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=self.effect_possible) from error
        if not 200 <= response.status_code < 300:
            raise failure_of_answer(response, self._toolbox.now(), effect_possible=self.effect_possible)
        try:
            self.answer = response.json()
        except (ValueError, RecursionError) as error:
            raise not_json(response, effect_possible=self.effect_possible) from error
        # zenpy picks its reader by comparing the answer's address with its own.
        response.url = response.request.url = url
        return response


class ZendeskClient:
    """Calls of the Support API as plain JSON. One per connector instance; raises our errors only."""

    def __init__(self, settings: ZendeskSettings, toolbox: Toolbox) -> None:
        self._door = Door(settings, toolbox)
        self._log = toolbox.log
        self._zenpy: Zenpy | None = None

    def __repr__(self) -> str:
        return f"<ZendeskClient {self._door._origin}>"  # noqa: SLF001 - ours

    @property
    def _api(self) -> Zenpy:
        if self._zenpy is None:
            try:
                from zenpy import Zenpy
            except ImportError as error:
                raise ConfigurationError(INSTALL) from error
            self._zenpy = Zenpy(subdomain="hub", session=self._door, disable_cache=True)
        return self._zenpy

    def me(self) -> Json:
        """The account's own user."""
        user = self._part(self._call(self._api.users.me), "user", "role")
        if "id" not in user:  # null tells a stranger
            raise self._odd("user")
        return user

    def ticket(self, ticket_id: str) -> Json:
        """One ticket; ``Refused`` with detail ``gone`` when there is none."""
        number = _id(ticket_id)
        ticket = self._part(self._call(lambda: self._api.tickets(id=number)), "ticket", *_TICKET, "tags", "updated_at")
        if text_of(ticket["id"]) != str(number):
            raise self._odd("ticket")
        return ticket

    def tickets_by_external_id(self, external_id: str) -> list[Json]:
        """Every live ticket with this external id, by a consistent read (search is not)."""
        # zenpy does not quote query values.
        page = self._call(lambda: self._api.tickets(external_id=quote(external_id, safe="")))
        return self._rows(page, "tickets", *_TICKET)

    def create_ticket(self, ticket: Json, *, key: str) -> Json:
        """Create a ticket under our key; returns ``{"ticket": ..., "audit": ...}`` (the audit where told)."""
        api = self._api
        from zenpy.lib.api_objects import Ticket

        return self._call(
            lambda: api.tickets.create(Ticket(**ticket)), headers={"Idempotency-Key": key}, effect_possible=True
        )

    def update_ticket(self, ticket_id: str, changes: Json) -> Json:
        """One PUT; returns ``{"ticket": ..., "audit": ...}``. ``UpdateConflict`` when a safe update came too late."""
        api, number = self._api, _id(ticket_id)
        from zenpy.lib.api_objects import Ticket

        return self._call(lambda: api.tickets.update(Ticket(id=number, **changes)), effect_possible=True)

    def save_user(self, user: Json) -> Json:
        """Create or update a user by external id. Doing it twice does no harm, so it never ends as unknown."""
        api = self._api
        from zenpy.lib.api_objects import User

        return self._part(self._call(lambda: api.users.create_or_update(User(**user))), "user", "id")

    def users(self, ids: Iterable[str]) -> list[Json]:
        """The users of these ids that still exist."""
        wanted = sorted({_id(user_id) for user_id in ids})
        found: list[Json] = []
        for start in range(0, len(wanted), 100):  # show_many takes 100
            part = wanted[start : start + 100]
            page = self._call(lambda part=part: self._api.users(ids=part))  # type: ignore[misc]
            found += self._rows(page, "users", "id", "role")
        return found

    def groups(self) -> list[Json]:
        """All groups (at most 1,000)."""
        return self._pages(self._api.groups, "groups", "id", "name", limit=10)[0]

    def audits(self, ticket_id: str) -> tuple[list[Json], bool]:
        """The ticket's audits, oldest first, and whether these are all."""
        number = _id(ticket_id)
        rows, complete = self._pages(
            lambda: self._api.tickets.audits(ticket=number), "audits", "id", "events", "metadata", limit=MAX_AUDIT_PAGES
        )
        if not rows:  # every ticket has the audit of its making
            raise self._odd("audits")
        return sorted(rows, key=lambda row: (str(row.get("created_at")), row.get("id") or 0)), complete

    def export(self, *, cursor: str = "", start_time: int | None = None, per_page: int = 100) -> Json:
        """One page of the cursor-based incremental export."""
        where: Json = {"cursor": quote(cursor, safe="")} if cursor else {"start_time": start_time}
        page = self._call(lambda: self._api.tickets.incremental(per_page=per_page, **where))
        self._rows(page, "tickets")  # an odd row is the caller's to report: it must not stop the feed
        if not isinstance(page.get("end_of_stream"), bool) or not isinstance(page.get("after_cursor"), str | None):
            raise self._odd("end_of_stream and after_cursor")
        return page

    def redact(self, ticket_id: str, comment_id: str, html_body: str, attachment_urls: list[str]) -> Json:
        """Blacken what ``html_body`` marks with ``<redact>``. zenpy knows only the older endpoint, which cannot touch
        closed tickets."""
        body: Json = {"ticket_id": _id(ticket_id), "html_body": html_body}
        if attachment_urls:
            body["external_attachment_urls"] = attachment_urls
        url = f"{_ORIGIN}/api/v2/comment_redactions/{_id(comment_id)}.json"
        answer = self._call(lambda: self._door.put(url, json=body), effect_possible=True)
        if not isinstance(answer.get("comment"), dict):
            raise OutcomeUnknown(self._odd("comment").summary)
        return answer

    def _pages(self, call: Callable[[], Any], name: str, *keys: str, limit: int) -> tuple[list[Json], bool]:
        rows: list[Json] = []
        params: dict[str, str] = {}
        for _ in range(limit):
            page = self._call(call, params=params)
            rows += self._rows(page, name, *keys)
            meta = page.get("meta")  # there because zenpy sends page[size]
            more = meta.get("has_more") if isinstance(meta, dict) else None
            after = text_of(meta.get("after_cursor")) if isinstance(meta, dict) else ""
            if not isinstance(more, bool) or (more and not after):
                raise self._odd("meta")
            if not more:
                return rows, True
            params = {"page[after]": after}
        return rows, False

    def _part(self, body: Json, name: str, *keys: str) -> Json:
        part = body.get(name)
        if not _has(part, keys):
            raise self._odd(name)
        return part

    def _rows(self, body: Json, name: str, *keys: str) -> list[Json]:
        rows = body.get(name)
        if not isinstance(rows, list) or not all(_has(row, keys) for row in rows):
            raise self._odd(name)
        return rows

    def _odd(self, name: str) -> OddAnswer:
        return OddAnswer(f"Zendesk answered {self._door.called} without a readable {name}")

    def _call(
        self,
        call: Callable[[], Any],
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        effect_possible: bool = False,
    ) -> Json:
        door = self._door
        door.answer, door.extra_headers, door.extra_params = _NO_ANSWER, headers or {}, params or {}
        door.effect_possible = effect_possible
        try:
            call()
        except ConnectorError:
            raise
        except Exception as error:
            # After a good answer zenpy may still stumble while it builds its objects (a new event type, a null):
            # the JSON is here and the effect is done, so its trouble is not ours.
            if door.answer is _NO_ANSWER:
                raise
            self._log.debug("zenpy could not read an answer: %s", type(error).__name__)
        return door.answer if isinstance(door.answer, dict) else {}


def _has(part: Any, keys: Iterable[str]) -> TypeGuard[Json]:
    return isinstance(part, dict) and all(key in part and isinstance(part[key], _KINDS[key]) for key in keys)


def _id(value: str) -> int:
    if not is_id(value):
        raise Refused(f"{value[:40]!r} is not a Zendesk id")
    return int(value)
