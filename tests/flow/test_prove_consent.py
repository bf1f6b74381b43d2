"""Radar and proof with tokens by consent, against the Zendesk sandbox's own OAuth: rotated in time, never recorded."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet

from hub.configuration import Connection, Team, Teams
from hub.flow import proving, radar, rounds
from hub.flow.hub import Connected, Hub
from hub.flow.prove import Journal, Proof
from hub.flow.proving import Versions
from hub.store import Store, connections
from hub.store.secrets import Cipher
from hub.store.tables import metadata
from hub.testing.recordings import Recording
from plugins.sinks.zendesk.sandbox import ZendeskSandbox
from plugins.sinks.zendesk.sink import ZendeskSink
from tests.fakes.sandboxed import sandboxed

BACK = "http://127.0.0.1:9/back"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZendeskSandbox]:
    """A running Zendesk."""
    with sandboxed(ZendeskSandbox, tmp_path_factory.mktemp("zendesk")) as running:
        yield running


@pytest.fixture
def hub(database_url: str, sandbox: ZendeskSandbox) -> Iterator[Hub]:
    """Connected as ``desk`` by a consent."""
    store = Store(database_url)
    metadata.create_all(store.writer_engine)
    client = sandbox._sandbox(
        "POST", "oauth/client", {"redirect_uri": BACK, "identifier": "hub", "kind": "confidential"}
    )
    settings = ZendeskSink.Settings.model_validate(
        {"base_url": sandbox.base_url, "client_id": client["identifier"], "client_secret": client["secret"]}
    )
    config = Connection(name="desk", connector="zendesk", mode="observe")
    made = Hub(
        store=store,
        cipher=Cipher(Fernet.generate_key()),
        connected={"desk": Connected(config=config, connector=ZendeskSink, settings=settings)},
        routers=[],
        teams=Teams(default_team="care", teams={"care": Team(name="care", sink="desk")}),
        categories={},
        now=lambda: datetime.now(UTC),
    )
    row = {"name": "desk", "connector": "zendesk", "side": "sink", "mode": "observe"}
    store.run(lambda tx: connections.ensure(tx, **row, now=made.now()))
    sink: Any = made.instance("desk")
    url = sink.consent_url(redirect_url=BACK, state="s", challenge=CHALLENGE)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    user = sandbox._sandbox("GET", "accounts")["hub"]["id"]
    answer = sandbox.http.post(
        f"{sandbox.base_url}/oauth/authorizations",
        data=asked | {"decision": "allow", "user_id": user},
        allow_redirects=False,
        timeout=5,
    )
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    sink.accept_consent(redirect_url=BACK, code=code, verifier=VERIFIER)
    yield made
    store.close()


def test_zendesk_s_tokens_are_rotated_a_third_before_their_end(hub: Hub) -> None:
    """One vault value holds two tokens and bears the later end: the day of the first one counts all the same."""
    before = hub.toolbox("desk").vault.read("oauth")
    assert radar.renew(hub, "desk") is False
    real = hub.now
    hub.now = lambda: real() + timedelta(hours=15)
    assert radar.renew(hub, "desk") is False
    hub.now = lambda: real() + timedelta(hours=16, minutes=1)
    assert radar.renew(hub, "desk") is True
    assert hub.toolbox("desk").vault.read("oauth") not in (None, before)
    assert [one.name for one in radar.look(hub, "desk").tokens] == ["OAuth access", "OAuth refresh"]


def test_a_proof_with_tokens_is_recorded_without_them_and_replays(hub: Hub, tmp_path: Path) -> None:
    """Neither access nor refresh token nor the client's secret; the replay needs none of them."""
    stored = json.loads(hub.toolbox("desk").vault.read("oauth") or "{}")
    proved = proving.prove(
        hub,
        "desk",
        tmp_path,
        Versions(hub="0", plugin="0", distribution="tests"),
        sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
        ask=None,
        told=lambda step: None,
    )
    assert proved.ok, proved.report["steps"]
    shown = json.dumps(proved.recording)
    for secret in (
        stored["access"],
        stored["refresh"],
        hub.connected["desk"].settings.client_secret.get_secret_value(),
    ):
        assert secret not in shown
    recording = Recording(json.loads(shown))
    replay = recording.replay()
    journal = Journal.begin(None, connection="desk", connector="zendesk", code=recording.code, at=replay.now())
    sink = replay.connector(ZendeskSink)
    proof = Proof(sink, code=recording.code, now=replay.now, wait=replay.wait, journal=journal)
    proof.run(rounds.sink_round)
    assert (replay.differs, replay.left) == ([], [])
    assert [(step.name, step.state) for step in proof.steps] == recording.steps
