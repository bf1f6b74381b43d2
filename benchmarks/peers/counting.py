"""What stands at both ends, counted by the nonces in the texts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.peers.actors import Agent, BlueskyAccount, Entry, Post

PUBLIC = ("Create", "Correspond")


def nonce(prefix: str) -> str:
    """A word that stands in one text only."""
    return f"{prefix}{secrets.token_hex(5)}"


def unquoted(text: str) -> str:
    """A text without what it quotes of earlier ones."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(">"))


@dataclass
class Conversation:
    """One customer's thread with the brand: what was said, by nonce. ``answers`` and ``notes`` are the agent's."""

    customer: BlueskyAccount
    posts: dict[str, Post] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)  # nonce of the customer's text -> nonce of the answer
    notes: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    @property
    def root(self) -> Post:
        """The post the thread began with."""
        return next(iter(self.posts.values()))

    @property
    def deleted_uris(self) -> set[str]:
        """The addresses of what the customer has deleted: Bluesky shows nobody what stands under it any more."""
        return {self.posts[word].uri for word in self.deleted}


@dataclass
class Ends:
    """One look at both ends."""

    entries: list[Entry]
    brand: list[Post]
    threads: dict[str, list[Post]]  # by the uri of the root

    @classmethod
    def look(cls, agent: Agent, brand: BlueskyAccount, conversations: Sequence[Conversation]) -> Ends:
        """Ask Request Tracker and Bluesky for everything."""
        threads = {one.root.uri: brand.thread(one.root) for one in conversations if one.posts}
        return cls(agent.history(), brand.posts(), threads)

    def in_tracker(self, word: str) -> list[Entry]:
        """The transactions the customer's text (or the agent's) makes up: creation or correspondence."""
        return [entry for entry in self.entries if entry.kind in PUBLIC and word in unquoted(entry.text)]

    def published(self, word: str) -> list[Post]:
        """The brand's posts with this word, wherever they stand."""
        return [post for post in self.brand if word in post.text]


def figures(conversations: Sequence[Conversation], ends: Ends) -> dict[str, int]:
    """What the run is about: ``tickets`` and ``replies`` that are right, and what is lost, doubled and leaked.

    Lost is a customer's text without a transaction and an agent's answer that the brand did not publish in the
    customer's thread. Doubled is each one too many at either end, a conversation's second ticket too.
    """
    count = {"tickets": 0, "replies": 0, "lost": 0, "doubled": 0, "leaked_notes": 0}
    for one in conversations:
        tickets = {entry.ticket for word in one.posts for entry in ends.in_tracker(word)}
        count["tickets"] += len(tickets)
        count["doubled"] += max(0, len(tickets) - 1)
        thread = ends.threads.get(one.root.uri, [])
        visible = {post.uri for post in thread}
        for word in one.posts:
            times = len(ends.in_tracker(word))
            count["lost"] += times == 0
            count["doubled"] += max(0, times - 1)
        for word in one.answers.values():
            published = ends.published(word)
            seen = [post for post in published if post.uri in visible or post.parent in one.deleted_uris]
            count["replies"] += bool(seen)
            count["lost"] += not seen
            count["doubled"] += max(0, len(published) - 1)
            # What the brand published must not come back as a new text in the ticket.
            count["doubled"] += max(0, len(ends.in_tracker(word)) - 1)
        for word in one.notes:
            everywhere = {post.uri for post in [*ends.published(word), *(p for p in thread if word in p.text)]}
            count["leaked_notes"] += len(everywhere)
    return count


def amiss(conversations: Sequence[Conversation], ends: Ends) -> list[str]:
    """For a person who looks for the reason: every text that does not stand exactly once where it must."""
    told = []
    for one in conversations:
        who = one.customer.handle
        for word in one.posts:
            found = [f"{entry.kind} {entry.id} of ticket {entry.ticket}" for entry in ends.in_tracker(word)]
            if len(found) != 1:
                told.append(f"{who} wrote {word}: in Request Tracker {found}")
        visible = {post.uri for post in ends.threads.get(one.root.uri, [])}
        for asked, word in one.answers.items():
            published = [f"{post.uri} under {post.parent}, seen={post.uri in visible}" for post in ends.published(word)]
            gone = one.posts[asked].uri in one.deleted_uris
            if len(published) != 1 or (not gone and "seen=False" in published[0]):
                told.append(f"{who} was answered {word} (to {asked}): at Bluesky {published}")
    return told
