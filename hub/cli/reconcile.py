"""``hub reconcile``."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.leisure import calls_option
from hub.cli.opening import Misused, Stop, actor, config_option, json_option, load_config, must_know, open_hub

if TYPE_CHECKING:
    from hub.cli.leisure import Telling
    from hub.flow.reconcile import Comparison
    from hub.store.certificates import CertificateView


@click.command()
@click.argument("name")
@click.option("--repair", is_flag=True, help="Take in what was missed, write lost links again; deletes nothing.")
@click.option("--since", "since_text", help="What is unsolved, or touched since: 7d (the default), 12h, 2026-01-31.")
@click.option("--all", "everything", is_flag=True, help="Every record that lives, however old.")
@calls_option
@config_option
@json_option
def reconcile(
    name: str,
    repair: bool,
    since_text: str | None,
    everything: bool,
    calls_a_minute: int,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Compare every record of the helpdesk NAME with what the hub holds, and keep the result as a certificate.

    What differs and is younger than five minutes may be on its way: it is left out, and how much that is comes last.
    Works while the hub runs. What is repaired goes through the hub's inbox; a public comment of an agent older than a
    day is kept and noted to the agent, and not published. Exit code 1 when differences are left.
    """
    from hub.cli.backfill import right_account
    from hub.cli.leisure import since, telling
    from hub.cli.printing import as_dict, print_json
    from hub.flow.comparing import GRACE
    from hub.flow.reconcile import CannotCompare, Comparison
    from hub.sdk import ConnectorError
    from hub.work.assembly import utc_now

    if everything and since_text:
        raise Misused("Give either --since or --all.")
    start = None if everything else since(since_text or "7d", utc_now())
    with open_hub(load_config(config_path), with_connections=True) as hub:
        must_know(hub.connected, name)
        try:
            comparison = Comparison(hub, name, since=start, repair=repair, actor=actor(), calls_a_minute=calls_a_minute)
        except CannotCompare as error:
            raise Stop(str(error)) from error
        right_account(hub, name)
        try:
            with telling(name, quiet=as_json) as shown:
                _run(comparison, shown)
        except ConnectorError as error:
            raise Stop(
                f"{name}: {type(error).__name__}: {error.summary}\nNo certificate was made; {_so_far(comparison)}."
            ) from error
        except KeyboardInterrupt:
            raise Stop(f"Stopped, no certificate was made; {_so_far(comparison)}.") from None
        made = comparison.finish()
    if as_json:
        until = made.at + GRACE if made.young else None
        print_json({**as_dict(made), "left": made.left, "agrees": made.agrees, "young_until": until})
    else:
        _print(made, start, repair)
    if made.left:
        raise click.exceptions.Exit(1)


def _run(comparison: Comparison, shown: Telling) -> None:
    while comparison.left:
        while (seconds := comparison.pause()) > 0:
            shown.wait(seconds, comparison.why)
        comparison.step()
        words = f"{len(comparison.result.differences)} differences, {comparison.result.repaired} repaired"
        shown.show(comparison.total - comparison.left, comparison.total, words)


def _so_far(comparison: Comparison) -> str:
    result = comparison.result
    return f"{result.records} records were compared, {result.repaired} differences repaired; those stay repaired"


def _print(made: CertificateView, start: datetime | None, repair: bool) -> None:
    from hub.cli.printing import print_facts, print_table, when
    from hub.web.translation import texts

    words = texts("en")
    scope = "every record" if start is None else f"what is unsolved or was touched since {when(start)}"
    click.echo(f"{made.connection}: {scope}\n")
    print_facts(
        [
            ("records", made.records),
            ("comments", made.comments),
            # Of the comments only, and equal then: above a list of differences in fields they would say the contrary.
            ("fingerprint of the comments", made.ours if made.comments and not made.found else ""),
        ]
    )
    if not made.found:
        click.echo("\nBoth sides agree, but for what is left out." if _open(made) else "\nBoth sides agree.")
        _left_out(made)
        return
    click.echo("")
    lines = [
        (
            one["ticket"],
            one["record"],
            one["comment"],
            words[f"difference.{one['kind']}"],
            one["detail"],
            one["repaired"],
        )
        for one in made.differences
    ]
    print_table(
        ("ticket", "record", "comment", "difference", "detail", "repaired"),
        lines,
        empty="",
        whole=("ticket", "record", "comment"),
        dispensable=("comment", "record"),
    )
    for kind, number in Counter(one["kind"] for one in made.differences).most_common():
        click.echo(f"{number} x {words[f'difference.{kind}']}: {words[f'difference_means.{kind}']}")
    if made.found > len(made.differences):
        click.echo(f"... and {made.found - len(made.differences)} more.")
    if repair:
        click.echo(f"\n{made.repaired} repaired: a running hub takes them in now. {made.left} are left for a person.")
    else:
        click.echo(f"\nNothing was changed. Repair what can be: hub reconcile {made.connection} --repair")
    _left_out(made)


def _open(made: CertificateView) -> bool:
    return bool(made.moving or made.young)


def _left_out(made: CertificateView) -> None:
    """What the comparison says nothing of, and until when: the last lines."""
    from hub.cli.printing import when
    from hub.flow.comparing import GRACE

    if made.moving:
        what = "record was" if made.moving == 1 else "records were"
        click.echo(f"Left out: {made.moving} {what} not compared, with something on its way.")
    if made.young:
        what = "difference is" if made.young == 1 else "differences are"
        minutes, until = int(GRACE.total_seconds() // 60), when(made.at + GRACE)
        click.echo(
            f"Left out: {made.young} {what} younger than {minutes} minutes and may be on its way. Compare again after "
            f"{until}."
        )
