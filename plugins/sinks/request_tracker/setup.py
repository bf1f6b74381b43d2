"""What RT needs before a connection works: REST 2 makes queues and custom fields; scrips, rights and tokens are made by
RT's administrator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hub.sdk import AgentState, ConfigurationError, Refused, SetupStep, Toolbox, Words
from plugins.sinks.request_tracker import categories
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.errors import GONE
from plugins.sinks.request_tracker.payloads import id_of, text_of
from plugins.sinks.request_tracker.scrip import bind_command, rights_command, scrip_instructions
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

_FIELD_STAYS = Words(
    en="If the hub made it, it is disabled; its values stay in RT.",
    it="Se l'ha creato l'hub, viene disattivato; i suoi valori restano in RT.",
)
_QUEUE_STAYS = Words(
    en="It stays, with its tickets: a person disables it in RT.",
    it="Resta, con i suoi ticket: la disattiva una persona in RT.",
)

Json = dict[str, Any]


def field_names(queue: Json) -> list[str]:
    """Names of the ticket custom fields a queue shows to our account."""
    rows = queue.get("TicketCustomFields")
    return [text_of(row.get("name")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def plan(
    client: RequestTrackerClient,
    settings: RequestTrackerSettings,
    toolbox: Toolbox,
    webhook_url: str,
    agents: Callable[[], Sequence[AgentState]],
) -> list[SetupStep]:
    """Every step with its present state. ``agents`` tells who may be given tickets."""
    queue = _queue(client, settings.queue)
    steps = [
        SetupStep(title=_queue_title(settings), state="missing" if queue is None else "done", stays=_QUEUE_STAYS),
        *(_field(client, settings, name, field_names(queue or {})) for name in settings.custom_fields),
        *_values(client, settings, toolbox),
        *(_team_queue(client, settings, name) for name in _queues(settings, toolbox)[1:]),
    ]
    rights = rights_command(settings, _queues(settings, toolbox))
    steps.append(
        SetupStep(
            title=Words(en="rights of our account", it="diritti del nostro account"),
            state="unknown",  # REST 2 tells nobody's rights
            by="person",
            instructions=rights,
        )
    )
    if settings.assign == "agent":
        steps.append(_people(agents))
    if webhook_url:
        steps.append(
            SetupStep(
                title=Words(en="scrip that tells the hub at once", it="scrip che avvisa subito l'hub"),
                state="unknown",  # REST 2 does not show scrips
                by="person",
                instructions=scrip_instructions(settings.user_id, toolbox.connection, webhook_url),
            )
        )
    return steps


def _field(client: RequestTrackerClient, settings: RequestTrackerSettings, name: str, bound: list[str]) -> SetupStep:
    title = Words(
        en=f"custom field {name} on the queue {settings.queue}",
        it=f"campo personalizzato {name} sulla coda {settings.queue}",
    )
    if name.casefold() in map(str.casefold, bound):
        return SetupStep(title=title, state="done", stays=_FIELD_STAYS)
    if client.custom_fields_named(name):
        instructions = bind_command(name, settings.queue)
        return SetupStep(title=title, state="missing", by="person", instructions=instructions)
    return SetupStep(title=title, state="missing", stays=_FIELD_STAYS)


def _team_queue(client: RequestTrackerClient, settings: RequestTrackerSettings, name: str) -> SetupStep:
    """A team's queue: a ticket that is moved to one without our custom fields is lost from sight."""
    title = Words(en=f"custom fields on the team's queue {name}", it=f"campi personalizzati sulla coda {name}")
    try:
        bound = {field.casefold() for field in field_names(client.queue(name))}
    except Refused as error:
        text = Words(
            en=f"teams.toml names the queue {name}, and RT does not show it to us: {error.summary}.",
            it=f"teams.toml nomina la coda {name}, e RT non ce la mostra: {error.summary}.",
        )
        return SetupStep(title=title, state="missing", by="person", instructions=text)
    commands = [bind_command(field, name) for field in settings.custom_fields if field.casefold() not in bound]
    if not commands:
        return SetupStep(title=title, state="done", by="person")
    text = Words(en="\n".join(one.en for one in commands), it="\n".join(one.it for one in commands))
    return SetupStep(title=title, state="missing", by="person", instructions=text)


def _values(client: RequestTrackerClient, settings: RequestTrackerSettings, toolbox: Toolbox) -> list[SetupStep]:
    """The categories a list must offer; none for a field of free text, and for one that is still to be made."""
    offered = categories.offered(client, settings) if settings.category_field else None
    if offered is None:
        return []
    field, missing = settings.category_field, _lacking(settings, toolbox, offered)
    title = Words(en=f"categories in the list {field}", it=f"categorie nell'elenco {field}")
    if not missing:
        return [SetupStep(title=title, state="done", stays=_FIELD_STAYS)]
    if _ours(client, field, toolbox.connection):
        return [SetupStep(title=title, state="missing", stays=_FIELD_STAYS)]
    text = Words(
        en=f"In RT: Admin, Custom Fields, {field}: add the values {', '.join(missing)}. Without them RT does not take "
        "these categories.",
        it=f"In RT: Amministrazione, Campi personalizzati, {field}: aggiungere i valori {', '.join(missing)}. Senza, "
        "RT non accetta queste categorie.",
    )
    return [SetupStep(title=title, state="missing", by="person", instructions=text, optional=True)]


