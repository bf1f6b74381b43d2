# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed in Zendesk: the ticket export, held against the export of audits, and the reading of one ticket.

Our own writes come back in both. An audit with our key, made by our account, in which nothing was done by a rule of
the account, says nothing new; a ticket whose every new audit is of that kind need not be read again.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.sdk import AnyEvent, ConfigurationError, Hint, Page, RateLimited, Refused, Toolbox, Unreadable
from plugins.sinks.zendesk import payloads
from plugins.sinks.zendesk.categories import Categories
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import GONE
from plugins.sinks.zendesk.payloads import part_of, text_of, time_of

Json = dict[str, Any]

UID_PREFIX = "sch-"
"""External ids of our tickets start with it, unless somebody changed them; other tickets of the account are none of
our business."""

_WITHHELD = 61  # the exports want a start at least a minute ago, and hold the newest minute back
_MINUTE = 60.0
_EVENT_PAGES = 3
_CATCH_UP = 300
_TOO_FAR = 3600
_BLIND = 600
_SETTLED = 600  # the export of audits may tell one late
_PENDING = 2000
_KNOWN = 300
_SAME_SECOND = timedelta(seconds=2)
_KEEP = 5000
_SILENT = frozenset({"Notification", "NotificationWithCcs", "Cc", "FollowerNotification", "External", "WebhookEvent"})


