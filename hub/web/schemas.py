"""The JSON that connectors take and send, as OpenAPI and JSON Schema. Needs no login: there is no data in it.

A connector that has such a JSON of its own says so with its class method ``openapi()``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, abort, jsonify
from werkzeug.wrappers import Response

import hub
from hub.web.running import Running

blueprint = Blueprint("schemas", __name__, url_prefix="/api")

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COMPONENTS, _DEFS = "#/components/schemas/", "#/$defs/"


@blueprint.get("/<connector>/openapi.json")
def openapi(connector: str) -> Response:
    """The OpenAPI document of a connector's both sides: where the hub listens, and the calls it makes."""
    return jsonify(_document(connector))


@blueprint.get("/<connector>/schema/<name>.json")
def schema(connector: str, name: str) -> Response:
    """One JSON Schema that stands alone."""
    schemas = _document(connector)["components"]["schemas"]
    if name not in schemas:
        abort(404)
    parts = _moved({part: value for part, value in schemas.items() if "." in part})
    return jsonify({"$schema": DIALECT, "title": name, **_moved(schemas[name]), "$defs": parts})


def _document(connector: str) -> dict[str, Any]:
    catalogue = Running.here().catalogue
    found = (catalogue.sources.get(connector), catalogue.sinks.get(connector))
    sides = tuple(side for side in found if side is not None)
    # Unknown names end here: document_of() keeps its answers, and anybody may ask for any name.
    return (document_of(connector, sides) if sides else None) or abort(404)


@cache
def document_of(connector: str, sides: tuple[Any, ...]) -> dict[str, Any] | None:
    """The OpenAPI 3.1 document; ``None`` when no side has a JSON of its own. Raises ``ValueError`` when two sides give
    one name to different schemas."""
    schemas: dict[str, Any] = {}
    received: list[str] = []
    calls: dict[str, Any] = {}
    own = [its for side in sides if (its := side.openapi()) is not None]
    for its in own:
        for name, given in its["schemas"].items():
            if schemas.setdefault(name, given) != given:
                raise ValueError(f"{connector}: two schemas are called {name!r}")
        received += its["receives"]
        calls |= {name: _call(name, answer) for name, answer in its["calls"].items()}
        calls[its["asks"]] = _question(its["asks"])
    if not own:
        return None
    one = {"oneOf": [_ref(name) for name in received]}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {"title": f"Social Care Hub: {connector}", "version": hub.__version__},
        "paths": {"/hooks/{connection}": {"post": _listener({"anyOf": [one, {"type": "array", "items": one}]})}},
        "webhooks": calls,
        "components": {"schemas": schemas, "securitySchemes": _SIGNATURES},
    }


_SIGNATURES = {
    "standard": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: v1, and base64 of the HMAC-SHA256 of webhook-id.webhook-timestamp.body",
    },
    "x_hub": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "sha256= and the HMAC-SHA256 of the body in hexadecimal",
    },
}
_SIGNED: list[dict[str, list[str]]] = [{"standard": []}, {"x_hub": []}]


def _listener(body: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": "connection", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "webhook-id", "in": "header", "required": False, "schema": {"type": "string"}},
        {"name": "webhook-timestamp", "in": "header", "required": False, "schema": {"type": "string"}},
    ]
    return {
        "operationId": "receive",
        "summary": "Tell the hub what happened (format = hub): one event or a list",
        "security": _SIGNED,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "Stored; what could not be understood waits for a person"},
            "401": {"description": "The signature is missing, wrong or too old"},
            "404": {"description": "There is no such connection"},
            "413": {"description": "Larger than 1 MiB"},
            "503": {"description": "Not stored: send it again later"},
        },
    }


def _call(name: str, answer: str) -> dict[str, Any]:
    said = {"description": "Done, or done before", "content": {"application/json": {"schema": _ref(answer)}}}
    return {
        "post": {
            "operationId": name,
            "security": _SIGNED,
            "parameters": [
                {
                    "name": "webhook-id",
                    "in": "header",
                    "required": True,
                    "schema": {"type": "string"},
                    "description": "The same for every attempt: do it once",
                }
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(name)}}},
            "responses": {
                "200": said,
                "401": {"description": "The signature is wrong: the hub pauses and asks for help"},
                "422": {"description": "Refused for good"},
                "429": {"description": "Too fast: the hub waits as Retry-After says"},
                "503": {"description": "Nothing was done: the hub tries again. After any other 5xx nobody knows"},
            },
        }
    }


def _question(answer: str) -> dict[str, Any]:
    return {
        "get": {
            "operationId": answer,
            "summary": "Whether an earlier call arrived (find_url)",
            "security": _SIGNED,
            "parameters": [{"name": "key", "in": "query", "required": True, "schema": {"type": "string"}}],
            "responses": {
                "200": {"description": "Known or not", "content": {"application/json": {"schema": _ref(answer)}}}
            },
        }
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _COMPONENTS + name}


def _moved(value: Any) -> Any:
    """The schema with its references into ``$defs``."""
    if isinstance(value, dict):
        return {
            name: inner.replace(_COMPONENTS, _DEFS) if name == "$ref" and isinstance(inner, str) else _moved(inner)
            for name, inner in value.items()
        }
    return [_moved(inner) for inner in value] if isinstance(value, list) else value
