"""The values that cross the door between the hub and its plugins. All are frozen and serialise to JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SenderKind = Literal["person", "agent", "bot", "system"]
"""What stands behind an account."""

Privacy = Literal["public", "unlisted", "followers", "direct"]
"""Widest first. An answer is never wider than what it answers."""

TicketStatus = Literal["new", "open", "pending", "hold", "solved", "closed"]
"""The states of a record in the helpdesk, in the hub's words."""

Priority = Literal["low", "normal", "high", "urgent"]
"""How urgent a ticket is, least first."""

Kind = Literal["complaint", "question", "suggestion", "praise", "other", "spam", "abuse"]
"""What a customer's message can be, and nothing else."""


def storable(value: Any) -> Any:
    """A text without what databases refuse: NUL, and half a surrogate pair. Customers send both."""
    if not isinstance(value, str) or (value.isascii() and "\x00" not in value):
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


Text = Annotated[str, BeforeValidator(storable)]
"""What a vendor or a customer wrote."""


class Value(BaseModel):
    """A frozen value; unknown fields are refused, so that a typo is an error and not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(Value):
    """One account of a person (or bot) on one network. ``(network, id)`` is its natural key."""

    network: str
    id: Text
    handle: Text = ""
    display_name: Text = ""
    profile_url: Text = ""
    kind: SenderKind = "person"
    organisation: Text = ""
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What an agent should see: the display name, else the handle, else the id."""
        return self.display_name or self.handle or self.id


class Attachment(Value):
    """A picture, sound or file that belongs to a message, by reference. Media bytes are not stored.

    ``url`` is what a person opens; ``ref`` is what ``toolbox.fetch_media`` takes in its place where the vendor wants
    credentials for it: the hub sets it, for attachments of a connector that ``ServesMedia``.
    """

    id: Text = ""
    kind: Literal["image", "video", "audio", "file"] = "file"
    url: Text
    name: Text = ""
    mime_type: Text = ""
    size: int | None = None
    alt_text: Text = ""
    ref: str = ""


class Container(Value):
    """Where a thread lives: a page, board, channel or profile."""

    kind: str
    id: Text
    name: Text = ""
    url: Text = ""


class Thread(Value):
    """One place of talk: a public post with its comments, a review, a private chat. ``(network, id)`` is its key.

    An empty ``id`` says "not known yet": the hub takes the thread of ``reply_to`` when it knows that message and
    otherwise calls the connector's ``complete``.
    """

    id: Text = ""
    permalink: Text = ""
    title: Text = ""
    container: Container | None = None


class Quote(Value):
    """An earlier message an agent must see to understand this one (parent post, our earlier answer)."""

    author: Text
    text: Text
    created_at: datetime | None = None
    permalink: Text = ""
    own: bool = False


class Message(Value):
    """One thing said on a network. ``(network, id)`` is its natural key, whichever connection received it.

    ``revision`` changes with every edit (the vendor's edit time is a good one). ``own`` is true when the account of
    the connection wrote it. ``reply_to``, ``parent`` and ``root`` are vendor ids and may differ.
    ``answer_with`` is the connector's own memo (JSON values): the hub gives it back with the answer, unread.
    """

    network: str
    id: Text
    revision: Text = ""
    thread: Thread = Thread()
    author: Identity
    own: bool = False
    text: Text
    html: Text = ""
    subject: Text = ""
    language: Text = ""
    created_at: datetime
    edited_at: datetime | None = None
    privacy: Privacy = "public"
    reply_to: Text = ""
    parent: Text = ""
    root: Text = ""
    permalink: Text = ""
    attachments: tuple[Attachment, ...] = ()
    mentions: tuple[Identity, ...] = ()
    participants: tuple[Identity, ...] = ()
    reactions: dict[str, int] = Field(default_factory=dict)
    context: tuple[Quote, ...] = ()
    answer_with: dict[str, Any] = Field(default_factory=dict)


# --- events: what a source or a sink reports -----------------------------------------------------------------------


class Event(Value):
    """``event_key`` removes re-deliveries within a connection: it contains a revision where the vendor's id does not.

    ``lane`` orders events among each other (same lane: one after the other); empty lets the hub choose.
    """

    event_key: Text
    lane: Text = ""


