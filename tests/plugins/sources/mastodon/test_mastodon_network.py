"""The network in memory that the conformance kit uses, held against the description of the real server's API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from mastodon_network import BASE_URL, TOKEN, MastodonNetwork

from hub.testing.rig import Clock

STATUS = "/api/v1/statuses/{id}"


@pytest.fixture
def network() -> MastodonNetwork:
    """Two public posts, a private one, an answer and an edit."""
    network = MastodonNetwork()
    network.now = Clock().now  # type: ignore[method-assign]
    first = network.customer_posts("where is my parcel?")
    network.customer_posts("it is late", author="bruno", reply_to=first)
    network.customer_posts("my number is 555", private=True)
    network.customer_edits(first, "where is my parcel now?")
    ask(network, "POST", "/api/v1/statuses", {"status": "@ada hello", "in_reply_to_id": first, "visibility": "public"})
    return network


def ask(network: MastodonNetwork, method: str, path: str, body: Any = None) -> requests.Response:
    """One call with the company's token."""
    request = requests.Request(method, BASE_URL + path, json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    return network.answer(request.prepare())


@pytest.fixture(scope="module")
def description(data: Path) -> dict[str, Any]:
    """The OpenAPI description of Mastodon."""
    described: dict[str, Any] = json.loads((data / "specs" / "mastodon" / "schema.json").read_text(encoding="utf-8"))
    return described


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("/api/v1/accounts/verify_credentials", ""),
        ("/api/v1/notifications", ""),
        ("/api/v1/conversations", ""),
        ("/api/v1/accounts/{id}/statuses", "/api/v1/accounts/1/statuses"),
        ("/api/v1/statuses", "/api/v1/statuses?id[]=1001&id[]=1003"),
        (STATUS, "/api/v1/statuses/1001"),
        (STATUS + "/context", "/api/v1/statuses/1003/context"),
        (STATUS + "/source", "/api/v1/statuses/1001/source"),
    ],
)
def test_answers_are_as_described(
    network: MastodonNetwork, description: dict[str, Any], path: str, called: str
) -> None:
    """Every list and object has the shape that Mastodon describes."""
    answer = ask(network, "GET", called or path)
    assert answer.status_code == 200
    body = answer.json()
    assert body, "an empty list proves nothing"
    validate(body, description, path, "get", "200")


@pytest.mark.data
def test_what_is_published_is_as_described(network: MastodonNetwork, description: dict[str, Any]) -> None:
    """A new post, an edited one and a deleted one."""
    made = ask(network, "POST", "/api/v1/statuses", {"status": "hello", "visibility": "direct"})
    validate(made.json(), description, "/api/v1/statuses", "post", "200")
    edited = ask(network, "PUT", f"/api/v1/statuses/{made.json()['id']}", {"status": "hallo"})
    validate(edited.json(), description, STATUS, "put", "200")
    gone = ask(network, "DELETE", f"/api/v1/statuses/{made.json()['id']}")
    validate(gone.json(), description, STATUS, "delete", "200")


@pytest.mark.data
def test_files_are_as_described(network: MastodonNetwork, description: dict[str, Any]) -> None:
    """An upload, one that is still worked on, and a post with both; the limits are where the server tells them."""
    upload = {"file": ("a.png", b"PNG", "image/png")}
    for status, described in (("200", "200"), ("202", "202")):
        network.working = status == "202"
        request = requests.Request(
            "POST", BASE_URL + "/api/v2/media", files=upload, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        answer = network.answer(request.prepare())
        assert str(answer.status_code) == status
        validate(answer.json(), description, "/api/v2/media", "post", described)
        asked = ask(network, "GET", f"/api/v1/media/{answer.json()['id']}")
        assert asked.status_code == (206 if network.working else 200)
        assert str(asked.status_code) in description["paths"]["/api/v1/media/{id}"]["get"]["responses"]
        if not network.working:
            validate(asked.json(), description, "/api/v1/media/{id}", "get", "200")
    network.finish()
    post = {"status": "", "visibility": "public", "media_ids": list(network.media)}
    made = ask(network, "POST", "/api/v1/statuses", post)
    assert len(made.json()["media_attachments"]) == 2
    validate(made.json(), description, "/api/v1/statuses", "post", "200")
    told = ask(network, "GET", "/api/v2/instance").json()["configuration"]["media_attachments"]
    configuration = description["components"]["schemas"]["Instance"]["properties"]["configuration"]
    jsonschema.validate(told, configuration["properties"]["media_attachments"])


def validate(body: Any, description: dict[str, Any], path: str, method: str, status: str) -> None:
    """Raise when ``body`` is not what the description says."""
    schema = description["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": description["components"]}).validate(body)


def test_pages_are_those_of_the_real_server(network: MastodonNetwork) -> None:
    """Newest first; ``min_id`` gives the page next to it, ``max_id`` the one below."""
    for number in range(5):
        network.customer_posts(f"case {number}")
    ids = [item["id"] for item in ask(network, "GET", "/api/v1/notifications").json()]
    assert ids == sorted(ids, key=int, reverse=True)
    assert [item["id"] for item in ask(network, "GET", f"/api/v1/notifications?min_id={ids[-1]}&limit=2").json()] == [
        ids[-3],
        ids[-2],
    ]
    assert ask(network, "GET", f"/api/v1/notifications?max_id={ids[-1]}").json() == []


def test_strangers_are_refused(network: MastodonNetwork) -> None:
    """401 without the token; 404 for what is not there."""
    assert network.answer(requests.Request("GET", BASE_URL + "/api/v2/instance").prepare()).status_code == 401
    assert ask(network, "GET", "/api/v1/statuses/1").status_code == 404
