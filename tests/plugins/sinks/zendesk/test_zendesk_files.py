"""Pictures and files, both ways, and what happens when one cannot be had."""

from __future__ import annotations

import dataclasses
import hashlib
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
from zendesk_cases import ANNA, Account, make_sink, opening, read, vendor_settings
from zendesk_sandbox_calls import call, settings

from hub.flow.media import MediaFetcher
from hub.sdk import (
    Attachment,
    Delivery,
    Failure,
    Media,
    OpenTicket,
    RateLimited,
    Receipt,
    Refused,
    Said,
    TemporaryFailure,
)
from plugins.sinks.zendesk.files import MAX_BYTES, MAX_FILES
from plugins.sinks.zendesk.sink import ZendeskSink

CAT = Attachment(id="1", kind="image", url="https://social.example/cat.png", name="cat.png", alt_text="a cat")
BILL = Attachment(
    id="2", url="https://social.example/bill", ref="social/2", name="Bill / March", mime_type="application/pdf"
)
API = "https://acme.zendesk.com/api/v2"


def with_files(sink: ZendeskSink, fetch: Callable[[str], Media]) -> ZendeskSink:
    """The connector with another world outside."""

    def fetch_media(url: str, *, max_bytes: int) -> Media:
        media = fetch(url)
        if len(media.content) > max_bytes:
            raise Refused("too large")
        return media

    toolbox = dataclasses.replace(sink.toolbox, fetch_media=fetch_media)
    return ZendeskSink(sink.settings, toolbox)


def picture(url: str) -> Media:
    """What stands behind every address."""
    return Media.of(b"bytes of " + url.encode(), "application/pdf" if "social/2" in url else "image/png", "")


def posted(uid: str, *attachments: Attachment, key: str = "", attempt: int = 1) -> Delivery:
    """The opening of a ticket whose post has attachments."""
    body = opening(uid).body
    assert isinstance(body, OpenTicket)
    said = Said(text="Look at this", author=ANNA, permalink="https://social.example/1", attachments=attachments)
    return Delivery(key=key or f"open-{uid}", body=body.model_copy(update={"said": said}), attempt=attempt)


def comments(account: Account, record: str) -> list[dict[str, Any]]:
    """The comments of a record."""
    return list(account.as_agent("GET", f"/api/v2/tickets/{record}/comments.json")["comments"])


# --- a customer's ----------------------------------------------------------------------------------------------------


def test_a_customers_files_stand_in_the_comment(account: Account, uid: str) -> None:
    """In their order, with name, type and bytes; ``ref`` is fetched where there is one; the links stay."""
    sink = with_files(account.sink(), picture)
    result = sink.deliver([posted(uid, CAT, BILL)])[0]
    assert isinstance(result, Receipt), result
    (comment,) = comments(account, result.vendor_id)
    assert [(one["file_name"], one["content_type"]) for one in comment["attachments"]] == [
        ("cat.png", "image/png"),
        ("Bill _ March.pdf", "application/pdf"),
    ]
    assert CAT.url in comment["plain_body"]
    bytes_ = requests.get(comment["attachments"][1]["content_url"], timeout=5).content
    assert bytes_ == b"bytes of social/2"
    _, seen = read(sink, result.vendor_id)
    told = seen[0].comment.attachments[0]
    assert (told.name, told.mime_type, told.kind, told.size) == ("cat.png", "image/png", "image", len(bytes_of(CAT)))


def bytes_of(attachment: Attachment) -> bytes:
    """What ``picture`` gives for it."""
    return picture(attachment.url).content


def test_a_file_that_is_gone_stays_a_link_and_says_so(account: Account, uid: str) -> None:
    """The ticket is opened; the other file is there; the agent reads which could not be copied."""

    def half(url: str) -> Media:
        if url == CAT.url:
            raise Refused("gone")
        return picture(url)

    result = with_files(account.sink(), half).deliver([posted(uid, CAT, BILL)])[0]
    assert isinstance(result, Receipt)
    (comment,) = comments(account, result.vendor_id)
    assert [one["file_name"] for one in comment["attachments"]] == ["Bill _ March.pdf"]
    line = next(line for line in comment["plain_body"].splitlines() if CAT.url in line)
    assert line.endswith("(could not be copied here, open the link)")


def test_italian_agents_read_it_in_italian(account: Account, uid: str) -> None:
    """The word beside the link is in the agents' language."""
    result = account.sink(agent_language="it").deliver([posted(uid, CAT)])[0]
    assert isinstance(result, Receipt)
    assert "apri il link" in comments(account, result.vendor_id)[0]["plain_body"]


