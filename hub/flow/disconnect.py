"""Remove a connection: take back only what the hub made itself, forget its tokens, keep its history."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from hub.flow.hub import Hub
from hub.flow.retry import REMOVED
from hub.flow.set_up import SetupFailed, last_seen, set_up, without_secrets
from hub.sdk import ConnectorError, HoldsTokens, SetsUp, SetupStep, Words, in_language
from hub.store import Tx, connections, consents, views

log = logging.getLogger("hub.disconnect")


@dataclass
class Removal:
    """What was done, or would be. ``stays`` is what taking back leaves of what the hub made, ``left`` what a person
    removes at the vendor; ``waiting`` events and deliveries stay in the hub as they are."""

    done: list[str | Words] = field(default_factory=list)
    stays: list[str | Words] = field(default_factory=list)
    left: list[str | Words] = field(default_factory=list)
    waiting: int = 0

    def in_language(self, language: str) -> dict[str, Any]:
        """All of it as plain texts."""
        told = {name: [in_language(one, language) for one in getattr(self, name)] for name in ("done", "stays", "left")}
        return {**told, "waiting": self.waiting}


def plan_removal(hub: Hub, name: str) -> Removal:
    """What :func:`remove` would do now. Reads only."""
    plan = Removal(waiting=_waiting(hub, name))
    connector: Any = hub.instance(name) if name in hub.connected else None
    if connector is None:
        plan.left.append(_CANNOT_LOOK)
    if isinstance(connector, SetsUp):
        try:
            steps = set_up(hub, name, "plan")
        except SetupFailed as error:
            plan.left.append(_unseen(error.summary))
        except Exception as error:  # a bug of the plugin must not keep a connection alive
            log.exception("what was set up for %s cannot be seen", name)
            plan.left.append(_unseen(type(error).__name__))
        else:
            ours = _made(steps)
            plan.done += [_around("take back: ", "toglie: ", step.title) for step in ours if not step.stays]
            plan.stays = _staying(ours)
            plan.left += [step.title for step in steps if step.by == "person" and step.state == "done"]
    plan.left += _not_by_consent(hub, name)
    with hub.store.read() as connection:
        names = ", ".join(consents.vault_names(connection, name))
    if names and isinstance(connector, HoldsTokens):
        plan.done.append(Words(en=f"revoke and forget: {names}", it=f"revoca e dimentica: {names}"))
    elif names:
        plan.done.append(Words(en=f"forget: {names}", it=f"dimentica: {names}"))
    plan.done.append(
        Words(en="stop reading and sending; keep the history", it="smette di leggere e inviare; conserva la storia")
    )
    plan.done += _cut_off(hub, name)
    return plan


def remove(hub: Hub, name: str, *, actor: str) -> Removal:
    """Do it. What the vendor does not let happen is in ``left``; the hub's own side is done in any case, and twice does
    no more than once. A block that stays in hub.toml stays paused until somebody connects it again."""
    removal = Removal(waiting=_waiting(hub, name))
    now = hub.now()
    # First of all: nothing may be read or sent with credentials that are about to end.
    hub.store.run(
        lambda tx: connections.change(tx, name, paused=REMOVED, paused_by=actor, paused_at=now, next_poll_at=None)
    )
    if name in hub.connected:
        _take_back(hub, name, removal)
        _revoke(hub, name, removal)
    else:
        removal.left.append(_CANNOT_LOOK)
    removal.left += _not_by_consent(hub, name)

    def unit(tx: Tx) -> int:
        forgotten = consents.empty_vault(tx, name)
        consents.withdraw(tx, name, now=now)
        connections.change(tx, name, gone=True)
        connections.drop_alarms(tx, name, now=now)
        connections.set_switch(tx, f"setup:{name}", None, now=now)
        left = removal.in_language(hub.language)["left"]
        connections.write_audit(tx, actor=actor, action="remove_connection", object_=name, now=now, left=left)
        return forgotten

    forgotten = hub.store.run(unit)
    if forgotten:
        removal.done.append(
            Words(en=f"forgot {forgotten} stored value(s)", it=f"ha dimenticato i valori conservati: {forgotten}")
        )
    removal.done.append(
        Words(
            en="stopped reading and sending; the history is kept",
            it="ha smesso di leggere e inviare; la storia è conservata",
        )
    )
    removal.done += _cut_off(hub, name)
    return removal


def _take_back(hub: Hub, name: str, removal: Removal) -> None:
    if not hub.connected[name].has(SetsUp):
        return
    seen = last_seen(hub, name)
    left: list[SetupStep] = []
    try:
        left = set_up(hub, name, "remove")
    except SetupFailed as error:
        removal.left.append(
            Words(
                en=f"what the hub set up there (“{error.summary}”): run this again when it works, or remove it there",
                it=f"ciò che l'hub ha preparato lì («{error.summary}»): ripeti quando è risolto, oppure toglilo lì",
            )
        )
    except Exception as error:  # as above
        log.exception("taking back what was set up for %s failed unexpectedly", name)
        kind = type(error).__name__
        removal.left.append(
            Words(
                en=f"what the hub set up there (unexpected: {kind})",
                it=f"ciò che l'hub ha preparato lì (inatteso: {kind})",
            )
        )
    else:
        removal.done.append(
            Words(en="took back what the hub had set up there", it="ha tolto ciò che l'hub aveva preparato lì")
        )
        removal.stays = _staying(_made(seen.steps)) if seen else []
        removal.left += [step.title for step in left]


def _revoke(hub: Hub, name: str, removal: Removal) -> None:
    connector: Any = hub.instance(name)
    if not isinstance(connector, HoldsTokens):
        return
    try:
        connector.forget_tokens()
    except ConnectorError as error:
        told = without_secrets(hub, name, error.summary)
        removal.left.append(
            Words(
                en=f"the hub's permission at the vendor could not be revoked (“{told}”): revoke it there",
                it=f"il permesso dell'hub presso il fornitore non si è potuto revocare («{told}»): revocalo lì",
            )
        )
    except Exception as error:  # as above
        log.exception("revoking the tokens of %s failed unexpectedly", name)
        kind = type(error).__name__
        removal.left.append(
            Words(
                en=f"the hub's permission at the vendor (unexpected: {kind}): revoke it there",
                it=f"il permesso dell'hub presso il fornitore (inatteso: {kind}): revocalo lì",
            )
        )
    else:
        removal.done.append(Words(en="revoked its tokens", it="ha revocato i suoi token"))
    calls = hub.calls(name).take()
    hub.store.run(lambda tx: connections.add_calls(tx, name, calls))


_CANNOT_LOOK = Words(
    en="what the hub set up there, if it did: it does not run this connection, so it cannot look",
    it="ciò che l'hub ha preparato lì, se l'ha fatto: il collegamento non è attivo e l'hub non può guardare",
)


def _unseen(why: str) -> Words:
    return Words(
        en=f"what the hub set up there cannot be seen now (“{why}”)",
        it=f"ora non si vede che cosa l'hub ha preparato lì («{why}»)",
    )


def _made(steps: Sequence[SetupStep]) -> list[SetupStep]:
    """What of a plan the hub made, as far as it is seen."""
    return [step for step in steps if step.by == "hub" and step.state != "missing"]


def _staying(steps: Sequence[SetupStep]) -> list[str | Words]:
    return [_joined(step.title, step.stays) for step in steps if step.stays]


def _joined(title: str | Words, stays: str | Words) -> Words:
    en, it = (f"{in_language(title, each)}: {in_language(stays, each)}" for each in ("en", "it"))
    return Words(en=en, it=it)


def _around(en: str, it: str, title: str | Words) -> Words:
    return Words(en=en + in_language(title, "en"), it=it + in_language(title, "it"))


def _not_by_consent(hub: Hub, name: str) -> list[str | Words]:
    """The credentials of the settings: they open the vendor's door until a person revokes them there."""
    one = hub.connected.get(name)
    if one is None or one.settings is None:
        return []
    vendor = one.connector.display_name
    return [
        Words(
            en=f"revoke {key} at {vendor}: the hub did not get it by consent, it works until then",
            it=f"revoca {key} presso {vendor}: l'hub non l'ha avuto per consenso, fino ad allora vale",
        )
        for key in type(one.settings).model_fields
        if key not in _NO_WAY_IN and isinstance(getattr(one.settings, key), SecretStr)
    ]


_NO_WAY_IN = ("client_secret",)
"""An application's own secret (RFC 6749) opens nothing without a token, and those are revoked."""


def _cut_off(hub: Hub, name: str) -> list[str | Words]:
    with hub.store.read() as connection:
        tickets = connections.open_tickets(connection, name)
    if not tickets:
        return []
    return [
        Words(
            en=f"{tickets} open ticket(s) lose their way out: what is answered there reaches nobody",
            it=f"restano senza via d'uscita i ticket aperti ({tickets}): ciò che vi si risponde non arriva a nessuno",
        )
    ]


def _waiting(hub: Hub, name: str) -> int:
    with hub.store.read() as connection:
        rows = views.overview(connection, hub.now())
    return sum(row.backlog + row.parked for row in rows if row.name == name)
