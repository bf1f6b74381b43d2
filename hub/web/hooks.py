"""Where vendors call: any body, method, encoding and header gets a 2xx, 4xx or 503, and the raw bytes stay raw."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from hub.flow.hub import Hub
from hub.flow.receive import MAX_BODY, Answer, receive
from hub.sdk import WebhookRequest
from hub.web.running import Running

log = logging.getLogger("hub.web.hooks")

blueprint = Blueprint("hooks", __name__)
METHODS = ["POST", "GET", "HEAD"]


@blueprint.route("/hooks/<connection>", methods=METHODS, provide_automatic_options=False)
@blueprint.route("/hooks/<connection>/<path:rest>", methods=METHODS, provide_automatic_options=False)
def take_webhook(connection: str, rest: str = "") -> Response:
    """Hand the request to the connection's plugin as it came; ``rest`` is a secret path the plugin checks."""
    hub = Running.here().hub
    try:
        taken = WebhookRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            query=request.args.to_dict(),
            # Never parsed: a signature covers the bytes, and a form parser would eat them.
            body=request.get_data(cache=False, parse_form_data=False),
            received_at=hub.now(),
        )
    except HTTPException:
        raise
    except Exception:
        log.exception("a webhook request could not be read")
        return Response("not readable\n", 400, content_type="text/plain; charset=utf-8")
    return _as_response(receive(hub, connection, taken))


def _as_response(answer: Answer) -> Response:
    if answer.handshake is not None:
        reply = answer.handshake
        response = Response(reply.body, reply.status, content_type=reply.content_type)
        response.headers.update(reply.headers)
        return response
    response = Response(answer.text + "\n" if answer.text else "", answer.status)
    response.content_type = "text/plain; charset=utf-8"
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


_PATH = re.compile(r"/hooks/([A-Za-z0-9._-]+)", re.ASCII)


class ShortCut:
    """The ordinary webhook (a POST with a length, under one of our names) without Flask, which would take more time
    than all the rest of its way in. Everything else goes through the view above."""

    def __init__(self, app: Any, hub: Hub, *, is_ours: Callable[[str], bool], headers: Mapping[str, str]) -> None:
        self._app = app
        self._hub = hub
        self._is_ours = lru_cache(64)(is_ours)
        self._headers = [("Content-Type", "text/plain; charset=utf-8"), *headers.items(), ("Cache-Control", "no-store")]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = _PATH.fullmatch(environ["PATH_INFO"])
        length = environ.get("CONTENT_LENGTH", "")
        if (
            path is None
            or environ["REQUEST_METHOD"] != "POST"
            or environ.get("QUERY_STRING")
            or not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY)
            or not self._is_ours(environ.get("HTTP_HOST", ""))
        ):
            return self._app(environ, start_response)  # type: ignore[no-any-return]
        taken = WebhookRequest(
            method="POST",
            path=path[0],
            headers={_header(name): value for name, value in environ.items() if name in _PLAIN or name[:5] == "HTTP_"},
            query={},
            body=environ["wsgi.input"].read(int(length)),
            received_at=self._hub.now(),
        )
        answer = receive(self._hub, path[1], taken) if len(taken.body) == int(length) else Answer(400, "cut off")
        if answer.handshake is not None:
            return _as_response(answer)(environ, start_response)
        body = f"{answer.text}\n".encode() if answer.text else b""
        headers = [*self._headers, ("Content-Length", str(len(body)))]
        if answer.retry_after is not None:
            headers.append(("Retry-After", str(answer.retry_after)))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [body]


_PLAIN = ("CONTENT_TYPE", "CONTENT_LENGTH")


@lru_cache(512)
def _header(name: str) -> str:
    """The header's name, in lower case, as plugins see it."""
    return name.removeprefix("HTTP_").replace("_", "-").lower()
