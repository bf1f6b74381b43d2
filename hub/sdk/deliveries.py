"""What must go out, and what came of it: the values between the hub and whoever delivers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from hub.sdk.messages import Attachment, Identity, Priority, Privacy, Quote, Text, TicketStatus, Value


class TicketView(Value):
    """A ticket as a sink sees it. ``code`` is the human number; ``uid`` is unique for ever (an external id)."""

    uid: str
    code: str
    subject: str
    network: str
    source: str
    requester: Identity
    permalink: str = ""
    privacy: Privacy = "public"
    kind: str = ""
    language: str = ""
    category: str = ""
    complexity: str = ""
    priority: Priority = "normal"
    status: TicketStatus = "new"
    team: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    answer_limit: int | None = None
    answer_by: datetime | None = None
    mode: str = "live"


class Proof(Value):
    """Where and when an agent's answer appeared, or why it did not. ``privacy`` is the answer's own."""

    state: Literal["published", "refused", "unknown"]
    privacy: Privacy = "public"
    permalink: str = ""
    at: datetime | None = None
    reason: str = ""


class Said(Value):
    """A message on its way into a helpdesk record. ``author`` is ``None`` when the hub itself speaks.

    ``by_company`` marks what the company said in the native app, outside the helpdesk.
    """

    text: str
    author: Identity | None = None
    by_company: bool = False
    created_at: datetime | None = None
    permalink: str = ""
    attachments: tuple[Attachment, ...] = ()
    context: tuple[Quote, ...] = ()


class OpenTicket(Value):
    """Create the helpdesk record with its first comment. The receipt's ``vendor_id`` is the record's id.

    ``public=False`` (an internal first comment): best effort where the desk has no internal opening; the connector says
    so in its README. ``follow_up_of`` is the id of the closed record that this one continues.
    """

    verb: Literal["open_ticket"] = "open_ticket"
    ticket: TicketView
    said: Said
    public: bool = True
    follow_up_of: str = ""


class AddComment(Value):
    """Add one comment, public or internal. The receipt's ``vendor_id`` is the comment's id (empty if not told)."""

    verb: Literal["add_comment"] = "add_comment"
    ticket: TicketView
    record_id: str = ""
    said: Said
    public: bool = True


class UpdateFields(Value):
    """Set fields. ``None`` and empty leave a field alone. ``proofs`` and ``note`` go out as one internal note.

    ``category`` goes wherever the connector keeps the category (a field, a tag); ``requester`` is whose record it is
    from now on, where the helpdesk can change that. The hub sends no ``requester``: a record stays its opener's.
    """

    verb: Literal["update_fields"] = "update_fields"
    ticket: TicketView
    record_id: str = ""
    status: TicketStatus | None = None
    priority: Priority | None = None
    group: str = ""
    agent: str = ""
    category: str = ""
    requester: Identity | None = None
    tags_add: tuple[str, ...] = ()
    tags_remove: tuple[str, ...] = ()
    fields: dict[str, str] = Field(default_factory=dict)
    proofs: tuple[Proof, ...] = ()
    note: str = ""


class RedactComment(Value):
    """Remove the text of one comment for good, on an explicit human command or a customer's lawful request."""

    verb: Literal["redact_comment"] = "redact_comment"
    record_id: str = ""
    comment_id: str
    reason: str


class Reply(Value):
    """Say ``text`` in a thread. ``reply_to`` is the vendor id answered (for a later part: the part before).

    ``privacy`` is the widest allowed; the connector never goes wider. ``attachments`` are within ``ReplyLimits``.
    """

    verb: Literal["reply"] = "reply"
    network: str
    thread_id: str
    reply_to: str
    to: Identity
    text: str
    language: str = ""
    privacy: Privacy = "public"
    part: int = 1
    parts: int = 1
    attachments: tuple[Attachment, ...] = ()
    answer_with: dict[str, Any] = Field(default_factory=dict)


class EditReply(Value):
    """Replace the text of something we said."""

    verb: Literal["edit_reply"] = "edit_reply"
    message_id: str
    text: str
    answer_with: dict[str, Any] = Field(default_factory=dict)


class DeleteReply(Value):
    """Remove something we said, on an explicit human command."""

    verb: Literal["delete_reply"] = "delete_reply"
    message_id: str
    reason: str


SinkBody = Annotated[OpenTicket | AddComment | UpdateFields | RedactComment, Field(discriminator="verb")]
SourceBody = Annotated[Reply | EditReply | DeleteReply, Field(discriminator="verb")]
AnyBody = Annotated[
    OpenTicket | AddComment | UpdateFields | RedactComment | Reply | EditReply | DeleteReply,
    Field(discriminator="verb"),
]


class Delivery(Value):
    """One thing to do at one connection. ``key`` is a UUIDv5, the same for every attempt: send it where the vendor
    takes an idempotency key or any field that can be read back."""

    key: str
    body: AnyBody
    attempt: int = 1
    first_attempt_at: datetime | None = None
    memo: dict[str, Any] = Field(default_factory=dict)
    """What the connector put into ``Accepted`` for this delivery; else empty."""


class Receipt(Value):
    """The proof of a delivery. ``comment_id`` is the first comment's id of an opened ticket, where told;
    ``already_there`` says that the vendor recognised the key and did nothing new."""

    vendor_id: Text
    permalink: Text = ""
    at: datetime | None = None
    comment_id: Text = ""
    version: Text = ""
    already_there: bool = False


class Accepted(Value):
    """The vendor took the delivery and will do it soon (a job): the hub holds its lane and asks ``find``.

    ``memo`` (JSON values) comes back in ``Delivery.memo``; ``look_after`` is in seconds. As an answer of ``find`` it
    means "not yet" and is no failed look: a connector that waits for ever never ends the delivery.
    """

    memo: dict[str, Any]
    look_after: float = 1.0


class Found(Value):
    """The look-up found the effect of an earlier attempt."""

    receipt: Receipt


class Absent(Value):
    """A consistent read shows that no effect exists: sending again is safe."""


class CannotTell(Value):
    """The vendor cannot say for sure (yet): the hub looks again later, and parks in the end."""

    reason: str


class ReplyLimits(Value):
    """What one reply may hold. ``unit`` says how ``max_length`` counts (``characters`` are Unicode code points, as
    ``len`` counts them); every link counts as ``url_length`` if set.

    ``max_bytes`` is a second limit, in UTF-8 bytes, where the platform has both (Bluesky).
    """

    max_length: int
    unit: Literal["characters", "graphemes", "utf8_bytes"] = "characters"
    url_length: int | None = None
    max_bytes: int | None = None
    window_hours: float | None = None
    attachments: int = 0
    """How many files a reply may carry; 0: the connector sends none, and the agent is told."""
    attachment_bytes: int | None = None
    attachment_types: tuple[str, ...] = ()
    """Media types it takes; empty: all."""


class Account(Value):
    """Who a connection speaks as. Another ``fingerprint`` under the same connection name pauses the connection."""

    fingerprint: str
    id: str = ""
    handle: str = ""
    display_name: str = ""
    url: str = ""
    reply_limits: ReplyLimits | None = None
    details: dict[str, str] = Field(default_factory=dict)
