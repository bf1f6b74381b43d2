"""Who we are at the server: one session for all threads, kept in the vault, renewed by one of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.sdk import AuthenticationFailed, ConfigurationError, ConnectorError, RateLimited, Refused, Secret, Toolbox

# A server takes 300 logins a day from an account (https://docs.bsky.app/docs/advanced-guides/rate-limits), bsky.social
# only 100 (bluesky-social/bsky-docs#183). The hub checks a paused connection again and again: with all of them spent on
# a wrong password, staff could not log in any more either.
REFUSED_FOR = timedelta(minutes=30)
SLOWED_FOR = timedelta(minutes=5)

Post = Callable[[str, dict[str, Any] | None, str], dict[str, Any]]
"""Calls a procedure of ``com.atproto.server`` with a body and a token."""


class SessionOver(AuthenticationFailed):
    """The token has expired or is not known any more: another one may do."""


class WrongServer(ConfigurationError):
    """There is no server of the AT protocol at this address."""


@dataclass(frozen=True, slots=True)
class Session:
    """Tokens, and whose they are. ``stored`` is the text in the vault."""

    did: str
    handle: str
    access: str
    refresh: str
    stored: str

    def __repr__(self) -> str:
        return f"Session({self.did})"


class Sessions:
    """Opens, shares and renews the session of one connection."""

    def __init__(self, service: str, identifier: str, password: Secret, toolbox: Toolbox, post: Post) -> None:
        self._identifier = identifier
        self._password = password
        self._vault = toolbox.vault
        self._now = toolbox.now
        self._post = post
        self._current: Session | None = None
        # A session of other credentials in the vault is somebody else's, or of a password that was withdrawn.
        whose = f"{service}\n{identifier}\n{password.get_secret_value()}"
        self._whose = hashlib.sha256(whose.encode()).hexdigest()[:16]

    def current(self) -> Session:
        """The session to use. Raises the hub's errors when one must be opened first and cannot be."""
        if self._current is None:
            stored = self._vault.read("session")
            self._current = self._read(stored) or self._renewed(stored)
        return self._current

    def renewed(self, over: Session) -> Session:
        """The session after ``over``: another thread's if it has one already, else a new one."""
        self._current = self._renewed(over.stored)
        return self._current

    def proven(self) -> Session:
        """A session that was opened or renewed just now: access tokens are honoured for two hours after the password
        behind them is withdrawn, so using one proves nothing."""
        self._current = self._renewed(self._vault.read("session"))
        return self._current

    def _renewed(self, stale: str | None) -> Session:
        stored = self._vault.refresh("session", stale, lambda: (self._open(self._read(stale)), None))
        session = self._read(stored)
        if session is None:  # two connections' settings are being mixed up, or the vault was written by hand
            raise ConfigurationError("the stored session is not one of this connection's credentials")
        return session

    def _open(self, before: Session | None) -> str:
        if before is not None:
            try:
                return self._kept(self._post("com.atproto.server.refreshSession", None, before.refresh))
            except (SessionOver, Refused):
                pass  # rotated away, or its app password was withdrawn: the settings may hold a new one
        return self._kept(self._log_in())

    def _log_in(self) -> dict[str, Any]:
        self._wait_if_told()
        credentials = {"identifier": self._identifier, "password": self._password.get_secret_value()}
        try:
            return self._post("com.atproto.server.createSession", credentials, "")
        except SessionOver as error:
            raise AuthenticationFailed(error.summary, detail=error.detail) from error
        except AuthenticationFailed as error:
            self._remember(error, REFUSED_FOR)
            raise
        except RateLimited as error:
            wait = SLOWED_FOR if error.retry_after is None else timedelta(seconds=error.retry_after)
            self._remember(error, wait)
            raise
        except Refused as error:
            raise AuthenticationFailed(error.summary, detail=error.detail) from error

    def _remember(self, error: ConnectorError, wait: timedelta) -> None:
        until = (self._now() + wait).isoformat()
        self._vault.write(
            "login",
            json.dumps({"whose": self._whose, "until": until, "kind": type(error).__name__, "why": error.summary}),
        )

    def _wait_if_told(self) -> None:
        told = json.loads(self._vault.read("login") or "{}")
        if told.get("whose") != self._whose:
            return
        left = (datetime.fromisoformat(told["until"]) - self._now()).total_seconds()
        if left <= 0:
            return
        if told["kind"] == RateLimited.__name__:
            raise RateLimited(told["why"], retry_after=left)
        raise AuthenticationFailed(f"{told['why']} (not tried again before {told['until'][:19]})")

    def _kept(self, answer: dict[str, Any]) -> str:
        """The text for the vault."""
        if answer.get("active") is False:
            raise AuthenticationFailed(f"the account is {answer.get('status') or 'not active'}")
        try:
            kept = {"did": answer["did"], "handle": answer["handle"]}
            tokens = {"access": answer["accessJwt"], "refresh": answer["refreshJwt"]}
        except KeyError as error:
            raise WrongServer("the server opened a session without saying whose") from error
        return json.dumps({"whose": self._whose, **kept, **tokens})

    def _read(self, stored: str | None) -> Session | None:
        told = json.loads(stored or "{}")
        if told.get("whose") != self._whose:
            return None
        return Session(told["did"], told["handle"], told["access"], told["refresh"], stored or "")
