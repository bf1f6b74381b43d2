"""The names of things on the AT protocol: at-URIs, and record keys that are times (TIDs)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

POSTS = "app.bsky.feed.post"

_AT_URI = re.compile(r"at://(?P<repo>[^/]+)/(?P<collection>[^/]+)/(?P<rkey>[^/?#]+)")
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")  # https://atproto.com/specs/tid
_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Address:
    """A record: whose repository, which collection, which key."""

    repo: str
    collection: str
    rkey: str

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Raises ``ValueError`` when ``uri`` names no record."""
        found = _AT_URI.fullmatch(uri)
        if found is None:
            raise ValueError(f"not the address of a record: {uri[:100]}")
        return cls(found["repo"], found["collection"], found["rkey"])

    @property
    def uri(self) -> str:
        """The at-URI."""
        return f"at://{self.repo}/{self.collection}/{self.rkey}"


def permalink(web_url: str, uri: str) -> str:
    """Where people read a post. By DID: handles change hands, and a link must not follow them."""
    post = Address.parse(uri)
    return f"{web_url}/profile/{post.repo}/post/{post.rkey}"


def tid(at: datetime, clock: int = 0) -> str:
    """The record key of a moment: microseconds since 1970 and ten bits that tell writers apart."""
    number = (max(0, (at - _EPOCH) // timedelta(microseconds=1)) << 10 | clock & 1023) & (2**63 - 1)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(60, -1, -5))


def time_of(rkey: str) -> datetime | None:
    """The moment in a record key; ``None`` when it is not a TID."""
    if not _TID.fullmatch(rkey):
        return None
    number = 0
    for digit in rkey:
        number = number << 5 | _DIGITS.index(digit)
    try:
        return _EPOCH + timedelta(microseconds=number >> 10)
    except OverflowError:
        return None


def rkey_of(delivery_key: str, reply_to: str) -> str:
    """The record key of an answer: the same for every attempt at it, another one for every other answer.

    Posts take TIDs only, so a key cannot be written down as it is. Thirty bits of its hash (20 of the time, 10 of the
    clock) are added to the time of the post answered: the answer sorts at most 1.05 s after it, whenever it is sent.
    """
    drawn = int.from_bytes(hashlib.sha256(delivery_key.encode()).digest()[:4]) >> 2
    answered = time_of(Address.parse(reply_to).rkey) or _EPOCH
    return tid(answered + timedelta(microseconds=1 + (drawn >> 10)), drawn & 1023)
