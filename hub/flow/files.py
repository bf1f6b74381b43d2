"""Files both ways: the name under which one side gets the other's, their bytes, and which of them an answer carries.

A connector that ``ServesMedia`` fetches with credentials. Its files get a ``ref`` when they are stored: who holds one
gets the bytes of that very file, as it was stored, from that very connection, and of nothing a customer wrote.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from hub.flow import texts
from hub.flow.media import MediaUnavailable
from hub.sdk import Attachment, Comment, FetchesMedia, Media, Message, RateLimited, Refused, ReplyLimits, ServesMedia
from hub.sdk.errors import AuthenticationFailed, ConfigurationError, OutcomeUnknown, TemporaryFailure
from hub.store import Connection, Row, connections, messages, records

if TYPE_CHECKING:
    from hub.flow.hub import Hub

log = logging.getLogger("hub.files")

PREFIX = "hub-media:"


# --- names ---------------------------------------------------------------------------------------------------------


def named_message(hub: Hub, connection: str, message: Message) -> Message:
    """The message as it is to be stored: its files with their refs."""
    if not message.attachments:
        return message
    place = f"message/{_quoted(message.network)}/{_quoted(message.id)}"
    return message.model_copy(update={"attachments": _named(hub, connection, place, message.attachments)})


def named_comment(hub: Hub, connection: str, comment: Comment) -> tuple[Attachment, ...]:
    """A comment's files as they are to be stored."""
    return _named(hub, connection, f"comment/{_quoted(comment.id)}", comment.attachments)


def stored(row: Row[Any]) -> tuple[Attachment, ...]:
    """The files of a stored message."""
    return tuple(Attachment.model_validate(item) for item in row.attachments or ())


def _named(hub: Hub, connection: str, place: str, attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    connected = hub.connected.get(connection)
    serves = connected is not None and connected.has(ServesMedia)
    named = []
    for attachment in attachments:
        ref = f"{PREFIX}{_quoted(connection)}/{place}/{_digest(attachment)}" if serves else ""
        # A ref is given here only: one that a customer chose as an address would open other people's files.
        url = "" if attachment.url.startswith(PREFIX) else attachment.url
        named.append(attachment.model_copy(update={"ref": ref, "url": url}))
    return tuple(named)


def _digest(attachment: Attachment) -> str:
    text = "\n".join((attachment.id, attachment.url, attachment.name))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _quoted(text: str) -> str:
    return quote(text, safe="")


# --- bytes ---------------------------------------------------------------------------------------------------------


class FileFetcher:
    """What a toolbox hands out as ``fetch_media``: a ref is served by its connection, an address comes from the web."""

    def __init__(self, hub: Hub, web: FetchesMedia) -> None:
        self._hub = hub
        self._web = web

    def __call__(self, url: str, *, max_bytes: int) -> Media:
        """See :class:`hub.sdk.FetchesMedia`. What goes wrong at the connection that has the file is never blamed on the
        one that asks for it."""
        if not url.startswith(PREFIX):
            return self._web(url, max_bytes=max_bytes)
        name = unquote(url.removeprefix(PREFIX).partition("/")[0])
        attachment = self._stored(name, url)
        if attachment.size is not None and attachment.size > max_bytes:
            raise _too_large(max_bytes)
        try:
            media = self._serve(name, attachment, max_bytes)
        finally:
            calls = self._hub.calls(name).take()
            self._hub.store.run(lambda tx: connections.add_calls(tx, name, calls))
        if media.size > max_bytes:
            media.close()
            raise _too_large(max_bytes)
        return media

    def _serve(self, name: str, attachment: Attachment, max_bytes: int) -> Media:
        try:
            connector = self._hub.instance(name)
            if not isinstance(connector, ServesMedia):
                raise Refused(f"{name} does not serve files any more")
            return connector.fetch_attachment(attachment, max_bytes=max_bytes)
        except Refused:
            raise
        except RateLimited as error:
            raise RateLimited(error.summary, retry_after=error.retry_after, scope="lane") from error
        except (TemporaryFailure, AuthenticationFailed, ConfigurationError, OutcomeUnknown) as error:
            raise MediaUnavailable(f"{name} does not give the file now: {error.summary}") from error
        except Exception as error:
            log.exception("a file of %s cannot be had, this is a bug of its plugin", name)
            raise Refused(f"{name} cannot give the file ({type(error).__name__})") from error

    def _stored(self, name: str, ref: str) -> Attachment:
        if name not in self._hub.connected:
            raise MediaUnavailable(f"the file is at {name}, which is not running")
        with self._hub.store.read() as connection:
            if connections.get(connection, name).paused:
                raise MediaUnavailable(f"the file is at {name}, which is paused")
            row = _said(connection, name, ref)
        # An agent's note stays inside; a file of what was deleted is nobody's business any more.
        if row is None or row.deleted_at is not None or (row.origin == "helpdesk" and not row.public):
            raise Refused("the file is not there any more")
        for attachment in stored(row):
            if attachment.ref == ref:
                return attachment
        raise Refused("the file is not there any more")


def _said(connection: Connection, name: str, ref: str) -> Row[Any] | None:
    match [unquote(part) for part in ref.removeprefix(PREFIX).split("/")[1:]]:
        case ["message", network, vendor_id, _]:
            return messages.find(connection, network, vendor_id)
        case ["comment", vendor_id, _]:
            link = records.find_comment(connection, name, vendor_id)
            return None if link is None or link.message_id is None else messages.by_id(connection, link.message_id)
    return None


def _too_large(max_bytes: int) -> Refused:
    return Refused(f"the file is larger than {max_bytes} bytes")


# --- an answer's files ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """A file that cannot go with an answer: ``reason`` is a key of the texts."""

    file: Attachment
    reason: str
    values: tuple[tuple[str, object], ...] = ()


def choose(files: Sequence[Attachment], limits: ReplyLimits) -> tuple[tuple[Attachment, ...], tuple[Left, ...]]:
    """The files an answer carries, in their order, and those it cannot. A size that nobody told counts as fitting: the
    connector sees it, and refuses."""
    taken, left = list[Attachment](), list[Left]()
    for file in files:
        mime_type, most = _type_of(file), limits.attachment_bytes
        if not limits.attachments:
            left.append(Left(file, "file_none"))
        elif limits.attachment_types and not _is_one_of(mime_type, limits.attachment_types):
            left.append(Left(file, "file_type", (("type", mime_type or "?"),)))
        elif most is not None and (file.size or 0) > most:
            left.append(Left(file, "file_large", (("size", _megabytes(file.size or 0)), ("most", _megabytes(most)))))
        elif len(taken) == limits.attachments:
            left.append(Left(file, "file_count", (("most", limits.attachments),)))
        else:
            taken.append(file)
    return tuple(taken), tuple(left)


def listed(files: Sequence[Attachment]) -> str:
    """The names of files, as an agent knows them."""
    return ", ".join(label(file) for file in files)


def reasons(left: Sequence[Left], language: str) -> str:
    """A line for each file that cannot go."""
    return "\n".join(f"- {label(one.file)}: {texts.reason(one.reason, language, **dict(one.values))}" for one in left)


def label(file: Attachment) -> str:
    """A file's name; else what it is."""
    return file.name or unquote(urlsplit(file.url).path.rpartition("/")[2]) or file.kind


def _type_of(file: Attachment) -> str:
    told = file.mime_type.partition(";")[0].strip().lower()
    return told or mimetypes.guess_type(label(file))[0] or ""


def _is_one_of(mime_type: str, types: Sequence[str]) -> bool:
    return mime_type in types or f"{mime_type.partition('/')[0]}/*" in types


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
