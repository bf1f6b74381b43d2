"""``hub ticket``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.opening import Stop, config_option, json_option, load_config, open_hub

if TYPE_CHECKING:
    from hub.store.views import DeliveryView, EventView, FiledView, MessageView, TicketDetail


@click.group()
def ticket() -> None:
    """See tickets and their whole story."""


@ticket.command("list")
@config_option
@json_option
@click.option("--search", default="", help="In code, author, texts and the helpdesk's number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True)
def list_tickets(config_path: Path | None, as_json: bool, search: str, limit: int) -> None:
    """The newest tickets."""
    from hub.cli.printing import ago, print_json, print_table
    from hub.store import views

    with open_hub(load_config(config_path)) as hub, hub.store.read() as connection:
        rows = views.ticket_rows(connection, search=search, limit=limit)
    if as_json:
        print_json(rows)
        return
    lines = [
        (
            one.code,
            one.status,
            one.network,
            one.author,
            one.kind,
            one.category,
            one.priority,
            one.team,
            ago(one.created_at),
            one.subject,
        )
        for one in rows
    ]
    columns = ("code", "status", "network", "author", "kind", "category", "priority", "team", "opened", "subject")
    dispensable = ("team", "kind", "priority", "category")
    empty = "No ticket." if search else "No ticket yet."
    whole, cut = ("code", "status", "opened"), ("author", "subject")
    print_table(columns, lines, empty=empty, whole=whole, cut=cut, dispensable=dispensable)


@ticket.command()
@click.argument("code")
@config_option
@json_option
def show(code: str, config_path: Path | None, as_json: bool) -> None:
    """The whole story of the ticket CODE: both sides, every decision, every delivery with its proof.

    CODE may also be the number or the address of the helpdesk's record.
    """
    from hub.cli.printing import print_json
    from hub.store import views

    with open_hub(load_config(config_path)) as hub, hub.store.read() as connection:
        found = views.ticket(connection, code, hub.decrypt_json)
        if found is None and (filed := _only_code(views.filed_as(connection, code), code)):
            found = views.ticket(connection, filed, hub.decrypt_json)
    if found is None:
        raise Stop(f'There is no ticket "{code}".')
    if as_json:
        print_json(found)
        return
    _print(found)


def _only_code(filed: list[FiledView], record: str) -> str:
    """The code of the one ticket among them; empty when there is none."""
    codes = {one.code for one in filed}
    if len(codes) > 1:
        where = ", ".join(f"{one.code} (at {one.connection})" for one in filed)
        raise Stop(f'Several tickets have a record "{record}": {where}. Name one by its code.')
    return codes.pop() if codes else ""


def _print(found: TicketDetail) -> None:
    from hub.cli.printing import print_facts

    click.secho(f"{found.code}  {found.subject}", bold=True)
    facts: list[tuple[str, object]] = [
        (name, getattr(found, name))
        for name in ("status", "kind", "category", "priority", "language", "team", "agent", "tags", "created_at")
    ]
    records = [
        f"{one.url or one.vendor_id} ({one.connection}{'' if one.active else ', not active'})" for one in found.records
    ]
    collected = [f"{name} = {value}" for name, value in found.fields.items()]
    facts += [
        ("from", f"{found.requester} on {found.network.capitalize()}"),
        ("records", records),
        ("collected", collected),
    ]
    print_facts([*facts, ("missing", found.missing)])
    click.secho("\nWhat was said", bold=True)
    for message in found.messages:
        _print_message(message)
    click.secho("\nWhat happened", bold=True)
    for event in found.events:
        _print_event(event)
    click.secho("\nDeliveries", bold=True)
    for delivery in found.deliveries:
        _print_delivery(delivery)


def _print_message(message: MessageView) -> None:
    from hub.cli.printing import clean, indented, when

    seen = message.privacy if message.public else "internal"
    marks = [
        seen,
        *(["edited"] if message.edited_at else []),
        *(["deleted"] if message.deleted_at else []),
        *([f"not published: {clean(message.not_published)}"] if message.not_published else []),
    ]
    click.echo(f"  {when(message.created_at)}  {message.side}: {clean(message.author)} ({', '.join(marks)})")
    click.echo(indented(message.text, "      "))
    if message.permalink:
        click.echo(f"      {clean(message.permalink)}")
    for decision in message.decisions:
        answer = ", ".join(f"{name} {value}" for name, value in decision.answer.items() if value and name != "reasons")
        click.echo(f"      {decision.router}: {clean(answer)}; because {clean(decision.reasons)}")


def _print_event(event: EventView) -> None:
    from hub.cli.printing import clean, when

    data = ", ".join(f"{name} {clean(value)}" for name, value in event.data.items() if value and name != "message")
    who = f" by {clean(event.actor)}" if event.actor else ""
    click.echo(f"  {when(event.at)}  {event.kind.replace('_', ' ')}{who}{f' ({data})' if data else ''}")


def _print_delivery(delivery: DeliveryView) -> None:
    from hub.cli.printing import clean, when

    proof = clean(delivery.permalink or delivery.receipt_id)
    end = f" -> {proof}" if proof else f" ({clean(delivery.reason)})" if delivery.reason else ""
    click.echo(f"  {when(delivery.created_at)}  {delivery.verb} at {delivery.connection}: {delivery.state}{end}")
    for attempt in delivery.attempts:
        if attempt.outcome not in ("", "done"):
            click.echo(f"      tried {when(attempt.started_at)}: {attempt.outcome} {clean(attempt.summary)}")
