"""What a helpdesk record says now against what the store holds of it. Reads only; computes, asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.flow import mirror
from hub.flow.converse import text_hash
from hub.sdk import AnyEvent, CommentSeen, Receipt, RecordChanged
from hub.store import Row
from hub.store.certificates import IN_MOTION

GRACE = timedelta(minutes=5)
"""What is younger may still be on its way by the ordinary roads: webhooks late, the export's minute, the next poll."""
TOO_OLD_TO_SAY = timedelta(hours=24)
"""An agent's public comment found later than this is kept and noted, and not published."""
RESTING = ("new", "open")

KINDS = {
    "comment_unknown": "inbox",
    "comment_late": "late",
    "comment_unlinked": "link",
    "comment_parked": "",
    "comment_gone": "",
    "parked_but_there": "",
    "text_differs": "inbox",
    "visibility_differs": "inbox",
    "fields_differ": "inbox",
    "record_deleted": "inbox",
    "record_merged": "inbox",
    "record_not_ours": "",
    "record_unread": "",
    "record_unlinked": "record",
    "opening_parked": "",
    "never_opened": "",
}
"""Every kind of difference, and how ``--repair`` puts it right: by taking the events in (``inbox``), by taking a
comment over without publishing it (``late``), by writing a lost link again (``link``, ``record``), or not at all."""


@dataclass
class Difference:
    """One thing that differs. ``detail`` holds numbers and fixed words, never what anybody wrote."""

    kind: str
    record: str
    ticket: str
    comment: str = ""
    detail: str = ""
    events: tuple[AnyEvent, ...] = ()
    delivery_id: int | None = None
    message_id: int | None = None
    repaired: bool = False

    @property
    def repair(self) -> str:
        """How it can be put right; empty: by a person only."""
        return KINDS[self.kind]

    def shown(self) -> dict[str, str]:
        """As certificates keep it."""
        names = ("kind", "ticket", "record", "comment", "detail")
        return {**{name: getattr(self, name) for name in names}, "repaired": "yes" if self.repaired else ""}


@dataclass(frozen=True)
class Pair:
    """Our side of one record: its link, its ticket, and what the store can be asked about them."""

    link: Row[Any]
    ticket: Row[Any]
    comments: dict[str, Row[Any]]
    delivered: Sequence[Row[Any]]
    moving: bool
    event_row: Callable[[str], Row[Any] | None]
    lost_messages: Callable[[datetime], Sequence[Row[Any]]]
    uuid_of: Callable[[str], Row[Any] | None]


@dataclass
class Compared:
    """``ours`` and ``theirs`` are a line per comment of either side; they are equal when nothing about comments
    differs. ``young`` counts what differs and is younger than ``GRACE``."""

    comments: int = 0
    young: int = 0
    differences: list[Difference] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)

    def take(self, difference: Difference, *, since: datetime, now: datetime) -> bool:
        """Count it; False when it is too young to count as one."""
        if is_young(since, now):
            self.young += 1
            return False
        self.differences.append(difference)
        return True


def is_young(since: datetime, now: datetime) -> bool:
    """True for what may still be on its way."""
    return since > now - GRACE


def compare(pair: Pair, events: Iterable[AnyEvent], *, now: datetime) -> Compared:
    """Compare one record with what its connector's ``complete`` answered."""
    found = Compared()
    seen: dict[str, list[CommentSeen]] = {}
    record: RecordChanged | None = None
    for event in events:
        if isinstance(event, CommentSeen):
            seen.setdefault(event.comment.id, []).append(event)
        elif isinstance(event, RecordChanged):
            record = event
    if record is None and not seen:
        found.differences.append(_difference(pair, "record_not_ours", detail=f"external id {pair.ticket.uid}"))
        return found
    if record is not None:
        for difference in _fields(pair, record):
            aged = difference.kind != "fields_differ"  # what was deleted or merged stays so
            found.take(difference, since=now - GRACE if aged else record.changed_at, now=now)
    if record is not None and record.deleted and not seen:
        return found  # gone with all its comments: one difference, not one for each
    receipts = dict(_receipts(pair.delivered))
    for comment_id, versions in seen.items():
        _theirs(pair, comment_id, versions, receipts, found, now)
    _gone(pair, seen, receipts, found, now)
    return found