def test_a_network_that_is_slow_is_tried_again_but_not_for_ever(account: Account, uid: str) -> None:
    """Two attempts wait for the file; the third opens the ticket with the link."""

    def slow(url: str) -> Media:
        raise TemporaryFailure("not now")

    sink = with_files(account.sink(), slow)
    for attempt in (1, 2):
        result = sink.deliver([posted(uid, CAT, attempt=attempt)])[0]
        assert isinstance(result, Failure)
        assert isinstance(result.error, TemporaryFailure)
    assert isinstance(sink.deliver([posted(uid, CAT, attempt=3)])[0], Receipt)


def test_trap_a_retry_does_not_upload_again(account: Account, uid: str) -> None:
    """The create fails after the upload: the next attempt uses the same token, while Zendesk keeps it."""
    clock = [datetime.now(UTC)]
    made = make_sink(account.sandbox.connection_settings(webhook_url=""), now=lambda: clock[0])
    fetched: list[str] = []

    def counted(url: str) -> Media:
        fetched.append(url)
        return picture(url)

    sink = with_files(made, counted)
    account.fault("POST", "/api/v2/tickets.json", "status", status=429, headers={"Retry-After": "1"})
    assert isinstance(sink.deliver([posted(uid, CAT)])[0], Failure)
    assert isinstance(sink.deliver([posted(uid, CAT)])[0], Receipt)
    assert fetched == [CAT.url]
    clock[0] += timedelta(minutes=51)
    account.fault("POST", "/api/v2/tickets.json", "status", status=429, headers={"Retry-After": "1"})
    sink.deliver([posted(f"{uid}-2", CAT)])
    clock[0] += timedelta(minutes=51)
    sink.deliver([posted(f"{uid}-2", CAT)])
    assert len(fetched) == 3, "a token an hour old is not used"


def test_too_large_and_too_many_stay_links(account: Account, uid: str) -> None:
    """What is known to be too large is not even fetched; the eleventh file stays a link."""
    fetched: list[str] = []

    def counted(url: str) -> Media:
        fetched.append(url)
        return picture(url)

    large = CAT.model_copy(update={"size": MAX_BYTES + 1, "url": "https://social.example/large.png"})
    many = [CAT.model_copy(update={"url": f"https://social.example/{n}.png"}) for n in range(MAX_FILES)]
    result = with_files(account.sink(), counted).deliver([posted(uid, large, *many)])[0]
    assert isinstance(result, Receipt)
    (comment,) = comments(account, result.vendor_id)
    assert len(fetched) == len(comment["attachments"]) == MAX_FILES - 1
    assert comment["plain_body"].count("could not be copied") == 2


def test_a_file_the_account_refuses_stays_a_link(account: Account, uid: str) -> None:
    """A 413 of Zendesk costs the picture, not the ticket."""
    settings(account, upload_limit=3)
    result = with_files(account.sink(), picture).deliver([posted(uid, CAT)])[0]
    settings(account, upload_limit=50_000_000)
    assert isinstance(result, Receipt)
    assert "could not be copied" in comments(account, result.vendor_id)[0]["plain_body"]


def test_files_get_a_few_seconds_in_all(account: Account, uid: str) -> None:
    """A slow network must not keep a batch longer than the hub's lease: what is left waits a second."""
    clock = [datetime.now(UTC)]

    def slow(url: str) -> Media:
        clock[0] += timedelta(seconds=10)
        return picture(url)

    made = make_sink(account.sandbox.connection_settings(webhook_url=""), now=lambda: clock[0])
    results = with_files(made, slow).deliver([posted(f"{uid}-{n}", CAT) for n in range(3)])
    assert [type(one).__name__ for one in results] == ["Receipt", "Receipt", "Failure"]
    last = results[2]
    assert isinstance(last, Failure)
    assert isinstance(last.error, RateLimited)
    assert (last.error.scope, last.error.retry_after) == ("lane", 1.0)


