"""What RT needs before a connection works: REST 2 makes queues and custom fields; scrips, rights and tokens are made by
RT's administrator."""

from __future__ import annotations

from typing import Any

from hub.sdk import ConfigurationError, Refused, SetupStep
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.errors import GONE
from plugins.sinks.request_tracker.payloads import text_of
from plugins.sinks.request_tracker.scrip import bind_command, rights_command, scrip_instructions
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

Json = dict[str, Any]


def field_names(queue: Json) -> list[str]:
    """Names of the ticket custom fields a queue shows to our account."""
    rows = queue.get("TicketCustomFields")
    return [text_of(row.get("name")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def plan(
    client: RequestTrackerClient, settings: RequestTrackerSettings, connection: str, webhook_url: str
) -> list[SetupStep]:
    """Every step with its present state."""
    queue = _queue(client, settings.queue)
    steps = [SetupStep(title=f"queue {settings.queue}", state="missing" if queue is None else "done")]
    bound = {name.casefold() for name in field_names(queue or {})}
    for name in settings.custom_fields:
        title = f"custom field {name} on the queue {settings.queue}"
        if name.casefold() in bound:
            steps.append(SetupStep(title=title, state="done"))
        elif _elsewhere(client, name):
            text = "The field exists, but not on this queue or our account lacks SeeCustomField there. "
            text += bind_command(name, settings.queue)
            steps.append(SetupStep(title=title, state="missing", by="person", instructions=text))
        else:
            steps.append(SetupStep(title=title, state="missing"))
    steps.append(
        SetupStep(
            title="rights of our account",
            state="unknown",  # REST 2 tells nobody's rights
            by="person",
            instructions=rights_command(settings.user_id, settings.queue),
        )
    )
    if webhook_url:
        steps.append(
            SetupStep(
                title="scrip that tells the hub at once",
                state="unknown",  # REST 2 does not show scrips
                by="person",
                instructions=scrip_instructions(settings.user_id, connection, webhook_url),
            )
        )
    return steps


def apply(client: RequestTrackerClient, settings: RequestTrackerSettings, connection: str) -> None:
    """Make what is missing and can be made. A refusal becomes a ``ConfigurationError`` that names the right."""
    made_by = _mark(connection)
    try:
        queue = _queue(client, settings.queue)
        if queue is None:
            client.create_queue(settings.queue, description=made_by)
            queue = client.queue(settings.queue)
        bound = {name.casefold() for name in field_names(queue)}
        for name in settings.custom_fields:
            if name.casefold() not in bound and not _elsewhere(client, name):
                client.create_custom_field(
                    name, queue_id=text_of(queue["id"]), many=name == settings.tags_field, description=made_by
                )
    except Refused as error:
        raise ConfigurationError(
            "our RT account may not make queues or custom fields: give it AdminQueue and AdminCustomField for the "
            f"setup, or make them by hand ({error.summary})"
        ) from error


def remove(client: RequestTrackerClient, settings: RequestTrackerSettings, connection: str) -> list[SetupStep]:
    """Disable the custom fields that carry our mark; the rest is for a person."""
    for name in settings.custom_fields:
        for field in client.custom_fields_named(name):
            if field.get("Description") == _mark(connection):
                client.disable_custom_field(text_of(field["id"]))
    steps = [
        SetupStep(
            title="scrip that tells the hub",
            state="unknown",
            by="person",
            instructions=f"RT: Admin, Global, Scrips: disable 'Social Care Hub: {connection}', if it is there.",
        ),
        SetupStep(
            title="token and account",
            state="unknown",
            by="person",
            instructions="RT: revoke the token of our account and disable the account.",
        ),
    ]
    queue = _queue(client, settings.queue)
    if queue is not None and queue.get("Description") == _mark(connection):
        text = f"RT: disable the queue {settings.queue} when its tickets are no longer needed."
        steps.append(SetupStep(title=f"queue {settings.queue}", state="unknown", by="person", instructions=text))
    return steps


def _mark(connection: str) -> str:
    return f"Made by Social Care Hub for {connection}"


def _queue(client: RequestTrackerClient, name: str) -> Json | None:
    try:
        return client.queue(name)
    except Refused as error:
        if error.detail != GONE:
            raise
        return None


def _elsewhere(client: RequestTrackerClient, name: str) -> bool:
    return bool(client.custom_fields_named(name))
