"""Text and its facets, both ways: offsets are UTF-8 bytes."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.sources.bluesky.facets import facets, readable

OWN = "did:plc:acmeacmeacmeacmeacmeacme"
ADA = "did:plc:adaadaadaadaadaadaadaada"
KIND = "app.bsky.richtext.facet"


def post(text: str, *marked: tuple[str, str]) -> dict[str, Any]:
    """A record whose facets lie on the given pieces of its text: a DID makes a mention, anything else a link."""
    found = []
    for piece, meaning in marked:
        start = text.encode().index(piece.encode())
        is_person = meaning.startswith("did:")
        feature = {"$type": f"{KIND}#{'mention' if is_person else 'link'}", "did" if is_person else "uri": meaning}
        index = {"byteStart": start, "byteEnd": start + len(piece.encode())}
        found.append({"index": index, "features": [feature]})
    return {"text": text, "facets": found}


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (post("hello"), "hello"),
        (post("@acme.example.com my parcel", ("@acme.example.com", OWN)), "my parcel"),
        (post("@acme.example.com: my parcel", ("@acme.example.com", OWN)), "my parcel"),
        (post("my parcel, @acme.example.com", ("@acme.example.com", OWN)), "my parcel, @acme.example.com"),
        (post("@acme.example.com", ("@acme.example.com", OWN)), "@acme.example.com"),
        (post("@ada.example.org @acme.example.com hi", ("@ada.example.org", ADA), ("@acme.example.com", OWN)),
         "@ada.example.org @acme.example.com hi"),
        (post("@acme.example.com @ada.example.org hi", ("@acme.example.com", OWN), ("@ada.example.org", ADA)),
         "@ada.example.org hi"),
        (post("@acme.example.com written only"), "@acme.example.com written only"),
        (post("così: example.com/a... 👩‍👩‍👧", ("example.com/a...", "https://example.com/abc")),
         "così: https://example.com/abc 👩‍👩‍👧"),
        (post("see example.com…", ("example.com…", "https://www.example.com/abc")), "see https://www.example.com/abc"),
        (post("see https://example.com/a", ("https://example.com/a", "https://example.com/a")),
         "see https://example.com/a"),
        (post("read this", ("this", "https://example.com/a")), "read this (https://example.com/a)"),
        (post("trust example.com", ("example.com", "https://evil.example.org/")),
         "trust example.com (https://evil.example.org/)"),
    ],
)  # fmt: skip
def test_read(record: dict[str, Any], text: str) -> None:
    """Links are shown in full, also where the text says something else; our name at the head is left out."""
    assert readable(record, OWN) == text


@pytest.mark.parametrize(("start", "end"), [(0, 99), (3, 3), (5, 2), (-1, 2), (2, 4)])
def test_a_facet_that_lies_wrong_is_left_out(start: int, end: int) -> None:
    """Outside the text, empty, backwards, through a character: servers do not check, apps ignore it, so do we."""
    feature = {"$type": f"{KIND}#link", "uri": "https://example.com/"}
    record = {"text": "caffè", "facets": [{"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}]}
    if (start, end) == (2, 4):
        record["text"] = "caè"
        record["facets"][0]["index"]["byteEnd"] = 3  # type: ignore[index]
    assert readable(record, OWN) == record["text"]


def test_overlapping_facets_leave_the_first() -> None:
    """Two meanings of one stretch cannot both be shown."""
    record = post("example.com/a", ("example.com/a", "https://example.com/a"), ("com", "https://evil.example.org/"))
    assert readable(record, OWN) == "https://example.com/a"


def pieces(text: str, **people: str) -> list[tuple[str, str]]:
    found = facets(text, {handle.replace("_", "."): did for handle, did in people.items()})
    raw = text.encode()
    return [
        (
            raw[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode(),
            next(iter(sorted(one["features"][0].items())[1:]))[1],
        )
        for one in found
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nothing here", []),
        ("è https://example.com/è?a=1&b=2.", [("https://example.com/è?a=1&b=2", "https://example.com/è?a=1&b=2")]),
        ("(see https://example.com/a_(b))", [("https://example.com/a_(b)", "https://example.com/a_(b)")]),
        ("👩‍👩‍👧 «https://example.com/a», ciao", [("https://example.com/a", "https://example.com/a")]),
        ("#pacco e #1 e a#b e https://example.com/#top", [("#pacco", "pacco"), ("https://example.com/#top", "https://example.com/#top")]),
        ("https://example.com/?a=#top", [("https://example.com/?a=#top",) * 2]),
        ("Ciao @Ada.example.org, e @other.example.org", [("@Ada.example.org", ADA)]),
        ("scrivi a info@ada.example.org", []),
        ("https://bsky.app/profile/@ada.example.org", [("https://bsky.app/profile/@ada.example.org",) * 2]),
    ],
)  # fmt: skip
def test_write(text: str, wanted: list[tuple[str, str]]) -> None:
    """Links, tags and the one person answered get facets on exactly their bytes; nobody else is notified."""
    assert pieces(text, ada_example_org=ADA) == wanted
