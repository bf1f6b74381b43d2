"""``hub backfill``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.leisure import calls_option
from hub.cli.opening import Stop, actor, config_option, json_option, load_config, must_know, open_hub

if TYPE_CHECKING:
    from hub.flow.backfill import Outcome, Progress
    from hub.flow.hub import Hub


@click.command()
@click.argument("name")
@click.option("--since", "since_text", default="30d", show_default=True, help="30d, 12h, 2w, or a date: 2026-01-31.")
@click.option("--afresh", is_flag=True, help="Read everything since then again, also what is stored.")
@calls_option
@config_option
@json_option
def backfill(
    name: str, since_text: str, afresh: bool, calls_a_minute: int, config_path: Path | None, as_json: bool
) -> None:
    """Read the past of the helpdesk NAME: tickets, comments, who solved what. Posts nothing and answers nothing.

    Works while the hub runs. Stopped at any moment it goes on where it was; after its end it reads what changed since.
    """
    from hub.cli.leisure import since, telling
    from hub.cli.printing import print_json
    from hub.flow import backfill as flow
    from hub.sdk import ConnectorError
    from hub.store.history import BackfillMoved
    from hub.work.assembly import utc_now

    start = since(since_text, utc_now())
    with open_hub(load_config(config_path), with_connections=True) as hub:
        must_know(hub.connected, name)
        if name not in flow.able(hub):
            try:
                flow.backfill(hub, name, since=start, wait=lambda seconds, why: None)
            except flow.CannotBackfill as error:
                raise Stop(str(error)) from error
        right_account(hub, name)
        with telling(f"{name} since {start:%Y-%m-%d}", quiet=as_json) as shown:

            def tell(progress: Progress) -> None:
                shown.show(progress.read, progress.total, _words(progress))

            try:
                outcome = flow.backfill(
                    hub,
                    name,
                    since=start,
                    wait=shown.wait,
                    tell=tell,
                    afresh=afresh,
                    actor=actor(),
                    calls_a_minute=calls_a_minute,
                )
            except (flow.Stalled, BackfillMoved) as error:
                raise Stop(f"{error}.") from error
            except ConnectorError as error:
                raise Stop(
                    f"{name}: {type(error).__name__}: {error.summary}\n"
                    "What was read is kept; the same command goes on from there."
                ) from error
            except KeyboardInterrupt:
                raise Stop("Stopped. What was read is kept; the same command goes on from there.") from None
    if as_json:
        print_json(outcome)
    else:
        _print(outcome)


def right_account(hub: Hub, name: str) -> None:
    """Raises :class:`Stop` when the vendor refuses us, or another account answers under this name."""
    from hub.flow import check
    from hub.sdk import ConnectorError
    from hub.store import connections

    one = hub.connected[name]
    hub.store.run(
        lambda tx: connections.ensure(
            tx, name=name, connector=one.connector.name, side=one.side, mode=one.config.mode, now=hub.now()
        )
    )
    try:
        check.check(hub, name)
    except ConnectorError as error:
        raise Stop(f"{name}: {type(error).__name__}: {error.summary}") from error
    with hub.store.read() as connection:
        row = connections.get(connection, name)
    if row.paused_by == "hub":
        raise Stop(f"{name} is paused: {row.paused}.")


def _words(progress: Progress) -> str:
    up_to = f", up to {progress.up_to:%Y-%m-%d %H:%M}" if progress.up_to else ""
    return f"{progress.new} new, {progress.changed} changed{up_to}"


def _print(outcome: Outcome) -> None:
    from hub.cli.printing import print_facts, when

    past, name = outcome.past, outcome.connection
    nothing = not outcome.read and outcome.resumed_from is not None
    if nothing:
        last = when(outcome.resumed_from)
        click.echo(f"{name}: nothing changed since the last backfill ({last}); --afresh reads everything again.")
    elif not past.tickets:
        click.echo(f"There was nothing to read: {name} has no ticket changed since {when(outcome.since)}.")
    if not past.tickets:
        return
    how = "went on where it had ended" if outcome.resumed else "read from the beginning"
    if not nothing:
        click.echo(f"{name}: {how}; {outcome.new} tickets are new, {outcome.changed} had changed.")
    click.echo()
    print_facts(
        [
            ("tickets", past.tickets),
            ("comments", past.comments),
            ("solvers", past.solvers),
            ("groups", past.groups),
            ("opened from", past.oldest),
            ("changed up to", past.newest),
        ]
    )
