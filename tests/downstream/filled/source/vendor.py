"""The kit's own network, whose feed names the thread of every post."""

from typing import Any

from hub.testing.reference_network import BASE_URL, TOKEN, ReferenceNetwork

__all__ = ["BASE_URL", "TOKEN", "GuestbookNetwork"]


class GuestbookNetwork(ReferenceNetwork):
    """As it is, with whole posts in the feed."""

    def _note(self, what: str, post: dict[str, Any]) -> None:
        self.log.append({"n": len(self.log) + 1, "what": what, "post": dict(post)})
