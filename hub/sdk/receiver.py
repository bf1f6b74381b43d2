"""The one seam to the system that takes our calls: signed JSON out, every failure as one of the hub's errors."""

from __future__ import annotations

import json
from typing import Any, NoReturn
from urllib.parse import urlencode

import requests

from hub.sdk.errors import AuthenticationFailed, ConfigurationError, OutcomeUnknown, Refused, TemporaryFailure
from hub.sdk.signing import Signing
from hub.sdk.toolbox import Toolbox, failure_of_transport, rate_limited

_Json = dict[str, Any]


class Receiver:
    """Calls the addresses of one connection. Raises the hub's errors and nothing else.

    What the other side promises: 2xx with a JSON object, an empty body or ``ok`` when it is done; 503 when nothing was
    done; after any other 5xx nobody knows. ``authorization`` is the header of that name, empty for none.
    """

    def __init__(self, signing: Signing, authorization: str, toolbox: Toolbox) -> None:
        self._signing = signing
        self._toolbox = toolbox
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization

    def post(self, url: str, key: str, body: bytes) -> _Json:
        """Post signed bytes under the idempotency key ``key``; the receiver's JSON, empty when it says nothing."""
        return self._call("POST", url, key, body)

    def ping(self, url: str) -> None:
        """Return when the receiver is there and believes the signature."""
        self._call("POST", url, "ping", b'{"type":"ping","key":"ping"}', effect=False)

    def look(self, url: str, key: str) -> _Json:
        """Ask whether ``key`` arrived."""
        asked = f"{url}{'&' if '?' in url else '?'}{urlencode({'key': key})}"
        return self._call("GET", asked, key, b"", effect=False)

    def _call(self, method: str, url: str, key: str, body: bytes, *, effect: bool = True) -> _Json:
        headers = self._headers | self._signing.headers(key, body, self._toolbox.now())
        try:
            response = self._toolbox.http.exchange(method, url, body=body, headers=headers)
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=effect) from error
        if response.status_code >= 300:
            self._fail(response, effect=effect)
        said = response.content.strip()
        if not said or said.lower() in (b"ok", b'"ok"'):
            return {}
        try:
            answer = json.loads(said)
        except (ValueError, RecursionError) as error:
            raise _odd(effect, response) from error
        if not isinstance(answer, dict):
            raise _odd(effect, response)
        return answer

    def _fail(self, response: requests.Response, *, effect: bool) -> NoReturn:
        status = response.status_code
        # Error pages show the request again, with its headers.
        said = response.text.replace(self._headers.get("Authorization") or "\n", "***")[:200]
        detail = f"{response.request.method} {response.url}: {status} {said}"
        if status == 429:
            error = rate_limited(response, self._toolbox.now())
            error.detail = detail
            raise error
        # The documented contract: 503 says that nothing was done. After any other 5xx nobody knows.
        if status == 503 or status in (408, 425) or (status >= 500 and not effect):
            raise TemporaryFailure(f"the receiver cannot take it now ({status})", detail=detail)
        if status >= 500:
            raise OutcomeUnknown(f"the receiver has a problem ({status})", detail=detail)
        if status in (401, 403):
            raise AuthenticationFailed(f"the receiver does not believe the signature ({status})", detail=detail)
        if status < 400 or status == 405:
            raise ConfigurationError(f"there is no listener at this address ({status})", detail=detail)
        raise Refused(f"the receiver refuses it ({status})", detail=detail)


def _odd(effect: bool, response: requests.Response) -> Exception:
    kind = OutcomeUnknown if effect else TemporaryFailure
    return kind(f"the receiver answered {response.status_code} with something other than a JSON object")
