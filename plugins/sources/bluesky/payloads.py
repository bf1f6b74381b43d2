"""Bluesky's JSON to the hub's values. Pure: no network, no clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.sdk import Attachment, Identity, Message, MessageDeleted, MessageSeen, Quote, Thread, Unreadable
from plugins.sources.bluesky.addresses import POSTS, Address, permalink
from plugins.sources.bluesky.facets import readable, stretches

NETWORK = "bluesky"

PLAYLIST = "application/vnd.apple.mpegurl"

SourceEvents = tuple[MessageSeen | MessageDeleted | Unreadable, ...]


@dataclass(frozen=True, slots=True)
class Own:
    """The company's account, its server, and where people read its posts."""

    did: str
    handle: str
    service: str
    web_url: str


def moment(value: str) -> datetime:
    """An aware time; one without a zone counts as UTC."""
    parsed = datetime.fromisoformat(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def identity(author: dict[str, Any], own: Own) -> Identity:
    """An account by its DID, which stays when the handle changes. ``handle.invalid`` means that it proves none."""
    handle = str(author.get("handle") or "")
    labels = {label.get("val") for label in author.get("labels") or () if not label.get("neg")}
    return Identity(
        network=NETWORK,
        id=author["did"],
        handle="" if handle == "handle.invalid" else handle,
        display_name=author.get("displayName") or "",
        profile_url=f"{own.web_url}/profile/{author['did']}",
        kind="bot" if "bot" in labels else "person",
    )


def message(view: dict[str, Any], own: Own) -> Message:
    """A post view as the hub's message. The thread of a reply is left open: ``complete`` brings what was said before.

    The time is when the network saw the post, or what its author's clock said if that was earlier (``indexedAt`` is
    the earlier of both): ``createdAt`` alone is whatever the client wrote.
    """
    record, uri = view["record"], view["uri"]
    return _message(
        uri,
        view["cid"],
        record,
        identity(view["author"], own),
        own,
        created_at=moment(view["indexedAt"]),
        attachments=tuple(_attachments(view.get("embed") or {}, (record.get("embed") or {}))),
        links=_links(view.get("embed") or {}),
        context=tuple(_quoted(view.get("embed") or {}, own)),
    )


def _message(
    uri: str,
    cid: str,
    record: dict[str, Any],
    author: Identity,
    own: Own,
    *,
    created_at: datetime,
    attachments: tuple[Attachment, ...],
    links: Sequence[str],
    context: tuple[Quote, ...],
) -> Message:
    reply = record.get("reply") or {}
    parent, root = (reply["parent"]["uri"], reply["root"]["uri"]) if reply else ("", uri)
    text, languages = readable(record, own.did), list(record.get("langs") or [])
    return Message(
        network=NETWORK,
        id=uri,
        revision=cid,
        thread=Thread() if parent else Thread(id=uri, permalink=permalink(own.web_url, uri)),
        author=author,
        own=author.id == own.did,
        text="\n\n".join([text, *(link for link in links if link not in text)]).strip(),
        # Several languages are what the author's app is set to, not what this text is in.
        language=languages[0].partition("-")[0] if len(languages) == 1 else "",
        created_at=created_at,
        reply_to=parent,
        parent=parent,
        root=root,
        permalink=permalink(own.web_url, uri),
        attachments=attachments,
        mentions=tuple(
            Identity(
                network=NETWORK,
                id=named.did,
                handle=named.shown.lstrip("@"),
                profile_url=f"{own.web_url}/profile/{named.did}",
            )
            for named in stretches(record)
            if named.did
        ),
        context=context,
    )


def seen(view: dict[str, Any], own: Own) -> MessageSeen:
    """The event of a post. Its key is the same whichever list brought the post."""
    return _event(message(view, own))


def changed(view: dict[str, Any], own: Own, at: datetime) -> MessageSeen:
    """The event of a post whose record was replaced. Nothing tells when: ``at`` is when it was noticed."""
    return _event(message(view, own).model_copy(update={"edited_at": at}))


def deleted(uri: str) -> MessageDeleted:
    """The event of a post that is gone."""
    return MessageDeleted(event_key=f"deleted:{uri}", network=NETWORK, message_id=uri)


def own_record(item: dict[str, Any], own: Own) -> SourceEvents:
    """What our account said in somebody's thread, from its own repository; its other posts are none of the hub's
    business."""

    def read() -> SourceEvents:
        record, uri = item["value"], item["uri"]
        reply = record.get("reply")
        if not reply or {Address.parse(reply[place]["uri"]).repo for place in ("parent", "root")} == {own.did}:
            return ()
        author = Identity(
            network=NETWORK, id=own.did, handle=own.handle, profile_url=f"{own.web_url}/profile/{own.did}"
        )
        said = _message(
            uri,
            item["cid"],
            record,
            author,
            own,
            created_at=moment(record["createdAt"]),
            attachments=tuple(_own_files(record.get("embed") or {}, own)),
            links=_links(record.get("embed") or {}),
            context=(),
        )
        return (_event(said.model_copy(update={"thread": Thread(id=said.root)})),)

    return guarded(item, read)


def guarded(item: dict[str, Any], read: Callable[[], SourceEvents]) -> SourceEvents:
    """One post that cannot be read is parked with its text; the rest of the page goes on."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"this post has an unknown shape ({type(error).__name__})"
        return (unreadable(item, f"{item.get('uri')}:{item.get('cid')}", reason),)


def unreadable(item: dict[str, Any], key: str, reason: str) -> Unreadable:
    """An item with its text; the same ``key`` (empty: its text) is the same item."""
    raw = json.dumps(item, ensure_ascii=False)
    known_by = key or hashlib.sha256(raw.encode()).hexdigest()[:32]
    return Unreadable(event_key=f"unreadable:{known_by}", raw=raw, reason=reason)


def quote(view: dict[str, Any], own: Own, record: str = "record") -> Quote:
    """A post that helps to understand another one. An embedded post has its record under ``value``."""
    author = identity(view["author"], own)
    files = [name for name in ("image", "video") if name in str(view[record].get("embed", {}).get("$type", ""))]
    text = readable(view[record], "") or "".join(f"[{name}]" for name in files)
    return Quote(
        author=author.label,
        text=text,
        created_at=moment(view["indexedAt"]),
        permalink=permalink(own.web_url, view["uri"]),
        own=author.id == own.did,
    )


def mentions_us(view: dict[str, Any], own: Own) -> bool:
    """True when the post names our account by a facet, not only by letters."""
    try:
        return any(stretch.did == own.did for stretch in stretches(view["record"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _event(now: Message) -> MessageSeen:
    return MessageSeen(event_key=f"post:{now.id}:{now.revision}", message=now)


def _parts(embed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The media of an embed and the record it quotes, each alone."""
    if "recordWithMedia" in str(embed.get("$type")):
        yield embed["media"]
        yield {"$type": "app.bsky.embed.record", **embed["record"]}
    else:
        yield embed


def _attachments(embed: dict[str, Any], written: dict[str, Any]) -> Iterator[Attachment]:
    """Pictures and videos of a view; ``written`` is the record's own embed, which knows the types of the files."""
    types = [blob.get("mimeType", "") for blob in _blobs(written)]
    for part in _parts(embed):
        for number, picture in enumerate(part.get("images") or part.get("items") or ()):
            mime_type = types[number] if number < len(types) else ""
            yield Attachment(kind="image", url=picture["fullsize"], mime_type=mime_type, alt_text=picture["alt"])
        if "playlist" in part:
            yield Attachment(
                id=part["cid"], kind="video", url=part["playlist"], mime_type=PLAYLIST, alt_text=part.get("alt") or ""
            )


def _own_files(embed: dict[str, Any], own: Own) -> Iterator[Attachment]:
    for blob in _blobs(embed):
        cid, mime_type = blob["ref"]["$link"], str(blob.get("mimeType", ""))
        url = f"{own.service}/xrpc/com.atproto.sync.getBlob?did={own.did}&cid={cid}"
        yield Attachment(
            id=cid, kind="video" if mime_type.startswith("video/") else "image", url=url, mime_type=mime_type
        )


def _blobs(embed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The files of an embed as it was written."""
    for part in _parts(embed):
        for picture in part.get("images") or part.get("items") or ():
            yield picture["image"]
        if "video" in part:
            yield part["video"]


def _links(embed: dict[str, Any]) -> list[str]:
    """The addresses of link cards: people leave them out of the text once the card shows them."""
    return [part["external"]["uri"] for part in _parts(embed) if "external" in part]


def _quoted(embed: dict[str, Any], own: Own) -> Iterator[Quote]:
    for part in _parts(embed):
        record = part.get("record") or {}
        if str(record.get("$type")) == "app.bsky.embed.record#viewRecord" and f"/{POSTS}/" in record["uri"]:
            yield quote(record, own, "value")
