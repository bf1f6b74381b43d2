"""The Mastodon connector: mentions and private posts in, replies out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from hub.sdk import (
    Absent,
    Accepted,
    Account,
    AnyEvent,
    BaseUrl,
    CannotTell,
    Completes,
    ConfigurationError,
    ConnectorError,
    DeleteReply,
    DeletesReplies,
    Delivery,
    EditReply,
    EditsReplies,
    Event,
    Failure,
    Field,
    FindsReplies,
    Found,
    MessageSeen,
    Page,
    PollsForMessages,
    Receipt,
    Refused,
    RepliesInPrivate,
    RepliesInPublic,
    Reply,
    ReplyLimits,
    Secret,
    Settings,
    Source,
    TemporaryFailure,
    Thread,
    Toolbox,
)
from plugins.sources.mastodon import files, payloads
from plugins.sources.mastodon.answers import addressed, posted_text, receipt, reply_limits
from plugins.sources.mastodon.client import MastodonClient, NotThere
from plugins.sources.mastodon.cursor import Cursor, age
from plugins.sources.mastodon.payloads import NETWORK, NOTIFICATIONS, VISIBILITY, OwnAccount

NEAREST_ANCESTORS = 3
READ_AGAIN_AT_ONCE = 20  # more is a 422: mastodon/mastodon#27871
READ_AGAIN_SINGLY = 3
PAGES_SEARCHED = 5
CLOCKS_DIFFER = timedelta(minutes=2)


class MastodonSettings(Settings):
    """Settings of one connection: one account on one server."""

    base_url: BaseUrl = Field(description="Address of the account's server", examples=["https://mastodon.example"])
    access_token: Secret = Field(
        description="Access token of the company's account", examples=['{ env = "ACME_MASTODON_TOKEN" }']
    )
    poll_every: float = Field(30.0, gt=0, description="Seconds between polls", examples=[30])
    # Since 4.3 the default policy filters private mentions of strangers: mastodon/mastodon#31343.
    include_filtered: bool = Field(
        True,
        description="Also read what Mastodon holds back as filtered: by default every first private message",
        examples=[True],
    )
    watch_newest: int = Field(
        200,
        ge=0,
        le=1000,
        description="How many of the newest posts to read again for edits and deletions (0: none)",
        examples=[200],
    )


class MastodonSource(
    Source,
    PollsForMessages,
    Completes,
    RepliesInPublic,
    RepliesInPrivate,
    FindsReplies,
    EditsReplies,
    DeletesReplies,
):
    """One account on one Mastodon server."""

    name = "mastodon"
    display_name = "Mastodon"
    vendor_docs_url = "https://docs.joinmastodon.org/client/intro/"
    network = NETWORK
    reaches = ("{base_url}",)
    Settings: ClassVar[type[Settings]] = MastodonSettings

    batch = 1
    idempotent_for = timedelta(hours=1)
    settles_after = timedelta(seconds=10)  # large servers answer reads from replicas

    def __init__(self, settings: MastodonSettings, toolbox: Toolbox) -> None:
        super().__init__(settings, toolbox)
        self._client = MastodonClient(settings.base_url, settings.access_token.get_secret_value(), toolbox)
        self._files = files.Files(self._client, toolbox)
        self._limits: ReplyLimits | None = None
        self._own_account: OwnAccount | None = None
        self._reads_many = True  # until the server turns out to be older than 4.3

    # --- who we are ------------------------------------------------------------------------------------------------

    def check_connection(self) -> Account:
        """The account behind the token, with the server's own limits."""
        try:
            me = self._client.read("/api/v1/accounts/verify_credentials")
        except NotThere as error:
            raise ConfigurationError("there is no Mastodon API at base_url", detail=error.detail) from error
        instance = self._instance()
        own = self._remember(me, instance)
        return Account(
            fingerprint=f"{own.handle}#{own.id}",
            id=own.id,
            handle=own.handle,
            display_name=me.get("display_name") or own.username,
            url=me.get("url") or "",
            reply_limits=reply_limits(instance),
            details={"server": own.domain, "version": str(instance.get("version", ""))},
        )

    def _most_bytes(self) -> int:
        """How large a file may be; a sender's instance may never have checked the connection."""
        if self._limits is None:
            self._limits = reply_limits(self._instance())
        return self._limits.attachment_bytes or 0

    def _own(self) -> OwnAccount:
        if self._own_account is not None:
            return self._own_account
        try:
            me = self._client.read("/api/v1/accounts/verify_credentials")
        except NotThere as error:  # it was there when the connection was checked
            raise TemporaryFailure("the server does not know its API just now", detail=error.detail) from error
        return self._remember(me, self._instance())

    def _instance(self) -> dict[str, Any]:
        try:
            return self._client.read("/api/v2/instance")
        except NotThere:  # before 4.0
            try:
                return self._client.read("/api/v1/instance")
            except NotThere:  # the defaults will do
                return {}

    def _remember(self, me: dict[str, Any], instance: dict[str, Any]) -> OwnAccount:
        domain = str(instance.get("domain") or "") or urlsplit(self.settings.base_url).netloc
        self._own_account = OwnAccount(id=me["id"], username=me["username"], domain=domain)
        return self._own_account

    # --- polling ---------------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """The newest ids at this moment."""
        own = self._own()
        newest = {"limit": 1}
        mentions = self._news("/api/v1/notifications", {**newest, "include_filtered": "true"})
        private = self._news("/api/v1/conversations", newest)
        said = self._news(f"/api/v1/accounts/{own.id}/statuses", newest)
        return Cursor(
            mentions=_newest(mentions, "0"),
            private=_newest([talk["last_status"] for talk in private if talk.get("last_status")], "0"),
            own=_newest(said, "0"),
        ).model_dump(mode="json")

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """Mentions alone while there are any; when there are none, private talks, own words and edits."""
        before, now = Cursor.load(cursor), Cursor.load(cursor)
        own = self._own()
        events = self._mentions(now, own)
        # A short page is no proof of the end: servers cap the limit and leave out what they hide. No progress is.
        has_more = now.mentions != before.mentions
        if not has_more:
            events = self._private(now, own) + self._own_words(now, own)
            has_more = (now.private, now.own) != (before.private, before.own)
        if not has_more:
            events = self._changes(now, own)
        for event in events:
            if isinstance(event, MessageSeen) and not event.message.own:
                now.watch(event.message.id, event.message.revision, self.settings.watch_newest)
        events.sort(key=lambda event: event.message.created_at.timestamp() if isinstance(event, MessageSeen) else 0.0)
        return Page(events=tuple(events), cursor=now.model_dump(mode="json"), has_more=has_more)

    def _mentions(self, cursor: Cursor, own: OwnAccount) -> list[AnyEvent]:
        filtered = "true" if self.settings.include_filtered else "false"
        wanted = {"min_id": cursor.mentions, "limit": 80, "types[]": list(NOTIFICATIONS), "include_filtered": filtered}
        items = self._news("/api/v1/notifications", wanted)
        cursor.mentions = _newest(items, cursor.mentions)
        return [event for item in items for event in payloads.notification(item, own)]

    def _private(self, cursor: Cursor, own: OwnAccount) -> list[AnyEvent]:
        # Here min_id is the id of the last post, not of the conversation (seen in the Link header of a 4.x server).
        items = self._news("/api/v1/conversations", {"min_id": cursor.private, "limit": 40})
        cursor.private = _newest([item["last_status"] for item in items if item.get("last_status")], cursor.private)
        return [event for item in items for event in payloads.conversation(item, own)]

    def _own_words(self, cursor: Cursor, own: OwnAccount) -> list[AnyEvent]:
        wanted = {"min_id": cursor.own, "limit": 40, "exclude_reblogs": "true"}
        items = self._news(f"/api/v1/accounts/{own.id}/statuses", wanted)
        cursor.own = _newest(items, cursor.own)
        return [event for item in items for event in payloads.own_status(item, own)]

    def _news(self, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return self._client.read_list(path, params)
        except NotThere as error:
            raise TemporaryFailure("the server does not know this list just now", detail=error.detail) from error

    def _changes(self, cursor: Cursor, own: OwnAccount) -> list[AnyEvent]:
        """Read a few watched posts again: Mastodon tells a mentioned account neither edits nor deletions."""
        due = cursor.due(READ_AGAIN_AT_ONCE if self._reads_many else READ_AGAIN_SINGLY)
        there = self._read_many(list(due)) if due else {}
        events: list[AnyEvent] = []
        singly = READ_AGAIN_SINGLY
        for status_id, revision in due.items():
            status = there.get(status_id)
            if status is None and singly:
                singly -= 1
                try:
                    status = self._client.read(_status_path(status_id))
                except NotThere:
                    cursor.forget(status_id)
                    events.append(payloads.deleted(status_id))
            if status is not None and (status.get("edited_at") or "") != revision:
                events.extend(payloads.watched_status(status, own))
        return events

    def _read_many(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        if self._reads_many:
            try:
                found = self._client.read_list("/api/v1/statuses", {"id[]": ids})
                return {status["id"]: status for status in found if status.get("id")}
            except NotThere:
                self._reads_many = False
        return {}

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """Find the root of a reply's thread and what was said before it."""
        if not isinstance(event, MessageSeen):
            return []
        said = event.message
        if said.thread.id:
            return [event]
        own = self._own()
        try:
            ancestors: list[dict[str, Any]] = self._client.read(_status_path(said.id) + "/context")["ancestors"]
        except NotThere:
            return []
        # Mastodon leaves out posts that are deleted or hidden from us; their id is still the same for all replies.
        oldest = ancestors[0] if ancestors else None
        root = (oldest["in_reply_to_id"] or oldest["id"]) if oldest else said.reply_to
        permalink = (oldest.get("url") or "") if oldest and oldest["id"] == root else ""
        full = said.model_copy(
            update={
                "thread": Thread(id=root, permalink=permalink),
                "root": root,
                "context": payloads.quotes(ancestors[-NEAREST_ANCESTORS:], own) + said.context,
            }
        )
        return [event.model_copy(update={"message": full})]

    # --- answering -------------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure | Accepted]:
        """Send each delivery once; one result each, in order."""
        return [self._attempt(delivery) for delivery in deliveries]

    def _attempt(self, delivery: Delivery) -> Receipt | Failure | Accepted:
        try:
            match delivery.body:
                case Reply():
                    return self._reply(delivery.body, delivery.key)
                case EditReply():
                    return self._edit(delivery.body)
                case DeleteReply():
                    return self._delete(delivery.body)
                case _:
                    return Failure(Refused(f"Mastodon cannot do {delivery.body.verb}"))
        except ConnectorError as error:
            return Failure(error)

    def _reply(self, body: Reply, key: str) -> Receipt | Accepted:
        post: dict[str, Any] = {
            "status": posted_text(body),
            "in_reply_to_id": body.reply_to,
            "visibility": VISIBILITY[body.privacy],
            "language": body.language or None,
        }
        if body.attachments:
            uploaded = self._files.upload(key, body, self._most_bytes())
            if isinstance(uploaded, Accepted):
                return uploaded
            post["media_ids"] = uploaded
        try:
            published = receipt(self._client.write("POST", "/api/v1/statuses", post, key=key))
            if body.attachments:
                self._files.forget(key)
            return published
        except NotThere as error:
            raise Refused(
                "the post to answer was deleted, or its author blocks or hides it from the company's account",
                detail=error.detail,
            ) from error

    def _edit(self, body: EditReply) -> Receipt:
        published = self._client.read(_status_path(body.message_id))
        edit: dict[str, Any] = {"status": addressed(body, published)}
        if kept := [media["id"] for media in published.get("media_attachments") or ()]:
            edit["media_ids"] = kept  # an edit that does not name them takes them away
        return receipt(self._client.write("PUT", _status_path(body.message_id), edit))

    def _delete(self, body: DeleteReply) -> Receipt:
        try:
            self._client.write("DELETE", _status_path(body.message_id))
        except NotThere:
            return Receipt(vendor_id=body.message_id, already_there=True)
        return Receipt(vendor_id=body.message_id)

    # --- finding ---------------------------------------------------------------------------------------------------

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell | Accepted:
        """Look for the effect of an attempt whose answer was lost, or whether an answer's files are ready."""
        if delivery.memo.get("files"):  # the last attempt only uploaded
            waits = self._files.look(delivery.memo)
            return Accepted(memo=delivery.memo, look_after=files.LOOK_AFTER) if waits else Absent()
        match delivery.body:
            case Reply():
                return self._find_reply(delivery, delivery.body)
            case EditReply():
                return self._find_edit(delivery.body)
            case DeleteReply():
                return self._find_deletion(delivery.body)
            case _:
                return CannotTell(reason=f"Mastodon knows no {delivery.body.verb}")

    def _find_reply(self, delivery: Delivery, body: Reply) -> Found | Absent | CannotTell:
        if delivery.first_attempt_at is None:
            return CannotTell(reason="the time of the first attempt is not known")
        text = posted_text(body)
        path = f"/api/v1/accounts/{self._own().id}/statuses"
        wanted: dict[str, Any] = {"limit": 40, "exclude_reblogs": "true"}
        for _ in range(PAGES_SEARCHED):
            said = self._news(path, wanted)
            for status in said:
                early = delivery.first_attempt_at - payloads.moment(status["created_at"])
                if early > CLOCKS_DIFFER:
                    return Absent()
                carries = len(status.get("media_attachments") or ()) == len(body.attachments)
                if carries and status.get("in_reply_to_id") == body.reply_to and self._source_of(status) == text:
                    if early > self.settles_after:
                        return CannotTell(reason="the same words stand there, but dated before the first attempt")
                    return Found(receipt=receipt(status))
            if not said:
                return Absent()
            wanted["max_id"] = min((status["id"] for status in said), key=age)
        return CannotTell(reason="the account has posted too much since to search it all")

    def _find_edit(self, body: EditReply) -> Found | Absent:
        try:
            published = self._client.read(_status_path(body.message_id))
            if self._source_of(published) == addressed(body, published):
                return Found(receipt=receipt(published))
        except NotThere:
            return Absent()
        return Absent()

    def _find_deletion(self, body: DeleteReply) -> Found | Absent:
        try:
            self._client.read(_status_path(body.message_id))
        except NotThere:
            return Found(receipt=Receipt(vendor_id=body.message_id))
        return Absent()

    def _source_of(self, status: dict[str, Any]) -> str:
        """The words as they were sent (the HTML loses the domains of mentions); empty when the post just went."""
        try:
            return str(self._client.read(_status_path(status["id"]) + "/source").get("text", "")).strip()
        except NotThere:
            return ""


def _newest(items: Sequence[dict[str, Any]], known: str) -> str:
    """The newest id. An item without one is told as unreadable and moves nothing."""
    return max([known, *(str(item["id"]) for item in items if item.get("id"))], key=age)


def _status_path(status_id: str) -> str:
    return f"/api/v1/statuses/{quote(status_id, safe='')}"
