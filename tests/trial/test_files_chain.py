"""A file's whole way through a running hub: a customer's picture into Zendesk, an agent's picture to the network."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.trial.newcomer import Company

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def test_pictures_go_both_ways(tmp_path: Path) -> None:
    """The customer's stands in the ticket as bytes; the agent's is shown with the answer under the post."""
    company = Company(tmp_path)
    try:
        company.init()
        use_a_token(company)
        company.start()
        for name in ("acme-zendesk", "acme-mastodon"):
            company.hub("connections", "mode", name, "live")
        post = picture_of_a_customer(company, "What does the label look like?")
        ticket = company.ticket_about("What does the label look like?")
        comments = company.zendesk("GET", f"tickets/{ticket.id}/comments.json")["comments"]
        (came,) = [one for comment in comments for one in comment["attachments"]]
        assert requests.get(came["content_url"], auth=agent(company), timeout=10).content == kept(company, post)
        upload = requests.post(
            f"{company.desk.base_url}/api/v2/uploads.json?filename=label.png",
            data=PICTURE,
            headers={"Content-Type": "image/png"},
            auth=agent(company),
            timeout=10,
        ).json()["upload"]
        said = {"comment": {"body": "Like this.", "public": True, "uploads": [upload["token"]]}}
        company._at_desk("agent/update", {"ticket_id": int(ticket.id), "ticket": said})
        answer = company.answered(post)
        assert "Like this." in answer.text
        shown = requests.get(f"{company.network.base_url}/api/v1/statuses/{answer.id}", timeout=10).json()
        assert len(shown["media_attachments"]) == 1
    finally:
        company.close()


def picture_of_a_customer(company: Company, text: str) -> str:
    """A post with a picture; its id."""
    company.network.post("giulia", "hello")  # makes the account
    base = company.network.base_url
    token = requests.post(f"{base}/api/v1/_mock/login", json={"username": "giulia"}, timeout=10).json()["access_token"]
    signed = {"Authorization": f"Bearer {token}"}
    file = {"file": ("label.png", PICTURE, "image/png")}
    media = requests.post(f"{base}/api/v2/media", headers=signed, files=file, timeout=10).json()
    said = {"status": f"@brand {text}", "media_ids": [media["id"]]}
    return str(requests.post(f"{base}/api/v1/statuses", headers=signed, json=said, timeout=10).json()["id"])


def kept(company: Company, post: str) -> bytes:
    """The picture as the network gives it out."""
    shown = requests.get(f"{company.network.base_url}/api/v1/statuses/{post}", timeout=10).json()
    return requests.get(shown["media_attachments"][0]["url"], timeout=10).content


def use_a_token(company: Company) -> None:
    """Signs in without the walk, and lets files come from this machine, where the vendors are."""
    account = company.desk.http.get(f"{company.desk.base_url}/_sandbox/accounts", timeout=10).json()["hub"]
    file = company.folder / "config" / "hub.toml"
    token = f'email = "{account["email"]}"\napi_token = "{account["token"]}"\npoll_every = 6\n'
    file.write_text(file.read_text() + token + "\n[http]\nlocal_media = true\n")


def agent(company: Company) -> tuple[str, str]:
    """The agent's credentials at Zendesk."""
    account = company.desk.http.get(f"{company.desk.base_url}/_sandbox/accounts", timeout=10).json()["agent"]
    return f"{account['email']}/token", account["token"]
