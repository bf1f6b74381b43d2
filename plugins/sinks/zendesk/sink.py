# SPDX-License-Identifier: GPL-3.0-or-later
"""The Zendesk connector."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from hub.sdk import (
    Absent,
    Accepted,
    Account,
    AnyEvent,
    Attachment,
    AuthenticationFailed,
    CannotTell,
    Completes,
    ConfigurationError,
    Connector,
    DeliversTickets,
    Delivery,
    Event,
    Failure,
    FindsTickets,
    Found,
    Hint,
    Media,
    Page,
    Receipt,
    ReceivesWebhooks,
    RedactsComments,
    Refused,
    ReportsChanges,
    ServesMedia,
    Sink,
    Toolbox,
    WebhookRequest,
)
from plugins.sinks.zendesk import webhooks
from plugins.sinks.zendesk.access import ZendeskAccess
from plugins.sinks.zendesk.agents import ZendeskAgents, notes_only
from plugins.sinks.zendesk.answer_fields import AnswerFields
from plugins.sinks.zendesk.categories import Categories
from plugins.sinks.zendesk.changes import Changes
from plugins.sinks.zendesk.cleaning import ZendeskCleaning
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.directory import Directory
from plugins.sinks.zendesk.errors import OddAnswer
from plugins.sinks.zendesk.guide import ZendeskGuide
from plugins.sinks.zendesk.history import ZendeskHistory
from plugins.sinks.zendesk.jobs import Jobs
from plugins.sinks.zendesk.looking import Looking
from plugins.sinks.zendesk.payloads import text_of
from plugins.sinks.zendesk.sending import Sending
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.setup import ZendeskSetup
from plugins.sinks.zendesk.ticket_fields import TicketFields

OWN_ACCOUNT = "own_account"
"""The vault's name for the mark of our account's user: what it did itself need not be read. A mark, because what lies
in the vault is never told anybody, and the id stands in every ticket."""

Json = dict[str, Any]


def mark_of(user_id: str) -> str:
    """A user's mark: the same for the same id, and not the id."""
    return hashlib.sha256(f"zendesk-user:{user_id}".encode()).hexdigest()


