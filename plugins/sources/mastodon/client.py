"""The one seam to Mastodon's REST API: calls in, plain JSON out, every failure as one of the hub's errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests

from hub.sdk import (
    AuthenticationFailed,
    ConfigurationError,
    Media,
    OutcomeUnknown,
    PayloadNotUnderstood,
    Refused,
    TemporaryFailure,
    Toolbox,
    failure_of_transport,
    rate_limited,
)

# In English whatever the account's language, unlike validation texts: mastodon/mastodon#14272 (scopes),
# akrherz/iembot#175 (login disabled), mastodon/documentation#942 (a token without a user: 422).
_TOKEN_TROUBLE = ("scope", "login", "e-mail", "confirm", "disabled", "suspended", "pending")
UPLOADS = "/api/v2/media"
_SAID_WITHOUT_A_USER = "authenticated user"


class NotThere(Refused):
    """404 or 410: the post (or the API) is not there, or not for us."""


class Form:
    """A form with one file, which is read while it is sent: ``requests`` would put it together in memory."""

    def __init__(self, fields: dict[str, str], name: str, file: Media, mime_type: str) -> None:
        parts = {"file": (name, b"", mime_type)}
        empty = requests.Request("POST", "https://mastodon.example", data=fields, files=parts).prepare()
        self.content_type = str(empty.headers["Content-Type"])
        self._tail = f"\r\n--{self.content_type.partition('boundary=')[2]}--\r\n".encode()
        assert isinstance(empty.body, bytes)  # noqa: S101 - what requests makes of files
        self._head = empty.body.removesuffix(self._tail)
        self._file = file

    def __len__(self) -> int:
        return len(self._head) + self._file.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._file
        yield self._tail


class MastodonClient:
    """Calls one instance with one access token. Raises the hub's errors and nothing else."""

    def __init__(self, base_url: str, access_token: str, toolbox: Toolbox) -> None:
        self._base_url = base_url
        self._authorization = f"Bearer {access_token}"
        self._toolbox = toolbox

    def read(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """One object. Raises ``NotThere`` when it is gone."""
        answer = self._call("GET", path, params=params)
        if not isinstance(answer, dict):
            raise PayloadNotUnderstood(f"expected one object from {path}, got {type(answer).__name__}")
        return answer

    def read_list(self, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """A list of objects in the server's order (newest first)."""
        answer = self._call("GET", path, params=params)
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise PayloadNotUnderstood(f"expected a list of objects from {path}, got {type(answer).__name__}")
        return answer

    def write(self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> dict[str, Any]:
        """Change something and return the answer. ``OutcomeUnknown`` when nobody knows whether it happened."""
        answer = self._call(method, path, body=body, key=key)
        if not isinstance(answer, dict):
            raise OutcomeUnknown("the server accepted the request and answered something unexpected")
        return answer

    def upload(self, name: str, file: Media, mime_type: str, fields: dict[str, str]) -> dict[str, Any]:
        """Give the server a file and return what it calls it. Nobody sees it before a post uses it, so that a lost
        answer is a ``TemporaryFailure``."""
        answer = self._call("POST", UPLOADS, form=Form(fields, name, file, mime_type))
        if not isinstance(answer, dict):
            raise TemporaryFailure("the server took a file and answered something unexpected")
        return answer

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        form: Form | None = None,
        key: str = "",
    ) -> Any:
        effect = method != "GET" and path != UPLOADS
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        if form is not None:
            headers["Content-Type"] = form.content_type
        try:
            # No redirects: requests would turn a redirected POST into a GET and report success.
            response = self._toolbox.http.request(
                method,
                self._base_url + path,
                params=params,
                json=body,
                data=form,
                headers=headers,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect) from error
        if response.status_code >= 300:
            self._fail(response, method, path)
        if response.status_code == 206:  # a file that is still worked on; no body is promised
            return {}
        try:
            return response.json()
        except requests.JSONDecodeError as error:
            summary = f"the server answered {response.status_code} with something other than JSON"
            detail = f"{method} {path}: {response.headers.get('Content-Type', 'no content type')}"
            raise (OutcomeUnknown if effect else TemporaryFailure)(summary, detail=detail) from error

    def _fail(self, response: requests.Response, method: str, path: str) -> NoReturn:
        status, effect = response.status_code, method != "GET" and path != UPLOADS
        said = _error_text(response)
        told: dict[str, str] = {
            "detail": f"{method} {path}: {status} {said}".strip(),
            "vendor_request_id": response.headers.get("X-Request-Id", ""),
        }
        about_a_post = path.startswith("/api/v1/statuses")
        if status == 429:
            error = rate_limited(response, self._toolbox.now())
            error.detail, error.vendor_request_id = told["detail"], told["vendor_request_id"]
            if method == "DELETE" or path == UPLOADS:
                # Deletions and files have budgets of their own (30 in 30 minutes); other replies may go on.
                error.scope = "lane"
            raise error
        if status >= 500:
            kind = OutcomeUnknown if effect else TemporaryFailure
            raise kind(f"the Mastodon server has a problem ({status})", **told)
        if status < 400:
            host = urlsplit(response.headers.get("Location", "")).netloc or "another address"
            raise ConfigurationError(
                f"the server redirects to {host}: set base_url to the server's own address", **told
            )
        if status == 403 and path == UPLOADS and "scope" in said.lower():
            # Answers without files go on: no reason to pause the connection.
            raise Refused("the access token may not upload files: it needs the scope write:media", **told)
        not_this_post = not about_a_post or any(word in said.lower() for word in _TOKEN_TROUBLE)
        if status == 401 or (status == 403 and not_this_post) or (status == 422 and _SAID_WITHOUT_A_USER in said):
            raise AuthenticationFailed(f"Mastodon refuses the access token ({status}): {said or 'no reason'}", **told)
        if status in {404, 410}:
            raise NotThere("the post is gone, or is no longer visible to the company's account", **told)
        if status in {408, 425}:
            raise TemporaryFailure(f"the Mastodon server gave up waiting ({status})", **told)
        raise Refused(f"Mastodon refuses it ({status}): {said or 'no reason given'}", **told)


def _error_text(response: requests.Response) -> str:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return ""
    text = body.get("error_description") or body.get("error") if isinstance(body, dict) else ""
    return str(text or "")[:200]
