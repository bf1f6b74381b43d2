"""How the AppView shows records: with their authors, pictures, and what they mean to the one who looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluesky_vendor import BlueskyVendor, Stored

CDN = "https://cdn.example.com/img/feed_fullsize/plain"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def profile_view(vendor: BlueskyVendor, did: str) -> dict[str, Any]:
    """An author."""
    name = vendor.handles[did].partition(".")[0].capitalize()
    viewer = {"muted": False, "blockedBy": False}
    return {"did": did, "handle": vendor.handles[did], "displayName": name, "viewer": viewer, "labels": []}


def post_view(vendor: BlueskyVendor, post: Stored) -> dict[str, Any]:
    """A post."""
    viewer: dict[str, Any] = {"threadMuted": False, "embeddingDisabled": False}
    if vendor.closed(post):
        viewer["replyDisabled"] = True
    view = {
        "uri": post.uri,
        "cid": post.cid,
        "author": profile_view(vendor, post.repo),
        "record": post.value,
        "replyCount": 0,
        "indexedAt": _iso(post.sort_at),
        "viewer": viewer,
        "labels": [],
    }
    embed = embed_view(vendor, post, post.value.get("embed"))
    return {**view, "embed": embed} if embed else view


def embed_view(vendor: BlueskyVendor, post: Stored, embed: dict[str, Any] | None) -> dict[str, Any] | None:
    """What hangs on a post: pictures, a link card, a quoted post, or a quoted post with one of the others."""
    if embed is None:
        return None
    view: dict[str, Any] = {"$type": f"{embed['$type']}#view"}
    match embed["$type"]:
        case "app.bsky.embed.images":
            links = [f"{CDN}/{post.repo}/{picture['image']['ref']['$link']}@jpeg" for picture in embed["images"]]
            alts = [picture["alt"] for picture in embed["images"]]
            pictures = zip(links, alts, strict=True)
            return {**view, "images": [{"thumb": link, "fullsize": link, "alt": alt} for link, alt in pictures]}
        case "app.bsky.embed.external":
            card = {name: embed["external"][name] for name in ("uri", "title", "description")}
            return {**view, "external": card}
        case "app.bsky.embed.record":
            return {**view, "record": quoted_view(vendor, embed["record"]["uri"])}
        case "app.bsky.embed.recordWithMedia":
            record = embed_view(vendor, post, {"$type": "app.bsky.embed.record", **embed["record"]})
            return {**view, "record": record, "media": embed_view(vendor, post, embed["media"])}
    raise AssertionError(f"this network shows no {embed['$type']}")


def quoted_view(vendor: BlueskyVendor, uri: str) -> dict[str, Any]:
    """A post inside another."""
    if uri not in vendor.records:
        return {"$type": "app.bsky.embed.record#viewNotFound", "uri": uri, "notFound": True}
    quoted = vendor.records[uri]
    return {
        "$type": "app.bsky.embed.record#viewRecord",
        "uri": uri,
        "cid": quoted.cid,
        "author": profile_view(vendor, quoted.repo),
        "value": quoted.value,
        "labels": [],
        "indexedAt": _iso(quoted.sort_at),
    }


def notification_view(vendor: BlueskyVendor, post: Stored, reason: str) -> dict[str, Any]:
    """Why we are told of a post."""
    return {
        "uri": post.uri,
        "cid": post.cid,
        "author": profile_view(vendor, post.repo),
        "reason": reason,
        "record": post.value,
        "isRead": False,
        "indexedAt": _iso(post.sort_at),
        "labels": [],
    }


def thread_view(vendor: BlueskyVendor, uri: str, height: int) -> dict[str, Any]:
    """A post with so many of those above it."""
    kind = "app.bsky.feed.defs#"
    post = vendor.records.get(uri)
    if post is None:
        return {"$type": kind + "notFoundPost", "uri": uri, "notFound": True}
    blocked = vendor.blocked(post.repo)
    if blocked:
        block = f"at://{post.repo}/app.bsky.graph.block/3n2wjgvmxoc2u"
        viewer = {"blockedBy": True} if blocked == "them" else {"blocking": block}
        author = {"did": post.repo, "viewer": viewer}
        return {"$type": kind + "blockedPost", "uri": uri, "blocked": True, "author": author}
    view: dict[str, Any] = {"$type": kind + "threadViewPost", "post": post_view(vendor, post), "threadContext": {}}
    parent = post.value.get("reply", {}).get("parent", {}).get("uri")
    if parent and height:
        view["parent"] = thread_view(vendor, parent, height - 1)
    return view
