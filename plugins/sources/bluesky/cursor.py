"""Where a poll goes on: what has been told, what waits to be read, and what is read again for edits and deletions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from hub.sdk import ConfigurationError
from plugins.sources.bluesky.addresses import POSTS, Address, tid, time_of

REMEMBERED = 200  # more than the 100 of a page, so that a page of old news is known for old
CID_TAIL = 12  # 60 bits tell two revisions of a post apart
LATE = timedelta(minutes=10)  # how far behind a phone's clock may be when staff answer in the app


class Known(BaseModel):
    """A post that was told. ``cid`` is the end of its revision; empty: it is not read again."""

    model_config = ConfigDict(extra="forbid")

    post: str
    cid: str
    at: AwareDatetime

    @property
    def uri(self) -> str:
        """Its at-URI."""
        return _long(self.post)


class Cursor(BaseModel):
    """``queue`` holds posts found and not read yet, oldest first; ``deeper`` the vendor's cursor while a backlog is
    being looked through. Nothing older than ``floor`` is told: it may have been told and forgotten.

    ``own_from`` is the record key after which our own posts are read, ``own_known`` the ones after it that were told.
    """

    model_config = ConfigDict(extra="forbid")

    started: AwareDatetime
    floor: AwareDatetime = datetime(1970, 1, 1, tzinfo=UTC)
    known: list[Known] = []
    queue: list[str] = []
    deeper: str = ""
    own_from: str = ""
    own_known: list[str] = []
    looked_at: str = ""

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Cursor:
        """Read a stored cursor. Raises ``ConfigurationError`` when it is not one of ours."""
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            raise ConfigurationError("the stored cursor is not one of this connector", detail=str(error)) from error

    def unknown(self, uris: Iterable[str]) -> set[str]:
        """Those of ``uris`` that were neither told nor found before."""
        return set(uris) - {known.uri for known in self.known} - {_long(post) for post in self.queue}

    def was_told(self, uri: str) -> bool:
        """Whether a post was told, or stood there at the beginning."""
        return any(known.uri == uri for known in self.known)

    def know(self, uri: str, cid: str, at: datetime, *, keep: int) -> None:
        """Remember that a post was told in this revision."""
        self.forget(uri)
        self.known.append(Known(post=_short(uri), cid=cid[-CID_TAIL:], at=at))
        self.known.sort(key=lambda known: known.at)
        for gone in self.known[:-keep]:
            self.floor = max(self.floor, gone.at)
        del self.known[:-keep]

    def forget(self, uri: str) -> None:
        """A post that is gone."""
        self.known = [known for known in self.known if known.uri != uri]

    def enqueue(self, uris: Iterable[str]) -> None:
        """Put posts, oldest first, before what was found until now."""
        self.queue[:0] = [_short(uri) for uri in uris]

    def take(self, count: int) -> list[str]:
        """The next posts to read."""
        taken, self.queue = self.queue[:count], self.queue[count:]
        return [_long(post) for post in taken]

    def due(self, count: int, newest: int) -> list[Known]:
        """The ``count`` posts among the ``newest`` to read again now: half of them the newest, because people correct
        and delete what they have just written, the others in turn."""
        watched = [known for known in self.known if known.cid][-newest:] if newest else []
        fresh = watched[-(count // 2) :]
        older = watched[: -len(fresh)] if fresh else []
        place = next((number for number, known in enumerate(older) if known.post == self.looked_at), -1)
        turn = (older[place + 1 :] + older[: place + 1])[: count - len(fresh)]
        if turn:
            self.looked_at = turn[-1].post
        return turn + fresh

    def own_until(self, rkeys: list[str], now: datetime, *, more: bool) -> None:
        """Go on after the newest of ``rkeys``. While there is ``more`` nothing is read twice; at the end the last ten
        minutes are, for posts whose writer's clock is behind."""
        newest = max([self.own_from, *rkeys])
        if not more:
            # A key from the future would hide everything said until then.
            newest = min(newest, tid(now))
            at = time_of(newest)
            newest = max(self.own_from, tid(at - LATE)) if at else self.own_from
        self.own_known = sorted({rkey for rkey in [*self.own_known, *rkeys] if rkey > newest})
        self.own_from = newest


def _short(uri: str) -> str:
    post = Address.parse(uri)
    return f"{post.repo}/{post.rkey}"


def _long(post: str) -> str:
    repo, _, rkey = post.partition("/")
    return Address(repo, POSTS, rkey).uri