def without_record(ticket: Row[Any], delivered: Sequence[Row[Any]]) -> Difference | None:
    """What is wrong with a ticket that has no record; ``None`` when that is as it should be, or on its way."""
    openings = [row for row in delivered if row.verb == "open_ticket"]
    if any(row.state in IN_MOTION for row in openings):
        return None
    for state, kind in (("done", "record_unlinked"), ("parked", "opening_parked")):
        for row in openings:
            if row.state == state:
                detail = f"delivery {row.id}"
                return Difference(kind, row.receipt_id or "", ticket.code, detail=detail, delivery_id=row.id)
    # Given up by a person, or shown only: a decision, not a loss.
    return None if openings else Difference("never_opened", "", ticket.code)


def _gone(
    pair: Pair, seen: dict[str, list[CommentSeen]], receipts: dict[str, Row[Any]], found: Compared, now: datetime
) -> None:
    """What we hold, or have a receipt for, and the record does not show."""
    for comment_id, known in pair.comments.items():
        if comment_id in seen:
            continue
        gone = _difference(pair, "comment_gone", comment_id, detail=known.direction)
        if found.take(gone, since=known.created_at, now=now):
            found.ours.append(_line(pair, comment_id, known.public, _hash_of(known)))
    origins = {one.comment.origin for versions in seen.values() for one in versions} - {""}
    for row in pair.delivered:
        unnumbered = row.state == "done" and row.verb == "add_comment" and not row.receipt_id
        if origins and unnumbered and row.uuid not in origins:
            gone = _difference(pair, "comment_gone", detail=f"delivery {row.id}")
            found.take(gone, since=row.done_at, now=now)
    for comment_id, row in receipts.items():
        if comment_id not in seen and comment_id not in pair.comments:
            gone = _difference(pair, "comment_gone", comment_id, detail=f"delivery {row.id}")
            found.take(gone, since=row.done_at, now=now)


def _theirs(
    pair: Pair,
    comment_id: str,
    versions: list[CommentSeen],
    receipts: dict[str, Row[Any]],
    found: Compared,
    now: datetime,
) -> None:
    last, known = versions[-1].comment, pair.comments.get(comment_id)
    if known is not None:
        found.comments += 1
        # What we wrote there comes back rendered, and may stand there with another visibility than asked for.
        ours = known.direction == "ours"
        public, text = (known.public, _hash_of(known)) if ours else (last.public, text_hash(last.text))
        found.ours.append(_line(pair, comment_id, known.public, _hash_of(known)))
        found.theirs.append(_line(pair, comment_id, public, text))
        if public != known.public:
            detail = f"{_visible(known.public)} here, {_visible(public)} there"
            found.differences.append(_difference(pair, "visibility_differs", comment_id, detail, (versions[-1],)))
        elif text != _hash_of(known):
            found.differences.append(_difference(pair, "text_differs", comment_id, events=(versions[-1],)))
        return
    if comment_id not in receipts and _told_without_number(pair, versions[0]):
        found.comments += 1
        for side in (found.ours, found.theirs):
            side.append(_line(pair, comment_id, last.public, ""))
        return
    difference = _unknown(pair, comment_id, versions, receipts, now)
    if difference is not None and found.take(difference, since=versions[0].comment.created_at, now=now):
        found.comments += 1
        found.theirs.append(_line(pair, comment_id, last.public, text_hash(last.text)))


def _told_without_number(pair: Pair, event: CommentSeen) -> bool:
    """Ours, by its mark, of a delivery whose receipt names no comment: many at once give none (jobs), and fields with
    a note do not either. Both sides have it, and nothing is lost."""
    row = pair.uuid_of(event.comment.origin) if event.comment.origin else None
    return row is not None and row.state == "done" and row.ticket_id == pair.ticket.id


