"""What the tests of the Request Tracker sink share: a connector at any RT, and deliveries to send."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import BaseAdapter
from rt_vendor import ORIGIN, SECRET, TOKEN, RequestTracker

from hub.sdk import (
    AddComment,
    CommentSeen,
    Delivery,
    Failure,
    Hint,
    House,
    HttpSession,
    Identity,
    OpenTicket,
    Receipt,
    RecordChanged,
    Said,
    TicketView,
    Toolbox,
    UpdateFields,
)
from hub.sdk.toolbox import no_media
from plugins.sinks.request_tracker.sink import RequestTrackerSink

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ANNA = Identity(network="mastodon", id="7", handle="anna", display_name="Anna Rossi")
SETTINGS: dict[str, Any] = {
    "url": ORIGIN,
    "token": TOKEN,
    "queue": "Social",
    "tags_field": "Tags",
    "field_names": {"order_number": "OrderNumber"},
    "webhook_secrets": [SECRET],
}


class _Here(BaseAdapter):
    def __init__(self, answer: Callable[[requests.PreparedRequest], requests.Response]) -> None:
        super().__init__()
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return self._answer(request)

    def close(self) -> None:
        pass


def vendor_here(**more: Any) -> RequestTracker:
    """A Request Tracker in memory whose clock stands still."""
    vendor = RequestTracker(**more)
    vendor.now = lambda: NOW  # type: ignore[method-assign]
    return vendor


def make_sink(
    answer: Callable[[requests.PreparedRequest], requests.Response] | None,
    *,
    media: Any = no_media,
    house: House | None = None,
    **settings: Any,
) -> RequestTrackerSink:
    """A connector whose calls end at ``answer``; with ``None`` at a real server."""
    http = HttpSession(user_agent="hub-test")
    if answer is not None:
        http.mount("https://", _Here(answer))
    toolbox = Toolbox(
        connection="acme-rt",
        http=http,
        vault=None,  # type: ignore[arg-type] # the sink rotates no tokens
        now=(lambda: NOW) if answer is not None else (lambda: datetime.now(UTC)),
        log=logging.LoggerAdapter(logging.getLogger("test.rt")),
        fetch_media=media,
        house=house or House(),
    )
    return RequestTrackerSink(RequestTrackerSink.Settings(**{**SETTINGS, **settings}), toolbox)


def ticket(uid: str, **more: Any) -> TicketView:
    """A ticket of Anna's."""
    values = {"code": "SCH-1", "subject": "No parcel", "network": "mastodon", "source": "m1", "requester": ANNA}
    return TicketView(uid=uid, **(values | more))


def opening(uid: str = "sch-1", *, key: str = "", attachments: Any = (), attempt: int = 1, **view: Any) -> Delivery:
    """The delivery that opens a ticket."""
    said = Said(text="Where is my parcel?", author=ANNA, permalink="https://social.example/1", attachments=attachments)
    body = OpenTicket(ticket=ticket(uid, **view), said=said)
    return Delivery(key=key or f"open-{uid}", body=body, attempt=attempt, first_attempt_at=NOW)


def comment(record_id: str, text: str = "Still nothing", *, key: str = "c-1", public: bool = True) -> Delivery:
    """The delivery of a further message."""
    said = Said(text=text, author=ANNA)
    return Delivery(key=key, body=AddComment(ticket=ticket("sch-1"), record_id=record_id, said=said, public=public))


def fields(record_id: str, *, key: str = "u-1", **more: Any) -> Delivery:
    """The delivery of a field update."""
    return Delivery(key=key, body=UpdateFields(ticket=ticket("sch-1"), record_id=record_id, **more))


def sent(sink: RequestTrackerSink, delivery: Delivery) -> Receipt:
    """The receipt of a delivery that goes well."""
    result = sink.deliver([delivery])[0]
    assert isinstance(result, Receipt), result
    return result


def error_of(sink: RequestTrackerSink, delivery: Delivery) -> Exception:
    """The error of a delivery that fails."""
    result = sink.deliver([delivery])[0]
    assert isinstance(result, Failure), result
    return result.error


def read(sink: RequestTrackerSink, record_id: str) -> tuple[list[CommentSeen], RecordChanged]:
    """A record and its comments as the hub would complete a hint."""
    *comments, record = sink.complete(Hint(event_key="x", record=record_id))
    assert isinstance(record, RecordChanged)
    return [one for one in comments if isinstance(one, CommentSeen)], record
