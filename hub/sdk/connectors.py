"""What sources, sinks and routers share, and the roles that both sides may have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from hub.sdk.commands import Words
from hub.sdk.deliveries import Absent, Accepted, Account, CannotTell, Delivery, Found, Receipt
from hub.sdk.errors import ConnectorError
from hub.sdk.messages import AnyEvent, Attachment, Event, Page, Value
from hub.sdk.settings import Settings
from hub.sdk.toolbox import Media, Toolbox
from hub.sdk.webhooks import WebhookReply, WebhookRequest

PLUGIN_API = 1
"""The plugin API of this hub. Provisional until several vendors of each side exist."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One delivery of a batch failed; ``error`` says how, the others stand."""

    error: ConnectorError


class Connector(ABC):
    """Speaks to one vendor. The hub makes one instance per thread, so it need not be thread-safe.

    ``__init__`` does no I/O. A connector never sleeps, retries, prints, reads the environment or touches the
    database.
    """

    name: ClassVar[str]
    """Lower-case; equals the entry point and the folder."""
    display_name: ClassVar[str]
    """What people call the vendor."""
    vendor_docs_url: ClassVar[str] = ""
    """Where the vendor describes its API."""
    plugin_api: ClassVar[int] = PLUGIN_API
    """The plugin API it was written for; another one than the hub's is refused with both numbers."""
    Settings: ClassVar[type[Settings]] = Settings
    """The model of its settings."""
    reaches: ClassVar[tuple[str, ...] | None] = None
    """The hosts it calls, shown to the operator before the plugin is installed; written out in the class, so that it
    can be read without running it. A setting in braces stands for that setting's value or its host: ``"{base_url}"``,
    ``"{subdomain}.vendor.example"``. What ``toolbox.fetch_media`` gets is not meant. Empty: it calls nobody; ``None``:
    it does not say."""

    def __init__(self, settings: Any, toolbox: Toolbox) -> None:
        self.settings = settings
        self.toolbox = toolbox

    @classmethod
    def openapi(cls) -> dict[str, Any] | None:
        """The JSON that is this connector's own, which the hub serves as OpenAPI and JSON Schema under
        ``/api/<name>/``; ``None``: it speaks the vendor's.

        Called when somebody asks for it. Return ``schemas`` (name -> JSON Schema, references as
        ``#/components/schemas/<name>``), ``receives`` (names of the schemas a webhook may post), ``calls`` (what the
        connector posts -> what is answered) and ``asks`` (what is answered when it looks for an earlier call). Raises
        nothing. Since plugin API 1.
        """
        return None

    @abstractmethod
    def check_connection(self) -> Account:
        """Make one cheap authenticated call and say whose account this is.

        Called at the start of the hub, once a day, by ``hub connections check``, and while the hub holds the
        connection paused. Return an ``Account`` with the same ``fingerprint`` for the same account. May raise
        ``AuthenticationFailed`` and ``ConfigurationError`` (the connection is paused, with an alarm),
        ``TemporaryFailure`` and ``RateLimited``; after each the hub asks again. Nothing is read or sent before the
        first answer; an answer resumes what the hub had paused; another fingerprint than before pauses the connection
        and keeps its queue. Since plugin API 1.
        """


class Delivers(ABC):
    """Sends deliveries. Shared by both sides; inherit a role that names what is sent."""

    batch: ClassVar[int] = 1
    """How many deliveries one ``deliver`` call may get."""
    gathers: ClassVar[timedelta] = timedelta(0)
    """With a ``batch``: the least time between the starts of two ``deliver`` calls of a connection, whoever calls. What
    comes meanwhile shares the next one."""
    idempotent_for: timedelta | None = None
    """How long the vendor remembers our key. Within it the hub may repeat an unknown attempt; ``None``: never. A class
    attribute, or set in ``__init__`` when the settings decide."""
    settles_after: ClassVar[timedelta] = timedelta(seconds=2)
    """How long after an attempt a consistent read shows its effect. The hub does not look earlier."""

    @abstractmethod
    def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt | Failure | Accepted]:
        """Send each delivery once and return one result each, in order.

        Called by a sender thread with at most ``batch`` deliveries of different lanes, after the hub has written down
        that they are being sent. Return a ``Receipt``, a ``Failure`` or an ``Accepted`` for each. Raising one of our
        errors means that **none** was sent, except ``OutcomeUnknown`` and ``PayloadNotUnderstood``, which mean that
        nobody knows. The hub then writes the receipts, and does for each failure what its error says; any other
        exception, and another number of results, parks them all. Since plugin API 1.
        """


class Finds(ABC):
    """Looks for the effect of an attempt whose outcome is unknown."""

    @abstractmethod
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell | Accepted:
        """Look by consistent reads only. ``Absent`` makes the hub send again: never guess it.

        Called for a delivery of unknown outcome, ``settles_after`` its last attempt and only when ``idempotent_for``
        is over (before that the hub repeats the call under the same key); for an ``Accepted`` one when its
        ``look_after`` is over. Return ``Found``, ``Absent`` or ``CannotTell``; ``Accepted`` while the vendor is still
        at it. May raise ``TemporaryFailure``, ``RateLimited``, ``AuthenticationFailed``, ``ConfigurationError``: the
        hub looks again later and does not count it; anything else counts as ``CannotTell``. ``Found`` ends the
        delivery, ``Absent`` sends it again, together with others; ``CannotTell`` is looked at again and parked after
        the eighth look. Since plugin API 1.
        """


