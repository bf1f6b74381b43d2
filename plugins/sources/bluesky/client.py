"""The one seam to the AT protocol: queries and procedures in, plain JSON out, every failure as one of the hub's."""

from __future__ import annotations

from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests

from hub.sdk import (
    AuthenticationFailed,
    Media,
    OutcomeUnknown,
    PayloadNotUnderstood,
    Refused,
    Secret,
    TemporaryFailure,
    Toolbox,
    failure_of_transport,
    rate_limited,
)
from plugins.sources.bluesky.session import Session, SessionOver, Sessions, WrongServer

# A dead token is a 400, seen at a PDS 0.5; 401 means none at all, or one for another audience.
_SESSION_OVER = {"ExpiredToken", "InvalidToken"}
_ACCOUNT_TROUBLE = {"AccountTakedown", "AccountDeactivated", "AccountSuspended", "AuthFactorTokenRequired"}
_NOT_THERE = {"RecordNotFound", "NotFound", "RepoNotFound"}
_NO_REPOSITORY = "Could not find repo"


class NotThere(Refused):
    """The record does not exist (any more)."""


class BlueskyClient:
    """Calls one server (PDS) as one account; what the server does not do itself it passes on to the AppView.

    Raises the hub's errors and nothing else.
    """

    def __init__(self, service: str, identifier: str, password: Secret, toolbox: Toolbox) -> None:
        self._service = service
        self._toolbox = toolbox
        self._sessions = Sessions(service, identifier, password, toolbox, self._open_session)

    def session(self) -> Session:
        """The session in use: who we are."""
        return self._sessions.current()

    def prove(self) -> Session:
        """Who we are, asked of the server just now. Raises ``AuthenticationFailed`` when the password does not hold."""
        return self._sessions.proven()

    def query(self, method: str, **params: Any) -> dict[str, Any]:
        """Read. Raises ``NotThere`` when the record asked for does not exist."""
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
        return self._call("GET", method, params=given)

    def read_list(self, method: str, key: str, **params: Any) -> tuple[list[dict[str, Any]], str]:
        """A list of objects and the cursor for more (empty: there is no more)."""
        answer = self.query(method, **params)
        items, cursor = answer.get(key), answer.get("cursor") or ""
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise PayloadNotUnderstood(f"expected a list of {key} from {method}, got {type(items).__name__}")
        return items, str(cursor)

    def write(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change something. ``OutcomeUnknown`` when nobody knows whether it happened."""
        return self._call("POST", method, body=body)

    def upload(self, file: Media, mime_type: str) -> dict[str, Any]:
        """Give the server a file and return its blob. Nobody sees it before a record names it, and the same bytes are
        the same blob, so that a lost answer is a ``TemporaryFailure``."""
        blob = self._call("POST", "com.atproto.repo.uploadBlob", file=file, mime_type=mime_type).get("blob")
        if not isinstance(blob, dict):
            raise TemporaryFailure("the server took a file and did not name it")
        return blob

    def _call(
        self,
        verb: str,
        method: str,
        *,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        file: Media | None = None,
        mime_type: str = "",
    ) -> dict[str, Any]:
        effect = verb == "POST" and file is None
        session = self._sessions.current()
        sent: dict[str, Any] = {"params": params, "body": body, "file": file, "mime_type": mime_type}
        try:
            return self._send(verb, method, **sent, token=session.access, effect=effect)
        except SessionOver:
            session = self._sessions.renewed(session)
        return self._send(verb, method, **sent, token=session.access, effect=effect)

    def _open_session(self, method: str, body: dict[str, Any] | None, token: str) -> dict[str, Any]:
        return self._send("POST", method, body=body, token=token, effect=False)

    def _send(
        self,
        verb: str,
        method: str,
        *,
        token: str,
        effect: bool,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        file: Media | None = None,
        mime_type: str = "",
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if file is not None:
            headers["Content-Type"] = mime_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            # No redirects: requests would turn a redirected POST into a GET and report success.
            response = self._toolbox.http.request(
                verb,
                f"{self._service}/xrpc/{method}",
                params=params,
                json=body,
                data=file,
                headers=headers,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect) from error
        if response.status_code >= 300:
            self._fail(response, method, effect=effect)
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            summary = f"the server answered {response.status_code} with something other than JSON"
            detail = f"{method}: {response.headers.get('Content-Type', 'no content type')}"
            raise (OutcomeUnknown if effect else TemporaryFailure)(summary, detail=detail) from error
        if not isinstance(answer, dict):
            summary = f"expected one object from {method}, got {type(answer).__name__}"
            raise (OutcomeUnknown if effect else PayloadNotUnderstood)(summary)
        return answer

    def _fail(self, response: requests.Response, method: str, *, effect: bool) -> NoReturn:
        status = response.status_code
        name, said = _error_of(response)
        told = f"{name}: {said}" if name and said else name or said or "no reason given"
        detail = f"{method}: {status} {told}"
        if status == 429:
            error = rate_limited(response, self._toolbox.now())
            error.detail = detail
            raise error
        if status < 400:
            host = urlsplit(response.headers.get("Location", "")).netloc or "another address"
            raise WrongServer(f"the server redirects to {host}: set service to its own address", detail=detail)
        if name in _SESSION_OVER:
            raise SessionOver(f"the session is over ({told})", detail=detail)
        if status == 401 or name in _ACCOUNT_TROUBLE:
            hint = ": use an app password" if name == "AuthFactorTokenRequired" else ""
            raise AuthenticationFailed(f"Bluesky refuses the login ({told}){hint}", detail=detail)
        if status == 501 or (status == 404 and "createSession" in method):
            raise WrongServer("there is no PDS at service: it does not know this call", detail=detail)
        if status >= 500:
            kind = OutcomeUnknown if effect else TemporaryFailure
            raise kind(f"the Bluesky server has a problem ({status})", detail=detail)
        if name in _NOT_THERE or said.startswith(_NO_REPOSITORY):
            raise NotThere("the post is gone", detail=detail)
        if status in {404, 408, 425}:  # things that are not there are a 400: this is a proxy on the way
            raise TemporaryFailure(f"the Bluesky server cannot take this call just now ({status})", detail=detail)
        if status == 403 and not effect:
            raise AuthenticationFailed(f"Bluesky does not let this account read ({told})", detail=detail)
        raise Refused(f"Bluesky refuses it ({told})", detail=detail)


def _error_of(response: requests.Response) -> tuple[str, str]:
    """The name of the error and what it says; both empty when the body is no XRPC error."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("error") or "")[:60], str(body.get("message") or "")[:200]
