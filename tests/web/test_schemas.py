"""The served OpenAPI and JSON Schema, read by third parties: openapi-core, its validator, and jsonschema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest
from openapi_spec_validator import validate as validate_openapi

from hub.catalogue import Catalogue
from hub.web import create_app
from hub.web.schemas import document_of
from tests.fakes.house import House
from tests.web.desk import config_for

EVENTS: list[Any] = [
    {"type": "message", "message": {"id": "7", "text": "Hi", "author": {"id": "44"}}},
    {"type": "message_deleted", "message_id": "7"},
    {"type": "record", "record_id": "R1", "changed_at": "2026-03-02T09:00:00Z", "status": "solved"},
]


@pytest.fixture
def client(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The web of a hub with the webhook plugins, nobody logged in."""
    monkeypatch.setenv("HUB_SECRET_KEY", "x" * 43 + "=")
    return create_app(house.hub, config_for(tmp_path), Catalogue.load(only=["webhook", "zendesk"])).test_client()


def document(client: FlaskClient) -> dict[str, Any]:
    """The served document."""
    answer = client.get("/api/webhook/openapi.json")
    assert answer.status_code == 200
    assert answer.is_json
    found: dict[str, Any] = answer.get_json()
    return found


def test_the_document_is_openapi(client: FlaskClient) -> None:
    """The validator of the OpenAPI specification accepts it; both sides are in it."""
    served = document(client)
    validate_openapi(served)
    assert served["openapi"].startswith("3.1")
    assert set(served["webhooks"]) == {
        *("reply", "open_ticket", "add_comment", "update_fields", "ping"),
        *("reply_look_up", "ticket_look_up"),
    }


def test_openapi_core_takes_what_the_hub_takes(client: FlaskClient) -> None:
    """A signed event, and a list of them, is a valid request of the document; others are not."""
    api = OpenAPI.from_dict(document(client))  # type: ignore[arg-type]  # a plain dict is a schema

    def errors(body: Any, headers: dict[str, str]) -> list[Exception]:
        request = MockRequest(
            "http://localhost",
            "post",
            "/hooks/acme-forum",
            path_pattern="/hooks/{connection}",
            view_args={"connection": "acme-forum"},
            headers=headers,
            data=json.dumps(body).encode(),
        )
        return list(api.iter_request_errors(request))

    signed = {"X-Hub-Signature-256": "sha256=00"}
    for body in (*EVENTS, EVENTS):
        assert errors(body, signed) == []
    assert errors({"type": "like"}, signed)
    assert errors(EVENTS[0], {})


@pytest.mark.parametrize("event", EVENTS)
def test_each_schema_stands_alone(client: FlaskClient, event: dict[str, Any]) -> None:
    """jsonschema needs nothing but the one answer; a misspelt name is an error."""
    schema = client.get(f"/api/webhook/schema/{event['type']}.json").get_json()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(event)
    assert not Draft202012Validator(schema).is_valid({**event, "autor": 1})


def test_every_name_of_the_document_is_served(client: FlaskClient) -> None:
    """Each schema of the document has its own address and is a JSON Schema."""
    for name in document(client)["components"]["schemas"]:
        answer = client.get(f"/api/webhook/schema/{name}.json")
        assert answer.status_code == 200, name
        Draft202012Validator.check_schema(answer.get_json())
        assert "#/components" not in answer.text


@pytest.mark.parametrize(
    "path", ["/api/zendesk/openapi.json", "/api/none/openapi.json", "/api/webhook/schema/nothing.json"]
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str) -> None:
    """A connector without a JSON of its own, none at all, and an unknown schema."""
    assert client.get(path).status_code == 404


def test_one_name_for_two_schemas_is_refused() -> None:
    """A mistake of a plugin is told to its author, not served."""

    class Side:
        kind = "string"

        @classmethod
        def openapi(cls) -> dict[str, Any]:
            return {"schemas": {"a": {"type": cls.kind}}, "receives": ["a"], "calls": {}, "asks": "a"}

    class Other(Side):
        kind = "number"

    with pytest.raises(ValueError, match="two schemas are called 'a'"):
        document_of("x", (Side, Other))
