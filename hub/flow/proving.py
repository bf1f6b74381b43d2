"""A proof at a configured connection: on the hub's own credentials, recorded, reported, and only where it may be."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.flow.hub import USER_AGENT, Hub
from hub.flow.prove import TEXT, Journal, Proof, Step
from hub.flow.recording import RecordingSession, RecordingVault, StandingClock
from hub.flow.rounds import sink_round, source_round
from hub.flow.set_up import secrets_of, without_secrets
from hub.sdk import CleansUp, DeletesReplies
from hub.sdk.redacting import Redactor, redacted_settings
from hub.store import connections, views

FORMAT = 1
KEPT_WORDS = (TEXT, "Social Care Hub", "test")
"""What the proof itself writes is nobody's name."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Versions:
    """Of the hub, and of the distribution that brings the connector."""

    hub: str
    plugin: str
    distribution: str


@dataclass
class Proved:
    """A round that is over: the report, and the recording to replay (``None`` for a mere clean-up)."""

    report: Json
    recording: Json | None

    @property
    def ok(self) -> bool:
        """True when nothing failed."""
        return bool(self.report["ok"])


def why_not(hub: Hub, name: str) -> str:
    """Why no proof may run here without a further word; empty when it may: a connection that answers customers has
    real tickets, and people who would see the test among them."""
    with hub.store.read() as connection:
        known = {row.name: row for row in connections.every(connection)}
        if name not in known or known[name].mode != "live":
            return ""
        real = views.outbox_rows(connection, state="done", name=name, limit=1)
    if not real:
        return ""
    return "it is in mode live and has real tickets"


def plan(hub: Hub, name: str, *, unattended: bool) -> list[str]:
    """What a round will do, before it does it."""
    one = hub.connected[name]
    if one.side == "sink":
        lines = [
            f'open one ticket, "{TEXT}", as a customer made for it',
            "add a comment and an internal note, read both back, and send the note again under its key",
            "redact the comment, set a tag and the status solved",
        ]
        if not unattended:
            lines.insert(2, "ask you to answer the ticket in the helpdesk")
    elif unattended:
        lines = ["read only: without somebody who writes to the account there is nothing to answer"]
    else:
        lines = ["ask you to write a line to the account", "answer it, and edit and delete the answer where it can"]
    tidies = one.has(CleansUp) or one.has(DeletesReplies)
    tidy = "delete all of it" if tidies else "tell you what to delete: its plugin cannot"
    return [*lines, f"at the end, whatever happens: {tidy}"]


def prove(
    hub: Hub,
    name: str,
    folder: Path,
    versions: Versions,
    *,
    sleep: Callable[[float], None],
    ask: Callable[[str], None] | None,
    told: Callable[[Step], None],
    code: str = "",
) -> Proved:
    """One round, with its clean-up. The journal lies in ``folder`` while something may be left."""
    code = code or secrets.token_hex(4)
    scene = _Scene(hub, name, sleep)
    began = scene.clock.now()
    path = folder / f"{name}-{code}.journal.json"
    kind = hub.connected[name].connector.name
    journal = Journal.begin(path, connection=name, connector=kind, code=code, at=began)
    proof = scene.proof(journal, ask=ask, told=told)
    try:
        proof.run(sink_round if hub.connected[name].side == "sink" else source_round)
    finally:
        report, recording = scene.outcome(proof, versions, began, unattended=ask is None)
    return Proved(report, recording)


def clean_up(
    hub: Hub,
    name: str,
    folder: Path,
    versions: Versions,
    *,
    sleep: Callable[[float], None],
    told: Callable[[Step], None],
) -> list[Proved]:
    """Delete what earlier rounds left, one outcome for each of their journals."""
    found = []
    for journal in Journal.of(folder, name):
        scene = _Scene(hub, name, sleep)
        began = scene.clock.now()
        proof = scene.proof(journal, ask=None, told=told)
        proof.clean_up()
        found.append(Proved(scene.outcome(proof, versions, began, unattended=True)[0], None))
    return found


class _Scene:
    """A connector of its own for one round, on a session that records."""

    def __init__(self, hub: Hub, name: str, sleep: Callable[[float], None]) -> None:
        self.hub, self.name = hub, name
        one = hub.connected[name]
        self.redactor = Redactor(secrets_of(one.settings), keep=KEPT_WORDS)
        self.clock = StandingClock(hub.now)
        self.is_live = bool(why_not(hub, name))
        self.http = RecordingSession(
            self.redactor,
            self.clock,
            user_agent=USER_AGENT,
            proxy=hub.proxy,
            ca_file=hub.ca_file,
            on_call=hub.calls(name).count,
        )
        made = hub.toolbox(name)
        self.vault = RecordingVault(made.vault, self.redactor)
        self.connector: Any = one.connector(
            one.settings, replace(made, http=self.http, vault=self.vault, now=self.clock.now)
        )
        self._sleep = sleep

    def wait(self, seconds: float) -> None:
        """Sleep, and look at the clock again."""
        self._sleep(seconds)
        self.clock.tick()

    def proof(self, journal: Journal, *, ask: Callable[[str], None] | None, told: Callable[[Step], None]) -> Proof:
        """The round."""
        code = str(journal.told["code"])
        return Proof(self.connector, code=code, now=self.clock.now, wait=self.wait, journal=journal, ask=ask, told=told)

    def outcome(self, proof: Proof, versions: Versions, began: datetime, *, unattended: bool) -> tuple[Json, Json]:
        """The report and the recording. Neither holds a secret; the report holds no name either."""
        hub, name, one = self.hub, self.name, self.hub.connected[self.name]
        calls = hub.calls(name).take()
        hub.store.run(lambda tx: connections.add_calls(tx, name, calls))
        for step in proof.steps:
            step.reason = self.redactor.text(without_secrets(hub, name, step.reason))
        head = {
            "format": FORMAT,
            "connection": name,
            "connector": one.connector.name,
            "side": one.side,
            "hub_version": versions.hub,
            "plugin_version": versions.plugin,
            "distribution": versions.distribution,
            "code": proof.code,
            "started_at": began.isoformat(),
            "ended_at": self.clock.now().isoformat(),
            "unattended": unattended,
            "ok": proof.ok,
            "proven": proof.proven,
            "steps": proof.as_told(),
        }
        recording = {
            "exchanges": self.redactor.again(self.http.exchanges),
            "settings": redacted_settings(one.settings, self.redactor),
            "vault": {key: found for key, found in self.vault.found.items() if found},
            "ticks": [one.isoformat() for one in self.clock.ticks],
            "keep": list(KEPT_WORDS),
        }
        return {**head, "live_account": self.is_live, "calls": calls}, {**head, **recording}
