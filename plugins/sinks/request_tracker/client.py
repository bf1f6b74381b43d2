"""The one place that talks to Request Tracker's REST 2: plain JSON in and out, errors of ours only.

https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import requests

from hub.sdk import OutcomeUnknown, Refused, Toolbox, failure_of_transport
from plugins.sinks.request_tracker.errors import DENIED, GONE, OddAnswer, failure_of_answer, not_json
from plugins.sinks.request_tracker.payloads import id_of, text_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

PER_PAGE = 100
"""RT gives no more rows at once."""
MAX_PAGES = 20
TRANSACTION_FIELDS = "Type,Field,OldValue,NewValue,Data,ObjectId,Created,Creator"
_PAST = "Subject,Status,Priority,Created,LastUpdated,Resolved,Queue,Owner,Requestor,CustomFields"
_TICKET = {"fields[Queue]": "Name", "fields[Owner]": "RealName"}
_TEXTS: list[dict[str, Any]] = [
    {"field": "ContentType", "operator": "LIKE", "value": "text/%"},
    {"field": "Filename", "operator": "IS", "value": "NULL"},
]
_NO_MAIL = "Type != 'EmailRecord' AND Type != 'CommentEmailRecord'"

Json = dict[str, Any]


class RequestTrackerClient:
    """Calls of REST 2. One per connector instance."""

    def __init__(self, settings: RequestTrackerSettings, toolbox: Toolbox) -> None:
        self._base = f"{settings.url}/REST/2.0"
        self._token = settings.token
        self._toolbox = toolbox

    def __repr__(self) -> str:
        return f"<RequestTrackerClient {self._base}>"

    def version(self) -> str:
        """RT's version."""
        return str(self._object("GET", "/rt").get("Version", ""))

    def user(self, name_or_id: str) -> Json:
        """A user with Name and Privileged."""
        return self._object("GET", f"/user/{quote(name_or_id, safe='')}", "Name", "Privileged")

    def queue(self, name_or_id: str) -> Json:
        """A queue with its custom fields as far as our account sees them."""
        return self._object("GET", f"/queue/{quote(name_or_id, safe='')}", "id", "Name")

    def group(self, number_of_group: str) -> Json:
        """A group with its direct Members; ``Refused`` (denied) without the right SeeGroup."""
        return self._object("GET", f"/group/{number(number_of_group)}", "Members")

    def system_group(self, name: str) -> str:
        """The number of one of RT's own groups; empty when our account may not see it."""
        query = json.dumps([{"field": "Domain", "value": "SystemInternal"}, {"field": "Name", "value": name}])
        rows, _ = self._rows("/groups", {"query": query, "per_page": PER_PAGE})
        return str(rows[0]["id"]) if len(rows) == 1 else ""

    def users(self, field: str, values: Sequence[str]) -> list[Json]:
        """The users with one of these values in ``field`` (Name, EmailAddress, RealName), not the disabled ones, with
        these three fields: a call per hundred. ``Refused`` when RT does not search by that field."""
        found: list[Json] = []
        for start in range(0, len(values), PER_PAGE):
            some = [
                {"field": field, "value": value, "entry_aggregator": "OR"} for value in values[start : start + PER_PAGE]
            ]
            params = {"fields": "Name,RealName,EmailAddress", "per_page": PER_PAGE}
            rows, _ = self._rows("/users", params, search=some)
            asked = {value.casefold() for value in values}
            # RT skips a limit on a field that its configuration does not name, and then lists all users.
            if any(text_of(row.get(field)).casefold() not in asked for row in rows):
                raise Refused(
                    f"RT does not search users by {field}: add it to $UserSummaryExtraInfo in its configuration"
                )
            found += rows
        return found

    def owners_of_open(self, queue_ids: Sequence[str]) -> tuple[list[str], bool]:
        """The owner of each owned ticket in these queues that is not resolved, and whether these are all."""
        queues = " OR ".join(f"Queue = {number(queue_id)}" for queue_id in queue_ids)
        query = f"({queues}) AND Status = '__Active__' AND Owner != 'Nobody'"
        rows, complete = self._pages("/tickets", {"query": query, "fields": "Owner", "orderby": "id"})
        return [id_of(row.get("Owner")) for row in rows], complete

    def ticket(self, ticket_id: str) -> tuple[Json, str]:
        """A ticket and its ETag. A merged number gives the ticket it was merged into: compare ``id``."""
        body, response = self._call("GET", f"/ticket/{number(ticket_id)}", params=_TICKET)
        if not isinstance(body, dict) or not {"id", "Status", "Queue", "LastUpdated"} <= body.keys():
            raise OddAnswer("Request Tracker answered without a readable ticket")
        if "CustomFields" not in body:
            raise OddAnswer("Request Tracker answered with a ticket without custom fields")
        return body, response.headers.get("ETag", "")

    def find_tickets(self, query: str) -> list[Json]:
        """Tickets a TicketSQL query finds, with custom fields; never merged or deleted ones, those RT hides."""
        params = {"query": query, "fields": "Status,Created,CustomFields", "per_page": PER_PAGE}
        return self._rows("/tickets", params)[0]

    def changed_since(self, day: str, *, after: int, most: int) -> list[Json]:
        """Up to ``most`` tickets with a number above ``after`` that changed since ``day``, by their numbers. RT reads
        the day in the time zone of our account, so that it is not sharp."""
        params = {"query": f"LastUpdated > '{day}' AND id > {after}", "orderby": "id", "order": "ASC"}
        params |= {"fields": _PAST, "fields[Queue]": "Name", "fields[Owner]": "Name"}
        return self._rows("/tickets", {**params, "per_page": most})[0]

    def create_ticket(self, ticket: Json) -> str:
        """Open a ticket; its number."""
        body, _ = self._call("POST", "/ticket", body=ticket, effect_possible=True)
        ticket_id = str(body.get("id", "")) if isinstance(body, dict) else ""
        if not ticket_id.isdecimal():
            raise OutcomeUnknown("Request Tracker accepted the ticket but answered without its number")
        return ticket_id

    def add_message(self, ticket_id: str, kind: str, message: Json) -> str:
        """``kind``: ``correspond`` (public) or ``comment`` (internal). The transaction's number."""
        try:
            _, response = self._call("POST", f"/ticket/{number(ticket_id)}/{kind}", body=message, effect_possible=True)
        except Refused as error:
            if error.detail == DENIED or self._exists(ticket_id):
                raise
            # RT says 400 "Message could not be recorded" here, and 404 elsewhere.
            raise Refused("the ticket is gone", detail=GONE) from error
        found = re.search(r"/transaction/([0-9]+)$", response.headers.get("Location", ""))
        if found is None:
            raise OutcomeUnknown("Request Tracker accepted the message but answered without its number")
        return found.group(1)

    def update_ticket(self, ticket_id: str, changes: Json, *, etag: str = "") -> list[str]:
        """Change fields. Returns what RT says about each, which may be a refusal: read the ticket back."""
        headers = {"If-Match": etag} if etag else {}
        body, _ = self._call("PUT", f"/ticket/{number(ticket_id)}", body=changes, headers=headers, effect_possible=True)
        return [str(line) for line in body] if isinstance(body, list) else []

    def history(self, ticket_ids: Sequence[str]) -> tuple[list[Json], bool]:
        """The transactions of these tickets, oldest first, and whether these are all. ``OddAnswer`` for none: RT
        answers 200 and an empty list also to an account that may not see the ticket."""
        these = " OR ".join(f"ObjectId = {number(ticket_id)}" for ticket_id in ticket_ids)
        params = {"query": f"ObjectType = 'RT::Ticket' AND {_NO_MAIL} AND ({these})", "fields": TRANSACTION_FIELDS}
        params |= {"fields[Creator]": "Name,RealName", "orderby": "id"}
        # /ticket/N/history holds mail records; those our account may not see shorten its pages without a word.
        rows, complete = self._pages("/transactions", params)
        if not rows:
            raise OddAnswer("Request Tracker shows no history of the ticket")
        return rows, complete

    def parts(self, ticket_id: str, transactions: Sequence[str]) -> tuple[list[Json], list[Json]]:
        """The MIME parts of these transactions without content, and the text parts that are no files with it."""
        meta: list[Json] = []
        texts: list[Json] = []
        path = f"/ticket/{number(ticket_id)}/attachments"
        about = {"fields": "TransactionId,ContentType,Filename,ContentLength,Headers", "orderby": "id"}
        content = {"fields": "TransactionId,ContentType,Content", "orderby": "id"}
        for start in range(0, len(transactions), 20):  # the query stands in the address
            some: list[Json] = [
                {"field": "TransactionId", "value": number(row), "entry_aggregator": "OR"}
                for row in transactions[start : start + 20]
            ]
            meta += self._pages(path, about | {"query": json.dumps(some)})[0]
            texts += self._pages(path, content | {"query": json.dumps(some + _TEXTS)})[0]
        return meta, texts

    def part(self, part_id: str, *, max_bytes: int) -> Json:
        """One MIME part, its content in base64. ``Refused`` when its answer is too large for ``max_bytes`` of it."""
        self._toolbox.http.cookies.clear()
        most = max_bytes * 3 // 2 + 64 * 1024  # base64 in lines, and the headers of a mail
        try:
            with self._toolbox.http.request(
                "GET",
                f"{self._base}/attachment/{number(part_id)}",
                headers={"Accept": "application/json", "Authorization": f"token {self._token.get_secret_value()}"},
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    raise failure_of_answer(response, self._toolbox.now(), effect_possible=False)
                raw = bytearray()
                for chunk in response.iter_content(64 * 1024):
                    raw += chunk
                    if len(raw) > most:
                        raise Refused(f"the file is larger than {max_bytes} bytes")
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise OddAnswer("Request Tracker answered a file with something other than JSON") from error
        if not isinstance(body, dict) or "Content" not in body:
            raise OddAnswer("Request Tracker answered without a readable file")
        return body

    def changes_after(self, transaction_id: int, creator: str) -> list[Json]:
        """Up to 100 transactions after this number on tickets that ``creator`` opened, in order; no mail records."""
        query = (
            f"id > {transaction_id} AND ObjectType = 'RT::Ticket' AND TicketCreator = {number(creator)} AND {_NO_MAIL}"
        )
        params = {"query": query, "fields": "Type,ObjectId,Created", "orderby": "id", "per_page": PER_PAGE}
        return self._rows("/transactions", params)[0]

    def newest_transaction(self) -> int:
        """The number of the newest transaction our account sees; 0 for none."""
        params = {"query": "ObjectType = 'RT::Ticket'", "orderby": "id", "order": "DESC", "per_page": 1}
        rows = self._rows("/transactions", params)[0]
        return int(rows[0]["id"]) if rows else 0

    def newest_creations(self, creator: str) -> list[Json]:
        """The newest 100 transactions that opened a ticket for ``creator``, newest first."""
        query = f"ObjectType = 'RT::Ticket' AND Type = 'Create' AND Creator = {number(creator)}"
        params = {"query": query, "fields": "ObjectId,Created", "orderby": "id", "order": "DESC", "per_page": PER_PAGE}
        return self._rows("/transactions", params)[0]

    def custom_fields_named(self, name: str) -> list[Json]:
        """Ticket custom fields of this name that are not disabled."""
        query = json.dumps([{"field": "Name", "value": name}])
        params = {"query": query, "fields": "Name,LookupType,Description", "per_page": PER_PAGE}
        rows, _ = self._rows("/customfields", params)
        return [row for row in rows if row.get("LookupType") == "RT::Queue-RT::Ticket"]

    def create_custom_field(
        self, name: str, *, queue_id: str, many: bool, description: str, values: Sequence[str] = ()
    ) -> None:
        """Make a ticket custom field and apply it to a queue (``Queue`` does that; REST 2 has no call of its own).
        ``values``: a list to choose from."""
        kind = "Select" if values else "Freeform"
        field: Json = {"Name": name, "Type": kind, "MaxValues": 0 if many else 1, "Description": description}
        field |= {"LookupType": "RT::Queue-RT::Ticket", "Queue": queue_id}
        body, _ = self._call("POST", "/customfield", body=field, effect_possible=True)
        self.offer_values(text_of(body.get("id")) if isinstance(body, dict) else "", values)

    def offered_values(self, field_id: str) -> list[str] | None:
        """What a custom field offers; ``None`` when it takes any text. ``Refused`` (denied) without SeeCustomField on
        the field itself."""
        field = self._object("GET", f"/customfield/{number(field_id)}", "Name")
        values = field.get("Values")
        if field.get("Type") != "Select":
            return None
        return [text_of(value) for value in values] if isinstance(values, list) else []

    def offer_values(self, field_id: str, values: Sequence[str]) -> None:
        """Add values to a list, behind those it has."""
        for value in values:
            path = f"/customfield/{number(field_id)}/value"
            self._call("POST", path, body={"Name": value}, effect_possible=True)

    def create_queue(self, name: str, *, description: str) -> None:
        """Make a queue."""
        self._call("POST", "/queue", body={"Name": name, "Description": description}, effect_possible=True)

    def disable_custom_field(self, field_id: str) -> None:
        """Take a custom field out of use."""
        self._call("DELETE", f"/customfield/{number(field_id)}", effect_possible=True)

    def _exists(self, ticket_id: str) -> bool:
        try:
            self.ticket(ticket_id)
        except Refused as error:
            return error.detail != GONE
        return True

    def _object(self, method: str, path: str, *keys: str) -> Json:
        body, _ = self._call(method, path)
        if not isinstance(body, dict) or not set(keys) <= body.keys():
            raise OddAnswer(
                f"Request Tracker answered {path.split('/')[1]} without {' and '.join(keys) or 'an object'}"
            )
        return body

    def _rows(self, path: str, params: Json, *, search: list[Json] | None = None) -> tuple[list[Json], bool]:
        method = "GET" if search is None else "POST"  # the same; a long search does not fit into an address
        body, _ = self._call(method, path, params=params, body=search)
        rows = body.get("items") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise OddAnswer(f"Request Tracker answered {path.rsplit('/', maxsplit=1)[-1]} without a readable list")
        return rows, len(rows) < int(params["per_page"])

    def _pages(self, path: str, params: Json) -> tuple[list[Json], bool]:
        rows: list[Json] = []
        for page in range(1, MAX_PAGES + 1):  # RT tells total and pages to superusers only
            more, last = self._rows(path, {**params, "per_page": PER_PAGE, "page": page})
            rows += more
            if last:
                return rows, True
        return rows, False

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Json | None = None,
        body: Json | list[Json] | None = None,
        headers: dict[str, str] | None = None,
        effect_possible: bool = False,
    ) -> tuple[Any, requests.Response]:
        # A web session's cookie would come before the token.
        self._toolbox.http.cookies.clear()
        try:
            response = self._toolbox.http.request(
                method,
                self._base + path,
                params=params,
                json=body,
                headers={
                    "Accept": "application/json",
                    "Authorization": f"token {self._token.get_secret_value()}",
                    **(headers or {}),
                },
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect_possible) from error
        if not 200 <= response.status_code < 300:
            raise failure_of_answer(response, self._toolbox.now(), effect_possible=effect_possible)
        if response.status_code == 204:
            return None, response
        try:
            return response.json(), response
        except (ValueError, RecursionError) as error:
            raise not_json(response, effect_possible=effect_possible) from error


def number(value: str) -> str:
    """An id as RT writes them; ``Refused`` for anything else."""
    if re.fullmatch(r"[0-9]{1,18}", value) is None:
        raise Refused(f"{value[:40]!r} is not a number of RT")
    return value


def quoted(value: str) -> str:
    """A TicketSQL string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def any_of(ids: Iterable[str]) -> str:
    """A TicketSQL condition for these tickets."""
    return " OR ".join(f"id = {number(ticket_id)}" for ticket_id in ids)