def _people(agents: Callable[[], Sequence[AgentState]]) -> SetupStep:
    title = Words(en="people who are given tickets (AdminCc)", it="persone a cui assegnare i ticket (AdminCc)")
    try:
        agents()
    except Refused as error:
        text = Words(
            en=f"Tickets go to teams (queues) only: {error.summary}.",
            it=f"I ticket vanno solo ai gruppi (code): {error.summary}.",
        )
        return SetupStep(title=title, state="missing", by="person", instructions=text, optional=True)
    return SetupStep(title=title, state="done", by="person")


def apply(client: RequestTrackerClient, settings: RequestTrackerSettings, toolbox: Toolbox) -> None:
    """Make what is missing and can be made. A refusal becomes a ``ConfigurationError`` that names the right."""
    made_by = _mark(toolbox.connection)
    try:
        queue = _queue(client, settings.queue)
        if queue is None:
            client.create_queue(settings.queue, description=made_by)
            queue = client.queue(settings.queue)
        bound = {name.casefold() for name in field_names(queue)}
        for name in settings.custom_fields:
            if name.casefold() not in bound and not client.custom_fields_named(name):
                client.create_custom_field(
                    name,
                    queue_id=text_of(queue["id"]),
                    many=name == settings.tags_field,
                    description=made_by,
                    values=_lacking(settings, toolbox, ()) if name == settings.category_field else (),
                )
        for field in _ours(client, settings.category_field, toolbox.connection) if settings.category_field else ():
            there = client.offered_values(id_of(field))
            if there is not None:
                client.offer_values(id_of(field), _lacking(settings, toolbox, there))
    except Refused as error:
        raise ConfigurationError(
            "our RT account may not make queues or custom fields: give it AdminQueue and AdminCustomField for the "
            f"setup, or make them by hand ({error.summary})"
        ) from error


def remove(client: RequestTrackerClient, settings: RequestTrackerSettings, connection: str) -> list[SetupStep]:
    """Disable the custom fields that carry our mark; the rest is for a person."""
    for name in settings.custom_fields:
        for field in _ours(client, name, connection):
            client.disable_custom_field(text_of(field["id"]))
    steps = [
        SetupStep(
            title=Words(en="scrip that tells the hub", it="scrip che avvisa l'hub"),
            state="unknown",
            by="person",
            instructions=Words(
                en=f"RT: Admin, Global, Scrips: disable 'Social Care Hub: {connection}', if it is there.",
                it=f"RT: Amministrazione, Globale, Scrip: disattivare 'Social Care Hub: {connection}', se c'è.",
            ),
        ),
        SetupStep(
            title=Words(en="token and account", it="token e account"),
            state="unknown",
            by="person",
            instructions=Words(
                en="RT: revoke the token of our account and disable the account.",
                it="RT: revocare il token del nostro account e disattivare l'account.",
            ),
        ),
    ]
    queue = _queue(client, settings.queue)
    if queue is not None and queue.get("Description") == _mark(connection):
        text = Words(
            en=f"RT: disable the queue {settings.queue} when its tickets are no longer needed.",
            it=f"RT: disattivare la coda {settings.queue} quando i suoi ticket non servono più.",
        )
        steps.append(SetupStep(title=_queue_title(settings), state="unknown", by="person", instructions=text))
    return steps


def _queue_title(settings: RequestTrackerSettings) -> Words:
    return Words(en=f"queue {settings.queue}", it=f"coda {settings.queue}")


def _queues(settings: RequestTrackerSettings, toolbox: Toolbox) -> list[str]:
    """The queues tickets are put into: the connection's first, then those of teams."""
    teams = toolbox.house.groups if settings.assign in ("group", "agent") else ()
    own = settings.queue.casefold()
    return [settings.queue, *{name.casefold(): name for name in teams if name.casefold() != own}.values()]


def _lacking(settings: RequestTrackerSettings, toolbox: Toolbox, offered: Sequence[str]) -> list[str]:
    return categories.lacking(toolbox.house, offered, settings.agent_language)


def _mark(connection: str) -> str:
    return f"Made by Social Care Hub for {connection}"


def _ours(client: RequestTrackerClient, name: str, connection: str) -> list[Json]:
    """The custom fields of this name that this connection made."""
    return [field for field in client.custom_fields_named(name) if field.get("Description") == _mark(connection)]


def _queue(client: RequestTrackerClient, name: str) -> Json | None:
    try:
        return client.queue(name)
    except Refused as error:
        if error.detail != GONE:
            raise
        return None
