"""The Bluesky connector: mentions, replies and quotes in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any, ClassVar

from hub.sdk import (
    Absent,
    Account,
    AnyEvent,
    BaseUrl,
    CannotTell,
    Completes,
    ConnectorError,
    DeleteReply,
    DeletesReplies,
    Delivery,
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
    RepliesInPublic,
    Reply,
    Secret,
    Settings,
    Source,
    Thread,
    Toolbox,
)
from plugins.sources.bluesky import answers
from plugins.sources.bluesky.addresses import POSTS, Address, permalink, rkey_of
from plugins.sources.bluesky.client import BlueskyClient, NotThere
from plugins.sources.bluesky.cursor import Cursor
from plugins.sources.bluesky.news import News
from plugins.sources.bluesky.payloads import NETWORK, Own
from plugins.sources.bluesky.pictures import Pictures

NEAREST_ANCESTORS = 3


class BlueskySettings(Settings):
    """Settings of one connection: one account on one server."""

    service: BaseUrl = Field(
        "https://bsky.social", description="Address of the account's server (PDS)", examples=["https://bsky.social"]
    )
    identifier: str = Field(
        min_length=1, description="Handle, DID or e-mail address of the account", examples=["acme.example.com"]
    )
    app_password: Secret = Field(
        description="An app password of the account, never its own", examples=['{ env = "ACME_BLUESKY_PASSWORD" }']
    )
    poll_every: float = Field(30.0, gt=0, description="Seconds between polls", examples=[30])
    watch_newest: int = Field(
        200,
        ge=0,
        le=1000,
        description="How many of the newest posts to read again for deletions and changes (0: none)",
        examples=[200],
    )
    web_url: BaseUrl = Field(
        "https://bsky.app", description="Where links to posts and profiles lead", examples=["https://bsky.app"]
    )


class BlueskySource(
    Source,
    PollsForMessages,
    Completes,
    RepliesInPublic,
    FindsReplies,
    DeletesReplies,
):
    """One account on one server of the AT protocol."""

    name = "bluesky"
    display_name = "Bluesky"
    vendor_docs_url = "https://docs.bsky.app/docs/category/http-reference"
    network = NETWORK
    reaches = ("{service}",)
    Settings: ClassVar[type[Settings]] = BlueskySettings

    batch = 1
    # No ``idempotent_for``: a second record under the same key is refused for ever, but as a 500, which proves nothing
    # until the look-up finds the first. The look-up reads our own server, which is consistent at once.
    settles_after = timedelta(seconds=2)

    def __init__(self, settings: BlueskySettings, toolbox: Toolbox) -> None:
        super().__init__(settings, toolbox)
        self._client = BlueskyClient(settings.service, settings.identifier.lstrip("@"), settings.app_password, toolbox)
        self._pictures = Pictures(self._client, toolbox)
        self._news = News(self._client, toolbox, watch_newest=settings.watch_newest)

    # --- who we are ------------------------------------------------------------------------------------------------

    def check_connection(self) -> Account:
        """The account behind the password, with the network's limits."""
        session = self._client.prove()
        return Account(
            fingerprint=session.did,
            id=session.did,
            handle=session.handle,
            display_name=session.handle,
            url=f"{self.settings.web_url}/profile/{session.did}",
            reply_limits=answers.LIMITS,
            details={"server": self.settings.service},
        )

    def _own(self) -> Own:
        session = self._client.session()
        return Own(session.did, session.handle, self.settings.service, self.settings.web_url)

    # --- polling ---------------------------------------------------------------------------------------------------

    def first_cursor(self) -> dict[str, Any]:
        """The newest notifications and the newest own posts at this moment, as known."""
        return self._news.first_cursor(self._own()).model_dump(mode="json")

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        """At most 25 posts; when there are no more, also what the search finds, own words and deletions."""
        return self._news.page(Cursor.load(cursor), self._own())

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        """Put a reply into its thread, with what was said before it."""
        if not isinstance(event, MessageSeen):
            return []
        said = event.message
        if said.thread.id:
            return [event]
        own = self._own()
        try:
            thread = self._thread(said.id, NEAREST_ANCESTORS)
        except NotThere:
            return []
        full = said.model_copy(
            update={
                "thread": Thread(id=said.root, permalink=permalink(own.web_url, said.root)),
                "context": answers.said_before(thread, own) + said.context,
            }
        )
        return [event.model_copy(update={"message": full})]

    def _thread(self, uri: str, ancestors: int) -> dict[str, Any]:
        """The post with so many of those above it. Raises ``NotThere`` when it is gone."""
        answer = self._client.query("app.bsky.feed.getPostThread", uri=uri, depth=0, parentHeight=ancestors)
        return answers.thread_of(answer)

    # --- answering -------------------------------------------------------------------------------------------------

    def deliver(self, deliveries: Sequence[Delivery]) -> list[Receipt | Failure]:
        """Send each delivery once; one result each, in order."""
        return [self._attempt(delivery) for delivery in deliveries]

    def _attempt(self, delivery: Delivery) -> Receipt | Failure:
        try:
            match delivery.body:
                case Reply():
                    return self._reply(delivery.body, delivery.key)
                case DeleteReply():
                    return self._delete(delivery.body)
                case _:
                    return Failure(Refused(f"Bluesky cannot do {delivery.body.verb}"))
        except ConnectorError as error:
            return Failure(error)

    def _reply(self, body: Reply, key: str) -> Receipt:
        if body.privacy != "public":
            raise Refused("every post on Bluesky is public: a narrower answer cannot be given there")
        own, now = self._own(), self.toolbox.now().astimezone(UTC)
        answered = self._place(body, own)
        post = answers.record(body, answered, now, self._pictures.upload(key, body))
        place = {"repo": own.did, "collection": POSTS, "rkey": self._rkey(body, key)}
        made = self._client.write("com.atproto.repo.createRecord", {**place, "record": post})
        if body.attachments:
            self._pictures.forget(key)
        return answers.receipt(made, own, now)

    def _place(self, body: Reply, own: Own) -> dict[str, Any]:
        """The references to what is answered and to the root of its thread, as they are now.

        A server takes an answer to anything, even to what never existed: so it is looked at first.
        """
        answered = _address(body.reply_to)
        try:
            if answered.repo == own.did:
                return answers.below_own(self._record(answered))
            return answers.reference(self._thread(body.reply_to, 0))
        except NotThere as error:
            raise Refused("the post cannot be answered: it was deleted", detail=error.detail) from error

    def _rkey(self, body: Reply, key: str) -> str:
        _address(body.reply_to)
        return rkey_of(key, body.reply_to)

    def _record(self, post: Address) -> dict[str, Any]:
        """A record of our own, from our own server: what it says is so at once."""
        return self._client.query(
            "com.atproto.repo.getRecord", repo=post.repo, collection=post.collection, rkey=post.rkey
        )

    def _delete(self, body: DeleteReply) -> Receipt:
        post = self._own_post(body)
        place = {"repo": post.repo, "collection": post.collection, "rkey": post.rkey}
        self._client.write("com.atproto.repo.deleteRecord", place)
        return Receipt(vendor_id=body.message_id)

    def _own_post(self, body: DeleteReply) -> Address:
        post = _address(body.message_id)
        if (post.repo, post.collection) != (self._own().did, POSTS):
            raise Refused("this is not a post of the company's account")
        return post

    # --- finding ---------------------------------------------------------------------------------------------------

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """Look for the effect of an attempt whose answer was lost, under the key it must have."""
        match delivery.body:
            case Reply():
                return self._find_reply(delivery.body, delivery.key)
            case DeleteReply():
                return self._find_deletion(delivery.body)
            case _:
                return CannotTell(reason=f"Bluesky knows no {delivery.body.verb}")

    def _find_reply(self, body: Reply, key: str) -> Found | Absent | CannotTell:
        own = self._own()
        try:
            found = self._record(Address(own.did, POSTS, self._rkey(body, key)))
        except NotThere:
            return Absent()
        if not answers.is_that(found, body):
            return CannotTell(reason="another post of the account stands under the key of this one")
        return Found(receipt=answers.receipt(found, own))

    def _find_deletion(self, body: DeleteReply) -> Found | Absent:
        try:
            self._record(self._own_post(body))
        except NotThere:
            return Found(receipt=Receipt(vendor_id=body.message_id))
        return Absent()


def _address(uri: str) -> Address:
    try:
        return Address.parse(uri)
    except ValueError as error:
        raise Refused("what is to be answered or deleted is not a post of Bluesky", detail=str(error)) from error
