# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and files, both ways: a customer's into a comment, an agent's out of one."""

from __future__ import annotations

import dataclasses
import mimetypes
import re
from collections import OrderedDict
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import requests

from hub.sdk import (
    Attachment,
    AuthenticationFailed,
    ConfigurationError,
    ConnectorError,
    Media,
    RateLimited,
    Refused,
    TemporaryFailure,
    Toolbox,
    failure_of_transport,
)
from plugins.sinks.zendesk.client import ZendeskClient
from plugins.sinks.zendesk.errors import failure_of_answer

MAX_BYTES = 20 * 1024 * 1024
"""The least that any Zendesk plan takes in one file."""
MAX_FILES = 10
_TOKEN_LASTS = timedelta(minutes=50)  # Zendesk: 60
_TIME_FOR_FILES = timedelta(seconds=15)
_PATIENCE = 3
_KEEP = 2000


class Files:
    """One per connector instance."""

    def __init__(self, client: ZendeskClient, toolbox: Toolbox, origin: str) -> None:
        self._client = client
        self._toolbox = toolbox
        self._origin = origin
        self._tokens: OrderedDict[tuple[str, int], tuple[datetime, str]] = OrderedDict()
        self._began = toolbox.now()

    def begin(self) -> None:
        """A ``deliver`` call begins: its files get a few seconds in all."""
        self._began = self._toolbox.now()

    def attach(self, key: str, attachments: tuple[Attachment, ...], *, attempt: int) -> tuple[list[str], set[str]]:
        """Copy a customer's files to Zendesk, in their order: tokens for the comment, and the addresses of those that
        stay links (gone, too large, too many). Raises what the next attempt may mend.

        A token that was made is used again by the next attempt; what no comment ever uses Zendesk forgets.
        """
        tokens: list[str] = []
        left: set[str] = {attachment.url for attachment in attachments[MAX_FILES:]}
        for number, attachment in enumerate(attachments[:MAX_FILES]):
            token = self._token(key, number)
            if not token:
                try:
                    token = self._copy(attachment)
                except (AuthenticationFailed, ConfigurationError, RateLimited):
                    raise
                except ConnectorError as error:
                    if isinstance(error, TemporaryFailure) and attempt < _PATIENCE:
                        raise
                    self._toolbox.log.info("an attachment stays a link: %s", error.summary)
                    left.add(attachment.url)
                    continue
                self._remember(key, number, token)
            tokens.append(token)
        return tokens, left

    def fetch(self, attachment: Attachment, *, max_bytes: int) -> Media:
        """The bytes of an agent's file. Zendesk redirects to a file host, which never sees our credentials."""
        media = self._read(attachment.url, max_bytes)
        mime_type, name = media.mime_type or attachment.mime_type, attachment.name or media.name
        return dataclasses.replace(media, mime_type=mime_type, name=name)

    def _read(self, url: str, max_bytes: int) -> Media:
        address = urlsplit(url)
        if f"{address.scheme}://{address.netloc}" != self._origin:
            return self._toolbox.fetch_media(url, max_bytes=max_bytes)
        try:
            with self._client.credentials.send(
                lambda signed: self._toolbox.http.request(
                    "GET", url, headers=signed, allow_redirects=False, stream=True
                )
            ) as response:
                if 300 <= response.status_code < 400:
                    moved = urljoin(url, response.headers.get("Location", ""))
                    if urlsplit(moved).path.startswith("/access/"):  # the sign-in page would pass for the file
                        raise Refused("Zendesk does not give our account this file")
                    return self._toolbox.fetch_media(moved, max_bytes=max_bytes)
                if response.status_code != 200:
                    raise failure_of_answer(response, self._toolbox.now(), effect_possible=False)
                name = PurePosixPath(unquote(address.path)).name
                return Media.of_answer(response, max_bytes=max_bytes, name=name)
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error

    def _copy(self, attachment: Attachment) -> str:
        if attachment.size is not None and attachment.size > MAX_BYTES:
            raise Refused("the attachment is larger than Zendesk takes")
        if self._toolbox.now() - self._began > _TIME_FOR_FILES:
            raise RateLimited("other attachments took all the time", retry_after=1.0, scope="lane")
        with self._toolbox.fetch_media(attachment.ref or attachment.url, max_bytes=MAX_BYTES) as media:
            if not media.size:
                raise Refused("the attachment is empty")
            mime_type = media.mime_type or attachment.mime_type or "application/octet-stream"
            return self._client.upload(media, name=_name(attachment, media, mime_type), mime_type=mime_type)

    def _token(self, key: str, number: int) -> str:
        made_at, token = self._tokens.get((key, number), (None, ""))
        return token if made_at is not None and self._toolbox.now() - made_at < _TOKEN_LASTS else ""

    def _remember(self, key: str, number: int, token: str) -> None:
        self._tokens[key, number] = (self._toolbox.now(), token)
        while len(self._tokens) > _KEEP:
            self._tokens.popitem(last=False)


def _name(attachment: Attachment, media: Media, mime_type: str) -> str:
    """A file name whose ending fits the type: agents' browsers go by it."""
    name = re.sub(r"[^\w.\- ]+", "_", attachment.name or media.name or attachment.kind).strip(" ._")[-100:]
    ending = mimetypes.guess_extension(mime_type) or ""
    if not name:
        name = attachment.kind
    return name if "." in name or not ending else name + ending