class MessageSeen(Event):
    """A message as it is now: new, or edited when its ``revision`` is new."""

    type: Literal["message"] = "message"
    message: Message


class MessageDeleted(Event):
    """The author (or the network) removed a message."""

    type: Literal["message_deleted"] = "message_deleted"
    network: str
    message_id: Text
    at: datetime | None = None


class Hint(Event):
    """Only "``record`` changed": the hub calls ``complete`` later, and joins hints to one record."""

    type: Literal["hint"] = "hint"
    record: Text


class Unreadable(Event):
    """One event inside a readable page or body that could not be understood: stored, parked, the rest goes on."""

    type: Literal["unreadable"] = "unreadable"
    raw: Text
    reason: Text


class Agent(Value):
    """A person or program of the helpdesk. Only ``role`` on the hub's allow-list (agent, admin) and not ``automatic``
    speaks to customers. As an assignee, an empty one means "nobody"."""

    id: Text = ""
    name: Text = ""
    role: Text = ""


class Comment(Value):
    """One comment of a helpdesk record. ``automatic`` is true for triggers, automations, merges, out-of-office.

    ``origin`` is the delivery key when the vendor carries it back to us, else empty. ``copied_from`` is the record (a
    problem) from which the helpdesk itself copied an agent's words into this one; ``author`` is that agent then, and
    ``automatic`` false. ``redacted`` says that the helpdesk removed words or files from it for good: the hub forgets
    them too. Each further redaction needs an ``event_key`` of its own.
    """

    id: Text
    public: bool
    author: Agent
    automatic: bool = False
    via: Text = ""
    text: Text
    html: Text = ""
    created_at: datetime
    attachments: tuple[Attachment, ...] = ()
    origin: Text = ""
    copied_from: Text = ""
    redacted: bool = False


class CommentSeen(Event):
    """A comment of a record as it is now."""

    type: Literal["comment"] = "comment"
    record_id: Text
    comment: Comment


class RecordChanged(Event):
    """The fields of a helpdesk record as they are now. ``None`` means "not reported", never "empty".

    ``category`` is the hub's name of it (empty: none, or one the hub does not know). ``problem`` is the id of the
    record whose incident this one is (empty: of none): one cause, many who report it.
    """

    type: Literal["record"] = "record"
    record_id: Text
    changed_at: datetime
    external_id: str = ""
    status: TicketStatus | None = None
    vendor_status: Text = ""
    priority: Priority | None = None
    tags: tuple[str, ...] | None = None
    assignee: Agent | None = None
    group: str | None = None
    category: str | None = None
    problem: Text | None = None
    version: Text = ""
    deleted: bool = False
    merged_into: str = ""
    created_by_us: bool = True


SourceEvent = Annotated[MessageSeen | MessageDeleted | Hint | Unreadable, Field(discriminator="type")]
SinkEvent = Annotated[CommentSeen | RecordChanged | Hint | Unreadable, Field(discriminator="type")]
AnyEvent = Annotated[
    MessageSeen | MessageDeleted | Hint | Unreadable | CommentSeen | RecordChanged, Field(discriminator="type")
]
"""What a source or a sink may report."""


class Page(Value):
    """One page of a poll. The hub stores events and ``cursor`` in one transaction."""

    events: tuple[AnyEvent, ...]
    cursor: dict[str, Any]
    has_more: bool = False


# --- routing -------------------------------------------------------------------------------------------------------


class Question(Value):
    """What a router is asked about: one customer message with what is known of its ticket."""

    message: Message
    connection: str
    brand: str = ""
    country: str = ""
    fields: dict[str, str] = Field(default_factory=dict)
    known: dict[str, str] = Field(default_factory=dict)
    now: datetime


class Decision(Value):
    """What a router answers, field by field; empty means "no opinion". ``reasons`` are shown to people."""

    kind: str = ""
    language: str = ""
    category: str = ""
    complexity: str = ""
    priority: str = ""
    team: str = ""
    agent: str = ""
    tags: tuple[str, ...] = ()
    confidence: float | None = None
    reasons: tuple[str, ...] = ()
