"""Sources that read wrongly, page by page or by webhook."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hub.sdk import (
    AnyEvent,
    ConnectorError,
    Event,
    Identity,
    Message,
    MessageDeleted,
    MessageSeen,
    Page,
    PayloadNotUnderstood,
    RateLimited,
    SignatureRejected,
    TemporaryFailure,
    Thread,
    Unreadable,
    UnsupportedEvent,
    WebhookRequest,
    check_age,
    check_hmac_sha256,
)
from hub.sdk.text import html_to_text
from hub.testing.reference_network import WEBHOOK_SECRET, ReferenceNetwork
from tests.testing.planted.sources import GoodSource, GoodSourceSuite, unwritten
from tests.testing.selftest import breaks

# --- what it reads ---------------------------------------------------------------------------------------------------


@breaks("posts_arrive_whole")
class ReadsMarkupInPlainText(GoodSource):
    def message(self, post: dict[str, Any]) -> Message:
        return super().message({**post, "text": html_to_text(post["text"])})


@breaks("posts_arrive_whole")
class TellsPostsUnderOneKey(GoodSource):
    def event(self, item: dict[str, Any]) -> Any:
        event = super().event(item)
        quiet = item["what"] == "said" and item["post"]["text"].startswith("emoji")
        return event.model_copy(update={"event_key": "post:1000:1"}) if quiet else event


@breaks("messages_are_well_formed")
class TakesTheNameForTheAuthor(GoodSource):
    def message(self, post: dict[str, Any]) -> Message:
        author = Identity(network=self.network, id=post["id"])
        return super().message(post).model_copy(update={"author": author} if unwritten(post) else {})


@breaks("messages_are_well_formed")
class PutsEverybodyInOneThread(GoodSource):
    def message(self, post: dict[str, Any]) -> Message:
        message = super().message(post)
        known = message.thread.id and unwritten(post)
        return message.model_copy(update={"thread": Thread(id="wall")}) if known else message

    def complete(self, event: Event) -> Sequence[AnyEvent]:
        full = super().complete(event)
        return [
            one.model_copy(update={"message": one.message.model_copy(update={"thread": Thread(id="wall")})})
            if isinstance(one, MessageSeen)
            else one
            for one in full
        ]


@breaks("private_posts_are_private")
class TakesPrivateForFollowers(GoodSource):
    def message(self, post: dict[str, Any]) -> Message:
        message = super().message(post)
        narrow = message.privacy == "direct" and not message.own and "555" in message.text
        return message.model_copy(update={"privacy": "followers"}) if narrow else message


@breaks("edits_are_new_revisions")
class HasOneRevision(GoodSource):
    def message(self, post: dict[str, Any]) -> Message:
        return super().message({**post, "version": 1}).model_copy(update={"revision": "1"})


@breaks("deletions_are_told")
class KeepsTheDeleted(GoodSource):
    def event(self, item: dict[str, Any]) -> Any:
        event = super().event(item)
        if isinstance(event, MessageDeleted) and item["n"] == 2 and item["post"]["text"].startswith("wrong"):
            return event.model_copy(update={"message_id": f"{event.message_id}-gone"})
        return event


class RowNumbers(ReferenceNetwork):
    """Its ids are one more than the highest there is, as in SQLite: when the newest is gone, its id comes again."""

    def number(self) -> str:
        return str(max((int(number) for number in self.posts), default=999) + 1)


@breaks("ids_are_never_given_twice")
class TakesRowNumbersForIds(GoodSourceSuite):
    def vendor(self) -> ReferenceNetwork:
        return RowNumbers()


@breaks("ids_are_never_given_twice")
class TakesRowNumbersForIdsInOtherWords(TakesRowNumbersForIds):
    """Even when the events are told apart."""

    class connector(GoodSource):  # noqa: N801
        def event(self, item: dict[str, Any]) -> Any:
            event = super().event(item)
            if not unwritten(item["post"]) or item["what"] != "said":
                return event
            return event.model_copy(update={"event_key": f"{event.event_key}:{item['post']['at']}"})


@breaks("both_ways_give_one_key")
class NamesRevisionsByTheWayTheyCame(GoodSource):
    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        return [
            one.model_copy(
                update={"message": one.message.model_copy(update={"revision": f"webhook-{one.message.revision}"})}
            )
            if isinstance(one, MessageSeen) and not one.message.id.startswith("f")
            else one
            for one in super().events(request)
        ]


@breaks("complete_under")
class CompletesWithForeignErrors(GoodSource):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        try:
            return super().complete(event)
        except RateLimited as error:
            raise RuntimeError("too fast") from error


@breaks("complete_of_the_gone_is_empty")
class CompletesTheGone(GoodSource):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        full = super().complete(event)
        return full if full or not isinstance(event, MessageSeen) else [event]


# --- polling ---------------------------------------------------------------------------------------------------------


@breaks("first_cursor_is_now")
class StartsWithHistory(GoodSource):
    def first_cursor(self) -> dict[str, Any]:
        return {"after": max(0, super().first_cursor()["after"] - 1)}


@breaks("cursor_is_json")
class ChangesTheCursorItIsGiven(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        cursor["after"] = page.cursor["after"]
        return page


@breaks("cursor_is_json")
class KeepsThePlaceInItself(GoodSource):
    """The cursor is a set where the hub keeps JSON."""

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        return page.model_copy(update={"cursor": {**page.cursor, "pair": [1, 2], 3: "three"}})


@breaks("strange_cursor_is_handled")
class TrustsItsCursor(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        return super().fetch_page({"after": cursor["after"]})


@breaks("nothing_is_lost_over_pages")
class StopsAfterOnePage(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        return super().fetch_page(cursor).model_copy(update={"has_more": False})


def rest_of(source: GoodSource, cursor: dict[str, Any]) -> list[Page]:
    """Every page from here to the end."""
    pages = [GoodSource.fetch_page(source, cursor)]
    while pages[-1].has_more:
        pages.append(GoodSource.fetch_page(source, pages[-1].cursor))
    return pages


@breaks("nothing_is_lost_over_pages")
class ReadsTheNewestHundred(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        pages = rest_of(self, cursor)
        events = tuple(event for page in pages for event in page.events)
        return pages[-1].model_copy(update={"events": events[-100:]})


@breaks("nothing_is_lost_over_pages")
class DropsTheRemainder(GoodSource):
    """A page has room for fifty, and the cursor goes to the end."""

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        pages = rest_of(self, cursor)
        events = tuple(event for page in pages for event in page.events)
        return pages[-1].model_copy(update={"events": events[:50]})


@breaks("nothing_is_lost_over_pages")
class ListsAnswersLast(GoodSource):
    """As a server does that sorts by the answered post first: what is cut off are the others."""

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        pages = rest_of(self, cursor)
        events = [event for page in pages for event in page.events]
        events.sort(key=lambda event: isinstance(event, MessageSeen) and bool(event.message.reply_to))
        kept = {event.event_key for event in events[-150:]}
        told = (event for page in pages for event in page.events if event.event_key in kept)
        return pages[-1].model_copy(update={"events": tuple(told)})


@breaks("strange_item_stops_nothing")
class DropsTheStrange(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        good = tuple(event for event in page.events if not isinstance(event, Unreadable))
        return page.model_copy(update={"events": good})


@breaks("strange_item_stops_nothing")
class FallsOverTheStrange(GoodSource):
    def told(self, item: dict[str, Any]) -> AnyEvent:
        return self.event(item)


@breaks("strange_item_stops_nothing")
class StopsAtTheStrange(GoodSource):
    """One of our errors, but every poll raises it again: nothing is read any more."""

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        if any(isinstance(event, Unreadable) for event in page.events):
            raise PayloadNotUnderstood("a strange entry")
        return page


@breaks("polling_on_tells_nothing_twice")
class CountsItsEvents(GoodSource):
    count = 0

    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        page = super().fetch_page(cursor)
        type(self).count += 1
        events = [event.model_copy(update={"event_key": f"{event.event_key}:{self.count}"}) for event in page.events]
        return page.model_copy(update={"events": tuple(events)})


@breaks("poll_under")
class PassesOverABrokenPage(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        try:
            return super().fetch_page(cursor)
        except PayloadNotUnderstood:
            return Page(events=(), cursor={"after": cursor["after"] + 1})


@breaks("poll_repeats_nothing")
class PollsAgain(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        try:
            return super().fetch_page(cursor)
        except TemporaryFailure:
            return super().fetch_page(cursor)


# --- webhooks --------------------------------------------------------------------------------------------------------


@breaks("webhooks_are_accepted_and_pure")
class AsksWhatTheWebhookSaid(GoodSource):
    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        found = super().events(request)
        with contextlib.suppress(ConnectorError):
            self.call("GET", "/me")
        return found


@breaks("changed_body_is_refused")
class SignsWithoutWhiteSpace(GoodSource):
    def verify(self, request: WebhookRequest) -> None:
        super().verify(dataclasses.replace(request, body=request.body.strip()))


@breaks("missing_signature_is_refused")
class ChecksOnlyWhatIsSigned(GoodSource):
    def verify(self, request: WebhookRequest) -> None:
        if request.headers.get("x-signature"):
            super().verify(request)


@breaks("wrong_secret_is_refused")
class AcceptsTheSecretOfTheManual(GoodSource):
    def verify(self, request: WebhookRequest) -> None:
        try:
            super().verify(request)
        except SignatureRejected:
            stamp = request.headers.get("x-time", "")
            signed = stamp.encode() + b"." + request.body
            check_hmac_sha256(signed, request.headers.get("x-signature", ""), [WEBHOOK_SECRET])
            check_age(datetime.fromtimestamp(int(stamp), UTC), request.received_at)


@breaks("old_webhook_is_refused")
class ForgetsTheTime(GoodSource):
    def verify(self, request: WebhookRequest) -> None:
        stamp = request.headers.get("x-time", "0")
        now = datetime.fromtimestamp(int(stamp), UTC) if stamp.isdigit() else request.received_at
        super().verify(dataclasses.replace(request, received_at=now))


@breaks("second_secret_is_accepted")
class KnowsOneSecret(GoodSource):
    def verify(self, request: WebhookRequest) -> None:
        first = self.settings.model_copy(update={"webhook_secrets": self.settings.webhook_secrets[:1]})
        type(self).__mro__[1](first, self.toolbox).verify(request)


@breaks("same_webhook_twice_gives_equal_keys")
class MakesKeysOfTheTime(GoodSource):
    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        stamp = request.received_at.timestamp()
        return [
            event.model_copy(update={"event_key": f"{event.event_key}:{stamp}"})
            if event.event_key.startswith("post:1")
            else event
            for event in super().events(request)
        ]


@breaks("strange_body_is_told")
class IgnoresWhatItDoesNotKnow(GoodSource):
    def events(self, request: WebhookRequest) -> Sequence[AnyEvent]:
        try:
            return super().events(request)
        except UnsupportedEvent:
            return []