class Changes:
    """One per connector instance. ``is_own`` knows our account's user, once ``knows`` says so."""

    def __init__(
        self,
        client: ZendeskClient,
        directory: Directory,
        categories: Categories,
        toolbox: Toolbox,
        knows: Callable[[], bool],
        is_own: Callable[[str], bool],
    ) -> None:
        self._client = client
        self._directory = directory
        self._categories = categories
        self._toolbox = toolbox
        self._now = toolbox.now
        self._knows = knows
        self._is_own = is_own
        self._no_events = False
        self._quiet_until: datetime | None = None
        self._read: OrderedDict[str, tuple[str, int]] = OrderedDict()

    # --- the exports -------------------------------------------------------------------------------------------------

    def first_cursor(self) -> Json:
        """Now."""
        start = int(self._now().timestamp()) - _WITHHELD
        return {"start_time": start, "events_since": start}

    def page(self, cursor: Json) -> Page:
        """One page of the ticket export: a hint per ticket of ours that somebody else changed. At most
        ``1 + _EVENT_PAGES`` calls; none while the exports' own limit of ten a minute is reached."""
        now = self._now()
        if self._quiet_until is not None and now < self._quiet_until:
            return Page(events=(), cursor=cursor)
        try:
            return self._page(cursor)
        except RateLimited as limited:
            if limited.scope != "lane":
                raise
            # Told as the connection's it would hold deliveries too, which have calls left.
            self._quiet_until = now + timedelta(seconds=min(limited.retry_after or _MINUTE, _MINUTE))
            return Page(events=(), cursor=cursor)

    def _page(self, cursor: Json) -> Page:
        if not text_of(cursor.get("cursor")) and not text_of(cursor.get("start_time")):
            raise ConfigurationError("the stored cursor is not one of this plugin's")
        try:
            page = self._client.export(cursor=text_of(cursor.get("cursor")), start_time=cursor.get("start_time"))
        except Refused as error:
            summary = f"the ticket export cannot be read (it needs an admin): {error.summary}"
            raise ConfigurationError(summary, detail=error.detail) from error
        rows = page["tickets"]
        after = text_of(page.get("after_cursor"))
        # A cursor that stands still is read again at the next poll, not at once and for ever.
        more = page.get("end_of_stream") is False and after not in ("", text_of(cursor.get("cursor")))
        audits = _Audits(cursor, int(self._now().timestamp()))
        if any(self._may_be_ours(row) and row.get("status") != "deleted" for row in rows) or (
            not more and audits.far()
        ):
            self._read_audits(audits)
        events = [event for event in (self._change_of(row, audits) for row in rows) if event is not None]
        audits.seen(text_of(row.get("id")) for row in rows)
        following = {"cursor": after} if after else {k: cursor[k] for k in ("cursor", "start_time") if k in cursor}
        return Page(events=tuple(events), cursor={**following, **audits.cursor()}, has_more=more)

    def _read_audits(self, audits: _Audits) -> None:
        if self._no_events or not audits.readable or not self._knows():
            return
        for _ in range(_EVENT_PAGES):
            try:
                page = self._client.ticket_events(audits.since)
            except Refused as error:
                self._toolbox.log.info("every change is read in full: %s", error.summary)
                self._no_events = True
                return
            audits.take(page, self._is_own)
            if page["end_of_stream"] or not page.get("end_time"):
                return
        audits.give_up_when_far_behind()

    def _change_of(self, row: Json, audits: _Audits) -> AnyEvent | None:
        ticket_id, version = text_of(row.get("id")), text_of(row.get("updated_at"))
        if not ticket_id or "external_id" not in row:
            raw = json.dumps(row, sort_keys=True)[:4000]
            key = f"export:odd:{hashlib.sha256(raw.encode()).hexdigest()}"
            return Unreadable(event_key=key, raw=raw, reason="a row of the ticket export lacks its id or external id")
        if not self._may_be_ours(row):
            return None
        if row.get("status") == "deleted":
            at = time_of(version) or self._now()
            return payloads.record_deleted(ticket_id, at, external_id=text_of(row.get("external_id")), version=version)
        if audits.only_ours(ticket_id, version) or audits.told_before(ticket_id, version):
            return None
        # Updates by the system move generated_timestamp only, for thousands of tickets at once.
        return Hint(
            event_key=f"export:{ticket_id}:{version}:{text_of(row.get('generated_timestamp'))}",
            lane=f"record:{ticket_id}",
            record=ticket_id,
        )

    # --- one ticket --------------------------------------------------------------------------------------------------

    def complete(self, hint: Hint) -> Sequence[AnyEvent]:
        """The record as it is now and its comments: two calls, one more for people not seen before."""
        version, read_at = self._read.get(hint.record, ("", 0))
        known = version and hint.event_key.startswith(f"export:{hint.record}:{version}:")
        if known and not _generated_since(hint.event_key, read_at):
            return []  # the webhook was faster, and this instance has read that very version
        try:
            ticket, people = self._client.ticket_and_people(hint.record)
            if not self._may_be_ours(ticket):
                return []
            audits, _ = self._client.audits(hint.record)
            if not _is_ours(ticket) and not self._opened_by_us(audits):
                return []
        except Refused as error:
            if error.detail != GONE:
                raise
            self._read.pop(hint.record, None)
            return [payloads.record_deleted(hint.record, self._now())]
        self._directory.learn_people(people)
        self._directory.read(payloads.people_of(ticket, audits))
        agent, group = self._directory.agent, self._directory.group_name
        comments = payloads.comments_seen(hint.record, audits, agent, problem=payloads.problem_of(ticket))
        record = payloads.record_changed(ticket, agent, group, category=self._categories.told(ticket))
        self._remember(hint.record, ticket)
        return [*comments, record.model_copy(update={"merged_into": payloads.merged_into(ticket, comments)})]

    def _may_be_ours(self, row: Json) -> bool:
        """Whether it carries our mark, or our account opened it: anybody can empty or overwrite an external id, and
        the answers written there must not be lost with it."""
        return _is_ours(row) or self._is_own(text_of(row.get("submitter_id")))

    def _opened_by_us(self, audits: Sequence[Json]) -> bool:
        """Whether a delivery of ours is among them; our account may be shared, and its other tickets are not ours."""
        return any(payloads.delivery_key_of(one) and self._is_own(text_of(one.get("author_id"))) for one in audits)

    def _remember(self, record: str, ticket: Json) -> None:
        version = text_of(ticket.get("updated_at"))
        changed_at, vendor_now = time_of(version), self._toolbox.http.vendor_time
        # updated_at counts whole seconds: only once that second is over can nothing of it have been missed.
        if changed_at is None or vendor_now is None or vendor_now - changed_at < _SAME_SECOND:
            self._read.pop(record, None)
            return
        self._read[record] = (version, int(vendor_now.timestamp()))
        self._read.move_to_end(record)
        while len(self._read) > _KEEP:
            self._read.popitem(last=False)


