"""A vendor's side of a connection (fields, queues, webhooks): looked at, made, taken back; secrets never show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from hub.flow.hub import Hub
from hub.sdk import ConnectorError, ReceivesWebhooks, SetsUp, SetupStep, Words
from hub.store import Tx, connections, consents

SHORTEST_SECRET = 4
"""A secret of fewer letters would blot out half of the words around it."""

Act = Literal["plan", "apply", "remove"]


class SetupFailed(Exception):
    """The vendor or the connector said no; the message is fit to be shown, as is ``summary``, what they said."""

    def __init__(self, kind: str, summary: str) -> None:
        self.summary = summary
        super().__init__(f"{kind}: {summary}")


@dataclass(frozen=True)
class Seen:
    """The plan as it was last seen."""

    steps: tuple[SetupStep, ...]
    at: datetime

    @property
    def missing(self) -> list[SetupStep]:
        """What is still to be done before it works."""
        return [step for step in self.steps if step.holds_up]


def set_up(hub: Hub, name: str, act: Act) -> list[SetupStep]:
    """Every step with its state, which is remembered; after ``remove``: what is left for a person. Raises
    :class:`SetupFailed`. The connector must be one that :class:`hub.sdk.SetsUp`."""
    connector: Any = hub.instance(name)
    assert isinstance(connector, SetsUp)  # noqa: S101 - the caller asked for its role
    address = webhook_url(hub, name)
    try:
        if act == "plan":
            steps = connector.plan_setup(address)
        else:  # two at once, in the console and a terminal, would both find nothing and make everything twice
            with hub.store.alone(f"setup:{name}"):
                steps = connector.apply_setup(address) if act == "apply" else connector.remove_setup()
    except ConnectorError as error:
        raise SetupFailed(type(error).__name__, without_secrets(hub, name, error.summary)) from error
    finally:
        calls = hub.calls(name).take()
        hub.store.run(lambda tx: connections.add_calls(tx, name, calls))
    shown = _shown(hub, name, steps)

    def unit(tx: Tx) -> None:
        now = hub.now()
        if act == "remove":
            consents.doubt_setup(tx, name, now=now)
            return
        # With an apply the webhook's secret may be another one: the calls before it prove nothing any more.
        known = connections.read_switch(tx.connection, f"setup:{name}") or {}
        since = now.timestamp() if act == "apply" else known.get("since")
        kept = [step.model_dump(mode="json") for step in shown]
        seen = {"steps": kept, "at": now.timestamp(), "since": since}
        connections.set_switch(tx, f"setup:{name}", seen, now=now)

    hub.store.run(unit)
    return shown


def last_seen(hub: Hub, name: str) -> Seen | None:
    """The plan as the last look showed it; ``None`` when nobody looked."""
    with hub.store.read() as connection:
        value = connections.read_switch(connection, f"setup:{name}")
    if not value or "steps" not in value:
        return None
    steps = tuple(SetupStep.model_validate(step) for step in value["steps"])
    return Seen(steps, datetime.fromtimestamp(value["at"], UTC))


def last_call(hub: Hub, name: str) -> datetime | None:
    """When the last signed call came to the webhook as it is set up now; ``None``: none came yet."""
    with hub.store.read() as connection:
        if name not in connections.names(connection):
            return None
        made_at = connections.get(connection, name).made_at
        since = (connections.read_switch(connection, f"setup:{name}") or {}).get("since") or 0
        return consents.last_call(connection, name, since=max(made_at, datetime.fromtimestamp(since, UTC)))


def webhook_url(hub: Hub, name: str) -> str:
    """Where the vendor may call; empty without a public address, and for a connector that takes no webhook."""
    takes = hub.connected[name].has(ReceivesWebhooks)
    return f"{hub.public_url}/hooks/{name}" if takes and hub.public_url else ""


def without_secrets(hub: Hub, name: str, text: str) -> str:
    """The text with the connection's secrets blotted out, should a plugin have let one slip in."""
    for secret in secrets_of(hub.connected[name].settings):
        text = text.replace(secret, "***")
    return text


def _shown(hub: Hub, name: str, steps: Sequence[SetupStep]) -> list[SetupStep]:
    def blotted(text: str | Words) -> str | Words:
        if isinstance(text, str):
            return without_secrets(hub, name, text)
        return Words(en=without_secrets(hub, name, text.en), it=without_secrets(hub, name, text.it))

    texts = ("title", "instructions", "stays")
    return [step.model_copy(update={key: blotted(getattr(step, key)) for key in texts}) for step in steps]


def secrets_of(value: Any) -> Iterator[str]:
    """Every secret among the settings, however deep."""
    if isinstance(value, SecretStr):
        if len(value.get_secret_value()) >= SHORTEST_SECRET:
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from secrets_of(getattr(value, key))
    elif isinstance(value, dict):
        yield from secrets_of(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from secrets_of(item)