class Polls(ABC):
    """Asks the vendor for news, page by page."""

    poll_every: ClassVar[float] = 30.0
    """Seconds between polls when there is nothing more to read. Operators may change it where the connector's
    ``Settings`` declare it: ``poll_every: float = Field(60, ge=1, description="Seconds between polls")``. That setting
    then holds, its default too."""

    @abstractmethod
    def first_cursor(self) -> dict[str, Any]:
        """The cursor "now": the first poll stores it, so that no history is read by accident.

        Called once in the life of a connection, by its first poll. Return JSON values. May raise what ``fetch_page``
        may. Since plugin API 1.
        """

    @abstractmethod
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Return the events after ``cursor``, oldest first, and the next cursor.

        One page: one call, or a few whose number has a bound; no loop that lasts as long as there is news. The cursor
        is kept as JSON text and written with every page: keep it below some tens of kilobytes.

        Called every ``poll_every`` seconds, and again at once while ``has_more``. Return a ``Page``; give what is not
        understood as ``Unreadable`` and the rest as it is. May raise our errors: the cursor stays where it was and
        the hub asks again, with growing waits of at most a minute. The hub stores the events and the next cursor in
        one transaction and drops events whose ``event_key`` it has. Since plugin API 1.
        """


class ReceivesWebhooks(ABC):
    """Is told by the vendor. ``verify`` and ``events`` are pure: no I/O."""

    @abstractmethod
    def verify(self, request: WebhookRequest) -> None:
        """Return when the raw bytes are the vendor's; raise ``SignatureRejected`` otherwise. It has no default: a
        vendor that signs nothing needs a secret path, and says why.

        Called for every POST that is no handshake. Return nothing. May raise ``SignatureRejected``: the hub answers
        401, counts it and keeps nothing; anything else is answered 503, so that the vendor sends again. Since plugin
        API 1.
        """

    @abstractmethod
    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """Take the events out of a verified body.

        Called after ``verify``. Return the events, oldest first; an empty list when the body holds nothing for us.
        May raise ``UnsupportedEvent`` (stored as ignored) or ``PayloadNotUnderstood`` (stored and parked; a
        ``ValueError``, as of a body that is no JSON, is taken for it), both answered 200; anything else is a bug,
        answered 503. The hub stores the body and the events, then answers; events whose ``event_key`` it has are
        dropped. Since plugin API 1.
        """

    def answer_handshake(self, request: WebhookRequest) -> WebhookReply | None:
        """Answer a challenge of the vendor, or ``None`` when the request is none.

        Called before ``verify``, for every request of whatever method. Return the answer, which the hub sends as it
        is and keeps nothing of. May raise ``SignatureRejected`` (answered 401). Since plugin API 1.
        """
        return None


class SetupStep(Value):
    """One thing that must be so at the vendor before a connection works.

    ``state``: ``done``, ``missing`` or ``unknown`` (our credentials cannot see it). ``by`` says who does it: the hub
    (``apply_setup`` does it) or a person, who follows ``instructions`` (text or commands, secrets by their names only).
    ``optional``: the connection works without it. ``stays`` is what ``remove_setup`` leaves behind of what the hub made
    ("it is switched off; its values stay"); empty: it goes whole.
    """

    title: str | Words
    state: Literal["done", "missing", "unknown"]
    by: Literal["hub", "person"] = "hub"
    instructions: str | Words = ""
    stays: str | Words = ""
    optional: bool = False

    @property
    def holds_up(self) -> bool:
        """True when the connection does not work before it is done."""
        return self.state == "missing" and not self.optional


class SetsUp(ABC):
    """Prepares the vendor's side of a connection: fields, queues, webhooks. What it did not make it never removes."""

    @abstractmethod
    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Every step with its present state; reads only. ``webhook_url`` is empty when the hub has no public one.

        Called by ``hub connections setup``. Return every step, done or not. May raise our errors, which are shown.
        Since plugin API 1.
        """

    @abstractmethod
    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Do the missing steps of the hub and return the plan as it is then. Twice does no more than once.

        Called by ``hub connections setup --apply``. Return the new plan. May raise our errors, which are shown; what
        was done until then stays and is found done the next time. Since plugin API 1.
        """

    @abstractmethod
    def remove_setup(self) -> Sequence[SetupStep]:
        """Take back what ``apply_setup`` made and nothing else.

        Called by ``hub connections setup --remove``. Return what stays for a person to remove. May raise our errors,
        which are shown. Since plugin API 1.
        """


class Completes(ABC):
    """Fills in what an event lacks: a ``Hint``, or a message whose thread is not known."""

    @abstractmethod
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """Return the full events (an empty list: it is gone).

        Called outside any transaction, for a ``Hint`` and for a message without a thread that the hub cannot find by
        itself. Return the events that take its place. May raise ``TemporaryFailure``, ``RateLimited``,
        ``AuthenticationFailed``, ``ConfigurationError``: the event waits, and holds the later ones of its lane
        (the tenth ``TemporaryFailure`` parks it, unless the whole connection is down); anything else parks it. Hints
        to one record that wait together are completed once. Since plugin API 1.
        """


class ServesMedia(ABC):
    """Gets files that the vendor gives only to those who have credentials."""

    @abstractmethod
    def fetch_attachment(self, attachment: Attachment, *, max_bytes: int) -> Media:
        """The file behind an attachment this connector reported.

        Called when the other side asks ``toolbox.fetch_media`` for the attachment's ``ref``. Return the file, open:
        ``Media.of_answer`` takes it from a streamed answer and not into memory, the other side closes it. Raises
        ``Refused`` when it is gone or larger than ``max_bytes`` (do not read more than that); may raise
        ``TemporaryFailure``, ``RateLimited``, ``AuthenticationFailed``. Since plugin API 1.
        """