def test_a_large_file_passes_through_whole_and_is_never_held(account: Account, uid: str) -> None:
    """Eight megabytes, from a customer's address to Zendesk and from there back, in less memory than that."""
    blocks = [bytes([number]) * 1_000_000 for number in range(8)]
    headers = {"Content-Type": "video/mp4"}
    made = call(account, "POST", "uploads.json?filename=a.mp4", who="agent", data=b"".join(blocks), headers=headers)
    film = Attachment(url=made.json()["upload"]["attachment"]["content_url"], name="a.mp4")
    made = account.sink()
    fetch = MediaFetcher(user_agent="test", from_this_machine=True)
    sink = ZendeskSink(made.settings, dataclasses.replace(made.toolbox, fetch_media=fetch))
    sink.deliver([posted(f"{uid}-small")])
    tracemalloc.start()
    result = sink.deliver([posted(uid, film)])[0]
    assert isinstance(result, Receipt), result
    file = read(sink, result.vendor_id)[1][0].comment.attachments[0]
    with sink.fetch_attachment(file, max_bytes=8_000_000) as media:
        back = hashlib.sha256()
        for chunk in media:
            back.update(chunk)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (media.size, back.digest()) == (8_000_000, hashlib.sha256(b"".join(blocks)).digest())
    assert most < 4_000_000


# --- an agent's ------------------------------------------------------------------------------------------------------


def agents_file(account: Account, record: str) -> Attachment:
    """An agent answers with a picture; the attachment as the connector reports it."""
    upload = call(
        account,
        "POST",
        "uploads.json?filename=map.png",
        who="agent",
        data=b"a map",
        headers={"Content-Type": "image/png"},
    )
    body = {"ticket": {"comment": {"body": "Here is the map", "uploads": [upload.json()["upload"]["token"]]}}}
    account.as_agent("PUT", f"/api/v2/tickets/{record}.json", body)
    _, seen = read(account.sink(), record)
    return seen[-1].comment.attachments[0]


@pytest.mark.parametrize("private", [0, 1])
def test_an_agents_file_is_fetched(account: Account, uid: str, private: int) -> None:
    """Public or private: Zendesk is asked with our credentials, the file host it redirects to without."""
    settings(account, private_attachments=private)
    asked: list[str] = []

    def outside(url: str) -> Media:
        asked.append(url)
        answer = requests.get(url, timeout=5)
        return Media.of(answer.content, answer.headers["Content-Type"], "")

    sink = with_files(account.sink(), outside)
    record = sink.deliver([opening(uid)])[0]
    assert isinstance(record, Receipt)
    attachment = agents_file(account, record.vendor_id)
    assert (attachment.name, attachment.mime_type, attachment.size) == ("map.png", "image/png", 5)
    media = sink.fetch_attachment(attachment, max_bytes=100)
    settings(account, private_attachments="")
    assert (media.content, media.mime_type, media.name) == (b"a map", "image/png", "map.png")
    assert len(asked) == 1
    assert "/files/" in asked[0]


@responses.activate
def test_trap_the_file_host_never_sees_our_credentials() -> None:
    """The redirect is not followed by us; a file elsewhere is fetched as anybody would."""
    asked: list[str] = []

    def outside(url: str) -> Media:
        asked.append(url)
        return Media.of(b"x", "image/png", "x.png")

    sink = with_files(make_sink(vendor_settings()), outside)
    url = "https://acme.zendesk.com/attachments/token/abc/?name=map.png"
    host = "https://files.zdusercontent.example/abc"
    responses.get(url, status=302, headers={"Location": host})
    sink.fetch_attachment(Attachment(url=url, name="map.png"), max_bytes=9)
    sink.fetch_attachment(Attachment(url="https://elsewhere.example/a.png"), max_bytes=9)
    assert asked == [host, "https://elsewhere.example/a.png"]
    assert len(responses.calls) == 1


@responses.activate
def test_a_file_behind_the_sign_in_page_is_refused() -> None:
    """A sign-in page must not pass for the agent's file."""
    url = "https://acme.zendesk.com/attachments/token/abc/?name=map.png"
    responses.get(url, status=302, headers={"Location": "https://acme.zendesk.com/access/unauthenticated"})
    with pytest.raises(Refused, match="does not give"):
        with_files(make_sink(vendor_settings()), picture).fetch_attachment(Attachment(url=url), max_bytes=9)


@responses.activate
def test_a_large_file_is_not_read_to_its_end() -> None:
    """More than the caller takes is refused."""
    url = "https://acme.zendesk.com/attachments/token/abc/?name=map.png"
    responses.get(url, body=b"x" * 200_000)
    with pytest.raises(Refused, match="larger"):
        make_sink(vendor_settings()).fetch_attachment(Attachment(url=url), max_bytes=9)
    responses.replace(responses.GET, url, status=404)
    with pytest.raises(Refused):
        make_sink(vendor_settings()).fetch_attachment(Attachment(url=url), max_bytes=9)
