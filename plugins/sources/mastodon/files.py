"""An answer's files: uploaded first, each once however often the answer is tried, then named by the status."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from hub.sdk import Accepted, Attachment, Media, RateLimited, Refused, Reply, TemporaryFailure, Toolbox
from plugins.sources.mastodon.client import MastodonClient, NotThere

TIME_FOR_FILES = timedelta(seconds=15)
PROCESSED_WITHIN = timedelta(minutes=15)
LOOK_AFTER = 3.0
MOST_UPLOADS = 3
"""How often the files of one answer are uploaded anew because the server does not know them any more."""
_MOST_BYTES = 16 * 1024 * 1024  # as shipped this is also the server's limit for pictures


def limits(instance: dict[str, Any]) -> dict[str, Any]:
    """What the server says a post may carry, as values of ``ReplyLimits``; nothing when it does not say."""
    configuration = instance.get("configuration") or {}
    media, statuses = configuration.get("media_attachments") or {}, configuration.get("statuses") or {}
    types = tuple(str(one) for one in media.get("supported_mime_types") or ())
    if not types:
        return {}
    return {
        "attachments": int(statuses.get("max_media_attachments") or 4),
        "attachment_bytes": min(int(media.get("image_size_limit") or _MOST_BYTES), _MOST_BYTES),
        "attachment_types": types,
    }


class Files:
    """One per connector instance. What was uploaded lies in the vault until the answer stands."""

    def __init__(self, client: MastodonClient, toolbox: Toolbox) -> None:
        self._client = client
        self._toolbox = toolbox

    def upload(self, key: str, body: Reply, most_bytes: int) -> list[str] | Accepted:
        """The ids of the answer's files, ready to be posted; ``Accepted`` while the server works on one.

        Raises ``Refused`` for a file that cannot go: an answer never goes without what belongs to it.
        """
        if len(body.attachments) > 1 and any(_moves(file) for file in body.attachments):
            raise Refused("Mastodon takes one video or sound alone, or several pictures: send the others separately")
        state = self._read(key)
        ids, ready = self._known(state)
        began = self._toolbox.now()
        for file in body.attachments[len(ids) :]:
            if ids and self._toolbox.now() - began > TIME_FOR_FILES:
                raise RateLimited("the files take long: going on in a moment", retry_after=1.0, scope="lane")
            made = self._one(file, most_bytes)
            ids.append(str(made["id"]))
            ready = ready and bool(made.get("url"))
            self._write(key, {**state, "ids": ids})
        if ready:
            return ids
        if self._toolbox.now() - datetime.fromisoformat(state["since"]) > PROCESSED_WITHIN:
            raise Refused("the Mastodon server does not get the file ready")
        return Accepted(memo={"files": ids}, look_after=LOOK_AFTER)

    def look(self, memo: dict[str, Any]) -> bool:
        """True while the server still works on one of the files; then nothing was posted since."""
        try:
            return not all(self._is_ready(one) for one in memo["files"])
        except Refused:  # gone or broken: the next attempt says so
            return False

    def forget(self, key: str) -> None:
        """The answer stands: nothing is needed any more."""
        self._toolbox.vault.forget(_name(key))

    def _known(self, state: dict[str, Any]) -> tuple[list[str], bool]:
        """What was uploaded by an earlier attempt, if the server still has it, and whether all of it is ready. It
        forgets what no post uses after a day, and shows nobody what a post uses already."""
        ids = list(state["ids"])
        try:
            return ids, all(self._is_ready(one) for one in ids)
        except NotThere as error:
            state["times"] += 1
            state["since"] = self._toolbox.now().isoformat()
            if state["times"] >= MOST_UPLOADS:
                raise Refused("the Mastodon server loses the files it was given", detail=error.detail) from error
            return [], True

    def _is_ready(self, media_id: str) -> bool:
        return bool(self._client.read(f"/api/v1/media/{quote(media_id, safe='')}").get("url"))

    def _one(self, file: Attachment, most_bytes: int) -> dict[str, Any]:
        form = {"description": file.alt_text[:1500]} if file.alt_text else {}
        with self._toolbox.fetch_media(file.ref or file.url, max_bytes=most_bytes) as media:
            if not media.size:
                raise Refused(f"the file {file.name or media.name} is empty")
            made = self._client.upload(_name_of(file, media), media, _type_of(file, media), form)
        if not made.get("id"):
            raise TemporaryFailure("the server took a file and did not name it")
        return made

    def _read(self, key: str) -> dict[str, Any]:
        kept = self._toolbox.vault.read(_name(key))
        fresh = {"ids": [], "times": 0, "since": self._toolbox.now().isoformat()}
        return {**fresh, **json.loads(kept)} if kept else fresh

    def _write(self, key: str, state: dict[str, Any]) -> None:
        self._toolbox.vault.write(_name(key), json.dumps(state))


def _name(key: str) -> str:
    return f"files:{key}"


def _moves(file: Attachment) -> bool:
    return file.kind in ("video", "audio") or file.mime_type.partition("/")[0] in ("video", "audio")


def _type_of(file: Attachment, media: Media) -> str:
    # Some servers call every file application/octet-stream; Mastodon looks at the bytes, but wants a type.
    told: Sequence[str] = (file.mime_type, media.mime_type, mimetypes.guess_type(file.name or media.name)[0] or "")
    return next((one for one in told if one and one != "application/octet-stream"), "application/octet-stream")


def _name_of(file: Attachment, media: Media) -> str:
    return " ".join((file.name or media.name or "file").split())[-100:]