class _Audits:
    """What the export of audits told since the last page, and what the next one must remember.

    An audit may come pages before its ticket does, because a later change moves the ticket back in its export. So
    the tickets that somebody else touched stay in the cursor until their row has come.
    """

    def __init__(self, cursor: Json, now: int) -> None:
        since = cursor.get("events_since")
        self.readable = isinstance(since, int)
        self.since = since if isinstance(since, int) else now - _WITHHELD
        self._now = now
        pending = cursor.get("touched")
        self._touched: dict[str, None] = dict.fromkeys(map(text_of, pending)) if isinstance(pending, list) else {}
        blind = cursor.get("blind_until")
        # A cursor of an older version knows nothing of the audits before it.
        self._blind_until = blind if isinstance(blind, int) else 0 if self.readable else now + _BLIND
        self._newest: dict[str, str] = {}
        known = cursor.get("known")
        self._known: set[str] = set(map(text_of, known)) if isinstance(known, list) else set()
        self._told: dict[str, None] | None = None
        self._began = self.since
        whole = cursor.get("whole_since")
        self._whole_since = whole if isinstance(whole, int) else self.since

    def far(self) -> bool:
        """Whether it is time to read on though no ticket of ours changed."""
        return self.readable and self._now - self.since > _CATCH_UP

    def take(self, page: Json, is_own: Callable[[str], bool]) -> None:
        """Read one page of audits."""
        self._told = {} if self._told is None else self._told
        for audit in page["ticket_events"]:
            ticket_id, made_at = text_of(audit.get("ticket_id")), text_of(audit.get("created_at"))
            if not _is_ours_alone(audit, is_own):
                audit_id = text_of(audit.get("id"))
                if audit_id not in self._known:  # it was there at the last reading, and its row has come or is awaited
                    self._touched[ticket_id] = None
                self._told[audit_id] = None
            self._newest[ticket_id] = max(made_at, self._newest.get(ticket_id, ""))
        end = page.get("end_time")
        if isinstance(end, int) and end > self.since:
            # The end is asked for again: what shares its second may have come in two parts.
            self.since = min(end, self._now - _WITHHELD)

    def give_up_when_far_behind(self) -> None:
        """An account with more changes than we read: begin anew near the present, and trust nothing for a while."""
        if self._now - self.since > _TOO_FAR:
            self.since, self._blind_until = self._now - _WITHHELD, self._now + _BLIND
            self._whole_since = self.since

    def only_ours(self, ticket_id: str, version: str) -> bool:
        """Whether every new audit up to this version of the ticket is ours."""
        if self._now < self._blind_until or ticket_id in self._touched:
            return False
        newest, changed_at = time_of(self._newest.get(ticket_id)), time_of(version)
        return newest is not None and changed_at is not None and newest >= changed_at

    def told_before(self, ticket_id: str, version: str) -> bool:
        """Whether earlier readings held every audit up to this version of the ticket: then only the system has
        touched it since, and there is nothing new to read."""
        changed_at = time_of(version)
        if changed_at is None or self._now < self._blind_until or ticket_id in self._touched:
            return False
        return self._whole_since <= changed_at.timestamp() < self._began - _SETTLED

    def seen(self, ticket_ids: Any) -> None:
        """These tickets' rows have come."""
        for ticket_id in ticket_ids:
            self._touched.pop(ticket_id, None)
        if len(self._touched) > _PENDING:
            self._touched.clear()
            self._blind_until = self._now + _BLIND
            self._whole_since = self._now

    def cursor(self) -> Json:
        """Its part of the next cursor."""
        kept: Json = {"events_since": self.since, "whole_since": self._whole_since}
        known = self._known if self._told is None else self._told
        for name, values in (("touched", list(self._touched)), ("known", list(known)[-_KNOWN:])):
            if values:
                kept[name] = values
        if self._now < self._blind_until:
            kept["blind_until"] = self._blind_until
        return kept


def _generated_since(event_key: str, read_at: int) -> bool:
    """Whether the export's row is of a change that a reading at this second cannot have seen. A redaction is not said
    to move ``updated_at``; ``generated_timestamp`` moves with every change."""
    generated = event_key.rpartition(":")[2]
    return generated.isdigit() and int(generated) >= read_at


def _is_ours(row: Json) -> bool:
    return text_of(row.get("external_id")).startswith(UID_PREFIX)


def _is_ours_alone(audit: Json, is_own: Callable[[str], bool]) -> bool:
    """Whether our account made this audit under a delivery's key and no rule of the account joined in.

    Zendesk documents the key under ``metadata``; audits have it under ``metadata.custom``: either is taken.
    """
    metadata = part_of(audit, "metadata")
    key = text_of(metadata.get(payloads.KEY)) or payloads.delivery_key_of(audit)
    if not key or not is_own(text_of(audit.get("updater_id"))):
        return False
    children = audit.get("child_events")
    for child in children if isinstance(children, list) else []:
        if not isinstance(child, dict):
            return False
        via = child.get("via")
        channel = text_of(part_of(child, "via").get("channel")) or text_of(via)
        if channel.lower() not in ("", "api", "web service", "web_service") and (
            text_of(child.get("event_type")) not in _SILENT
        ):
            return False
    return True
