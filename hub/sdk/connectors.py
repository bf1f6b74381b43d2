"""What sources, sinks and routers share, and the roles that both sides may have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from hub.sdk.deliveries import Absent, Account, CannotTell, Delivery, Found, Receipt
from hub.sdk.errors import ConnectorError
from hub.sdk.messages import AnyEvent, Event, Page, Value
from hub.sdk.settings import Settings
from hub.sdk.toolbox import Toolbox
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
    vendor_docs_url: ClassVar[str] = ""
    plugin_api: ClassVar[int] = PLUGIN_API
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any, toolbox: Toolbox) -> None:
        self.settings = settings
        self.toolbox = toolbox

    @abstractmethod
    def check_connection(self) -> Account:
        """Make one cheap authenticated call and return whose account this is.

        Called at start, by ``hub connections check``, and while a connection is paused to find out whether it may
        go on. Raises our errors: ``AuthenticationFailed``, ``TemporaryFailure``, ``ConfigurationError``.
        """


class Delivers(ABC):
    """Sends deliveries. Shared by both sides; inherit a role that names what is sent."""

    batch: ClassVar[int] = 1
    """How many deliveries one ``deliver`` call may get."""
    idempotent_for: ClassVar[timedelta | None] = None
    """How long the vendor remembers our key. Within it the hub may repeat an unknown attempt; ``None``: never."""
    settles_after: ClassVar[timedelta] = timedelta(seconds=2)
    """How long after an attempt a consistent read shows its effect. The hub does not look earlier."""

    @abstractmethod
    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Send each delivery once and return one result each, in order.

        Raising one of our errors means that **none** was sent, except ``OutcomeUnknown``, which means that nobody
        knows. The hub calls it with at most ``batch`` deliveries of different lanes.
        """


class Finds(ABC):
    """Looks for the effect of an attempt whose outcome is unknown."""

    @abstractmethod
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """Look by consistent reads only. ``Absent`` makes the hub send again: never guess it."""


class Polls(ABC):
    """Asks the vendor for news, page by page."""

    poll_every: ClassVar[float] = 30.0
    """Seconds between polls when there is nothing more to read. A setting ``poll_every`` overrides it."""

    @abstractmethod
    def first_cursor(self) -> dict[str, Any]:
        """The cursor "now": the first poll stores it, so that no history is read by accident."""

    @abstractmethod
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Return the events after ``cursor``, oldest first, and the next cursor. One call, no loop."""


class ReceivesWebhooks(ABC):
    """Is told by the vendor. ``verify`` and ``events`` are pure: no I/O."""

    @abstractmethod
    def verify(self, request: WebhookRequest) -> None:
        """Return when the raw bytes are the vendor's; raise ``SignatureRejected`` otherwise. It has no default: a
        vendor that signs nothing needs a secret path, and says why."""

    @abstractmethod
    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """Take the events out of a verified body. Raises ``UnsupportedEvent`` or ``PayloadNotUnderstood``."""

    def answer_handshake(self, request: WebhookRequest) -> WebhookReply | None:
        """Answer a challenge of the vendor, or ``None`` when the request is none. May raise ``SignatureRejected``."""
        return None


class SetupStep(Value):
    """One thing that must be so at the vendor before a connection works.

    ``state``: ``done``, ``missing`` or ``unknown`` (our credentials cannot see it). ``by`` says who does it: the hub
    (``apply_setup`` does it) or a person, who follows ``instructions`` (text or commands, secrets by their names only).
    """

    title: str
    state: Literal["done", "missing", "unknown"]
    by: Literal["hub", "person"] = "hub"
    instructions: str = ""


class SetsUp(ABC):
    """Prepares the vendor's side of a connection: fields, queues, webhooks. What it did not make it never removes."""

    @abstractmethod
    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Every step with its present state; reads only. ``webhook_url`` is empty when the hub has no public one."""

    @abstractmethod
    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Do the missing steps of the hub and return the plan as it is then. Twice does no more than once."""

    @abstractmethod
    def remove_setup(self) -> Sequence[SetupStep]:
        """Take back what ``apply_setup`` made and nothing else; return what stays for a person to remove."""


class Completes(ABC):
    """Fills in what an event lacks: a ``Hint``, or a message whose thread is not known."""

    @abstractmethod
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """Return the full events (an empty list: it is gone). Called outside any transaction; may raise our errors."""
