"""Connect by consent: a person says yes on the vendor's page, and comes back once, in time, for the same account.

What a consent brings is staged, and reaches the vault only when the vendor has said whose account it is. So a refused
or half-done attempt, and one for another account, leaves a working connection as it was.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import TypeAdapter

from hub.flow import check, retry
from hub.flow.hub import Hub
from hub.flow.set_up import without_secrets
from hub.sdk import AsksConsent, Choice, Connector, ConnectorError, Vault
from hub.store import Row, Tx, connections, consents

log = logging.getLogger("hub.connect")

LASTS = timedelta(minutes=30)
OVERTAKEN = "the connection was removed, or connected by another consent, before this one was through; nothing was kept"

Why = Literal["unknown", "used", "expired"]
Outcome = Literal["waiting", "expired", "asking", "choose", "other_account", "done", "refused", "failed"]

_CHOICES: TypeAdapter[tuple[Choice, ...]] = TypeAdapter(tuple[Choice, ...])

REFUSALS = {
    "access_denied": "the person said no on the vendor's page, or may not say yes for this account",
    "invalid_scope": "the vendor does not know a permission that was asked for: compare them with the guide",
    "unauthorized_client": "the vendor does not let this application ask: look at its registration there",
    "invalid_request": "the vendor did not understand the question: compare the registration with the guide",
    "unsupported_response_type": "the registration at the vendor is of a kind that cannot ask a person",
    "server_error": "the vendor had an error of its own: try again later",
    "temporarily_unavailable": "the vendor cannot answer now: try again later",
    "no_code": "the vendor's page sent nothing back: start again",
}
"""The vendor's page says no with one of RFC 6749's words."""


class ConsentOver(Exception):
    """A state (or link) that counts no longer: ``why`` is ``unknown``, ``used`` or ``expired``."""

    def __init__(self, why: Why) -> None:
        self.why = why
        super().__init__(
            {
                "unknown": "this address is not of a connection that was started here",
                "used": "this address was used already: start again",
                "expired": "this took more than 30 minutes: start again",
            }[why]
        )


class NoConsentNeeded(Exception):
    """The connector has no consent to ask for: its credentials are settings."""


@dataclass(frozen=True)
class Started:
    """A person may go to ``url`` until ``expires_at``; ``number`` is the consent's name."""

    number: str
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class Standing:
    """How a consent stands. ``detail``: who the other account is, or why it was refused or failed."""

    number: str
    connection: str
    outcome: Outcome
    detail: str
    choices: tuple[Choice, ...]
    actor: str
    created_at: datetime
    expires_at: datetime


def start(hub: Hub, name: str, *, redirect_url: str, actor: str) -> Started:
    """Begin: the address of the vendor's page for a person's browser, good for 30 minutes.

    Raises :class:`NoConsentNeeded`, and ``ConfigurationError`` from the connector.
    """
    connector = _asking(hub.instance(name))
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    url = connector.consent_url(redirect_url=redirect_url, state=state, challenge=challenge)
    one, now = hub.connected[name], hub.now()

    def unit(tx: Tx) -> str:
        side, mode = one.side, one.config.mode
        connections.ensure(tx, name=name, connector=one.connector.name, side=side, mode=mode, now=now)
        connections.write_audit(tx, actor=actor, action="connect", object_=name, now=now)
        return consents.begin(
            tx,
            state,
            kind="consent",
            connection=name,
            actor=actor,
            now=now,
            until=now + LASTS,
            redirect_url=redirect_url,
            verifier=hub.cipher.encrypt(verifier),
        )

    return Started(hub.store.run(unit), url, now + LASTS)


def finish(hub: Hub, state: str, *, code: str = "", error: str = "", description: str = "") -> Standing:
    """The person came back. Counts once and within 30 minutes, else raises :class:`ConsentOver`.

    What went wrong afterwards is the outcome, not an exception; the connection is as it was then.
    """
    number = consents.digest(state)
    with hub.store.read() as connection:  # strangers may call this: a guess costs them no write of ours
        known = consents.find(connection, number)
    row = known and hub.store.run(lambda tx: consents.use_up(tx, number, now=hub.now()))
    if row is None:
        raise ConsentOver(_why_over(hub, number))
    if error or not code:
        told = f"{error or 'no_code'}: {description}" if description else error or "no_code"
        return _settle(hub, number, outcome="refused", detail=_plain(told))
    if row.connection not in hub.connected:
        return _settle(hub, number, outcome="failed", detail="the hub that runs does not have this connection yet")
    name = row.connection
    vault = StagedVault(hub.toolbox(name).vault, hub.now)
    connector = _staged(hub, name, vault)

    def exchange() -> Standing:
        verifier = hub.cipher.decrypt(row.verifier)
        choices = _asking(connector).accept_consent(redirect_url=row.redirect_url, code=code, verifier=verifier)
        if len(choices) < 2:
            return _keep(hub, row, connector, vault)
        # Always asked, also when it was asked before: an account added since would be left out in silence otherwise.
        shown = [choice.model_dump(mode="json") for choice in choices]
        until = hub.now() + LASTS
        return _settle(hub, number, outcome="choose", staged=vault.sealed(hub), choices=shown, expires_at=until)

    return _told(hub, row, exchange)


