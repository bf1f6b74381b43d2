"""Files both ways: the right bytes from the right connection, and none that vanishes without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.flow import files
from hub.flow.hub import Hub
from hub.sdk import (
    Attachment,
    AuthenticationFailed,
    Media,
    RateLimited,
    Refused,
    Reply,
    ReplyLimits,
    TemporaryFailure,
)
from hub.store import connections, deliveries, messages
from tests.fakes.connectors import FakeSink, FakeSource
from tests.fakes.house import House

PICTURES = ReplyLimits(
    max_length=200, attachments=2, attachment_bytes=100, attachment_types=("image/png", "image/jpeg")
)


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> ReplyLimits:
    """What the network takes."""
    return getattr(request, "param", PICTURES)


@pytest.fixture
def filing(database_url: str, monkeypatch: pytest.MonkeyPatch, limits: ReplyLimits) -> Iterator[House]:
    """A hub whose network takes two small pictures."""
    monkeypatch.setattr(FakeSource, "limits", limits)
    house = House(database_url)
    house.step()
    house.clock.forward(2)
    yield house
    house.close()


def steps(house: House, count: int = 8) -> None:
    """Let some rounds go by, a second each."""
    for _ in range(count):
        house.step()
        house.clock.forward(1)


def asked(house: House, **more: Any) -> str:
    """Anna asks, and her ticket is there."""
    post = house.network.post("anna", "My parcel is late", **more)
    steps(house)
    return post


def said(house: House) -> list[tuple[str, list[tuple[str, bytes]]]]:
    """What the company said, with its files."""
    return [
        (post["text"], [(one["name"], house.network.files[one["id"]]) for one in post["files"]])
        for post in house.network.own()
    ]


def notes(house: House) -> list[str]:
    """The internal notes of the record, without proofs."""
    comments = house.helpdesk.records["r1"]["comments"]
    return [one["text"] for one in comments if not one["public"] and not one["text"].startswith("published")]


def refs(house: House) -> list[str]:
    """The names of all stored files."""
    rows = house.rows("SELECT id FROM message ORDER BY id")
    with house.store.read() as connection:
        found = [messages.by_id(connection, row.id) for row in rows]
    return [one.ref for row in found for one in files.stored(row)]


def fetched(hub: Hub, ref: str, max_bytes: int = 1000) -> Media:
    """What a connector of the network gets for a ref."""
    return hub.toolbox("network").fetch_media(ref, max_bytes=max_bytes)


def test_a_customers_file_stands_in_the_record(filing: House) -> None:
    """The helpdesk's connector gets the bytes from the network's connector, by a name without an address in it."""
    picture = filing.network.file("broken.png", b"PNG of a box")
    asked(filing, files=(picture,))
    (kept,) = filing.helpdesk.records["r1"]["comments"][0]["files"]
    assert (kept["name"], filing.helpdesk.files[kept["id"]]) == ("broken.png", b"PNG of a box")
    (ref,) = refs(filing)
    assert ref.startswith("hub-media:network/message/fake/p1/")
    assert "https" not in ref


def test_an_agents_files_go_out_with_the_answer(filing: House) -> None:
    """Both pictures, in their order, once."""
    asked(filing)
    pair = (filing.helpdesk.file("map.png", b"a map"), filing.helpdesk.file("box.jpg", b"a box"))
    filing.helpdesk.comment("r1", "It is here:", files=pair)
    steps(filing)
    assert said(filing) == [("It is here:", [("map.png", b"a map"), ("box.jpg", b"a box")])]
    assert notes(filing) == []


def test_a_file_alone_is_an_answer(filing: House) -> None:
    """A picture without a word goes out, and its echo is known as ours."""
    asked(filing)
    filing.helpdesk.comment("r1", "", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    assert said(filing) == [("", [("map.png", b"a map")])]
    assert len(filing.rows("SELECT id FROM message WHERE direction = 'outbound' AND origin = 'network'")) == 0


def test_what_does_not_fit_is_left_and_told(filing: House) -> None:
    """The text goes out with the first two pictures; a note names each other file with its reason and the next step."""
    asked(filing)
    names = ("a.png", "manual.pdf", "big.png", "b.png", "c.png")
    sent = tuple(filing.helpdesk.file(name, b"x" * (200 if name == "big.png" else 5)) for name in names)
    filing.helpdesk.comment("r1", "Look:", files=sent)
    steps(filing)
    assert said(filing) == [("Look:", [("a.png", b"xxxxx"), ("b.png", b"xxxxx")])]
    (note,) = notes(filing)
    assert "- manual.pdf: the type application/pdf is not taken there" in note
    assert "- big.png: 0.0 MB is too large, at most 0.0 MB" in note
    assert "- c.png: one answer carries at most 2 files" in note
    assert "What you can do: Write in a new public comment" in note


@pytest.mark.parametrize("limits", [ReplyLimits(max_length=200)], indirect=True)
def test_a_connection_that_sends_no_files_says_so(filing: House) -> None:
    """The text goes out; in Italian where the agents speak Italian."""
    filing.hub.language = "it"
    asked(filing)
    filing.helpdesk.comment("r1", "Ecco:", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    assert said(filing) == [("Ecco:", [])]
    (note,) = notes(filing)
    assert note.startswith("La tua risposta esce su Fake SENZA questi file:\n- map.png: questo collegamento non invia")


def test_only_files_that_cannot_go_are_refused(filing: House) -> None:
    """Nothing is published; the agent reads why and what to do."""
    asked(filing)
    filing.helpdesk.comment("r1", "", files=(filing.helpdesk.file("manual.pdf", b"%PDF"),))
    steps(filing)
    assert said(filing) == []
    (note,) = notes(filing)
    assert "NOT published" in note
    assert "- manual.pdf: the type application/pdf" in note
    assert "Write a text that says where" in note


def test_files_go_with_the_first_part(filing: House) -> None:
    """An answer in two parts carries them once."""
    asked(filing)
    filing.helpdesk.comment("r1", "one two. " * 40, files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    assert [len(carried) for _, carried in said(filing)] == [1, 0]


def test_a_notes_files_never_leave(filing: House) -> None:
    """Neither by themselves nor by their name."""
    asked(filing)
    filing.helpdesk.comment("r1", "secret", public=False, files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    assert said(filing) == []
    (ref,) = refs(filing)
    with pytest.raises(Refused):
        fetched(filing.hub, ref)


@pytest.mark.parametrize("mode", ["draft", "observe"])
def test_files_are_listed_before_they_go(database_url: str, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """In draft and observe the note shows what would go with the answer and what would not; a draft sends it."""
    monkeypatch.setattr(FakeSource, "limits", PICTURES)
    house = House(database_url, mode=mode)
    steps(house, 2)
    asked(house)
    pair = (house.helpdesk.file("map.png", b"a map"), house.helpdesk.file("manual.pdf", b"%PDF"))
    house.helpdesk.comment("r1", "Look:", files=pair)
    steps(house)
    (note,) = notes(house)
    assert "Look:\n\nWith the files: map.png\n\nWITHOUT these files:\n- manual.pdf: the type" in note
    assert said(house) == []
    if mode == "draft":
        house.helpdesk.set_fields("r1", tags=["sch-send"])
        steps(house)
        assert said(house) == [("Look:", [("map.png", b"a map")])]
    house.close()


def test_a_lost_answer_is_not_given_twice(filing: House) -> None:
    """The call that carried a file breaks off after its effect: the look-up finds it, and the file is there once."""
    asked(filing)
    filing.network.faults.add("reply", "after")
    filing.helpdesk.comment("r1", "", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing, 12)
    assert said(filing) == [("", [("map.png", b"a map")])]


def test_a_native_answer_proves_no_picture(filing: House) -> None:
    """An answer of files alone whose outcome nobody knows is not proven by some words said by hand."""
    post = asked(filing)
    filing.hub.timing = type(filing.hub.timing)(looks=1)
    filing.network.faults.add("reply", "before")
    filing.helpdesk.comment("r1", "", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing, 1)
    (row,) = filing.rows("SELECT id FROM delivery WHERE verb = 'reply'")
    held = f"{deliveries.HELD_BY_UNKNOWN}nobody knows"
    filing.store.run(lambda tx: deliveries.change(tx, row.id, state="parked", reason=held))
    other = filing.network.file("other.png", b"another picture")
    filing.network.post("brand", "Said by hand, about something else", reply_to=post, files=(other,))
    steps(filing)
    assert [row.state for row in filing.rows("SELECT state FROM delivery WHERE verb = 'reply'")] == ["parked"]
    filing.network.post("brand", "@anna", reply_to=post, files=(filing.network.file("map.png", b"a map"),))
    steps(filing)
    assert [row.state for row in filing.rows("SELECT state FROM delivery WHERE verb = 'reply'")] == ["done"]


def test_a_paused_desk_holds_a_file_and_blames_nobody_else(filing: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's connection is not counted as failing for a file that the desk cannot give; then it goes out."""
    asked(filing)
    filing.helpdesk.comment("r1", "Look:", files=(filing.helpdesk.file("map.png", b"a map"),))
    filing.network.faults.add("reply", "before")
    steps(filing, 2)
    filing.store.run(lambda tx: connections.pause(tx, "desk", reason="a person", by="x", now=filing.clock()))
    blamed: list[str] = []
    monkeypatch.setattr("hub.flow.retry.connections.failed", lambda tx, name, **_: blamed.append(name))
    steps(filing, 5)
    assert said(filing) == []
    assert blamed == []
    (row,) = filing.rows("SELECT state, reason FROM delivery WHERE verb = 'reply'")
    assert (row.state, row.reason) == ("waiting", "the file is at desk, which is paused")
    filing.store.run(lambda tx: connections.change(tx, "desk", paused=""))
    steps(filing, 30)
    assert said(filing) == [("Look:", [("map.png", b"a map")])]


