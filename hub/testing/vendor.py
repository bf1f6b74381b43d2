"""The other end of a connector in a test: a vendor in memory, the hands of its users, and faults on the way.

The plugin's author writes the vendor: a small stateful class that answers requests as the real one does. It should be
held against a third party (the vendor's API description, recordings, the real server), or it only agrees with itself.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, ClassVar

import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from hub.sdk import WebhookRequest


def reply(
    request: requests.PreparedRequest,
    status: int = 200,
    body: Any = None,
    *,
    content_type: str = "",
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """An answer to ``request``: ``body`` is JSON unless it is bytes or a text."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = content_type or ("text/html; charset=utf-8" if isinstance(body, str) else "application/json")
    response = requests.Response()
    response.status_code = status
    response.headers = CaseInsensitiveDict({"Content-Type": kind, **(headers or {})})
    response.url = request.url or ""
    response.request = request
    response.raw = HTTPResponse(BytesIO(raw), headers=response.headers, status=status, preload_content=False)
    return response


@dataclass(frozen=True, slots=True)
class Said:
    """A text that stands at the vendor: a reply of the company on a network, or a comment of a helpdesk record."""

    id: str
    text: str
    reply_to: str = ""
    public: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """A helpdesk record as it stands at the vendor, comments oldest first (the opening one included).

    ``status`` and ``priority`` are in the hub's words where the helpdesk has them.
    """

    id: str
    external_id: str = ""
    subject: str = ""
    status: str = ""
    comments: tuple[Said, ...] = field(default_factory=tuple)
    priority: str = ""
    tags: tuple[str, ...] = ()


class Vendor(ABC):
    """A vendor in memory. One instance per test; every request of the connector arrives at :meth:`answer`.

    ``has_own_clock``: it forwards to a real server. :meth:`now` is then the wall clock (another clock of the server's
    is told there), the kit follows it, and letting time pass does nothing.
    """

    has_own_clock: ClassVar[bool] = False

    @abstractmethod
    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """Answer one request as the vendor does, and remember its effect. See :func:`reply`."""

    def now(self) -> datetime:
        """The vendor's clock, in UTC; the kit replaces it by the test's own unless ``has_own_clock``."""
        if self.has_own_clock:
            return datetime.now(UTC)
        raise NotImplementedError("the kit sets the clock")

    def revoke_credentials(self) -> None:
        """From now on the connector's credentials are refused, as the vendor refuses them."""
        raise NotImplementedError(
            "refuse the connector's credentials in revoke_credentials(), as the vendor does (a 401, say). A connector "
            "that has none needs no Secret in its Settings: then nobody asks for this"
        )

    def webhooks(self) -> list[WebhookRequest]:
        """What the vendor has sent to the hub's webhook address since the last call, signed, oldest first."""
        raise NotImplementedError("return the signed requests since the last call from webhooks()")


class NetworkVendor(Vendor):
    """A network in memory: what customers do there, and what the company's account has said.

    It may also forward to a real server on this machine: send each request on from :meth:`answer`, let customers act
    by the server's own API, and set ``has_own_clock = True``. Nothing else is needed; docs/plugins/testing.md has one.
    """

    @abstractmethod
    def customer_posts(self, text: str, *, author: str = "ada", reply_to: str = "", private: bool = False) -> str:
        """A customer says ``text`` to the company, or answers the post ``reply_to``; return the post's vendor id."""

    def customer_edits(self, post_id: str, text: str) -> None:
        """The author replaces the text."""
        raise NotImplementedError("edit the post in customer_edits(), or waive edits_are_new_revisions")

    def customer_deletes(self, post_id: str) -> None:
        """The author removes the post."""
        raise NotImplementedError("remove the post in customer_deletes(), or waive deletions_are_told")

    def company_posts(self) -> list[Said]:
        """What the company's account has said and not deleted, oldest first."""
        raise NotImplementedError("return what the company's account has said from company_posts()")


class HelpdeskVendor(Vendor):
    """A helpdesk in memory: its records, and what agents do."""

    @abstractmethod
    def records(self) -> list[Record]:
        """Every record, oldest first."""

    def agent_answers(self, record_id: str, text: str, *, public: bool = True) -> str:
        """A human agent comments; return the comment's vendor id."""
        raise NotImplementedError("let an agent comment in agent_answers()")

    def agent_sets_status(self, record_id: str, status: str) -> None:
        """A human agent sets one of the hub's statuses (``solved``)."""
        raise NotImplementedError("let an agent set the status in agent_sets_status()")

    def agent_publishes(self, record_id: str, comment_id: str) -> None:
        """A human agent turns an internal note into a public comment."""
        raise NotImplementedError(
            "turn the note into a public comment in agent_publishes(), or waive note_made_public_is_told_anew"
        )

    def rule_answers(self, record_id: str, text: str) -> str:
        """A rule of the helpdesk (a trigger, an automation) comments in public; return the comment's vendor id."""
        raise NotImplementedError("let a rule of the helpdesk comment in rule_answers()")

    def accept_without_applying(self) -> None:
        """From now on the vendor answers writes with a 2xx and does not do them, in the way it really may."""
        raise NotImplementedError(
            "do nothing behind a 2xx in accept_without_applying(), or waive accepted_but_not_done_is_no_receipt"
        )