def choose(hub: Hub, number: str, choice: str) -> Standing:
    """Keep to one of the accounts the consent covers. Raises :class:`ConsentOver`, and ``KeyError`` for another one."""
    row = _staged_row(hub, number, "choose")
    if choice not in {one.id for one in _CHOICES.validate_python(row.choices or ())}:
        raise KeyError(choice)
    vault = StagedVault(hub.toolbox(row.connection).vault, hub.now, hub.decrypt_json(row.staged))
    connector = _staged(hub, row.connection, vault)

    def keep() -> Standing:
        _asking(connector).choose(choice)
        return _keep(hub, row, connector, vault)

    return _told(hub, row, keep)


def accept_other(hub: Hub, number: str, *, actor: str) -> Standing:
    """Take the other account's tokens after all. The connection is paused then, its queue kept, until a person resumes
    it (:func:`hub.flow.control.resume`): that accepts the account. Raises :class:`ConsentOver`."""
    row = _staged_row(hub, number, "other_account")
    vault = StagedVault(hub.toolbox(row.connection).vault, hub.now, hub.decrypt_json(row.staged))
    connector = _staged(hub, row.connection, vault)
    hub.store.run(
        lambda tx: connections.write_audit(
            tx, actor=actor, action="connect_other", object_=row.connection, now=hub.now(), account=row.detail
        )
    )
    return _told(hub, row, lambda: _keep(hub, row, connector, vault, accepted=True))


def standing(hub: Hub, number: str) -> Standing:
    """How a consent stands now. Raises :class:`ConsentOver` when there is no such one."""
    with hub.store.read() as connection:
        row = consents.find(connection, number)
    if row is None:
        raise ConsentOver("unknown")
    return _standing(hub, row)


def latest(hub: Hub, name: str) -> Standing | None:
    """How the newest consent of a connection stands."""
    with hub.store.read() as connection:
        row = consents.latest(connection, name)
    return None if row is None else _standing(hub, row)


def make_link(hub: Hub, name: str, *, actor: str) -> str:
    """A secret by which, for 30 minutes, somebody without a login sees the guide and may go to the vendor's page."""
    secret, now = secrets.token_urlsafe(32), hub.now()

    def unit(tx: Tx) -> None:
        consents.begin(tx, secret, kind="link", connection=name, actor=actor, now=now, until=now + LASTS)
        connections.write_audit(tx, actor=actor, action="connect_link", object_=name, now=now)

    hub.store.run(unit)
    return secret


def linked(hub: Hub, secret: str) -> tuple[str, str]:
    """The connection a link is for, and who made it. Raises :class:`ConsentOver`."""
    with hub.store.read() as connection:
        row = consents.find(connection, consents.digest(secret), kind="link")
    if row is None:
        raise ConsentOver("unknown")
    if row.expires_at <= hub.now():
        raise ConsentOver("expired")
    return row.connection, row.actor


def withdraw(hub: Hub, name: str) -> None:
    """End what is under way for a connection, links too."""
    hub.store.run(lambda tx: consents.withdraw(tx, name, now=hub.now()))


