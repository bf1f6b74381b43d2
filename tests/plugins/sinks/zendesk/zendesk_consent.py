"""A person at the sandbox's OAuth page: registers a client, says yes, and gives back a connected sink."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

from zendesk_cases import Account, make_sink

from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.sink import ZendeskSink

BACK = "http://127.0.0.1:9/connect/back"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def client_of(account: Account, kind: str = "confidential") -> dict[str, Any]:
    """The settings of a client just registered."""
    body = {"redirect_uri": BACK, "identifier": f"hub-{kind}", "kind": kind}
    made = account.http.post(f"{account.url}/_sandbox/oauth/client", json=body, timeout=5).json()
    secret = {"client_secret": made["secret"]} if kind == "confidential" else {}
    return {"base_url": account.url, "client_id": made["identifier"], **secret}


def allowed(account: Account, url: str, *, as_account: str = "hub") -> str:
    """Press Allow on the page at ``url``; return the code."""
    assert account.http.get(url, timeout=5).status_code == 200
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    user = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()[as_account]["id"]
    form = asked | {"decision": "allow", "user_id": user}
    answer = account.http.post(f"{account.url}/oauth/authorizations", data=form, allow_redirects=False, timeout=5)
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"][0] == asked["state"]
    assert answer.headers["Location"].startswith(BACK)
    return back["code"][0]


def connected(account: Account, vault: MemoryVault, *, kind: str = "confidential", **more: Any) -> ZendeskSink:
    """A sink whose tokens came by a consent."""
    given = {name: more.pop(name) for name in ("now", "timeout", "public_url") if name in more}
    sink = make_sink(client_of(account, kind) | more, vault=vault, **given)
    code = allowed(account, sink.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE))
    sink.accept_consent(redirect_url=BACK, code=code, verifier=VERIFIER)
    return sink
