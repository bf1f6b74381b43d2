"""An answer's pictures: uploaded first, each once however often the answer is tried, then named by its record."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import IO, Any

from hub.sdk import Attachment, Media, RateLimited, Refused, Reply, Toolbox
from plugins.sources.bluesky.answers import LIMITS
from plugins.sources.bluesky.client import BlueskyClient

TIME_FOR_PICTURES = timedelta(seconds=15)
BLOBS_LAST = timedelta(minutes=5)
"""A server deletes a blob that no record names, "within minutes" says the lexicon of uploadBlob."""


_HEAD = 24  # enough for the type, and for the shape of a PNG


class Pictures:
    """One per connector instance. What was uploaded lies in the vault until the answer stands."""

    def __init__(self, client: BlueskyClient, toolbox: Toolbox) -> None:
        self._client = client
        self._toolbox = toolbox

    def upload(self, key: str, body: Reply) -> list[dict[str, Any]]:
        """The pictures as the record names them. Raises ``Refused`` for a file that cannot go: an answer never goes
        without what belongs to it."""
        if not body.attachments:
            return []
        pictures, began = self._read(key), self._toolbox.now()
        for file in body.attachments[len(pictures) :]:
            if pictures and self._toolbox.now() - began > TIME_FOR_PICTURES:
                raise RateLimited("the pictures take long: going on in a moment", retry_after=1.0, scope="lane")
            pictures.append(self._one(file))
            kept = {"pictures": pictures, "at": self._toolbox.now().isoformat()}
            self._toolbox.vault.write(_name(key), json.dumps(kept))
        return pictures

    def forget(self, key: str) -> None:
        """The answer stands: nothing is needed any more."""
        self._toolbox.vault.forget(_name(key))

    def _read(self, key: str) -> list[dict[str, Any]]:
        kept = json.loads(self._toolbox.vault.read(_name(key)) or "{}")
        fresh = kept and self._toolbox.now() - datetime.fromisoformat(kept["at"]) < BLOBS_LAST
        return list(kept["pictures"]) if fresh else []

    def _one(self, file: Attachment) -> dict[str, Any]:
        with self._toolbox.fetch_media(file.ref or file.url, max_bytes=LIMITS.attachment_bytes or 0) as media:
            mime_type = _type_of(media.file.read(_HEAD))
            if not mime_type:
                raise Refused(f"Bluesky takes pictures only, and {file.name or media.name or 'the file'} is none")
            picture: dict[str, Any] = {"image": self._client.upload(media, mime_type), "alt": file.alt_text}
            if size := dimensions(media):
                picture["aspectRatio"] = {"width": size[0], "height": size[1]}
        return picture


def dimensions(media: Media) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF or JPEG; ``None`` when they are not at hand. Without them apps show the picture
    cropped until it is loaded."""
    media.file.seek(0)
    head = media.file.read(_HEAD)
    size = None
    match _type_of(head):
        case "image/png":
            size = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
        case "image/gif":
            size = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        case "image/jpeg":
            size = _of_jpeg(media.file)
    return size if size and min(size) > 0 else None


def _of_jpeg(file: IO[bytes]) -> tuple[int, int] | None:
    place = 2
    while True:
        file.seek(place)
        part = file.read(9)
        if len(part) < 9 or part[0] != 0xFF:
            return None
        if 0xC0 <= part[1] <= 0xCF and part[1] not in (0xC4, 0xC8, 0xCC):  # a frame header
            return int.from_bytes(part[7:9]), int.from_bytes(part[5:7])
        place += 2 + int.from_bytes(part[2:4])


def _type_of(content: bytes) -> str:
    """By the bytes: what a server takes under a wrong type no app shows."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    signs = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
    return next((mime_type for sign, mime_type in signs.items() if content.startswith(sign)), "")


def _name(key: str) -> str:
    return f"pictures:{key}"
