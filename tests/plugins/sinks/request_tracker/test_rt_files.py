"""Files both ways: customers' into RT's messages, agents' out of them."""

from __future__ import annotations

import base64
import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from rt_cases import NOW, error_of, make_sink, opening, read, sent, vendor_here
from rt_vendor import AGENT, RequestTracker

from hub.sdk import Attachment, AuthenticationFailed, Media, Refused, TemporaryFailure

PICTURE = Attachment(url="https://social.example/p.png", name="photo.png", alt_text="a broken box")


@pytest.fixture
def rt() -> RequestTracker:
    """A fresh Request Tracker."""
    return vendor_here()


def test_files_within_the_limit_are_attached_and_others_linked(rt: RequestTracker) -> None:
    """A file that is too large or cannot be had does not stop the ticket: its address stands in the text."""

    def media(url: str, *, max_bytes: int) -> Media:
        if url.endswith("big.mp4"):
            raise Refused("larger")
        if url.endswith("gone.png"):
            raise TemporaryFailure("not now")
        return Media.of(b"\x89PNG", "image/png", "p.png")

    others = [Attachment(url=f"https://social.example/{name}") for name in ("big.mp4", "gone.png")]
    sink = make_sink(rt.answer, media=media)
    assert isinstance(error_of(sink, opening(attachments=(PICTURE, *others))), TemporaryFailure)
    assert rt.records() == []  # twice it waits for what may come, then the text goes without it
    sent(sink, opening(attachments=(PICTURE, *others), attempt=3))
    files = [(part["Filename"], part["ContentType"], part["ContentLength"]) for part in rt.parts if part["Filename"]]
    assert files == [("photo.png", "image/png", "4")]
    text = rt.records()[0].comments[0].text
    assert "big.mp4" in text
    assert "gone.png" in text
    assert "p.png" not in text


def test_a_customers_file_is_asked_for_by_its_ref(rt: RequestTracker) -> None:
    """The hub's own name of a file comes before its address."""
    asked: list[str] = []

    def media(url: str, *, max_bytes: int) -> Media:
        asked.append(url)
        return Media.of(b"\x89PNG", "image/png", "p.png")

    sent(make_sink(rt.answer, media=media), opening(attachments=(PICTURE.model_copy(update={"ref": "hub-media:x/1"}),)))
    assert asked == ["hub-media:x/1"]


def test_files_that_take_long_are_linked(rt: RequestTracker) -> None:
    """A slow host does not hold the ticket beyond fifteen seconds: the second file is linked."""
    sink = make_sink(rt.answer)

    def media(url: str, *, max_bytes: int) -> Media:
        late.append(NOW + timedelta(seconds=20))
        return Media.of(b"\x89PNG", "image/png", "p.png")

    late = [NOW]
    sink.toolbox = dataclasses.replace(sink.toolbox, fetch_media=media, now=lambda: late[-1])
    other = Attachment(url="https://social.example/q.png")
    sent(sink, opening(attachments=(PICTURE, other)))
    assert [part["Filename"] for part in rt.parts if part["Filename"]] == ["photo.png"]
    assert "q.png" in rt.records()[0].comments[0].text


def test_an_agents_file_is_served_with_the_token(rt: RequestTracker) -> None:
    """The very bytes; one byte over the limit, or gone, is refused; without rights the reason says so."""
    sink = make_sink(rt.answer)
    record = sent(sink, opening()).vendor_id
    content = bytes(range(256)) * 4
    file = {"FileName": "a.png", "FileType": "image/png", "FileContent": base64.b64encode(content).decode()}
    rt._say(1, "Correspond", {"Content": "Look", "ContentType": "text/plain", "Attachments": [file]}, AGENT, door="Web")
    (told,) = read(sink, record)[0][-1].comment.attachments
    media = sink.fetch_attachment(told, max_bytes=1024)
    assert (media.content, media.mime_type, media.name) == (content, "image/png", "a.png")
    for known in (told, told.model_copy(update={"size": None})):
        with pytest.raises(Refused, match="larger"):
            sink.fetch_attachment(known, max_bytes=1023)
    with pytest.raises(TemporaryFailure, match="500"):  # RT stumbles over a number that is not there
        sink.fetch_attachment(told.model_copy(update={"id": "999"}), max_bytes=1024)
    rt.forbidden = True
    with pytest.raises(Refused, match="no right"):
        sink.fetch_attachment(told, max_bytes=1024)
    rt.forbidden, rt.token = False, ""
    with pytest.raises(AuthenticationFailed):
        sink.fetch_attachment(told, max_bytes=1024)


def test_a_file_is_not_read_beyond_its_limit(rt: RequestTracker) -> None:
    """RT told no size: reading stops well before the end of a huge answer."""
    sink = make_sink(rt.answer)
    sent(sink, opening())
    file = {"FileName": "a.bin", "FileType": "image/png", "FileContent": base64.b64encode(bytes(900_000)).decode()}
    rt._say(1, "Correspond", {"Content": "Look", "ContentType": "text/plain", "Attachments": [file]}, AGENT, door="Web")
    (part,) = [one for one in rt.parts if one["Filename"]]
    answers: list[Any] = []

    def answer(request: Any) -> Any:
        answers.append(rt.answer(request))
        return answers[-1]

    small = make_sink(answer)
    with pytest.raises(Refused, match="larger than 1000"):
        small.fetch_attachment(Attachment(id=part["id"], url="https://rt.example.com/x"), max_bytes=1000)
    assert answers[-1].raw.tell() < 300_000
