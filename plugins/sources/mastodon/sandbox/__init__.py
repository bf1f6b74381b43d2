"""A Mastodon server on this machine for the hub's trial, and the hands of the customers who write there.

The server is the third-party ``mastodon_mock``; accounts sign up and post through its ordinary Mastodon API.
"""

from __future__ import annotations

import fcntl
import json
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import requests

from hub.sdk.sandboxes import SandboxPost, SocialSandbox
from hub.sdk.text import html_to_text

BRAND = "brand"
_PAGE = 40  # the most posts the server gives at once
_PRIVACY = {"private": "followers"}


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the sandbox: the name people see, the handle, the token that posts."""

    name: str
    handle: str
    token: str


class MastodonSandbox(SocialSandbox):
    """Plays Mastodon with ``mastodon_mock``."""

    name: ClassVar[str] = "mastodon"
    display_name: ClassVar[str] = "Mastodon (sandbox)"
    requires: ClassVar[tuple[str, ...]] = ("mastodon_mock",)
    extra: ClassVar[str] = "trial"

    def __init__(self, base_url: str, state: Path, http: requests.Session) -> None:
        super().__init__(base_url, state, http)
        self._members: dict[str, Member] = {}
        self._read_to = 0
        self._app_token = ""

    @classmethod
    def command(cls, port: int, state: Path) -> list[str]:
        """Start the server as a module of this plugin."""
        return ["-m", "plugins.sources.mastodon.sandbox", "--port", str(port), "--state", str(state)]

    def is_ready(self) -> bool:
        """True when the server answers."""
        try:
            return self.http.get(self.base_url + "/health", timeout=2).ok
        except requests.RequestException:
            return False

    def connection_settings(self, *, webhook_url: str) -> dict[str, Any]:
        """The connector's settings for the company's account. Mastodon sends no webhooks."""
        return {"base_url": self.base_url, "access_token": self._member(BRAND).token, "poll_every": 1.0}

    # --- what customers do -----------------------------------------------------------------------------------------

    def post(self, author: str, text: str, *, reply_to: str = "", key: str = "", private: bool = False) -> str:
        """Say ``text`` to the company; an answer to a private post stays private, as in every app."""
        self._member(BRAND)  # before anybody names it: a mention of nobody stays plain text for ever
        member = self._member(author)
        visibility = "direct" if private else "public"
        if reply_to and not private:
            visibility = self._call("GET", f"/api/v1/statuses/{reply_to}", member.token)["visibility"]
        body = {"status": self._to_brand(text), "visibility": visibility, "in_reply_to_id": reply_to or None}
        posted = self._call("POST", "/api/v1/statuses", member.token, body, {"Idempotency-Key": key} if key else None)
        return str(posted["id"])

    def delete(self, author: str, post_id: str) -> None:
        """Remove a customer's own post."""
        self._call("DELETE", f"/api/v1/statuses/{post_id}", self._member(author).token)

    def edit(self, author: str, post_id: str, text: str) -> None:
        """Edit a customer's own post."""
        body = {"status": self._to_brand(text)}
        self._call("PUT", f"/api/v1/statuses/{post_id}", self._member(author).token, body)

    def posts(self, *, limit: int = 60) -> list[SandboxPost]:
        """The newest posts, private ones and the company's answers included."""
        token = self._member(BRAND).token
        brand_id = self._call("GET", "/api/v1/accounts/verify_credentials", token)["id"]
        lists = ("/api/v1/timelines/public", "/api/v1/timelines/direct", f"/api/v1/accounts/{brand_id}/statuses")
        found = {status["id"]: status for path in lists for status in self._newest(path, token, limit)}
        newest = sorted(found.values(), key=lambda status: int(status["id"]), reverse=True)[:limit]
        return [_sandbox_post(status, brand_id) for status in newest]

    def _newest(self, path: str, token: str, limit: int) -> Iterator[dict[str, Any]]:
        left, before = limit, ""
        while left > 0:
            page = self._call("GET", f"{path}?limit={min(left, _PAGE)}{before}", token)
            yield from page
            if len(page) < min(left, _PAGE):
                return
            left, before = left - len(page), f"&max_id={page[-1]['id']}"

    def _to_brand(self, text: str) -> str:
        return text if re.search(rf"@{BRAND}\b", text) else f"@{BRAND} {text}"

    # --- accounts --------------------------------------------------------------------------------------------------

    def _member(self, name: str) -> Member:
        if name not in self._members:
            with self._accounts_file() as file:
                self._learn(file)
                if name not in self._members:
                    self._sign_up(name, file)
        return self._members[name]

    @contextmanager
    def _accounts_file(self) -> Iterator[Any]:
        """One line for each account, only ever appended to: 4,000 sign-ups must not rewrite it 4,000 times."""
        self.state.mkdir(parents=True, exist_ok=True)
        path = self.state / "accounts.jsonl"
        with path.open("a+b") as file:
            path.chmod(0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _learn(self, file: Any) -> None:
        file.seek(self._read_to)
        for line in file.read().splitlines():
            try:
                member = Member(**json.loads(line))
            except (ValueError, TypeError):  # torn by a crash: that account logs in again
                continue
            self._members[member.name] = member
        self._read_to = file.tell()

    def _sign_up(self, name: str, file: Any) -> None:
        handle = _handle(name, {member.handle for member in self._members.values()})
        member = Member(name, handle, self._register(handle))
        if name != handle:
            body = {"display_name": name}
            self._call("PATCH", "/api/v1/accounts/update_credentials", member.token, form=body)
        line = json.dumps({"name": name, "handle": handle, "token": member.token}) + "\n"
        # A line torn by a crash must not swallow this one; empty lines are skipped when reading.
        file.write(b"\n" + line.encode())
        file.flush()
        self._members[name] = member

    def _register(self, handle: str) -> str:
        form = {"username": handle, "email": f"{handle}@example.com", "password": "not-a-secret", "agreement": "true"}
        answer = self.http.post(
            self.base_url + "/api/v1/accounts",
            data=form,
            headers={"Authorization": f"Bearer {self._app()}"},
            timeout=20,
        )
        if answer.status_code == 422:  # signed up before, and the file of tokens was lost
            return str(self._call("POST", "/api/v1/_mock/login", "", {"username": handle})["access_token"])
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _app(self) -> str:
        """The token that may sign people up."""
        if not self._app_token:
            about = {"client_name": "trial", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": "read write"}
            app = self._call("POST", "/api/v1/apps", "", about)
            grant = {"grant_type": "client_credentials", "scope": "read write"}
            keys = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
            self._app_token = str(self._call("POST", "/oauth/token", "", grant | keys)["access_token"])
        return self._app_token

    def _call(
        self,
        method: str,
        path: str,
        token: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        *,
        form: dict[str, str] | None = None,
    ) -> Any:
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.request(
            method, self.base_url + path, json=body, data=form, headers=sent | (headers or {}), timeout=20
        )
        answer.raise_for_status()
        return answer.json()


def _handle(name: str, taken: set[str]) -> str:
    """A Mastodon user name for a person's name: letters, digits and underscores, at most 30."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9_]+", "_", plain).strip("_")[:24] or "customer"
    if name != BRAND and stem == BRAND:
        stem = "customer_brand"
    number, handle = 1, stem
    while handle in taken:
        number += 1
        handle = f"{stem}_{number}"
    return handle


def _sandbox_post(status: dict[str, Any], brand_id: str) -> SandboxPost:
    created_at = datetime.fromisoformat(status["created_at"])
    return SandboxPost(
        id=status["id"],
        author=status["account"]["display_name"] or status["account"]["username"],
        text=html_to_text(status["content"]),
        created_at=created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC),
        own=status["account"]["id"] == brand_id,
        reply_to=status["in_reply_to_id"] or "",
        permalink=status["url"] or "",
        privacy=_PRIVACY.get(status["visibility"], status["visibility"]),
    )


SANDBOX = MastodonSandbox
