"""Files at the sandbox: uploaded, attached, fetched, blackened."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from zendesk_cases import Account
from zendesk_sandbox_calls import call, done, settings, ticket


def upload(account: Account, name: str, body: bytes, *, token: str = "") -> requests.Response:
    """Raw bytes to ``/uploads``."""
    row = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()["hub"]
    params = {"filename": name} | ({"token": token} if token else {})
    return account.http.post(
        f"{account.url}/api/v2/uploads.json",
        params=params,
        data=body,
        headers={"Content-Type": "image/png"},
        auth=(f"{row['email']}/token", row["token"]),
        timeout=5,
    )


def attached(account: Account) -> tuple[int, dict[str, Any]]:
    """A ticket and its comment with two files under one token."""
    first = upload(account, "a b.png", b"\x89PNG one").json()["upload"]
    second = upload(account, "c.png", b"two", token=first["token"]).json()["upload"]
    assert second["token"] == first["token"]
    assert [file["file_name"] for file in second["attachments"]] == ["a b.png", "c.png"]
    number = ticket(account)
    comment = {"body": "see", "uploads": [first["token"]]}
    event = done(account, "PUT", f"tickets/{number}", {"ticket": {"comment": comment}})["audit"]["events"][0]
    again = call(account, "PUT", f"tickets/{number}", {"ticket": {"comment": comment}})
    assert again.status_code == 422, "a token that was used is spent"
    return number, event


def test_a_file_travels_whole(account: Account) -> None:
    """Audit and comment list both files; the address redirects to the bytes; private ones want credentials."""
    number, event = attached(account)
    comment = done(account, "GET", f"tickets/{number}/comments")["comments"][-1]
    assert comment["attachments"] == event["attachments"]
    file = comment["attachments"][0]
    assert (file["file_name"], file["content_type"], file["size"]) == ("a b.png", "image/png", 8)
    moved = account.http.get(file["content_url"], allow_redirects=False, timeout=5)
    assert moved.status_code == 302
    found = account.http.get(file["content_url"], timeout=5)
    assert (found.content, found.headers["Content-Type"]) == (b"\x89PNG one", "image/png")
    settings(account, private_attachments=1)
    stranger = account.http.get(file["content_url"], timeout=5)
    settings(account, private_attachments=0)
    assert "Sign in" in stranger.text


def test_a_blackened_file_is_gone(account: Account) -> None:
    """Its name and bytes are replaced, the other stays, an event tells of it."""
    number, event = attached(account)
    black, kept = event["attachments"]
    path = f"tickets/{number}/comments/{event['id']}/attachments/{black['id']}/redact"
    assert done(account, "PUT", path, {})["attachment"]["file_name"] == "redacted.txt"
    assert account.http.get(black["content_url"], timeout=5).content == b""
    assert account.http.get(kept["content_url"], timeout=5).content == b"two"
    events = [
        e["type"] for audit in done(account, "GET", f"tickets/{number}/audits")["audits"] for e in audit["events"]
    ]
    assert "AttachmentRedactionEvent" in events


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({"html_body": "x"}, 422),
        ({"ticket_id": "one", "html_body": "x"}, 422),
        ({"ticket_id": 1, "html": "x"}, 422),
        ({"ticket_id": 1, "html_body": ["x"]}, 422),
        ({"ticket_id": 1, "external_attachment_urls": "x"}, 422),
    ],
)
def test_a_redaction_of_another_shape_is_refused(account: Account, body: Any, status: int) -> None:
    """The published description names what a redaction takes; anything else is the caller's fault, not the server's."""
    answer = call(account, "PUT", "comment_redactions/7", body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_tokens_end(account: Account) -> None:
    """After an hour, or deleted, a token attaches nothing; a file over the limit is a 413."""
    number = ticket(account)
    late, gone = (upload(account, "a.png", b"x").json()["upload"]["token"] for _ in range(2))
    assert call(account, "DELETE", f"uploads/{gone}").status_code == 204
    settings(account, clock_ahead=3601)
    for token in (late, gone):
        body = {"ticket": {"comment": {"body": "see", "uploads": [token]}}}
        assert call(account, "PUT", f"tickets/{number}", body).status_code == 422
    settings(account, clock_ahead=0, upload_limit=3)
    too_large = upload(account, "a.png", b"four").status_code
    settings(account, upload_limit=0)
    assert too_large == 413
