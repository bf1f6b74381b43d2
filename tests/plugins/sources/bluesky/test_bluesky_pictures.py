"""An answer's pictures: uploaded once, named by the record as its lexicon says, and never left out."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bluesky_stage import SETTINGS, answer, picture
from bluesky_vendor import BlueskyVendor
from lexicons import Lexicons

from hub.sdk import (
    Attachment,
    CannotTell,
    ConnectorError,
    Delivery,
    Failure,
    Found,
    Media,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    Refused,
    TemporaryFailure,
    Toolbox,
)
from hub.testing import faults
from hub.testing.rig import Rig
from plugins.sources.bluesky.pictures import dimensions
from plugins.sources.bluesky.source import BlueskySource

MAP = Attachment(id="1", url="https://desk.example/1", ref="hub-media:desk/PNG", name="map.png", alt_text="dov'è")
BOX = Attachment(id="2", url="https://desk.example/2", ref="hub-media:desk/JPEG", name="box.jpg")
PAPER = Attachment(id="3", url="https://desk.example/3", ref="hub-media:desk/PDF", name="paper.png")
PICTURES = {"hub-media:desk/PNG": picture("PNG"), "hub-media:desk/JPEG": picture("JPEG"), PAPER.ref: b"%PDF-1.7"}


class Filing(Rig):
    """A connector with the other side's files, each of which takes ``slow`` seconds."""

    slow = 0.0
    last: Media

    def toolbox(self) -> Toolbox:
        return dataclasses.replace(super().toolbox(), fetch_media=self.fetch)

    def fetch(self, url: str, *, max_bytes: int) -> Media:
        assert max_bytes == 2_000_000
        self.clock.advance(timedelta(seconds=self.slow))
        self.last = Media.of(PICTURES[url], "application/octet-stream", "")
        return self.last


@pytest.fixture
def vendor() -> BlueskyVendor:
    return BlueskyVendor()


@pytest.fixture
def rig(vendor: BlueskyVendor) -> Filing:
    return Filing(BlueskySource, SETTINGS, vendor)


def deliver(rig: Rig, delivery: Delivery) -> Any:
    """What came of it; an error as itself."""
    (result,) = rig.connector.deliver([delivery])
    return result.error if isinstance(result, Failure) else result


def uploads(vendor: BlueskyVendor) -> int:
    return vendor.calls.count("com.atproto.repo.uploadBlob")


@pytest.mark.data
def test_pictures_stand_in_the_record_as_its_lexicon_says(rig: Filing, vendor: BlueskyVendor, data: Path) -> None:
    """In their order, with type, description and shape; nothing but the session stays in the vault."""
    receipt = deliver(rig, answer(vendor.customer_posts("where?"), attachments=(MAP, BOX)))
    record = vendor.records[receipt.vendor_id].value
    Lexicons(data / "specs" / "atproto" / "lexicons").check_def("app.bsky.feed.post#main", record)
    first, second = record["embed"]["images"]
    assert (first["alt"], first["aspectRatio"]) == ("dov'è", {"width": 40, "height": 30})
    assert (second["alt"], second["aspectRatio"]) == ("", {"width": 40, "height": 30})
    assert [one["image"]["mimeType"] for one in (first, second)] == ["image/png", "image/jpeg"]
    assert [vendor.blobs[one["image"]["ref"]["$link"]] for one in (first, second)] == [
        PICTURES[MAP.ref],
        PICTURES[BOX.ref],
    ]
    assert set(rig.vault.values) == {"session"}


@pytest.mark.data
def test_limits_are_the_lexicons(rig: Filing, data: Path) -> None:
    """Number and size come from app.bsky.embed.images as it is published now."""
    limits = rig.connector.check_connection().reply_limits
    published = Lexicons(data / "specs" / "atproto" / "lexicons").defs
    assert limits.attachments == published["app.bsky.embed.images#main"]["properties"]["images"]["maxLength"]
    assert limits.attachment_bytes == published["app.bsky.embed.images#image"]["properties"]["image"]["maxSize"]
    assert all(one.startswith("image/") for one in limits.attachment_types)


def test_a_picture_alone_is_an_answer(rig: Filing, vendor: BlueskyVendor) -> None:
    """A record needs a text, and it may be empty."""
    receipt = deliver(rig, answer(vendor.customer_posts("where?"), "", attachments=(MAP,)))
    assert vendor.records[receipt.vendor_id].value["text"] == ""


