"""The contract of a sandbox: a server that plays a vendor for ``hub run``'s trial, and the hands of its users.

A sandbox is found through the entry-point group ``social_care_hub.sandboxes``; the hub starts it as a child process
and lets the shipped connector talk to it over HTTP exactly as in production. What people do there (a customer posts,
an agent answers) goes through the methods below, never through the connector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import requests

SANDBOX_GROUP = "social_care_hub.sandboxes"
"""The entry-point group in which a distribution names its sandbox."""


@dataclass(frozen=True, slots=True)
class SandboxPost:
    """A post on the sandbox network. ``own`` is true when the company's account wrote it."""

    id: str
    author: str
    text: str
    created_at: datetime
    own: bool = False
    reply_to: str = ""
    permalink: str = ""
    privacy: str = "public"


@dataclass(frozen=True, slots=True)
class SandboxComment:
    """A comment of a sandbox record."""

    id: str
    author: str
    text: str
    public: bool
    created_at: datetime
    role: str = "agent"


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """A helpdesk record of the sandbox with its comments, oldest first."""

    id: str
    subject: str
    status: str
    requester: str
    created_at: datetime
    external_id: str = ""
    priority: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    comments: tuple[SandboxComment, ...] = field(default_factory=tuple)


class Sandbox(ABC):
    """Base of sandboxes. ``base_url`` has no trailing slash; ``http`` is used from one thread at a time."""

    name: ClassVar[str]
    """The connector it plays for."""
    display_name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    """Modules it needs; ``extra`` is the extra of the distribution that brings them."""
    extra: ClassVar[str] = ""

    def __init__(self, base_url: str, state: Path, http: requests.Session) -> None:
        self.base_url = base_url
        self.state = state
        self.http = http

    @classmethod
    @abstractmethod
    def command(cls, port: int, state: Path) -> list[str]:
        """The arguments after the Python interpreter that start the server on 127.0.0.1:``port``; it ends by itself
        when its standard input is closed, so that it never outlives the hub."""

    @abstractmethod
    def is_ready(self) -> bool:
        """True when the server answers. Does not raise."""

    @abstractmethod
    def connection_settings(self, *, webhook_url: str) -> dict[str, Any]:
        """Prepare the company's account there and return the connector's settings, as plain values. Idempotent."""


class SocialSandbox(Sandbox):
    """Plays a network."""

    @abstractmethod
    def post(self, author: str, text: str, *, reply_to: str = "", key: str = "", private: bool = False) -> str:
        """Say ``text`` to the company as the customer ``author`` (made on first use); return the post's id. The same
        ``key`` posts once."""

    @abstractmethod
    def delete(self, author: str, post_id: str) -> None:
        """Remove a customer's own post."""

    @abstractmethod
    def edit(self, author: str, post_id: str, text: str) -> None:
        """Edit a customer's own post."""

    @abstractmethod
    def posts(self, *, limit: int = 60) -> list[SandboxPost]:
        """The newest posts of everybody, the company's answers included, newest first."""


class HelpdeskSandbox(Sandbox):
    """Plays a helpdesk."""

    @abstractmethod
    def records(self, *, limit: int = 40) -> list[SandboxRecord]:
        """The newest records with their comments, newest first."""

    @abstractmethod
    def answer(self, record_id: str, text: str, *, public: bool, automatic: bool = False) -> str:
        """Comment as the agent (or, ``automatic``, as a trigger of the helpdesk); return the comment's id."""

    @abstractmethod
    def make_public(self, record_id: str, comment_id: str) -> None:
        """Turn an internal note into a public comment, as an agent may do by mistake."""

    @abstractmethod
    def update(self, record_id: str, *, status: str = "", tags_add: tuple[str, ...] = ()) -> None:
        """Change fields as the agent."""
