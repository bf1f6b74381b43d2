"""``hub ticket``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.opening import Stop, actor, config_option, json_option, load_config, open_hub

if TYPE_CHECKING:
    from hub.flow.redact import Redaction
    from hub.store.views import DeliveryView, EventView, FiledView, MessageView, TicketDetail


@click.group()
def ticket() -> None:
    """See tickets and their whole story; make the hub forget what was said."""


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


@ticket.command()
@click.argument("code")
@click.argument("message", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", required=True, help="Why; it stays in the audit and goes to the helpdesk.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def redact(code: str, message: int, reason: str, yes: bool, config_path: Path | None) -> None:
    """Forget the words and files of the MESSAGE (its #number in `hub ticket show`) of the ticket CODE, for good.

    They go out of the hub's database, and the helpdesk is told to redact its comment, where it can. What stands on a
    network stays there. A copy of the database made earlier still has them.
    """
    from hub.cli.printing import clean
    from hub.flow import redact as flow

    if not reason.strip():
        raise Stop("Say why: --reason must not be empty.")
    # With the connectors: which helpdesk can redact is a role of theirs.
    with open_hub(load_config(config_path), with_connections=True) as hub:
        if not yes and not click.confirm(f"Forget message #{message} of {clean(code)} for good?"):
            raise Stop("Nothing was changed.")
        try:
            done = flow.redact(hub, code, message, actor=actor(), reason=reason)
        except flow.NoSuchMessage:
            raise Stop(f'There is no message #{message} in a ticket "{clean(code)}".') from None
    for line in _told(message, done):
        click.echo(line)


def _told(message: int, done: Redaction) -> list[str]:
    from hub.cli.printing import clean

    by_hand, published = ", ".join(done.by_hand), ", ".join(done.published)
    return [
        f"Message #{message} is redacted in the hub.",
        *([f"The helpdesk is told to redact: comment {clean(', '.join(done.there))}."] if done.there else []),
        *([f"In the helpdesk a person must remove it: comment {clean(by_hand)}."] if by_hand else []),
        *(["The helpdesk's record still has these words as its title: change it there."] if done.title else []),
        *([f"NOT taken back on the network, where it can still be read: {clean(published)}"] if published else []),
        *(["It is just being published, and will still appear on the network."] if done.going_out else []),
    ]


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

    seen, yet = "internal" if message.internal else message.privacy, " yet" if message.awaited else ""
    marks = [
        seen,
        *(["edited"] if message.edited_at else []),
        *(["deleted"] if message.deleted_at else []),
        *(["redacted"] if message.redacted else []),
        *([f"not published{yet}: {clean(message.not_published)}"] if message.not_published else []),
    ]
    said_by = f"{message.side}: {clean(message.author)}"
    click.echo(f"  {when(message.created_at)}  #{message.id}  {said_by} ({', '.join(marks)})")
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
