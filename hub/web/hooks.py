"""Where vendors call: any body, method, encoding and header gets a 2xx, 4xx or 503, and the raw bytes stay raw."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from hub.flow.receive import Answer, receive
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