def _unknown(
    pair: Pair, comment_id: str, versions: list[CommentSeen], receipts: dict[str, Row[Any]], now: datetime
) -> Difference | None:
    """Why a comment of the record is not linked; ``None``: a person gave it up."""
    first = versions[0]
    origin = first.comment.origin
    ours = receipts.get(comment_id) or (pair.uuid_of(origin) if origin else None)
    if ours is not None:
        kind = "comment_unlinked" if ours.state == "done" else "parked_but_there"
        difference = _difference(pair, kind, comment_id, f"delivery {ours.id}", (first,))
        difference.delivery_id = ours.id
        return difference
    rows = [row for row in (pair.event_row(one.event_key) for one in versions) if row is not None]
    for row in rows:
        if row.state == "discarded":
            return None
        if row.state == "parked":
            return _difference(pair, "comment_parked", comment_id, f"inbox {row.id}")
    wanted = text_hash(first.comment.text)
    for message in pair.lost_messages(first.comment.created_at):
        if text_hash(message.text) == wanted:
            difference = _difference(pair, "comment_unlinked", comment_id, f"message {message.id}", (first,))
            difference.message_id = message.id
            return difference
    would_be_said = not mirror.not_for_customer(first, pair.link, human=_human(first))
    late = would_be_said and now - first.comment.created_at > TOO_OLD_TO_SAY
    kind = "comment_late" if late else "comment_unknown"
    return _difference(pair, kind, comment_id, _visible(first.comment.public), tuple(versions))


def _fields(pair: Pair, record: RecordChanged) -> Iterator[Difference]:
    if record.merged_into and record.merged_into != pair.link.merged_into:
        yield _difference(pair, "record_merged", detail=f"into {record.merged_into}", events=(record,))
        return
    if record.deleted:
        yield _difference(pair, "record_deleted", events=(record,))
        return
    if record.merged_into:
        return
    mirrored = pair.link.mirrored or {}
    there = mirror.seen_fields(record)
    if not there.get("category"):
        there.pop("category", None)  # empty in the helpdesk is no opinion, as for a change it reports
    differing = [name for name, value in there.items() if name in mirrored and mirrored[name] != value]
    if "status" not in mirrored and there.get("status", "new") not in (*RESTING, pair.ticket.status):
        differing.append("status")
    if differing:
        told = [
            f"{name} ({mirrored.get(name, pair.ticket.status)} here, {there[name]} there)"
            if name in ("status", "priority")
            else name
            for name in sorted(differing)
        ]
        yield _difference(pair, "fields_differ", detail=", ".join(told), events=(record,))


def _receipts(delivered: Sequence[Row[Any]]) -> Iterator[tuple[str, Row[Any]]]:
    """The comments that deliveries left, by the receipts."""
    for row in delivered:
        if row.state == "done" and row.receipt:
            receipt = Receipt.model_validate(row.receipt)
            comment_id = receipt.vendor_id if row.verb == "add_comment" else receipt.comment_id
            if comment_id:
                yield comment_id, row


def _difference(
    pair: Pair, kind: str, comment: str = "", detail: str = "", events: tuple[AnyEvent, ...] = ()
) -> Difference:
    return Difference(kind, pair.link.vendor_id, pair.ticket.code, comment, detail, events)


def _human(event: CommentSeen) -> bool:
    return event.comment.author.role in mirror.HUMAN_ROLES and not event.comment.automatic


def _hash_of(known: Row[Any]) -> str:
    return str(known.text_hash) if known.direction == "theirs" else ""


def _line(pair: Pair, comment_id: str, public: bool, text: str) -> str:
    return f"{pair.link.vendor_id} {comment_id} {_visible(public)} {text}"


def _visible(public: bool) -> str:
    return "public" if public else "internal"
