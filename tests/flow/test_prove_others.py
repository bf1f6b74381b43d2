"""The same proof with other vendors: a network whose customer writes, and Request Tracker; both replayed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from hub.configuration import Connection, Team, Teams
from hub.flow import proving, rounds
from hub.flow.hub import Connected, Hub
from hub.flow.prove import Journal, Proof
from hub.flow.proving import Proved, Versions
from hub.store import Store, connections
from hub.store.secrets import Cipher
from hub.store.tables import metadata
from hub.testing.recordings import Recording
from plugins.sources.mastodon.sandbox import MastodonSandbox
from plugins.sources.mastodon.source import MastodonSource
from tests.fakes.sandboxed import sandboxed

VERSIONS = Versions(hub="0.0.0", plugin="0.0.0", distribution="tests")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastodonSandbox]:
    """A running Mastodon."""
    with sandboxed(MastodonSandbox, tmp_path_factory.mktemp("mastodon")) as running:
        yield running


@pytest.fixture
def hub(sqlite_url: str, network: MastodonSandbox) -> Iterator[Hub]:
    """With the connection ``social``."""
    store = Store(sqlite_url)
    metadata.create_all(store.writer_engine)
    settings = MastodonSource.Settings.model_validate(network.connection_settings(webhook_url=""))
    config = Connection(name="social", connector="mastodon", mode="observe")
    made = Hub(
        store=store,
        cipher=Cipher(Fernet.generate_key()),
        connected={"social": Connected(config=config, connector=MastodonSource, settings=settings)},
        routers=[],
        teams=Teams(default_team="care", teams={"care": Team(name="care", sink="desk")}),
        categories={},
        now=lambda: datetime.now(UTC),
    )
    ensure = {"name": "social", "connector": "mastodon", "side": "source", "mode": "observe"}
    store.run(lambda tx: connections.ensure(tx, **ensure, now=made.now()))
    yield made
    store.close()


def prove(hub: Hub, folder: Path, ask: Callable[[str], None] | None) -> Proved:
    """A round with short waits."""
    return proving.prove(
        hub,
        "social",
        folder,
        VERSIONS,
        sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
        ask=ask,
        told=lambda step: None,
    )


def test_a_network_is_proven_with_somebody_who_writes_and_replayed(
    hub: Hub, network: MastodonSandbox, tmp_path: Path
) -> None:
    """The answer is found, edited and deleted; nothing of ours stays; the recording tells the same."""

    def write(words: str) -> None:
        found = re.search(r'"(.+)"', words)
        assert found
        network.post("anna", found[1])

    proved = prove(hub, tmp_path, write)
    assert proved.ok, proved.report["steps"]
    states = {step["name"]: step["state"] for step in proved.report["steps"]}
    done = {"check_connection", "cursor", "customer_writes", "reply", "same_key_again", "edit", "delete"}
    assert {name for name, state in states.items() if state == "ok"} == done
    assert [post.text for post in network.posts() if post.own] == []
    assert list(tmp_path.glob("*.journal.json")) == []
    recording = Recording(json.loads(json.dumps(proved.recording)))
    replay = recording.replay()
    connector: Any = replay.connector(MastodonSource)
    journal = Journal.begin(None, connection="social", connector="mastodon", code=recording.code, at=replay.now())
    proof = Proof(
        connector, code=recording.code, now=replay.now, wait=replay.wait, journal=journal, ask=lambda words: None
    )
    proof.run(rounds.source_round)
    assert replay.differs == []
    assert [(step.name, step.state) for step in proof.steps] == recording.steps
    assert replay.left == []


def test_unattended_a_network_is_only_read(hub: Hub, network: MastodonSandbox, tmp_path: Path) -> None:
    """Nobody writes, so nothing is answered, and each skipped step says why."""
    proved = prove(hub, tmp_path, None)
    assert proved.ok
    assert not proved.report["proven"], "who only looks has proven nothing"
    states = {step["name"]: (step["state"], step["reason"]) for step in proved.report["steps"]}
    assert states["customer_writes"] == ("skipped", "--unattended")
    assert states["reply"] == ("skipped", "there is no message to answer")
    assert states["clean_up"] == ("skipped", "nothing was made")
    assert [post.text for post in network.posts() if post.own] == []
