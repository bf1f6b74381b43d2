# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the sandbox, and whoever talks to it, against the vendor's published OpenAPI description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request

Json = dict[str, Any]


def check_against(app: Flask, description: Path) -> None:
    """Validate every request and answer of the API; what deviates is listed at ``/_sandbox/deviations``."""
    from openapi_core import Config, OpenAPI
    from openapi_core.contrib.flask import FlaskOpenAPIRequest, FlaskOpenAPIResponse
    from openapi_core.exceptions import OpenAPIError

    # The published file breaks rules of OpenAPI itself (path parameters that no path has), so it is not checked.
    openapi = OpenAPI.from_dict(converted(description), config=Config(spec_validator_cls=None))
    deviations: list[Json] = []
    counts = {"requests": 0, "answers": 0}

    def note(kind: str, error: Exception, status: int | None) -> None:
        reasons = [str(cause) for cause in _causes(error)]
        deviations.append(
            {
                "kind": kind,
                "method": request.method,
                "path": request.path,
                "rule": str(request.url_rule),
                "status": status,
                "error": "; ".join(reasons)[:2000],
            }
        )

    @app.before_request
    def check_request() -> None:
        if request.path.startswith("/api/") and "actor" in g:
            counts["requests"] += 1
            try:
                openapi.validate_request(FlaskOpenAPIRequest(request))
            except OpenAPIError as error:
                note("request", error, None)

    @app.after_request
    def check_answer(response: Response) -> Response:
        # The description tells of no error answer's body.
        if request.path.startswith("/api/") and response.status_code < 300:
            counts["answers"] += 1
            try:
                openapi.validate_response(FlaskOpenAPIRequest(request), FlaskOpenAPIResponse(response))
            except OpenAPIError as error:
                note("answer", error, response.status_code)
        return response

    @app.get("/_sandbox/deviations")
    def listed() -> Json:
        return {"deviations": deviations, **counts}


def converted(description: Path) -> Json:
    """The published file made usable: a bare ``=`` is no YAML value, addresses end in ``.json``, path parameters that
    no path has are dropped, and every property may be null, as recorded answers show. The description of webhooks, a
    file of its own, is read where it lies beside."""
    document = _read(description)
    beside = description.with_name("openapi-webhooks.yaml")
    if beside.exists():
        webhooks = _read(beside)
        document["paths"] |= {f"/api/v2{path}": item for path, item in webhooks["paths"].items()}
        for part, found in webhooks["components"].items():
            mine = document["components"].setdefault(part, {})
            mine |= {name: value for name, value in found.items() if name not in mine}
    _amend(document["components"]["schemas"])
    document["servers"] = [{"url": "/"}]
    document.pop("security", None)
    shared = document["components"].get("parameters", {})

    def of_this_path(path: str, parameters: list[Json]) -> list[Json]:
        known = [(p, shared.get(p["$ref"].rpartition("/")[2], {}) if "$ref" in p else p) for p in parameters]
        return [p for p, full in known if full.get("in") != "path" or f"{{{full.get('name')}}}" in path]

    paths: Json = {}
    for path, item in document["paths"].items():
        item["parameters"] = of_this_path(path, item.get("parameters", []))
        for operation in item.values():
            if isinstance(operation, dict):
                operation["parameters"] = of_this_path(path, operation.get("parameters", []))
                operation.pop("security", None)
                for answer in operation.get("responses", {}).values():
                    answer.pop("headers", None)
        paths[path if path.endswith(".json") or "webhook" in path else f"{path}.json"] = item
    document["paths"] = paths
    for schema in document["components"]["schemas"].values():
        _allow_null(schema)
    _allow_null_everywhere(document)
    return document


def _amend(schemas: Json) -> None:
    """Where recorded answers prove the description wrong."""
    ticket = schemas["TicketObject"]["properties"]
    # Incremental exports hold rows of deleted tickets (1,032 of 2,386 recorded ones).
    ticket["status"]["enum"].append("deleted")
    # A custom field's value is a string, a list, a boolean or null (go-zendesk, fixture/GET/ticket_custom_field.json).
    ticket["custom_fields"]["items"]["properties"]["value"] = {}
    # A result of an update fits two of the three shapes of which it must fit one, and has its index beside.
    schemas["JobStatusObject"]["properties"]["results"] = {"type": "array", "items": {"type": "object"}}


def _read(description: Path) -> Json:
    import yaml

    # The C loader reads the three megabytes in a fifth of the time.
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)
    found: Json = json.loads(
        json.dumps(yaml.load(description.read_text(), Loader=Loader), default=str)  # noqa: S506 - a safe loader
    )
    return found


def _allow_null_everywhere(node: Any) -> None:
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            for schema in properties.values():
                _allow_null(schema)
        for value in node.values():
            _allow_null_everywhere(value)
    elif isinstance(node, list):
        for value in node:
            _allow_null_everywhere(value)


def _allow_null(schema: Any) -> None:
    if isinstance(schema, dict) and "type" in schema:
        schema["nullable"] = True
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"].append(None)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = [error]
    cause = error.__cause__
    if cause is not None:
        found += _causes(cause)
    for inner in getattr(error, "schema_errors", None) or ():
        path = "/".join(str(part) for part in inner.absolute_path)
        found.append(ValueError(f"{path}: {inner.message[:300]}"))
    return found
