"""An answer's files: uploaded once, ready before they are posted, and never left out."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from mastodon_network import BASE_URL, TOKEN, MastodonNetwork

from hub.sdk import (
    Absent,
    Accepted,
    Attachment,
    ConnectorError,
    Delivery,
    EditReply,
    Failure,
    Found,
    Identity,
    Media,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    Refused,
    Reply,
    TemporaryFailure,
    Toolbox,
)
from hub.testing import faults
from hub.testing.rig import Rig
from plugins.sources.mastodon.source import MastodonSource

MAP = Attachment(id="1", kind="image", url="https://desk.example/1", ref="hub-media:desk/1", name="map.png")
BOX = Attachment(id="2", url="https://desk.example/2", ref="hub-media:desk/2", name="a box.jpg", alt_text="scatola è")
FILM = Attachment(id="3", kind="video", url="https://desk.example/3", ref="hub-media:desk/3", name="a.mp4")
TYPES = {"1": "image/png", "2": "application/octet-stream", "3": "video/mp4"}


class Filing(Rig):
    """A connector with the other side's files: each is its own ref as bytes, and takes ``slow`` seconds."""

    slow = 0.0
    last: Media

    def toolbox(self) -> Toolbox:
        return dataclasses.replace(super().toolbox(), fetch_media=self.fetch)

    def fetch(self, url: str, *, max_bytes: int) -> Media:
        self.clock.advance(timedelta(seconds=self.slow))
        if max_bytes < len(url):
            raise Refused("too large")
        self.last = Media.of(url.encode(), TYPES[url[-1]], "")
        return self.last


@pytest.fixture
def network() -> MastodonNetwork:
    return MastodonNetwork()


@pytest.fixture
def rig(network: MastodonNetwork) -> Filing:
    return Filing(MastodonSource, {"base_url": BASE_URL, "access_token": TOKEN}, network)


def answer(network: MastodonNetwork, *files: Attachment, text: str = "Look:", key: str = "k") -> Delivery:
    """An answer to a fresh post of Ada's."""
    ada = Identity(network="mastodon", id="ada@mastodon.example", handle="ada@mastodon.example")
    post = network.customer_posts("where is it?")
    body = Reply(
        network="mastodon",
        thread_id=post,
        reply_to=post,
        to=ada,
        text=text,
        attachments=files,
        answer_with={"acct": "ada"},
    )
    return Delivery(key=str(uuid5(NAMESPACE_URL, key)), body=body, first_attempt_at=network.now())


def deliver(rig: Rig, delivery: Delivery) -> Any:
    """What came of it; an error as itself."""
    (result,) = rig.connector.deliver([delivery])
    return result.error if isinstance(result, Failure) else result


def published(network: MastodonNetwork) -> list[list[tuple[str, str, bytes]]]:
    """Name, type and bytes of the files of each of our posts."""
    ours = [post for post in network.statuses.values() if post["account"]["id"] == "1"]
    return [[network.files[media["id"]] for media in post["media_attachments"]] for post in ours]


def uploads(rig: Rig) -> int:
    return sum(call.url.endswith("/api/v2/media") and call.method == "POST" for call in rig.calls)


def test_files_stand_in_the_post_with_their_descriptions(rig: Filing, network: MastodonNetwork) -> None:
    """Both pictures in their order, named, typed and described; nothing stays in the vault, and no file stays open."""
    assert isinstance(deliver(rig, answer(network, MAP, BOX)), Receipt)
    assert published(network) == [
        [("map.png", "image/png", b"hub-media:desk/1"), ("a box.jpg", "image/jpeg", b"hub-media:desk/2")]
    ]
    assert [media["shown"]["description"] for media in network.media.values()] == [None, "scatola è"]
    assert rig.vault.values == {}
    assert rig.last.file.closed


def test_a_file_alone_is_an_answer(rig: Filing, network: MastodonNetwork) -> None:
    """The name of whom it is for is all the text there is."""
    receipt = deliver(rig, answer(network, MAP, text=""))
    assert network.sources[receipt.vendor_id] == "@ada"
    assert len(published(network)[0]) == 1


def test_limits_are_the_servers(rig: Filing) -> None:
    """Number, size and types are read from the server."""
    limits = rig.connector.check_connection().reply_limits
    assert (limits.attachments, limits.attachment_bytes) == (4, 1_000_000)
    assert "video/mp4" in limits.attachment_types


def test_a_slow_server_is_waited_for_without_a_second_upload(rig: Filing, network: MastodonNetwork) -> None:
    """The hub looks until the film is ready, then posts it once, from another instance too."""
    network.working = True
    delivery = answer(network, FILM)
    waits = deliver(rig, delivery)
    assert isinstance(waits, Accepted)
    looked = delivery.model_copy(update={"memo": waits.memo})
    assert rig.connector.find(looked) == waits
    assert published(network) == []
    network.finish()
    assert rig.connector.find(looked) == Absent()
    rig.restart()
    assert isinstance(deliver(rig, delivery.model_copy(update={"attempt": 2})), Receipt)
    assert (len(published(network)[0]), uploads(rig)) == (1, 1)


