"""The hands of customers and agents, shared by everybody who looks at the page: one lock for each sandbox."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import requests

from hub.sdk.sandboxes import HelpdeskSandbox, SandboxPost, SandboxRecord, SocialSandbox
from hub.trial.children import Sandboxes

T = TypeVar("T")

WAITS = 3.0
"""Seconds a call waits for the one before it."""


class SandboxRefused(Exception):
    """The sandbox did not do what a person asked; the message says why, as far as it told."""


class Drivers:
    """Calls the sandboxes, one call at a time each."""

    def __init__(self, social: SocialSandbox, helpdesk: HelpdeskSandbox) -> None:
        self._social, self._helpdesk = social, helpdesk
        self._social_lock, self._helpdesk_lock = threading.Lock(), threading.Lock()

    @classmethod
    def of(cls, sandboxes: Sandboxes) -> Drivers:
        """New hands for running sandboxes."""
        return cls(sandboxes.social(), sandboxes.helpdesk())

    @property
    def names(self) -> tuple[str, str]:
        """What the network and the helpdesk are called."""
        return self._social.display_name, self._helpdesk.display_name

    def on_network(self, do: Callable[[SocialSandbox], T]) -> T:
        """Do something on the network. Raises :class:`SandboxRefused`."""
        return _in_turn(self._social_lock, lambda: do(self._social))

    def on_helpdesk(self, do: Callable[[HelpdeskSandbox], T]) -> T:
        """Do something in the helpdesk. Raises :class:`SandboxRefused`."""
        return _in_turn(self._helpdesk_lock, lambda: do(self._helpdesk))

    def posts(self, limit: int) -> list[SandboxPost]:
        """The newest posts. Raises :class:`SandboxRefused`."""
        return self.on_network(lambda network: network.posts(limit=limit))

    def records(self, limit: int) -> list[SandboxRecord]:
        """The newest records. Raises :class:`SandboxRefused`."""
        return self.on_helpdesk(lambda helpdesk: helpdesk.records(limit=limit))


def _in_turn(lock: threading.Lock, call: Callable[[], T]) -> T:
    if not lock.acquire(timeout=WAITS):
        raise SandboxRefused("it is slow and still busy with an earlier call: try again in a moment")
    try:
        return _asked(call)
    finally:
        lock.release()


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except requests.HTTPError as error:
        raise SandboxRefused(_reason(error.response)) from error
    except requests.RequestException as error:
        raise SandboxRefused(f"it does not answer ({type(error).__name__})") from error


def _reason(response: requests.Response) -> str:
    try:
        told = response.json()
        said = told.get("error") or told.get("detail") or told.get("description") or ""
    except (ValueError, AttributeError):
        said = ""
    return f"{said} ({response.status_code})".strip()
