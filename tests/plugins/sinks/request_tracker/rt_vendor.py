"""A small Request Tracker in memory. Held against a real RT 5.0.3 by ``test_rt_live.py``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from rt_people import AGENT, HUB, ORIGIN, People, ref

from hub.sdk import WebhookRequest
from hub.testing.vendor import HelpdeskVendor, Record, Said, reply
from plugins.sinks.request_tracker.settings import FROM_RT, PRIORITIES, TO_RT

TOKEN = f"1-27-{'0a' * 16}"
SECRET = "scrip-secret"
STATUSES = ("new", "open", "stalled", "resolved", "rejected", "deleted")

Json = dict[str, Any]


class RequestTracker(People, HelpdeskVendor):
    """Queues, custom fields, tickets, transactions with MIME parts, and the scrip's webhooks. One kind of rights: the
    hub's account may do everything unless ``silent`` or ``forbidden`` says otherwise."""

    def __init__(self, *, fields: tuple[str, ...] = ("ExternalID", "Tags", "OrderNumber")) -> None:
        super().__init__()
        self.queues: dict[str, Json] = {"Social": {"id": 3, "Name": "Social", "Description": ""}}
        self.queues["Parcels"] = {"id": 4, "Name": "Parcels", "Description": ""}
        for name in fields:
            self._new_field({"Name": name, "Queue": 0, "MaxValues": 0 if name == "Tags" else 1})
        self.tickets: dict[int, Json] = {}
        self.transactions: list[Json] = []
        self.parts: list[Json] = []
        self.raw: dict[str, bytes] = {}
        self.forbidden = False
        self.silent = False
        self.token = TOKEN
        self.outbox: list[WebhookRequest] = []
        self.first_transaction = 40

    # --- what the kit's checks do -------------------------------------------------------------------------------------

    def revoke_credentials(self) -> None:
        """The token is revoked."""
        self.token = ""

    def accept_without_applying(self) -> None:
        """Updates are answered with 200 and RT's words; creations lose nothing, so only fields stay as they are."""
        self.silent = True

    def webhooks(self) -> list[WebhookRequest]:
        """What the scrip sent."""
        sent, self.outbox = self.outbox, []
        return sent

    def records(self) -> list[Record]:
        """Every ticket, with what was said on it."""
        return [self._record(row) for row in self.tickets.values() if row["Status"] != "deleted"]

    def agent_answers(
        self, record_id: str, text: str, *, public: bool = True, door: str = "Web", by: str = AGENT, **headers: str
    ) -> str:
        """Alice replies or comments."""
        kind = "Correspond" if public else "Comment"
        body = {"Content": text, "ContentType": "text/plain"}
        return str(self._say(int(record_id), kind, body, by, door=door, headers=headers)["id"])

    def agent_sets_status(self, record_id: str, status: str) -> None:
        """Alice sets a status of the hub (or of RT)."""
        word = TO_RT.get(status, status)  # type: ignore[call-overload]
        self._set(self.tickets[int(record_id)], "Status", word, AGENT)

    def rule_answers(self, record_id: str, text: str) -> str:
        """A scrip of the company corresponds."""
        return self.agent_answers(record_id, text, by="RT_System", door="")

    def merge(self, record_id: str, into: str) -> None:
        """Alice merges a ticket into another."""
        self.tickets[int(record_id)]["EffectiveId"] = int(into)
        for number in (record_id, into):
            link = {"Field": "MergedInto", "NewValue": f"fsck.com-rt://rt.example.com/ticket/{into}"}
            self._transaction(int(number), "AddLink", AGENT, **link)

    # --- REST 2 ---

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """Answer one request."""
        parts = urlsplit(str(request.url))
        path = [unquote(part) for part in parts.path.removeprefix("/REST/2.0/").split("/")]
        query = dict(parse_qsl(parts.query))
        if not self.token or request.headers.get("Authorization") != f"token {self.token}":
            return reply(request, 401, {"message": "Unauthorized"})
        if self.forbidden:
            return reply(request, 403, {"message": "Forbidden"})
        body = json.loads(request.body) if request.body else {}
        status, answer, headers = self._answer(str(request.method), path, query, body, request)
        return reply(request, status, answer, headers={"Date": f"{self.now():%a, %d %b %Y %H:%M:%S} GMT", **headers})

    def _answer(
        self, method: str, path: list[str], query: Json, body: Json, request: requests.PreparedRequest
    ) -> tuple[int, Any, dict[str, str]]:
        match method, path:
            case "GET", ["rt"]:
                return 200, {"Version": "5.0.3"}, {}
            case "GET", ["user", name]:
                return self._found(self._user(name))
            case "POST", ["users"]:
                return 200, self._list(self._search_users(body), query), {}
            case "GET", ["groups"]:
                return 200, self._list(self._search_groups(json.loads(query["query"])), query), {}
            case "GET", ["group", number]:
                return self._group(number)
            case "GET", ["queue", name]:
                return self._found(self._queue(name))
            case "GET", ["tickets"]:
                return 200, self._list(self._search(query["query"]), query), {}
            case "GET", ["transactions"]:
                return 200, self._list(self._search_transactions(query["query"]), query), {}
            case "GET", ["customfields"]:
                (wanted,) = json.loads(query["query"])
                rows = [row for row in self.fields if row["Name"] == wanted["value"] and not row["Disabled"]]
                return 200, self._list(rows, query), {}
            case "GET", ["ticket", number, "attachments"]:
                return 200, self._list(self._attachments(number, json.loads(query["query"])), query), {}
            case "GET", ["attachment", number]:
                part = next((one for one in self.parts if one["id"] == number), None)
                if part is None:  # so it does
                    return 500, {"message": "Internal Server Error"}, {}
                shown = {name: part[name] for name in ("ContentType", "Filename", "Headers")}
                shown |= {"id": int(number), "TransactionId": ref("transaction", part["TransactionId"])}
                return 200, {**shown, "Content": base64.encodebytes(self.raw[number]).decode()}, {}
            case "GET", ["ticket", number]:
                row = self._ticket(number)
                return self._found(row and self._view(row), row)
            case "POST", ["ticket"]:
                return self._create(body)
            case "POST", ["ticket", number, "correspond" | "comment" as kind]:
                row = self._ticket(number)
                if row is None:
                    return 400, {"message": "Message could not be recorded"}, {}
                said = self._say(row["id"], kind.title(), body, HUB, door="REST")
                headers = {"Location": f"/REST/2.0/transaction/{said['id']}"}
                return 201, ["Correspondence added" if kind == "correspond" else "Comments added"], headers
            case "PUT", ["ticket", number]:
                row = self._ticket(number)
                if row is None:
                    return 404, {"message": "Resource does not exist; use POST to create"}, {}
                if request.headers.get("If-Match") not in (None, self._etag(row)):
                    return 412, {"message": "Precondition Failed"}, {}
                return 200, self._update(row, body), {}
            case "POST", ["customfield"]:
                return 201, {"type": "customfield", "id": str(self._new_field(body)["id"])}, {}
            case "GET", ["customfield", number]:
                if not self.sees_fields:
                    return 403, {"message": "Forbidden"}, {}
                return self._found(next((row for row in self.fields if str(row["id"]) == number), None))
            case "POST", ["customfield", number, "value"]:
                offered = next(row for row in self.fields if str(row["id"]) == number)["Values"]
                offered.append(body["Name"])
                return 201, {"type": "customfieldvalue", "id": str(len(offered))}, {}
            case "DELETE", ["customfield", number]:
                next(row for row in self.fields if str(row["id"]) == number)["Disabled"] = True
                return 204, b"", {}
            case "POST", ["queue"]:
                if body["Name"] in self.queues:
                    return 400, {"message": "Queue already exists"}, {}
                self.queues[body["Name"]] = {"id": len(self.queues) + 3, "Description": "", **body}
                return 201, {"type": "queue", "id": str(len(self.queues) + 2)}, {}
        return 404, {"message": "Not Found"}, {}

    def _found(self, body: Json | None, ticket: Json | None = None) -> tuple[int, Any, dict[str, str]]:
        if body is None:
            return 404, {"message": "Not Found"}, {}
        return 200, body, {"ETag": self._etag(ticket)} if ticket else {}

    def _queue(self, name: str) -> Json | None:
        row = next((row for row in self.queues.values() if name in (row["Name"], str(row["id"]))), None)
        if row is None:
            return None
        fields = [{"id": str(field["id"]), "name": field["Name"]} for field in self._fields_of(row["id"])]
        return {
            "AdminCc": [],
            **row,
            "TicketCustomFields": fields,
            "_hyperlinks": [{"ref": "create", "type": "ticket"}],
        }

    def _ticket(self, number: str) -> Json | None:
        row = self.tickets.get(int(number))
        return row if row is None else self.tickets[row["EffectiveId"]]

    def _etag(self, row: Json) -> str:
        return f'"{max(t["id"] for t in self.transactions if t["ObjectId"] == str(row["id"]))}"'

    def _view(self, row: Json) -> Json:
        queue = self.queues[row["Queue"]]
        fields = self._fields_of(queue["id"])
        return {
            **{name: value for name, value in row.items() if name != "values"},
            "EffectiveId": ref("ticket", row["EffectiveId"]),
            "Queue": {**ref("queue", queue["id"]), "Name": queue["Name"]},
            "Owner": {**ref("user", row["Owner"]), "RealName": self.users[row["Owner"]]["RealName"]},
            "Priority": str(row["Priority"]),
            "CustomFields": [
                {
                    **ref("customfield", field["id"]),
                    "name": field["Name"],
                    "values": row["values"].get(field["Name"], []),
                }
                for field in fields
            ],
        }

    def _list(self, rows: list[Json], query: Json) -> Json:
        size, page = int(query["per_page"]), int(query.get("page", 1))
        rows = sorted(rows, key=lambda row: (len(str(row["id"])), str(row["id"])), reverse=query.get("order") == "DESC")
        rows = rows[(page - 1) * size : page * size]
        wanted = set(query.get("fields", "").split(",")) | {"id"}
        items = [
            {name: row[name] for name in row if name in wanted | {"type"}} | {"id": str(row["id"])} for row in rows
        ]
        return {"items": items, "count": len(rows), "page": page, "per_page": size, "total": None, "pages": None}

    def _search(self, query: str) -> list[Json]:
        live = [row for row in self.tickets.values() if row["Status"] != "deleted" and row["EffectiveId"] == row["id"]]
        field = re.fullmatch(r"'CF\.\{(\w+)\}' = '((?:[^'\\]|\\.)*)'", query)
        changed = re.fullmatch(r"LastUpdated > '([0-9: -]+)' AND id > ([0-9]+)", query)
        owned = re.fullmatch(r"\((Queue = [0-9]+(?: OR Queue = [0-9]+)*)\) AND (.*)", query)
        if owned:
            assert owned.group(2) == "Status = '__Active__' AND Owner != 'Nobody'", query
            queues = {int(number) for number in re.findall("[0-9]+", owned.group(1))}
            live = [row for row in live if self.queues[row["Queue"]]["id"] in queues and row["Owner"] != "Nobody"]
            active = [row for row in live if row["Status"] in ("new", "open", "stalled")]
            return [{"type": "ticket", "id": row["id"], "Owner": ref("user", row["Owner"])} for row in active]
        if changed:
            day = changed.group(1).replace(" ", "T") + "Z"
            live = [row for row in live if row["LastUpdated"] > day and row["id"] > int(changed.group(2))]
        elif field:
            value = re.sub(r"\\(.)", r"\1", field.group(2))
            live = [row for row in live if value in row["values"].get(field.group(1), [])]
        else:
            ids = [int(part.removeprefix("id = ")) for part in query.split(" OR ")]
            live = [row for row in live if row["id"] in ids]
        return [{**self._view(row), "id": str(row["id"])} for row in live]

    def _search_transactions(self, query: str) -> list[Json]:
        rows = list(self.transactions)
        for clause in re.sub(r"\((.*)\)", lambda m: m.group(1).replace(" OR ", "|"), query).split(" AND "):
            name, sign, value = clause.partition("|")[0].split(" ", 2)
            value = value.strip("'")
            if name == "id":
                rows = [row for row in rows if int(row["id"]) > int(value)]
            elif name == "TicketCreator":
                ours = {str(row["id"]) for row in self.tickets.values() if row["Creator"]["id"] == HUB}
                rows = [row for row in rows if row["ObjectId"] in ours]
            elif name == "ObjectId":
                these = {part.rpartition(" ")[2] for part in clause.split("|")}
                rows = [row for row in rows if row["ObjectId"] in these]
            elif name == "Creator":
                rows = [row for row in rows if row["Creator"]["Name"] == HUB]
            elif name == "Type":
                rows = [row for row in rows if (row["Type"] == value) == (sign == "=")]
            else:
                assert (name, value) == ("ObjectType", "RT::Ticket"), clause
        return rows

    def _attachments(self, number: str, limits: list[Json]) -> list[Json]:
        wanted = {limit["value"] for limit in limits if limit["field"] == "TransactionId"}
        rows = [row for row in self.parts if row["TransactionId"] in wanted and row["TransactionId"] is not None]
        if any(limit["field"] == "Filename" for limit in limits):
            rows = [row for row in rows if row["ContentType"].startswith("text/") and not row["Filename"]]
        return rows

    # --- what happens to tickets ---

    def _create(self, body: Json) -> tuple[int, Any, dict[str, str]]:
        queue = self._queue(body.get("Queue", ""))
        if queue is None:
            return 403, {"message": f"No permission to create tickets in the queue '{body.get('Queue')}'"}, {}
        number = len(self.tickets) + 1
        row: Json = {
            "id": number,
            "EffectiveId": number,
            "Subject": body["Subject"],
            "Status": "new",
            "Owner": "Nobody",
        }
        row |= {"Queue": queue["Name"], "Priority": body.get("Priority", 0), "values": {}, "Requestor": []}
        row |= {"Creator": ref("user", HUB), "Created": self._time(), "LastUpdated": self._time()}
        self.tickets[number] = row
        known = {field["Name"] for field in self._fields_of(queue["id"])}
        for name, value in body.get("CustomFields", {}).items():
            if name in known and not self.silent and (values := self._taken(name, value)) is not None:
                row["values"][name] = values
        said = self._transaction(number, "Create", HUB)
        self._mime(said, body, "REST")
        return 201, {"type": "ticket", "id": str(number), "_url": f"{ORIGIN}/REST/2.0/ticket/{number}"}, {}

    def _say(
        self, number: int, kind: str, body: Json, by: str, *, door: str, headers: dict[str, str] | None = None
    ) -> Json:
        row = self.tickets[self.tickets[number]["EffectiveId"]]
        said = self._transaction(row["id"], kind, by, Data=f"{body.get('Subject') or 'No Subject'}\n")
        self._mime(said, body, door, headers or {})
        if kind == "Correspond" and row["Status"] not in ("open", "stalled"):
            self._set(row, "Status", "open", "RT_System")
        return said

    def _mime(self, said: Json, body: Json, door: str, headers: dict[str, str] | None = None) -> None:
        head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in (headers or {}).items())
        head = f"X-RT-Interface: {door}\n{head}MIME-Version: 1.0"
        files = body.get("Attachments", [])
        if files:
            self._part(said, "multipart/mixed", "", b"", head)
        self._part(said, body["ContentType"], "", body["Content"].encode(), head if not files else "")
        for file in files:
            assert file["FileName"], file
            self._part(said, file["FileType"], file["FileName"], base64.b64decode(file["FileContent"], validate=True))

    def _part(self, said: Json, mime: str, name: str, content: bytes, head: str = "") -> None:
        row = {"id": str(len(self.parts) + 1), "TransactionId": said["id"], "ContentType": mime, "Filename": name}
        row |= {"ContentLength": str(len(content)), "Headers": head, "Content": content.decode(errors="replace")}
        self.parts.append(row)
        self.raw[row["id"]] = content

    def _update(self, row: Json, body: Json) -> list[str]:
        said: list[str] = []
        for name, value in sorted(body.items(), key=lambda item: item[0] != "Owner"):  # the owner before the queue
            if self.silent:
                said.append(f"Ticket {row['id']}: Permission Denied")
            elif name == "CustomFields":
                for field in self._fields_of(self.queues[row["Queue"]]["id"]):
                    if field["Name"] in value:
                        values = self._taken(field["Name"], value[field["Name"]])
                        if values is None:
                            said.append("Invalid value for custom field")
                            continue
                        row["values"][field["Name"]] = values
                        self._transaction(row["id"], "CustomField", HUB, Field=str(field["id"]))
                        said.append(f"{field['Name']} changed")
            elif name == "Status" and value not in STATUSES:
                said.append(f"Ticket {row['id']}: Status '{value}' isn't a valid status for this ticket.")
            elif name == "Queue" and value not in self.queues:
                said.append(f"Ticket {row['id']}: Queue {value} does not exist")
            elif name == "Owner" and (owner := self._login(value)) is None:
                said.append(f"Ticket {row['id']}: That user does not exist")
            elif name == "Owner" and not self._may_own(str(owner), row["Queue"]):
                said.append(f"Ticket {row['id']}: That user may not own tickets in that queue")
            elif name == "Owner" and row["Owner"] != owner:
                said.append(f"Ticket {row['id']}: Owner changed from {row['Owner']} to {owner}")
                self._set(row, "Owner", owner, HUB)
            elif row[name] != value:
                said.append(f"Ticket {row['id']}: {name} changed from '{row[name]}' to '{value}'")
                self._set(row, name, value, HUB)
        return said

    def _set(self, row: Json, name: str, value: Any, by: str) -> None:
        old, row[name] = row[name], value
        self._transaction(
            row["id"], "Status" if name == "Status" else "Set", by, Field=name, OldValue=old, NewValue=value
        )

    def _transaction(self, number: int, kind: str, by: str, **more: Any) -> Json:
        row: Json = {"id": str(self.first_transaction + len(self.transactions) + 1), "Type": kind, "Field": ""}
        row |= {"ObjectId": str(number), "OldValue": "", "NewValue": "", "Data": "", "Created": self._time(), **more}
        row["Creator"] = {"type": "user", "id": by, "Name": by, "RealName": self.users[by]["RealName"]}
        self.transactions.append(row)
        self.tickets[number]["LastUpdated"] = self._time()
        if by != HUB and self.tickets[number]["Creator"]["id"] == HUB:
            self._tell(number, row["id"])
        return row

    def _tell(self, number: int, transaction: str) -> None:
        body = json.dumps({"event": "ticket", "ticket": number, "transaction": int(transaction)}).encode()
        self.outbox.append(signed(body, self.now()))

    def _time(self) -> str:
        return f"{self.now():%Y-%m-%dT%H:%M:%SZ}"

    def _record(self, row: Json) -> Record:
        texts = {
            part["TransactionId"]: part["Content"] for part in self.parts if part["ContentType"].startswith("text/")
        }
        said = tuple(
            Said(id=t["id"], text=texts[t["id"]], public=t["Type"] != "Comment")
            for t in self.transactions
            if t["ObjectId"] == str(row["id"]) and t["id"] in texts
        )
        levels = {number: name for name, number in PRIORITIES.items()}
        return Record(
            id=str(row["id"]),
            external_id="".join(row["values"].get("ExternalID", [])),
            subject=row["Subject"],
            status=FROM_RT.get(row["Status"], row["Status"]),
            priority=levels.get(row["Priority"], ""),
            tags=tuple(row["values"].get("Tags", [])),
            comments=said,
        )


def signed(body: bytes, at: datetime, secret: str = SECRET) -> WebhookRequest:
    """A request as the scrip sends it."""
    now = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256)
    headers = {"x-hub-timestamp": now, "x-hub-signature": f"sha256={mac.hexdigest()}"}
    return WebhookRequest("POST", "/hooks/acme-rt", headers, {}, body, at.astimezone(UTC))