class ZendeskSink(
    ZendeskAccess,
    ZendeskSetup,
    ZendeskGuide,
    ZendeskHistory,
    ZendeskAgents,
    ZendeskCleaning,
    Sink,
    DeliversTickets,
    FindsTickets,
    ReportsChanges,
    ReceivesWebhooks,
    Completes,
    RedactsComments,
    ServesMedia,
):
    """Zendesk Support through zenpy."""

    name: ClassVar[str] = "zendesk"
    display_name: ClassVar[str] = "Zendesk"
    vendor_docs_url: ClassVar[str] = "https://developer.zendesk.com/api-reference/ticketing/introduction/"
    reaches = ("{subdomain}.zendesk.com", "{base_url}")
    Settings = ZendeskSettings
    # Only creates take Zendesk's Idempotency-Key (for two hours); updates do not, so every unknown is looked up.
    idempotent_for: timedelta | None = None
    batch: ClassVar[int] = 100
    gathers: ClassVar[timedelta] = timedelta(seconds=2)
    # A job whose answer was lost is surely among the account's jobs after this time.
    settles_after: ClassVar[timedelta] = timedelta(seconds=5)

    settings: ZendeskSettings

    def __init__(self, settings: ZendeskSettings, toolbox: Toolbox) -> None:
        settings = settings.model_copy(update={"agent_language": settings.agent_language or toolbox.house.language})
        Connector.__init__(self, settings, toolbox)
        self._client = ZendeskClient(settings, toolbox)
        self._directory = Directory(self._client, toolbox.now, settings.human_roles)
        jobs = Jobs(self._client, toolbox.now)
        fields = TicketFields(lambda: self.mapped, toolbox, self._client.credentials)
        categories = Categories(lambda: self.mapped, toolbox.house, fields)
        answers = AnswerFields(lambda: self.mapped, fields)
        self._sending = Sending(self._client, self._directory, jobs, categories, answers, settings, toolbox)
        self._looking = Looking(self._client, self._directory, jobs, self._sending, toolbox)
        self._mark = ""
        known = self._knows_account, self._is_own
        self._changes = Changes(self._client, self._directory, categories, toolbox, *known)

    # --- who we are ------------------------------------------------------------------------------------------------

    def check_connection(self) -> Account:
        """Whose account this is. The account must be of an agent who may comment in public."""
        try:
            user = self._client.me()
        except Refused as error:
            raise ConfigurationError(
                f"there is no Zendesk for this account at {self.settings.origin}: {error.summary}", detail=error.detail
            ) from error
        user_id, role = text_of(user.get("id")), text_of(user.get("role"))
        if not user_id:  # Zendesk answers 200 with an anonymous user when it does not know the credentials
            raise AuthenticationFailed("Zendesk does not know these credentials (it answers as to a stranger)")
        if role not in ("agent", "admin"):
            raise ConfigurationError(f"the account is a Zendesk {role or 'user'}; it must be an agent or admin")
        if limited := notes_only(user):
            raise ConfigurationError(
                f"the account is a Zendesk {limited} and cannot comment in public; give it the role Admin in Admin "
                "Center, People, Team members"
            )
        self._client.credentials.check_scopes()
        self._mark = mark_of(user_id)
        if self.toolbox.vault.read(OWN_ACCOUNT) != self._mark:
            self.toolbox.vault.write(OWN_ACCOUNT, self._mark)
        return Account(
            fingerprint=self._fingerprint(user_id, user),
            id=user_id,
            handle=text_of(user.get("email")),
            display_name=text_of(user.get("name")),
            url=f"{self.settings.origin}/agent",
            details={"role": role},
        )

    def _fingerprint(self, user_id: str, user: Json) -> str:
        host = self.settings.loopback_host
        if not host:
            return f"{self.settings.origin}#{user_id}"
        # A sandbox may come back on another port. Every sandbox counts its ids from the same number: the time its
        # user was made tells two of them apart.
        return f"{host}#{user_id}@{text_of(user.get('created_at'))}"

    # --- hub -> Zendesk --------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure | Accepted]:
        """A few with one write each, a record number in ``record_id``; many by Zendesk's jobs."""
        self._sending.use(self.mapped)
        return self._sending.deliver(deliveries)

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell | Accepted:
        """By its job; else by external id, then for our key in the audits: all consistent reads."""
        return self._looking.find(delivery)

    def fetch_attachment(self, attachment: Attachment, *, max_bytes: int) -> Media:
        """A file of a comment. Zendesk asks for credentials where attachments are private."""
        return self._sending.files.fetch(attachment, max_bytes=max_bytes)

    # --- Zendesk -> hub --------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """Now; the export wants its start at least a minute ago."""
        return self._changes.first_cursor()

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """One page of the incremental export: a hint per ticket of ours that somebody else changed, so that the hub
        reads each ticket once, however often it changed."""
        return self._changes.page(cursor)

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """The record as it is now and its comments, from one read of the ticket and its audits."""
        if not isinstance(event, Hint):
            return [event]  # type: ignore[list-item]  # nothing else of ours is ever incomplete
        return self._changes.complete(event)

    def _knows_account(self) -> bool:
        """Whether ``_is_own`` can tell; by one call where nobody checked the connection yet."""
        if not self._own_mark():
            try:
                self._mark = mark_of(text_of(self._client.me().get("id")))
            except (Refused, OddAnswer):
                return False
        return bool(self._mark)

    def _is_own(self, user_id: str) -> bool:
        return bool(user_id) and mark_of(user_id) == self._own_mark()

    def _own_mark(self) -> str:
        if not self._mark:
            self._mark = self.toolbox.vault.read(OWN_ACCOUNT) or ""
        return self._mark

    def verify(self, request: WebhookRequest) -> None:
        """Zendesk's signature under one of ``webhook_secrets`` or the secret the setup fetched."""
        webhooks.verify(request, self.webhook_keys())

    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        """A hint to the ticket the webhook names; nothing for what our own account did."""
        return webhooks.events(request, self._is_own)