@pytest.mark.parametrize("fault", [faults.READ_TIMEOUT_AFTER, faults.READ_TIMEOUT], ids=str)
def test_no_attempt_uploads_again_or_publishes_twice(rig: Filing, vendor: BlueskyVendor, fault: faults.Fault) -> None:
    """The record's call breaks off before or after its effect: the look-up tells, the pictures stay up."""
    delivery = answer(vendor.customer_posts("where?"), attachments=(MAP,))
    rig.connector.check_connection()
    rig.break_call(fault, at=2)
    assert isinstance(deliver(rig, delivery), OutcomeUnknown)
    rig.restart()
    if fault.reaches_vendor:
        assert isinstance(rig.connector.find(delivery), Found)
    else:
        assert isinstance(deliver(rig, delivery), Receipt)
    assert (len(vendor.company_posts()), uploads(vendor)) == (1, 1)


def test_old_uploads_are_not_named(rig: Filing, vendor: BlueskyVendor) -> None:
    """A server throws away within minutes what no record names."""
    delivery = answer(vendor.customer_posts("where?"), attachments=(MAP,))
    rig.connector.check_connection()
    rig.break_call(faults.SLOW_DOWN, at=2)
    assert isinstance(deliver(rig, delivery), RateLimited)
    vendor.blobs.clear()
    rig.clock.advance(timedelta(minutes=6))
    assert isinstance(deliver(rig, delivery), Receipt)


def test_another_record_under_the_key_is_not_the_answer(rig: Filing, vendor: BlueskyVendor) -> None:
    """The same words without the picture are something else."""
    post = vendor.customer_posts("where?")
    deliver(rig, answer(post))
    assert isinstance(rig.connector.find(answer(post, attachments=(MAP,))), CannotTell)


def test_what_is_no_picture_stops_the_answer(rig: Filing, vendor: BlueskyVendor) -> None:
    """By its bytes, whatever it is called; and it is closed."""
    error = deliver(rig, answer(vendor.customer_posts("where?"), attachments=(PAPER,)))
    assert isinstance(error, Refused)
    assert "paper.png" in str(error)
    assert vendor.company_posts() == []
    assert rig.last.file.closed


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.READ_TIMEOUT, TemporaryFailure),
        (faults.SERVER_ERROR, TemporaryFailure),
        (faults.EMPTY_OBJECT, TemporaryFailure),
        (faults.SLOW_DOWN, RateLimited),
    ],
    ids=str,
)
def test_a_lost_upload_is_nothing_unknown(
    rig: Filing, vendor: BlueskyVendor, fault: faults.Fault, error: type[ConnectorError]
) -> None:
    """Nobody saw the picture: it is simply tried again."""
    delivery = answer(vendor.customer_posts("where?"), attachments=(MAP,))
    rig.connector.check_connection()
    rig.break_call(fault, at=1)
    assert type(deliver(rig, delivery)) is error
    assert isinstance(deliver(rig, delivery), Receipt)


def test_an_expired_token_is_renewed_before_the_upload(rig: Filing, vendor: BlueskyVendor) -> None:
    """The bytes go again with the new one."""
    post = vendor.customer_posts("where?")
    rig.connector.check_connection()
    vendor.expire_access()
    assert isinstance(deliver(rig, answer(post, attachments=(MAP,))), Receipt)


def test_slow_pictures_do_not_hold_the_sender(rig: Filing, vendor: BlueskyVendor) -> None:
    """After fifteen seconds the rest waits for the next call, and what is up stays up."""
    rig.slow = 20.0
    delivery = answer(vendor.customer_posts("where?"), attachments=(MAP, BOX))
    waits = deliver(rig, delivery)
    assert isinstance(waits, RateLimited)
    assert waits.scope == "lane"
    assert isinstance(deliver(rig, delivery), Receipt)
    assert uploads(vendor) == 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_the_shape_is_read(kind: str) -> None:
    """Whatever stands before it; half a file has none."""
    content = picture(kind, (321, 45))
    assert dimensions(Media.of(content, "", "")) == (321, 45)
    assert dimensions(Media.of(content[:8], "", "")) is None


def test_webp_has_no_shape_and_is_taken() -> None:
    """Its header has four forms: apps find out by themselves."""
    assert dimensions(Media.of(picture("WEBP"), "", "")) is None