def test_a_server_that_never_gets_ready_is_given_up(rig: Filing, network: MastodonNetwork) -> None:
    """After a quarter of an hour the agent is told; the hub does not wait for ever."""
    network.working = True
    delivery = answer(network, FILM)
    assert isinstance(deliver(rig, delivery), Accepted)
    rig.clock.advance(timedelta(minutes=16))
    error = deliver(rig, delivery)
    assert isinstance(error, Refused)
    assert "ready" in str(error)


@pytest.mark.parametrize("fault", [faults.READ_TIMEOUT, faults.READ_TIMEOUT_AFTER], ids=str)
def test_no_attempt_uploads_again_or_publishes_twice(
    rig: Filing, network: MastodonNetwork, fault: faults.Fault
) -> None:
    """The post's call breaks off before or after its effect: within the hour the same key gives the same post."""
    delivery = answer(network, MAP)
    rig.break_call(fault, at=2)
    assert isinstance(deliver(rig, delivery), OutcomeUnknown)
    rig.restart()
    assert isinstance(deliver(rig, delivery), Receipt)
    assert len(published(network)) == 1
    assert len(published(network)[0]) == 1
    # A server shows nobody what a post uses: only then the file goes up again.
    assert uploads(rig) == (2 if fault.reaches_vendor else 1)


def test_a_lost_answer_is_found_by_its_files_too(rig: Filing, network: MastodonNetwork) -> None:
    """An earlier picture alone under the same post is not taken for two."""
    one = answer(network, MAP, text="")
    deliver(rig, one)
    body = one.body.model_copy(update={"attachments": (MAP, BOX)})
    two = Delivery(key="another", body=body, first_attempt_at=network.now())
    assert rig.connector.find(two) == Absent()
    assert isinstance(rig.connector.find(one), Found)


def test_what_a_server_forgot_is_uploaded_anew(rig: Filing, network: MastodonNetwork) -> None:
    """A day later it has thrown the upload away: the file goes up again, and not for ever."""
    network.working = True
    delivery = answer(network, FILM)
    deliver(rig, delivery)
    network.media.clear()
    network.working = False
    assert isinstance(deliver(rig, delivery), Receipt)
    network.working = True
    other = answer(network, FILM, key="other")
    for _ in range(3):
        assert isinstance(deliver(rig, other), Accepted)
        network.media.clear()
    assert isinstance(deliver(rig, other), Refused)


def test_a_film_goes_alone(rig: Filing, network: MastodonNetwork) -> None:
    """Mastodon takes no film beside pictures: refused before anything is uploaded, with the reason."""
    error = deliver(rig, answer(network, MAP, FILM))
    assert isinstance(error, Refused)
    assert "separately" in str(error)
    assert uploads(rig) == 0


def test_slow_files_do_not_hold_the_sender(rig: Filing, network: MastodonNetwork) -> None:
    """After fifteen seconds the rest waits for the next call, and what is up stays up."""
    rig.slow = 20.0
    delivery = answer(network, MAP, BOX)
    waits = deliver(rig, delivery)
    assert isinstance(waits, RateLimited)
    assert waits.scope == "lane"
    assert isinstance(deliver(rig, delivery), Receipt)
    assert uploads(rig) == 2


def test_a_file_that_cannot_be_had_stops_the_answer(rig: Filing, network: MastodonNetwork) -> None:
    """It never goes without what belongs to it."""
    network.now = rig.clock.now  # type: ignore[method-assign]
    large = MAP.model_copy(update={"ref": "hub-media:" + "x" * 1_000_001 + "1"})
    assert isinstance(deliver(rig, answer(network, large)), Refused)
    assert published(network) == []


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
    rig: Filing, network: MastodonNetwork, fault: faults.Fault, error: type[ConnectorError]
) -> None:
    """Nobody saw the file: it is simply tried again; its limit holds no other answers."""
    delivery = answer(network, MAP)
    rig.break_call(fault, at=1)
    found = deliver(rig, delivery)
    assert type(found) is error, found
    assert getattr(found, "scope", "lane") == "lane"
    assert isinstance(deliver(rig, delivery), Receipt)


def test_an_edit_keeps_the_pictures(rig: Filing, network: MastodonNetwork) -> None:
    """Mastodon takes away what an edit does not name."""
    receipt = deliver(rig, answer(network, MAP))
    deliver(rig, Delivery(key="e", body=EditReply(message_id=receipt.vendor_id, text="Look here:")))
    assert len(published(network)[0]) == 1
