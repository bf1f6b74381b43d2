"""Files both ways: a customer's into a message of RT, an agent's out of one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from hub.sdk import Attachment, Media, Refused, ServesMedia, TemporaryFailure, Toolbox
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.payloads import text_of

MOST_FILES = 10
TIME_FOR_FILES = timedelta(seconds=15)
PATIENCE = 3
"""Attempts for which a message waits for a file that cannot be had now; then it is linked."""

Json = dict[str, Any]


class Files:
    """A message's files: those within the limit as RT's Attachments, the others to be linked. Raises what the next
    attempt may mend."""

    def __init__(self, files: Iterable[Attachment], toolbox: Toolbox, limit: int, *, attempt: int) -> None:
        self.attached: list[Json] = []
        self.linked: list[Attachment] = []
        began = toolbox.now()
        for file in files:
            late = toolbox.now() - began > TIME_FOR_FILES
            try:
                if late or len(self.attached) == MOST_FILES or limit <= 0 or (file.size or 0) > limit:
                    raise Refused("over the limit")
                with toolbox.fetch_media(file.ref or file.url, max_bytes=limit) as media:
                    content = media.content  # in memory: REST 2 takes it as base64 in JSON
                if not content:  # RT refuses empty files
                    raise Refused("an empty file")
            except (Refused, TemporaryFailure) as error:
                if isinstance(error, TemporaryFailure) and attempt < PATIENCE:
                    raise
                self.linked.append(file)
                continue
            limit -= len(content)
            self.attached.append(
                {
                    "FileName": " ".join((file.name or media.name or "file").split())[:120],
                    "FileType": media.mime_type or file.mime_type or "application/octet-stream",
                    "FileContent": base64.b64encode(content).decode(),
                }
            )


class RequestTrackerFiles(ServesMedia):
    """The role, for the sink's class."""

    _client: RequestTrackerClient

    def fetch_attachment(self, attachment: Attachment, *, max_bytes: int) -> Media:
        """A file of a comment, by REST 2 with the token: the address that people open wants their session."""
        if attachment.size is not None and attachment.size > max_bytes:
            raise Refused(f"the file is larger than {max_bytes} bytes")
        part = self._client.part(attachment.id, max_bytes=max_bytes)
        try:
            content = base64.b64decode(text_of(part.get("Content")))
        except binascii.Error as error:
            raise Refused("Request Tracker gives a file that cannot be read") from error
        if len(content) > max_bytes:
            raise Refused(f"the file is larger than {max_bytes} bytes")
        mime_type = text_of(part.get("ContentType")).partition(";")[0].strip().lower()
        return Media.of(content, mime_type or attachment.mime_type, attachment.name or text_of(part.get("Filename")))
