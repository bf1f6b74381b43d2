"""A connector on the stand-in network, and small steps on it."""

from __future__ import annotations

import struct
import zlib
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from bluesky_vendor import BRAND, PASSWORD, SERVICE, BlueskyVendor

from hub.sdk import Delivery, Identity, Message, MessageSeen, Page, Reply
from hub.testing.rig import Rig
from plugins.sources.bluesky.payloads import Own
from plugins.sources.bluesky.source import BlueskySource

SETTINGS: dict[str, Any] = {"service": SERVICE, "identifier": BRAND, "app_password": PASSWORD}
OWN = Own("did:plc:acmeacmeacmeacmeacmeacme", BRAND, SERVICE, "https://bsky.example.com")


def stage(vendor: BlueskyVendor | None = None, **settings: Any) -> tuple[Rig, BlueskyVendor]:
    """A connector and its network; everything it calls ends there."""
    vendor = vendor or BlueskyVendor()
    return Rig(BlueskySource, {**SETTINGS, **settings}, vendor), vendor


def pages(rig: Rig, cursor: dict[str, Any]) -> tuple[list[Page], dict[str, Any]]:
    """Every page until there is no more, and the last cursor."""
    found: list[Page] = []
    while not found or found[-1].has_more:
        assert len(found) < 100, "it never comes to an end"
        found.append(rig.connector.fetch_page(cursor))
        cursor = found[-1].cursor
    return found, cursor


def news(rig: Rig, cursor: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Every event since ``cursor``, and the next cursor."""
    found, cursor = pages(rig, cursor)
    return [event for page in found for event in page.events], cursor


def messages(events: list[Any]) -> list[Message]:
    return [event.message for event in events if isinstance(event, MessageSeen)]


def answer(
    to: str, text: str = "on its way", *, person: str = "did:plc:ada", key: str = "answer", **more: Any
) -> Delivery:
    """An answer to a post, as the hub hands it over."""
    whom = Identity(network="bluesky", id=person, handle=more.pop("handle", ""))
    body = Reply(network="bluesky", thread_id=to, reply_to=to, to=whom, text=text, **more)
    return Delivery(key=str(uuid5(NAMESPACE_URL, key)), body=body)


def picture(kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture: the PNG is whole, of the others there is what says how large they are."""
    width, height = size
    match kind:
        case "PNG":
            head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
            chunks = ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
            whole = (
                struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
                for name, body in chunks
            )
            return b"\x89PNG\r\n\x1a\n" + b"".join(whole)
        case "JPEG":  # JFIF, a quantisation table, then the frame
            table = b"\xff\xdb\x00\x43\x00" + bytes(64)
            frame = b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9)
            return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + table + frame
        case "GIF":
            return b"GIF89a" + struct.pack("<HH", width, height) + bytes(3)
    assert kind == "WEBP"
    return b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(14)