@pytest.mark.parametrize(
    ("raised", "passed"),
    [
        (AuthenticationFailed("the desk's token"), TemporaryFailure),
        (RateLimited("slow down", retry_after=7.0), RateLimited),
        (TemporaryFailure("not now"), TemporaryFailure),
        (Refused("gone"), Refused),
        (ZeroDivisionError("a bug"), Refused),
    ],
)
def test_errors_of_the_other_side_stay_there(
    filing: House, monkeypatch: pytest.MonkeyPatch, raised: Exception, passed: type[Exception]
) -> None:
    """The desk's dead token must not pause the network, nor its rate limit silence it."""
    asked(filing)
    filing.helpdesk.comment("r1", "Look:", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)

    def fails(*_: Any, **__: Any) -> Media:
        raise raised

    monkeypatch.setattr(FakeSink, "fetch_attachment", fails)
    with pytest.raises(passed) as caught:
        fetched(filing.hub, refs(filing)[0])
    assert not isinstance(caught.value, AuthenticationFailed)
    assert getattr(caught.value, "scope", "lane") == "lane"


def test_a_ref_opens_that_file_only(filing: House) -> None:
    """Another digest, connection, comment or no such thing opens nothing; a file over the limit is refused."""
    asked(filing)
    filing.helpdesk.comment("r1", "Look:", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    (ref,) = refs(filing)
    assert fetched(filing.hub, ref).content == b"a map"
    for wrong in (ref[:-1] + "g", ref.replace(":desk/", ":network/"), ref.replace("/c2/", "/c1/"), "hub-media:desk/x"):
        with pytest.raises(Refused):
            fetched(filing.hub, wrong)
    with pytest.raises(TemporaryFailure):
        fetched(filing.hub, ref.replace(":desk/", ":nowhere/"))
    with pytest.raises(Refused, match="larger"):
        fetched(filing.hub, ref, max_bytes=4)


def test_more_than_was_asked_for_is_refused_and_closed(filing: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the connector that serves it thinks of the limit."""
    asked(filing, files=(filing.network.file("broken.png", b"PNG"),))
    media = Media.of(b"x" * 11, "image/png", "broken.png")
    monkeypatch.setattr(FakeSource, "fetch_attachment", lambda *_, **__: media)
    with pytest.raises(Refused, match="larger than 10"):
        filing.hub.toolbox("desk").fetch_media(refs(filing)[0], max_bytes=10)
    assert media.file.closed


def test_a_customer_cannot_name_a_file_of_the_desk(filing: House) -> None:
    """A ref given as an address, in a post of the customer's, is no address any more."""
    asked(filing)
    filing.helpdesk.comment("r1", "Look:", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    (ref,) = refs(filing)
    evil = Attachment(id="f9", url=ref, ref=ref, name="evil.png")
    named = files._named(filing.hub, "network", "message/fake/p9", (evil,))
    assert named[0].url == ""
    assert named[0].ref.startswith("hub-media:network/")


def test_the_file_of_a_deleted_message_is_gone(filing: House) -> None:
    """What its author removed is not handed on any more."""
    asked(filing, files=(filing.network.file("broken.png", b"PNG of a box"),))
    (ref,) = refs(filing)
    filing.network.delete("p1")
    steps(filing)
    with pytest.raises(Refused):
        fetched(filing.hub, ref)


def test_a_late_file_is_refused_and_told(filing: House) -> None:
    """A file that turns out too large only when it is fetched stops the answer, and the agent learns it."""
    asked(filing)
    picture = filing.helpdesk.file("map.png", b"x" * 2_000_000)
    del picture["size"]
    filing.helpdesk.comment("r1", "Look:", files=(picture,))
    steps(filing)
    assert said(filing) == []
    assert "too large" in notes(filing)[0]


def test_an_answer_copied_to_all_carries_its_files(filing: House) -> None:
    """The command publishes the last answer as it was, under the customer's other post too."""
    asked(filing)
    filing.network.post("anna", "And the other parcel?")
    steps(filing)
    filing.helpdesk.comment("r1", "Look:", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    filing.helpdesk.set_fields("r1", tags=["sch-publish-to-all"])
    steps(filing, 120)
    assert said(filing) == [("Look:", [("map.png", b"a map")])] * 2


def test_the_calls_for_a_file_are_on_the_bill_of_its_connection(filing: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call for the other side counts where it is made."""
    asked(filing, files=(filing.network.file("broken.png", b"PNG of a box"),))
    (ref,) = refs(filing)
    whole = FakeSource.fetch_attachment

    def counted(self: FakeSource, attachment: Attachment, *, max_bytes: int) -> Media:
        filing.hub.calls("network").count()
        return whole(self, attachment, max_bytes=max_bytes)

    monkeypatch.setattr(FakeSource, "fetch_attachment", counted)
    spent = lambda: filing.rows("SELECT calls FROM connection WHERE name = 'network'")[0].calls  # noqa: E731
    before = spent()
    filing.hub.toolbox("desk").fetch_media(ref, max_bytes=100)
    assert spent() == before + 1


def test_the_delivery_carries_names_not_addresses(filing: House) -> None:
    """What lies in the outbox names the file by its ref."""
    asked(filing)
    filing.helpdesk.comment("r1", "Look:", files=(filing.helpdesk.file("map.png", b"a map"),))
    steps(filing)
    (row,) = filing.rows("SELECT body FROM delivery WHERE verb = 'reply'")
    (file,) = Reply.model_validate_json(row.body).attachments
    assert file.ref.startswith("hub-media:desk/comment/c2/")
