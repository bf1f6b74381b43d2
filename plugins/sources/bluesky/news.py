"""What is new for the company's account: notifications, a search as a net under them, its own words, and changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hub.sdk import (
    AnyEvent,
    ConnectorError,
    MessageSeen,
    Page,
    PayloadNotUnderstood,
    Refused,
    TemporaryFailure,
    Toolbox,
)
from plugins.sources.bluesky import payloads
from plugins.sources.bluesky.addresses import POSTS, Address, tid
from plugins.sources.bluesky.client import BlueskyClient, NotThere
from plugins.sources.bluesky.cursor import LATE, REMEMBERED, Cursor
from plugins.sources.bluesky.payloads import Own

REASONS = ("mention", "reply", "quote")
READ_AT_ONCE = 25  # app.bsky.feed.getPosts takes no more
LISTED_AT_ONCE = 100
LOOKED_AHEAD = 1000
ASKED_SINGLY = 3


class News:
    """Reads one account's news, a page at a time."""

    def __init__(self, client: BlueskyClient, toolbox: Toolbox, *, watch_newest: int) -> None:
        self._client = client
        self._toolbox = toolbox
        self._watch_newest = watch_newest
        self._keep = max(REMEMBERED, watch_newest)

    def first_cursor(self, own: Own) -> Cursor:
        """Everything that stands there now is known and not told."""
        now = self._toolbox.now()
        cursor = Cursor(started=now, own_from=tid(now - LATE))
        items, _, _ = self._notifications("")
        for item in items:
            cursor.know(item["uri"], "", payloads.moment(item["indexedAt"]), keep=self._keep)
        if len(items) >= LISTED_AT_ONCE:
            cursor.floor = max(cursor.floor, cursor.known[0].at)
        rkeys = [Address.parse(item["uri"]).rkey for item in self._own_records(own, cursor)]
        cursor.own_until(rkeys, now, more=len(rkeys) >= LISTED_AT_ONCE)
        return cursor

    def page(self, cursor: Cursor, own: Own) -> Page:
        """Notifications while there are any; at their end also the search, our own words and changes."""
        strange: list[AnyEvent] = []
        if not cursor.queue or (cursor.deeper and len(cursor.queue) < LOOKED_AHEAD):
            strange = self._look(cursor, own)
        uris = cursor.take(READ_AT_ONCE) if not cursor.deeper or len(cursor.queue) >= LOOKED_AHEAD else []
        events = strange + self._told(cursor, own, self._views(uris).values(), uris)
        if cursor.queue or cursor.deeper:
            return _page(events, cursor, has_more=True)
        after, more = cursor.model_copy(deep=True), False
        try:
            rest = self._found(after, own)
            words, more = self._own_words(after, own)
            rest += words + self._changes(after, own, {*uris})
        except ConnectorError as error:
            if not events:
                raise
            self._toolbox.log.info("the rest of a page waits for the next poll: %s", error)
            return _page(events, cursor, has_more=False)
        return _page(events + rest, after, has_more=more)

    # --- what others say ---------------------------------------------------------------------------------------------

    def _look(self, cursor: Cursor, own: Own) -> list[AnyEvent]:
        """Look through one page of notifications, newest first, until something known shows where news ends. What
        cannot be placed in time is told as unreadable.

        The list is sorted by the time the author's clock gave, so a late one appears below what is known: whatever
        stands unknown among the newest hundred is news.
        """
        items, strange, deeper = self._notifications(cursor.deeper)
        news = [item for item in items if payloads.moment(item["indexedAt"]) > cursor.floor]
        unknown = cursor.unknown(item["uri"] for item in items)
        # Found and not read yet is no end: pages may overlap.
        at_the_end = len(news) < len(items) or any(cursor.was_told(item["uri"]) for item in items)
        ours = {item["uri"] for item in items if item["author"].get("did") == own.did}
        cursor.enqueue(dict.fromkeys(item["uri"] for item in reversed(news) if item["uri"] in unknown - ours))
        cursor.deeper = "" if at_the_end or deeper == cursor.deeper else deeper
        return strange

    def _notifications(self, deeper: str) -> tuple[list[dict[str, Any]], list[AnyEvent], str]:
        wanted: dict[str, Any] = {"reasons": list(REASONS), "limit": LISTED_AT_ONCE}
        if deeper:
            wanted["cursor"] = deeper
        method = "app.bsky.notification.listNotifications"
        items, cursor = self._client.read_list(method, "notifications", **wanted)
        posts: list[dict[str, Any]] = []
        strange: list[AnyEvent] = []
        for item in items:
            try:
                if item["reason"] in REASONS and f"/{POSTS}/" in item["uri"]:
                    _ = payloads.moment(item["indexedAt"]), Address.parse(item["uri"]), item["author"]["did"]
                    posts.append(item)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                reason = f"this notification has an unknown shape ({type(error).__name__})"
                strange.append(payloads.unreadable(item, "", reason))
        if len(strange) > len(items) // 2:
            # The list has changed its shape: taken for read, all history would come as strange.
            raise PayloadNotUnderstood("most notifications have an unknown shape")
        return posts, strange, cursor

    def _told(self, cursor: Cursor, own: Own, views: Iterable[dict[str, Any]], order: list[str]) -> list[AnyEvent]:
        """The events of posts, in the order of ``order``; what could not be read now is found again next time."""
        events: list[AnyEvent] = []
        for view in sorted(views, key=lambda view: order.index(view["uri"])):
            found = payloads.guarded(view, lambda view=view: (payloads.seen(view, own),))  # type: ignore[misc]
            events += found
            readable = found and isinstance(found[0], MessageSeen)
            at = found[0].message.created_at if isinstance(found[0], MessageSeen) else self._toolbox.now()
            cursor.know(view["uri"], str(view.get("cid") or "") if readable else "", at, keep=self._keep)
        return events

    def _found(self, cursor: Cursor, own: Own) -> list[AnyEvent]:
        """Mentions that made no notification: muted threads, lists that staff have cleared, a lost one."""
        since = max(cursor.started, cursor.floor)
        try:
            # The name as well: q must not be empty, and a plain AppView knows no ``mentions``.
            found, _ = self._client.read_list(
                "app.bsky.feed.searchPosts",
                "posts",
                q=f"@{own.handle}",
                mentions=own.did,
                sort="latest",
                since=_iso(since),
                limit=READ_AT_ONCE,
            )
            dated = [(payloads.moment(view["indexedAt"]), view) for view in found if f"/{POSTS}/" in view["uri"]]
            unknown = cursor.unknown(view["uri"] for _, view in dated)
            news = {
                view["uri"]: view
                for at, view in sorted(dated, key=lambda pair: pair[0])
                if at >= since
                and view["uri"] in unknown
                and view["author"]["did"] != own.did
                and payloads.mentions_us(view, own)
            }
        except (TemporaryFailure, Refused, PayloadNotUnderstood, KeyError, TypeError, ValueError) as error:
            self._toolbox.log.info("the search for mentions is left out this time: %s", error)  # it is the second net
            return []
        return self._told(cursor, own, news.values(), list(news))

    def _views(self, uris: list[str]) -> dict[str, dict[str, Any]]:
        """The posts that can be read, by address."""
        if not uris:
            return {}
        views, _ = self._client.read_list("app.bsky.feed.getPosts", "posts", uris=uris)
        return {view["uri"]: view for view in views if view.get("uri") in uris}

    # --- what we say -------------------------------------------------------------------------------------------------

    def _own_words(self, cursor: Cursor, own: Own) -> tuple[list[AnyEvent], bool]:
        items = self._own_records(own, cursor)
        keys = {Address.parse(item["uri"]).rkey: item for item in items}
        events: list[AnyEvent] = []
        for rkey in sorted(keys.keys() - set(cursor.own_known)):
            events += payloads.own_record(keys[rkey], own)
        more = len(items) >= LISTED_AT_ONCE
        cursor.own_until(list(keys), self._toolbox.now(), more=more)
        return events, more

    def _own_records(self, own: Own, cursor: Cursor) -> list[dict[str, Any]]:
        # ``reverse`` is oldest first; the server's own cursor is the last record key, which is all we need of it.
        items, _ = self._client.read_list(
            "com.atproto.repo.listRecords",
            "records",
            repo=own.did,
            collection=POSTS,
            limit=LISTED_AT_ONCE,
            reverse=True,
            cursor=cursor.own_from,
        )
        try:
            _ = [Address.parse(item["uri"]) for item in items]
        except (KeyError, TypeError, ValueError) as error:
            raise PayloadNotUnderstood("a record of our own has no address") from error
        return items

    # --- what changes ------------------------------------------------------------------------------------------------

    def _changes(self, cursor: Cursor, own: Own, read_now: set[str]) -> list[AnyEvent]:
        """Read a few known posts again: nobody tells of deletions, or of the rare records that are replaced."""
        due = {known.uri: known for known in cursor.due(READ_AT_ONCE, self._watch_newest) if known.uri not in read_now}
        views = self._views(list(due))
        events: list[AnyEvent] = []
        for uri in [uri for uri in due if uri not in views][:ASKED_SINGLY]:
            if self._is_there(uri):
                # Hidden from us (its author blocks us): not deleted, and nothing we may read again.
                cursor.know(uri, "", due[uri].at, keep=self._keep)
            else:
                cursor.forget(uri)
                events.append(payloads.deleted(uri))
        for uri, view in views.items():
            cid = str(view.get("cid") or "")
            if cid and not cid.endswith(due[uri].cid):
                now = self._toolbox.now()
                events += payloads.guarded(view, lambda view=view, now=now: (payloads.changed(view, own, now),))  # type: ignore[misc]
                cursor.know(uri, cid, due[uri].at, keep=self._keep)
        return events

    def _is_there(self, uri: str) -> bool:
        post = Address.parse(uri)
        try:
            self._client.query("com.atproto.repo.getRecord", repo=post.repo, collection=post.collection, rkey=post.rkey)
        except NotThere:
            return False
        return True


def _page(events: list[AnyEvent], cursor: Cursor, *, has_more: bool) -> Page:
    return Page(events=tuple(events), cursor=cursor.model_dump(mode="json"), has_more=has_more)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
