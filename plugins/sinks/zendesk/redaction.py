# SPDX-License-Identifier: GPL-3.0-or-later
"""Marking a whole comment for Zendesk's redaction, and seeing that it was done."""

from __future__ import annotations

import html as html_entities
import re
from typing import Any

from plugins.sinks.zendesk.payloads import text_of

_BLACK = "▇"
_TAG_OR_TEXT = re.compile(r"(<[^>]*>)|([^<]+)")


def blackened(event: dict[str, Any]) -> tuple[str, list[str]]:
    """The comment's HTML with all its text in ``<redact>`` tags, and the addresses of its attachments."""
    html = text_of(event.get("html_body")) or html_entities.escape(_plain(event))

    def mark(match: re.Match[str]) -> str:
        tag, text = match.group(1), match.group(2)
        if tag is None:
            return f"<redact>{text}</redact>" if text.strip() else text
        # An image or link vanishes by an attribute of its own.
        return re.sub(r"^<(img|a)\b", r"<\1 redact", tag)

    attachments = event.get("attachments")
    rows = attachments if isinstance(attachments, list) else []
    urls = [text_of(row.get("content_url")) for row in rows if isinstance(row, dict)]
    return _TAG_OR_TEXT.sub(mark, html), [url for url in urls if url]


def is_black(event: dict[str, Any]) -> bool:
    """Whether nothing legible is left in the comment."""
    return not re.sub(rf"[\s\W{_BLACK}]", "", _plain(event))


def _plain(event: dict[str, Any]) -> str:
    return text_of(event.get("plain_body")) or text_of(event.get("body"))
