# SPDX-License-Identifier: GPL-3.0-or-later
"""The one wrapper round zenpy: it builds addresses and bodies, everything that talks is ours.

zenpy sleeps through 429s, sends PUTs again after a 503, caches, reads the environment and cannot send an
Idempotency-Key. So it gets a session that is only a door: requests leave through the hub's own session, and only
answers of the 200s come back to zenpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import quote

import requests

from hub.sdk import ConfigurationError, ConnectorError, Media, OutcomeUnknown, Refused, Toolbox, failure_of_transport
from plugins.sinks.zendesk.access import Credentials
from plugins.sinks.zendesk.budget import Budget, is_limit_of_one
from plugins.sinks.zendesk.errors import OddAnswer, failure_of_answer, not_json
from plugins.sinks.zendesk.payloads import is_id, part_of, text_of
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
        self.credentials = Credentials(settings, toolbox)
        self.answer: Any = _NO_ANSWER
        self.called = ""
        self.extra_headers: dict[str, str] = {}
        self.extra_params: dict[str, str] = {}
        self.effect_possible = False
        self.budget = Budget()

    def request(
        self, method: str | bytes, url: str | bytes, *_: Any, json: Any = None, data: Any = None, **__: Any
    ) -> requests.Response:
        """Send through the hub's session; return a 2xx with a JSON body or raise one of our errors."""
        url = str(url)
        if not url.startswith(_ORIGIN + "/"):  # ZENPY_FORCE_NETLOC and _SCHEME would send the token elsewhere
            raise ConfigurationError("zenpy was pointed elsewhere: unset ZENPY_FORCE_NETLOC and ZENPY_FORCE_SCHEME")
        path = url.removeprefix(_ORIGIN).partition("?")[0]
        self.called = f"{method!s} {path}"
        try:
            response = self.credentials.send(
                lambda signed: self._toolbox.http.request(
                    str(method),
                    self._origin + url.removeprefix(_ORIGIN),
                    params=self.extra_params or None,
                    json=json,
                    data=data,
                    headers={"Accept": "application/json", **signed, **self.extra_headers},
                    allow_redirects=False,
                )
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=self.effect_possible) from error
        now = self._toolbox.now()
        self.budget.note(response.headers, now)
        if not 200 <= response.status_code < 300:
            lane = is_limit_of_one(str(method), path, response.headers)
            raise failure_of_answer(
                response, now, effect_possible=self.effect_possible, scope="lane" if lane else "connection"
            )
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
        self.credentials = self._door.credentials
        self._log = toolbox.log
        self._zenpy: Zenpy | None = None

    def __repr__(self) -> str:
        return f"<ZendeskClient {self._door._origin}>"  # noqa: SLF001 - ours

    @property
    def budget(self) -> Budget:
        """What is left of the account's calls."""
        return self._door.budget

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
        return self.ticket_and_people(ticket_id, include="")[0]

    def ticket_and_people(self, ticket_id: str, *, include: str = "users") -> tuple[Json, list[Json]]:
        """One ticket and, in the same call, the users who ask and work on it (as far as Zendesk adds them)."""
        number = _id(ticket_id)
        params = {"include": include} if include else None
        answer = self._call(lambda: self._api.tickets(id=number), params=params)
        ticket = self._part(answer, "ticket", *_TICKET, "tags", "updated_at")
        if text_of(ticket["id"]) != str(number):
            raise self._odd("ticket")
        people = answer.get("users")
        return ticket, [one for one in people if _has(one, ("id", "role"))] if isinstance(people, list) else []

    def tickets(self, ids: Iterable[str]) -> list[Json]:
        """The tickets of at most a hundred ids that are still there."""
        wanted = sorted({_id(ticket_id) for ticket_id in ids})
        page = self._call(lambda: self._api.tickets(ids=wanted))
        return self._rows(page, "tickets", *_TICKET, "tags", "updated_at")

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

    def create_tickets(self, tickets: Sequence[Json]) -> Json:
        """Have a job create at most a hundred tickets; returns the job. It takes no key."""
        api = self._api
        from zenpy.lib.api_objects import Ticket

        rows = [Ticket(**ticket) for ticket in tickets]
        return self._job(self._call(lambda: api.tickets.create(rows), effect_possible=True))

    def update_tickets(self, tickets: Sequence[Json]) -> Json:
        """Have a job change at most a hundred tickets, each in its own way; returns the job."""
        api = self._api
        from zenpy.lib.api_objects import Ticket

        rows = [Ticket(**ticket) for ticket in tickets]
        return self._job(self._call(lambda: api.tickets.update(rows), effect_possible=True))

    def save_users(self, users: Sequence[Json]) -> Json:
        """As ``save_user`` for at most a hundred users, by a job; returns the job."""
        api = self._api
        from zenpy.lib.api_objects import User

        rows = [User(**user) for user in users]
        return self._job(self._call(lambda: api.users.create_or_update(rows)))

    def jobs(self, ids: Iterable[str]) -> list[Json]:
        """The jobs of these ids that Zendesk still knows (it forgets after an hour). zenpy has no call for it."""
        url = f"{_ORIGIN}/api/v2/job_statuses/show_many.json?ids={quote(','.join(ids), safe=',')}"
        return self._job_rows(self._call(lambda: self._door.get(url)))

    def newest_jobs(self) -> list[Json]:
        """The account's newest jobs, at most 300, those that still run among them."""
        rows: list[Json] = []
        params = {"page[size]": "100"}
        for _ in range(3):
            page = self._call(lambda: self._door.get(f"{_ORIGIN}/api/v2/job_statuses.json"), params=params)
            rows += self._job_rows(page)
            after = text_of(part_of(page, "meta").get("after_cursor"))
            if not after or part_of(page, "meta").get("has_more") is not True:
                break
            params = {"page[size]": "100", "page[after]": after}
        return rows

    def upload(self, file: Media, *, name: str, mime_type: str) -> str:
        """Leave a file with Zendesk; its token is good for one comment within an hour. Harmless when repeated."""
        url = f"{_ORIGIN}/api/v2/uploads.json?filename={quote(name, safe='')}"
        headers = {"Content-Type": mime_type or "application/octet-stream"}
        answer = self._call(lambda: self._door.post(url, data=file), headers=headers)
        token = text_of(part_of(answer, "upload").get("token"))
        if not token:
            raise self._odd("upload token")
        return token

    def ticket_events(self, start_time: int) -> Json:
        """One page of the incremental export of audits, each with its ``child_events``."""
        page = self._call(lambda: self._api.tickets.events(start_time=start_time, include=["comment_events"]))
        self._rows(page, "ticket_events")
        if not isinstance(page.get("end_of_stream"), bool) or not isinstance(page.get("end_time"), int | None):
            raise self._odd("end_of_stream and end_time")
        return page

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

    def export(self, *, cursor: str = "", start_time: int | None = None, per_page: int = 1000) -> Json:
        """One page of the cursor-based incremental export."""
        where: Json = {"cursor": quote(cursor, safe="")} if cursor else {"start_time": start_time}
        # zenpy passes the size of the page on with a start time only.
        size = {"per_page": str(per_page)} if cursor else None
        page = self._call(lambda: self._api.tickets.incremental(per_page=per_page, **where), params=size)
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

    def _job(self, answer: Json) -> Json:
        job = answer.get("job_status")
        if not isinstance(job, dict) or not text_of(job.get("id")):
            odd = self._odd("job").summary
            raise OutcomeUnknown(odd) if self._door.effect_possible else OddAnswer(odd)
        return job

    def _job_rows(self, answer: Json) -> list[Json]:
        rows = self._rows(answer, "job_statuses")
        if not all(text_of(row.get("id")) and isinstance(row.get("status"), str) for row in rows):
            raise self._odd("job_statuses")
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
