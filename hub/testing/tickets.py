"""The tickets that the checks of sinks send, and what came of them at the vendor."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.sdk import (
    AddComment,
    Attachment,
    Delivery,
    Identity,
    OpenTicket,
    Proof,
    Quote,
    Receipt,
    RedactComment,
    Said,
    TicketView,
    UpdateFields,
)
from hub.testing.deliveries import sent
from hub.testing.rig import Rig
from hub.testing.vendor import HelpdeskVendor, Record

ADA = Identity(
    network="mastodon", id="7", handle="ada", display_name="Ada Rossi", profile_url="https://example.org/@ada"
)
POST = "https://example.org/@ada/1"
ANSWER = "https://example.org/@acme/9"


def key_of(cause: str) -> str:
    """A delivery key as the hub makes it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.com/{cause}"))


def ticket(number: int = 1, **more: Any) -> TicketView:
    """The ``number``-th ticket of Ada's."""
    values: dict[str, Any] = {
        "uid": f"sch-{uuid.uuid5(uuid.NAMESPACE_URL, f'https://example.com/ticket/{number}').hex}",
        "code": f"SCH-{number}",
        "subject": f"Parcel {number} has not come",
        "network": "mastodon",
        "source": "acme-mastodon",
        "requester": ADA,
        "permalink": POST,
    }
    return TicketView(**values | more)


def opening(rig: Rig, *, number: int = 1, public: bool = True, said: Said | None = None, **view: Any) -> Delivery:
    """Opens the ``number``-th ticket."""
    said = said or Said(text=f"Where is parcel {number}?", author=ADA, permalink=POST)
    body = OpenTicket(ticket=ticket(number, **view), said=said, public=public)
    return _delivery(rig, f"open:{number}", body)


def comment(
    rig: Rig, *, text: str = "Still nothing!", public: bool = True, record_id: str = "", cause: str = ""
) -> Delivery:
    """Adds a comment to the newest record of the vendor."""
    said = Said(text=text, author=ADA, permalink=POST) if public else Said(text=text)
    body = AddComment(ticket=ticket(), record_id=record_id or newest(rig).id, said=said, public=public)
    return _delivery(rig, cause or f"comment:{text}", body)


def update(rig: Rig, **changes: Any) -> Delivery:
    """Changes fields of the newest record of the vendor."""
    body = UpdateFields(ticket=ticket(), record_id=newest(rig).id, **changes)
    return _delivery(rig, f"update:{sorted(changes)}", body)


def redaction(rig: Rig, comment_id: str) -> Delivery:
    """Removes the text of one comment of the newest record."""
    body = RedactComment(record_id=newest(rig).id, comment_id=comment_id, reason="the customer asked for it")
    return _delivery(rig, f"redact:{comment_id}", body)


def _delivery(rig: Rig, cause: str, body: Any) -> Delivery:
    return Delivery(key=key_of(cause), body=body, first_attempt_at=rig.clock.now())


def proofs() -> tuple[Proof, ...]:
    """An answer that appeared, and one that did not."""
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    return (
        Proof(state="published", permalink=ANSWER, at=at),
        Proof(state="refused", reason="the post is gone"),
    )


# --- what stands at the vendor -------------------------------------------------------------------------------------


def opened(rig: Rig, *, number: int = 1, **more: Any) -> Receipt:
    """The receipt of a ticket just opened."""
    return well_sent(rig, opening(rig, number=number, **more))


def well_sent(rig: Rig, delivery: Delivery) -> Receipt:
    """The receipt of a delivery in which nothing goes wrong."""
    result = sent(rig, delivery)
    assert isinstance(result, Receipt), (
        f"nothing was wrong, and {delivery.body.verb} failed: {type(result).__name__}: {result}"
    )
    return result


def records(rig: Rig) -> list[Record]:
    """Every record at the vendor, oldest first."""
    vendor = rig.vendor
    assert isinstance(vendor, HelpdeskVendor), f"{type(vendor).__name__} is no HelpdeskVendor"
    return vendor.records()


def newest(rig: Rig) -> Record:
    """The newest record at the vendor."""
    rows = records(rig)
    assert rows, "there is no record at the vendor"
    return rows[-1]


def stands(rig: Rig) -> list[Any]:
    """All that stands at the vendor, without its own numbers: comparable between two vendors."""
    return [
        (
            row.external_id,
            row.subject,
            row.status,
            row.priority,
            sorted(row.tags),
            [(c.text, c.public) for c in row.comments],
        )
        for row in records(rig)
    ]


# --- scenarios -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """A ticket as customers write them. ``whole`` are the texts that must stand in the record, to the letter."""

    name: str
    said: Said
    whole: tuple[str, ...]
    requester: Identity = ADA
    subject: str = "Parcel"

    def __str__(self) -> str:
        return self.name


def _text(name: str, text: str) -> Scenario:
    return Scenario(name, Said(text=text, author=ADA, permalink=POST), (text,))


NOBODY = Identity(network="mastodon", id="8")
PICTURES = tuple(
    Attachment(id=f"m{n}", kind="image", url=f"https://example.org/media/parcel-{n}.png", name=f"parcel-{n}.png")
    for n in range(1, 6)
)

SCENARIOS = (
    Scenario("no_author_name", Said(text="Who am I?", author=NOBODY), ("Who am I?",), requester=NOBODY),
    Scenario("empty_text", Said(text="", author=ADA, permalink=POST), ()),
    _text("right_to_left", "איפה החבילה שלי? رقم الطلب ١٢٣"),
    _text("emoji", "Grazie 👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 … 😡"),
    _text("html_in_text", "I see <b>nothing</b> & <script>alert(1)</script> in 1 < 2 > 0 &amp; so on"),
    _text("several_lines", "First line\nsecond line\n\nnew paragraph"),
    Scenario(
        "five_attachments",
        Said(text="Look at these", author=ADA, permalink=POST, attachments=PICTURES),
        ("Look at these",),
    ),
    Scenario(
        "earlier_talk",
        Said(
            text="And now?",
            author=ADA,
            permalink=POST,
            context=(Quote(author="Acme", text="We sent it again on Monday", own=True),),
        ),
        ("And now?", "We sent it again on Monday"),
    ),
    Scenario("by_the_company", Said(text="We called you", by_company=True, permalink=ANSWER), ("We called you",)),
    Scenario(
        "subject_with_quotes_and_lines",
        Said(text="Read the subject", author=ADA),
        ("Read the subject",),
        subject='He said "late\'\nX-Priority: 1\r\n{"id": 1}',
    ),
    Scenario("long_subject", Said(text="Read the subject", author=ADA), ("Read the subject",), subject="long " * 100),
)
