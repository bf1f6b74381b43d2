"""How an answer stands on Bluesky: what it says, what it hangs on, and what its receipt is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hub.sdk import OutcomeUnknown, PayloadNotUnderstood, Quote, Receipt, Refused, Reply, ReplyLimits
from plugins.sources.bluesky import payloads
from plugins.sources.bluesky.addresses import POSTS, permalink
from plugins.sources.bluesky.client import NotThere
from plugins.sources.bluesky.facets import facets
from plugins.sources.bluesky.payloads import Own

LIMITS = ReplyLimits(
    max_length=300,
    unit="graphemes",
    max_bytes=3000,
    attachments=4,
    attachment_bytes=2_000_000,  # app.bsky.embed.images; it was 1,000,000 before 2026
    attachment_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
)

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_NO_THREAD = "the thread has an unknown shape"


def record(
    reply: Reply, place: dict[str, Any], now: datetime, pictures: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The post to publish, with its pictures. Its author is notified by the place alone; a name in the text is made a
    mention of theirs only."""
    post: dict[str, Any] = {
        "$type": POSTS,
        "text": reply.text,
        "reply": place,
        "createdAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    people = {reply.to.handle.lstrip("@").lower(): reply.to.id} if reply.to.id.startswith("did:") else {}
    if found := facets(reply.text, people):
        post["facets"] = found
    if _LANGUAGE.fullmatch(reply.language):
        post["langs"] = [reply.language]
    if pictures:
        post["embed"] = {"$type": "app.bsky.embed.images", "images": list(pictures)}
    return post


def thread_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The thread in an answer. Raises ``NotThere`` when the post is gone."""
    thread = answer.get("thread")
    if not isinstance(thread, dict):
        raise PayloadNotUnderstood(_NO_THREAD)
    if thread.get("notFound"):
        raise NotThere("the post is gone")
    return thread


def said_before(thread: dict[str, Any], own: Own) -> tuple[Quote, ...]:
    """The posts above one, oldest first, as far as they can be read."""
    above: list[Quote] = []
    parent = thread.get("parent")
    try:
        while parent and "post" in parent:
            above.insert(0, payloads.quote(parent["post"], own))
            parent = parent.get("parent")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PayloadNotUnderstood(_NO_THREAD) from error
    return tuple(above)


def reference(thread: dict[str, Any]) -> dict[str, Any]:
    """The references an answer to this post needs. Raises ``Refused`` with the reason when it may not be answered: the
    server would take the answer, and nobody would see it."""
    try:
        if thread.get("blocked"):
            viewer = thread["author"].get("viewer") or {}
            by = (
                "the author blocks the company's account"
                if viewer.get("blockedBy")
                else "the account blocks its author"
            )
            raise Refused(f"the post cannot be answered: {by}")
        post = thread["post"]
        if (post.get("viewer") or {}).get("replyDisabled"):
            raise Refused("the post cannot be answered: its thread is closed to answers from the company's account")
        return _place(post["uri"], post["cid"], post["record"])
    except (KeyError, TypeError, AttributeError) as error:
        raise PayloadNotUnderstood(_NO_THREAD) from error


def below_own(found: dict[str, Any]) -> dict[str, Any]:
    """The references of a post that goes on below our own one."""
    try:
        return _place(found["uri"], found["cid"], found["value"])
    except (KeyError, TypeError, AttributeError) as error:
        raise PayloadNotUnderstood("the record has an unknown shape") from error


def _place(uri: str, cid: str, post: dict[str, Any]) -> dict[str, Any]:
    parent = {"uri": uri, "cid": cid}
    root = (post.get("reply") or {}).get("root") or parent
    return {"root": {"uri": root["uri"], "cid": root["cid"]}, "parent": parent}


def is_that(found: dict[str, Any], reply: Reply) -> bool:
    """Whether a record is this answer."""
    try:
        said = found["value"]
        same = said["text"] == reply.text and said["reply"]["parent"]["uri"] == reply.reply_to
        return bool(same and len((said.get("embed") or {}).get("images") or ()) == len(reply.attachments))
    except (KeyError, TypeError, AttributeError) as error:
        raise PayloadNotUnderstood("the record has an unknown shape") from error


def receipt(made: dict[str, Any], own: Own, at: datetime | None = None) -> Receipt:
    """The proof of a published post: the answer to its creation, or the record itself."""
    try:
        at = at or payloads.moment(made["value"]["createdAt"])
        return Receipt(vendor_id=made["uri"], permalink=permalink(own.web_url, made["uri"]), at=at, version=made["cid"])
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown("the server accepted the request and its answer is not a record") from error
