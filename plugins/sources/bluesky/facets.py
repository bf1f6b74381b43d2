"""What a stretch of text means on Bluesky: links, mentions and tags, found by their UTF-8 bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FACET = "app.bsky.richtext.facet"

_LINK = re.compile(r"https?://[^\s<>\"]+")
_TAG = re.compile(r"(?<![\w&/#])#(\w*[^\W\d_]\w*)")
_HANDLE = re.compile(r"(?<![\w.@/])@([a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)")
_AFTER_A_NAME = re.compile(r"[,:;.!?]*\s*")
_LONGEST_TAG = 64


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of text with a meaning: ``link`` is a URL, or ``did`` a person."""

    start: int
    end: int
    shown: str
    link: str = ""
    did: str = ""


def stretches(record: dict[str, Any]) -> list[Stretch]:
    """The links and mentions of a post, in order. What overlaps, lies outside or cuts a character is left out, as
    the apps do: servers do not check it."""
    raw = str(record.get("text") or "").encode()
    found: list[Stretch] = []
    for facet in sorted(record.get("facets") or (), key=lambda facet: int(facet["index"]["byteStart"])):
        start, end = int(facet["index"]["byteStart"]), int(facet["index"]["byteEnd"])
        if not (found[-1].end if found else 0) <= start < end <= len(raw):
            continue
        try:
            shown = raw[start:end].decode()
            raw[:start].decode()
        except UnicodeDecodeError:
            continue
        for feature in facet["features"]:
            match feature.get("$type"):
                case "app.bsky.richtext.facet#link":
                    found.append(Stretch(start, end, shown, link=str(feature["uri"])))
                case "app.bsky.richtext.facet#mention":
                    found.append(Stretch(start, end, shown, did=str(feature["did"])))
                case _:
                    continue
            break
    return found


def readable(record: dict[str, Any], own_did: str) -> str:
    """The text with every link in full, and without our own name at its head."""
    raw = str(record.get("text") or "").encode()
    text, at, kept = "", 0, stretches(record)
    while kept and kept[0].did == own_did and not raw[at : kept[0].start].strip():
        at = kept.pop(0).end
        rest = raw[at:].decode()
        follows = _AFTER_A_NAME.match(rest)
        at += len(follows[0].encode()) if follows else 0
        if kept and kept[0].start < at:
            at = kept[0].start
    for stretch in kept:
        text += raw[at : stretch.start].decode() + _in_full(stretch)
        at = stretch.end
    return (text + raw[at:].decode()).strip() or raw.decode().strip()


def _in_full(stretch: Stretch) -> str:
    if not stretch.link or stretch.link == stretch.shown:
        return stretch.shown
    bare = re.sub(r"^https?://(www\.)?", "", stretch.link)
    begins = re.sub(r"^(https?://)?(www\.)?", "", stretch.shown).rstrip(".…").rstrip("/")
    if begins and bare.lower().startswith(begins.lower()):
        return stretch.link
    return f"{stretch.shown} ({stretch.link})"


def facets(text: str, people: dict[str, str]) -> list[dict[str, Any]]:
    """The facets of a text to publish: its links, its tags, and mentions of ``people`` (handle in lower case -> DID).
    Whoever else is named stays plain text."""
    features: list[tuple[int, int, dict[str, str]]] = []
    for found in _LINK.finditer(text):
        link = _without_the_end_of_the_sentence(found[0])
        features.append((found.start(), found.start() + len(link), {"$type": f"{FACET}#link", "uri": link}))
    for found in _HANDLE.finditer(text):
        did = people.get(found[1].lower())
        if did:
            features.append((*found.span(), {"$type": f"{FACET}#mention", "did": did}))
    for found in _TAG.finditer(text):
        if len(found[1]) <= _LONGEST_TAG:
            features.append((*found.span(), {"$type": f"{FACET}#tag", "tag": found[1]}))
    return list(_by_bytes(text, sorted(features, key=lambda feature: feature[:2])))


def _by_bytes(text: str, features: list[tuple[int, int, dict[str, str]]]) -> Iterator[dict[str, Any]]:
    taken = 0
    for start, end, feature in features:
        if start < taken:  # a tag or a name inside an address
            continue
        taken, before = end, len(text[:start].encode())
        index = {"byteStart": before, "byteEnd": before + len(text[start:end].encode())}
        yield {"index": index, "features": [feature]}


def _without_the_end_of_the_sentence(link: str) -> str:
    while link[-1] in ".,;:!?'\"»”…" or (link[-1] == ")" and link.count("(") < link.count(")")):
        link = link[:-1]
    return link
