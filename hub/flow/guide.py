"""The guide a person follows before the hub can connect; shown already while settings are missing."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from hub.configuration import Connection
from hub.flow.hub import Hub
from hub.flow.set_up import webhook_url
from hub.sdk import Connector, Guide, Guides, ReceivesWebhooks, TokenState
from hub.sdk.connecting import HoldsTokens

log = logging.getLogger("hub.guide")

CALLBACK = "/connect/callback"


def guide(hub: Hub, name: str, language: str, *, redirect_url: str) -> Guide | None:
    """What to register at the vendor and why; ``None`` when the connector has no guide."""
    one = hub.connected[name]
    if not one.has(Guides):
        return None
    return _ask(hub.instance(name), language, redirect_url=redirect_url, webhook_url=webhook_url(hub, name))


def guide_unfinished(
    hub: Hub, connector: type[Connector], block: Connection, language: str, *, redirect_url: str
) -> Guide | None:
    """As :func:`guide`, for a connection whose settings are not complete: those that are missing stand there in
    capitals. ``None`` also when the guide cannot do without them."""
    if not issubclass(connector, Guides):
        return None
    made = connector(unfinished(connector.Settings, dict(block.settings)), hub.toolbox(block.name))
    takes = issubclass(connector, ReceivesWebhooks) and hub.public_url
    address = f"{hub.public_url}/hooks/{block.name}" if takes else ""
    try:
        return _ask(made, language, redirect_url=redirect_url, webhook_url=address)
    except Exception:  # what it misses is told beside it
        log.info("%s has no guide before its settings are complete", block.name, exc_info=True)
        return None


def tokens(hub: Hub, name: str) -> list[TokenState]:
    """The connection's credentials that end, as they are now; empty when there are none."""
    connector: Any = hub.instance(name)
    return list(connector.tokens()) if isinstance(connector, HoldsTokens) else []


def unfinished(model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    """The settings as far as they are there and right; what is needed and missing is its own name in capitals."""
    found: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        given = values.get(field.alias or key)
        stand_in = key.upper() if field.is_required() else None
        for candidate in (given, stand_in, *(field.examples or ())):
            if candidate is None:
                continue
            try:
                wanted: Any = Annotated[field.annotation, field]
                found[key] = TypeAdapter(wanted).validate_python(candidate)
            except ValidationError:
                continue
            break
    return model.model_construct(**found)


def _ask(connector: Any, language: str, *, redirect_url: str, webhook_url: str) -> Guide:
    shown: Guide = connector.guide(language, redirect_url=redirect_url, webhook_url=webhook_url)
    return shown
