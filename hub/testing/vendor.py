"""The other end of a connector in a test: a vendor in memory, the hands of its users, and faults on the way.

The plugin's author writes the vendor: a small stateful class that answers requests as the real one does. It should be
held against a third party (the vendor's API description, recordings, the real server), or it only agrees with itself.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
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

    ``has_own_clock``: it forwards to a real server, whose time :meth:`now` tells; the kit then follows that clock.
    """

    has_own_clock: ClassVar[bool] = False

    @abstractmethod
    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """Answer one request as the vendor does, and remember its effect. See :func:`reply`."""

    def now(self) -> datetime:
        """The vendor's clock; the kit replaces it by the test's own."""
        raise NotImplementedError("the kit sets the clock")

    def revoke_credentials(self) -> None:
        """From now on the connector's credentials are refused, as the vendor refuses them."""
        raise NotImplementedError

    def webhooks(self) -> list[WebhookRequest]:
        """What the vendor has sent to the hub's webhook address since the last call, signed, oldest first."""
        raise NotImplementedError


class NetworkVendor(Vendor):
    """A network in memory: what customers do there, and what the company's account has said."""

    @abstractmethod
    def customer_posts(self, text: str, *, author: str = "ada", reply_to: str = "", private: bool = False) -> str:
        """A customer says ``text`` to the company, or answers the post ``reply_to``; return the post's vendor id."""

    def customer_edits(self, post_id: str, text: str) -> None:
        """The author replaces the text."""
        raise NotImplementedError

    def customer_deletes(self, post_id: str) -> None:
        """The author removes the post."""
        raise NotImplementedError

    def company_posts(self) -> list[Said]:
        """What the company's account has said and not deleted, oldest first."""
        raise NotImplementedError


class HelpdeskVendor(Vendor):
    """A helpdesk in memory: its records, and what agents do."""

    @abstractmethod
    def records(self) -> list[Record]:
        """Every record, oldest first."""

    def agent_answers(self, record_id: str, text: str, *, public: bool = True) -> str:
        """A human agent comments; return the comment's vendor id."""
        raise NotImplementedError

    def agent_sets_status(self, record_id: str, status: str) -> None:
        """A human agent sets one of the hub's statuses (``solved``)."""
        raise NotImplementedError

    def agent_publishes(self, record_id: str, comment_id: str) -> None:
        """A human agent turns an internal note into a public comment."""
        raise NotImplementedError

    def rule_answers(self, record_id: str, text: str) -> str:
        """A rule of the helpdesk (a trigger, an automation) comments in public; return the comment's vendor id."""
        raise NotImplementedError

    def accept_without_applying(self) -> None:
        """From now on the vendor answers writes with a 2xx and does not do them, in the way it really may."""
        raise NotImplementedError