class StagedVault:
    """A vault whose writes wait in memory. Reads see them, and the real vault beneath."""

    def __init__(self, below: Vault, now: Callable[[], datetime], values: Mapping[str, Any] | None = None) -> None:
        self._below = below
        self._now = now
        self._values: dict[str, tuple[str, datetime | None] | None] = {
            name: None if value is None else (value[0], datetime.fromisoformat(value[1]) if value[1] else None)
            for name, value in (values or {}).items()
        }

    def read(self, name: str) -> str | None:
        """The staged value, else the stored one."""
        if name not in self._values:
            return self._below.read(name)
        staged = self._values[name]
        return staged and staged[0]

    def write(self, name: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Stage a value."""
        self._values[name] = (value, expires_at)

    def expires_at(self, name: str) -> datetime | None:
        """When the value ends."""
        if name not in self._values:
            return self._below.expires_at(name)
        staged = self._values[name]
        return staged and staged[1]

    def forget(self, name: str) -> None:
        """Stage a deletion."""
        self._values[name] = None

    def refresh(self, name: str, stale: str | None, renew: Callable[[], tuple[str, timedelta | None]]) -> str:
        """As :meth:`hub.sdk.Vault.refresh`; nobody else knows what is staged."""
        current = self.read(name)
        if current is not None and current != stale:
            return current
        value, lifetime = renew()
        self.write(name, value, expires_at=None if lifetime is None else self._now() + lifetime)
        return value

    def sealed(self, hub: Hub) -> str:
        """All of it, encrypted, to be gone on with in another process."""
        told = {
            name: None if value is None else [value[0], value[1].isoformat() if value[1] else None]
            for name, value in self._values.items()
        }
        return hub.cipher.encrypt(json.dumps(told))

    def encrypted(self, hub: Hub) -> dict[str, tuple[str, datetime | None] | None]:
        """Each value as the real vault stores it."""
        return {
            name: None if value is None else (hub.cipher.encrypt(value[0]), value[1])
            for name, value in self._values.items()
        }


def _asking(connector: Connector) -> AsksConsent:
    if not isinstance(connector, AsksConsent):
        raise NoConsentNeeded(f"{connector.display_name} asks for no consent: its credentials are settings")
    return connector


def _staged(hub: Hub, name: str, vault: StagedVault) -> Connector:
    one = hub.connected[name]
    return one.connector(one.settings, replace(hub.toolbox(name), vault=vault))


def _staged_row(hub: Hub, number: str, outcome: str) -> Row[Any]:
    with hub.store.read() as connection:
        row = consents.find(connection, number)
    if row is None or row.connection not in hub.connected:
        raise ConsentOver("unknown")
    if row.outcome != outcome:
        raise ConsentOver("used")
    if row.staged is None or row.expires_at <= hub.now():
        raise ConsentOver("expired")
    return row


def _keep(hub: Hub, row: Row[Any], connector: Connector, vault: StagedVault, *, accepted: bool = False) -> Standing:
    """Ask the vendor whose account this is; into the vault with the tokens when it is the one we know."""
    name, account = row.connection, connector.check_connection()
    values, staged, calls = vault.encrypted(hub), vault.sealed(hub), hub.calls(name).take()
    called = account.handle or account.display_name or account.id or account.fingerprint
    shown = _plain(f"{called} ({account.fingerprint})")

    def unit(tx: Tx) -> bool:
        now, known = hub.now(), connections.get(tx.connection, name)
        connections.add_calls(tx, name, calls)
        asked = consents.find(tx.connection, row.state)
        if asked is None or asked.expires_at != row.expires_at:  # withdrawn while the vendor was asked
            consents.settle(tx, row.state, outcome="failed", detail=OVERTAKEN, staged=None)
            return False
        is_other = known.fingerprint not in ("", account.fingerprint)
        if is_other and not accepted:
            until = now + LASTS
            consents.settle(tx, row.state, outcome="other_account", detail=shown, staged=staged, expires_at=until)
            return False
        if is_other:  # in one commit with the tokens: nothing is said from that account before a person resumes
            text = check.another_account(known.fingerprint, account.fingerprint)
            connections.pause(tx, name, reason=text, by="hub", now=now)
            connections.open_alarm(tx, name, "another_account", text=text, now=now)
        consents.keep(tx, name, values, now=now)
        consents.settle(tx, row.state, outcome="done", detail=shown, staged=None)
        consents.withdraw(tx, name, now=now, but=row.state)
        connections.change(tx, name, gone=False)
        consents.doubt_setup(tx, name, now=now)
        if known.paused == retry.REMOVED and not is_other:
            connections.resume(tx, name, now=now)
        connections.write_audit(tx, actor=row.actor, action="connected", object_=name, now=now, account=shown)
        return True

    if hub.store.run(unit):
        check.check_quietly(hub, name)  # from the vault this time; what was paused for its login goes on
        hub.nudge(name)
    return standing(hub, row.state)


def _told(hub: Hub, row: Row[Any], step: Callable[[], Standing]) -> Standing:
    """The step's standing, or what went wrong in it."""
    name = row.connection
    try:
        return step()
    except NoConsentNeeded as error:
        told = str(error)
    except ConnectorError as error:
        told = f"{type(error).__name__}: {error.summary}"
    except Exception as error:
        log.exception("connecting %s failed unexpectedly", name)
        told = f"unexpected: {type(error).__name__}; the hub's log says more"
    calls = hub.calls(name).take()
    hub.store.run(lambda tx: connections.add_calls(tx, name, calls))
    return _settle(hub, row.state, outcome="failed", detail=_plain(without_secrets(hub, name, told)), staged=None)


def _settle(hub: Hub, number: str, *, outcome: Outcome, **values: Any) -> Standing:
    hub.store.run(lambda tx: consents.settle(tx, number, outcome=outcome, **values))
    return standing(hub, number)


def _standing(hub: Hub, row: Row[Any]) -> Standing:
    over = row.expires_at <= hub.now()
    outcome: Outcome = row.outcome or ("asking" if row.done_at else "waiting")
    choices: Sequence[Choice] = _CHOICES.validate_python(row.choices or ())
    return Standing(
        number=row.state,
        connection=row.connection,
        outcome="expired" if over and outcome not in ("done", "refused", "failed") else outcome,
        detail=row.detail,
        choices=tuple(choices),
        actor=row.actor,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _why_over(hub: Hub, number: str) -> Why:
    with hub.store.read() as connection:
        row = consents.find(connection, number)
    if row is None:
        return "unknown"
    return "used" if row.done_at else "expired"


def _plain(text: str) -> str:
    """What came in an address or from a vendor, fit for a log and a screen."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:300]
